/** How sessions come to places, and give them up. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type {
  JoinRequest,
  LeaveRequest,
  Refusal,
  ResumeRequest,
  Ticket,
} from '../protocol/signaling.ts';
import { keepChecking, lose, wake } from './absence.ts';
import { decide } from './complaints.ts';
import {
  areOfOneRoom,
  factsFor,
  factsOf,
  isTurnedOut,
  NO_FACTS,
  refusalOfNewcomer,
  TURNED_OUT,
} from './facts.ts';
import { outdo, readmit } from './places.ts';
import { gather, isOfRoom, letGo, recoverIfWhole } from './recovery.ts';
import { find, has, hasLeft } from './room.ts';
import { closeRoom, hasForgotten, isOfThisMemory, openRoom, takeIn } from './rooms.ts';
import {
  newSeat,
  type Asker,
  type Broker,
  type Membership,
  type OpenRoom,
  type Seat,
} from './state.ts';
import { ticketOf } from './tickets.ts';
import {
  announce,
  deliver,
  endProbe,
  idTaken,
  placeLost,
  refusal,
  reply,
  seat,
  welcome,
  type Turn,
} from './turn.ts';
import { viewFor } from './views.ts';

/** Takes a newcomer in: at once where none came just before, else with all others of its burst. */
export function join(turn: Turn, asker: Asker, request: JoinRequest): void {
  const { room: name, id, secret, policy, key } = request;
  const open = turn.state.rooms.get(name);
  const known = open?.seats.get(id);
  const isTaken = open !== undefined && (known !== undefined || hasLeft(open, id));
  const facts = factsOf(turn, name);
  const refused =
    refusalOfNewcomer(facts, key, turn.grant) ??
    (isTaken ? idTaken(id) : refusalOfOneMore(turn, name, open));
  if (refused === null) {
    const fresh = { ...NO_FACTS, key, revision: turn.state.latestEra };
    const room = open ?? openRoom(turn, name, policy, facts ?? fresh);
    room.seats.set(id, newSeat(secret));
    seat(turn, room, id, asker.session);
    room.pending = [...room.pending, { ...asker, request, since: turn.now }];
    takeIn(turn, room);
    return;
  }
  // Its own earlier self, whose reply was lost with the connection: no one is there any more.
  if (open !== undefined && known?.secret === secret) letGo(turn, open, id);
  reply(turn, asker, refused);
}

/**
 * Gives a member its view again, over another connection. Its place is as it was, also where this
 * memory is another than the one that it was in.
 */
export function resume(turn: Turn, asker: Asker, request: ResumeRequest): void {
  const open = turn.state.rooms.get(request.room);
  if (isTurnedOut(factsOf(turn, request.room), request.id, turn.grant)) {
    reply(turn, asker, TURNED_OUT);
    return;
  }
  const kept = open?.seats.get(request.id);
  if (open === undefined || kept === undefined) bringBack(turn, asker, request, open);
  else reconnect(turn, asker, request, open, kept);
}

/** A member of this memory has another connection. */
function reconnect(
  turn: Turn,
  asker: Asker,
  request: ResumeRequest,
  open: OpenRoom,
  kept: Seat,
): void {
  const { room, id, secret } = request;
  const member = find(open, id);
  // One that was only named by others is of a lost memory, and has to prove it.
  const ticket = kept.secret === null ? ticketOf(turn, asker, request) : null;
  const isOther = ticket !== null && !areOfOneRoom(ticket.facts, open.facts);
  if (member === undefined || isOther || (kept.secret !== secret && ticket === null)) {
    reply(turn, asker, placeLost(room, id));
    return;
  }
  if (ticket !== null) {
    outdo(open, ticket.era);
    announce(turn, open);
  }
  kept.secret = secret;
  wake(turn, open);
  member.lost = null;
  restore(turn, asker, open, id);
}

/** Takes in a member of a memory that is lost, if it proves that it was one. */
function bringBack(turn: Turn, asker: Asker, request: ResumeRequest, known?: OpenRoom): void {
  const { room: name, id, secret, removed } = request;
  const ticket = ticketOf(turn, asker, request);
  if (ticket === null || isKnownGone(turn, ticket, known)) {
    reply(turn, asker, placeLost(name, id));
    return;
  }
  const refused = refusalOfOneMore(turn, name, known);
  if (refused !== null) {
    reply(turn, asker, refused);
    return;
  }
  const facts = known?.facts ?? factsFor(turn, ticket);
  if (facts === null || (known !== undefined && !isOfRoom(turn, known, ticket))) {
    reply(turn, asker, placeLost(name, id));
    return;
  }
  const open = known ?? openRoom(turn, name, ticket.policy, facts);
  gather(turn, open, ticket);
  if (isTurnedOut(open.facts, id, turn.grant)) {
    if (open.seats.size === 0) closeRoom(turn, open);
    reply(turn, asker, TURNED_OUT);
    return;
  }
  open.seats.set(id, newSeat(secret));
  wake(turn, open);
  const { version, successor, predecessor, era } = ticket;
  const recollection = { id, place: { successor, predecessor }, era, version, removed };
  announce(turn, open, readmit(open, recollection, turn));
  restore(turn, asker, open, id);
}

/** Gives a place to the connection that asks for it. */
function restore(turn: Turn, asker: Asker, open: OpenRoom, id: PeerId): void {
  const view = viewFor(open, id);
  // A member has one.
  if (view === undefined) return;
  seat(turn, open, id, asker.session);
  welcome(turn, open, asker, id, view);
  // It has spoken.
  decide(turn, open, id, true);
  recoverIfWhole(turn, open);
}

/** Whether one that had a place in this very memory was let go, or another one knows that it has left. */
function isKnownGone(turn: Turn, { room, id, incarnation }: Ticket, open?: OpenRoom): boolean {
  if (isOfThisMemory(turn, incarnation) && !hasForgotten(turn, room, incarnation)) return true;
  return open !== undefined && hasLeft(open, id);
}

/** Whether somebody who has no connection may speak for a member, or there is none to speak for. */
export function mayLeave({ rooms }: Broker, { room, id, secret }: LeaveRequest): boolean {
  const known = rooms.get(room)?.seats.get(id);
  return known === undefined || known.secret === secret;
}

/** A member leaves, and says so over HTTP. */
export function leaveByHttp(turn: Turn, request: LeaveRequest): void {
  const open = turn.state.rooms.get(request.room);
  if (open?.seats.get(request.id)?.secret === request.secret) letGo(turn, open, request.id);
}

/** A connection is lost: its peer keeps its place while its neighbours hear from it. */
export function close(turn: Turn, { room, id }: Membership): void {
  const open = turn.state.rooms.get(room);
  const known = open?.seats.get(id);
  if (open === undefined || known === undefined) return;
  known.session = null;
  if (!has(open, id)) {
    // It was about to become a member; nobody knows it yet.
    letGo(turn, open, id);
    return;
  }
  const questions = lose(open, id, turn);
  // It does not answer any more; its neighbours are asked again.
  endProbe(turn, known, true);
  known.lookups = [];
  deliver(turn, open, questions);
  keepChecking(turn, open);
}

function refusalOfOneMore({ state }: Turn, name: RoomName, open?: OpenRoom): Refusal | null {
  const { rooms, peersPerRoom } = state.limits;
  if (open === undefined && state.rooms.size >= rooms)
    return refusal('room-full', 'this server has as many rooms as it takes');
  const size = open?.seats.size ?? 0;
  if (size < peersPerRoom) return null;
  return refusal('room-full', `room ${name} is full with ${size} peers`);
}
