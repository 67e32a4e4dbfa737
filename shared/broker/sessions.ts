/** How sessions come to places, and give them up. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { JoinRequest, LeaveRequest, Refusal, ResumeRequest } from '../protocol/signaling.ts';
import { keepChecking, wakeRoom } from './absence.ts';
import { schedule } from './burst.ts';
import { lose, outdo, readmit, regain } from './places.ts';
import { endProbes } from './complaints.ts';
import { isArmed } from './dues.ts';
import { eraOf, gather, mayRecover, recoverIfWhole } from './recovery.ts';
import { idTaken, placeLost, refusal } from './refusals.ts';
import { has, hasLeft } from './room.ts';
import { hasForgotten, openRoom, remove } from './rooms.ts';
import {
  newSeat,
  type Asker,
  type Broker,
  type Membership,
  type OpenRoom,
  type Seat,
} from './state.ts';
import { get, put } from './table.ts';
import { announce, deliver, reply, roomOf, seat, type Turn } from './turn.ts';
import { viewFor } from './views.ts';

/** Takes a newcomer in: at once where none came just before, else with all others of its burst. */
export function join(turn: Turn, asker: Asker, request: JoinRequest): void {
  const { room: name, id, secret, policy } = request;
  const open = roomOf(turn, name);
  const known = open && get(open.seats, id);
  const isTaken = open !== undefined && (known !== undefined || hasLeft(open.room, id));
  const refused = isTaken ? idTaken(id) : refusalOfOneMore(turn, name, open);
  if (refused === null) {
    const room = open ?? openRoom(turn, name, policy);
    put(room.seats, id, newSeat(secret));
    seat(turn, room, id, asker.session);
    room.pending = [...room.pending, { ...asker, request, since: turn.now }];
    schedule(turn, room);
    return;
  }
  // Its own earlier self, whose reply was lost with the connection: no one is there any more.
  const isItself = open !== undefined && known?.secret === secret;
  if (isItself) remove(turn, open, id, true);
  reply(turn, asker, refused);
  if (isItself) recoverIfWhole(turn, open);
}

/**
 * Gives a member its view again, over another connection. Its place is as it was, also where this
 * memory is another than the one that it was in.
 */
export function resume(turn: Turn, asker: Asker, request: ResumeRequest): void {
  const open = roomOf(turn, request.room);
  const known = open && get(open.seats, request.id);
  if (open !== undefined && known !== undefined) {
    const isIts = has(open.room, request.id) && (known.secret ?? request.secret) === request.secret;
    if (isIts) comeBack(turn, open, known, request);
    answer(turn, asker, request, isIts ? open : undefined);
    return;
  }
  const refused = refusalOfReturn(turn, request, open);
  if (refused !== null) {
    reply(turn, asker, refused);
    return;
  }
  const room = open ?? openRoom(turn, request.room, request.policy);
  takeIn(turn, room, request);
  answer(turn, asker, request, room);
  recoverIfWhole(turn, room);
}

/** A member has its own place again. */
function comeBack(turn: Turn, open: OpenRoom, known: Seat, request: ResumeRequest): void {
  if (known.secret === null) {
    outdo(open.room, eraOf(turn, request.place));
    announce(turn, open, []);
  }
  known.secret = request.secret;
  wakeRoom(turn, open);
  regain(open.room, request.id);
  open.presentAt = turn.now;
}

/** Takes in a member of a memory that is lost. */
function takeIn(turn: Turn, open: OpenRoom, request: ResumeRequest): void {
  const { id, secret, policy, place, removed } = request;
  const { version, successor, predecessor } = place;
  const era = eraOf(turn, place);
  if (mayRecover(turn, open, place.incarnation)) gather(turn, open);
  // The room may have been opened by a newcomer who could not know.
  if (open.room.recollections !== null) open.policy = policy;
  put(open.seats, id, newSeat(secret));
  wakeRoom(turn, open);
  const recollection = { id, place: { successor, predecessor }, version, removed };
  announce(turn, open, readmit(open.room, recollection, era, turn));
}

/** Answers who asks for its place in a room; undefined where it has none. */
function answer(turn: Turn, asker: Asker, request: ResumeRequest, open?: OpenRoom): void {
  const view = open && viewFor(open.room, request.id);
  if (open === undefined || view === undefined) {
    reply(turn, asker, placeLost(request));
    return;
  }
  seat(turn, open, request.id, asker.session);
  reply(turn, asker, { ok: true, view, policy: open.policy });
}

/** A session gives up its place, if it has one. */
export function leave(turn: Turn, asker: Asker, place: Membership | null): void {
  const open = place === null ? undefined : roomOf(turn, place.room);
  if (place !== null && open !== undefined) remove(turn, open, place.id, true);
  reply(turn, asker, { ok: true });
  if (open !== undefined) recoverIfWhole(turn, open);
}

/** Whether somebody who has no connection may speak for a member, or there is none to speak for. */
export function mayLeave({ rooms }: Broker, { room, id, secret }: LeaveRequest): boolean {
  const open = get(rooms, room);
  const known = open && get(open.seats, id);
  return known === undefined || known.secret === secret;
}

/** A member leaves, and says so over HTTP. */
export function leaveByHttp(turn: Turn, request: LeaveRequest): void {
  const open = roomOf(turn, request.room);
  if (open === undefined || get(open.seats, request.id) === undefined) return;
  if (mayLeave(turn.state, request)) letGo(turn, open, request.id);
}

/** A connection is lost: its peer keeps its place while its neighbours hear from it. */
export function close(turn: Turn, { room, id }: Membership): void {
  const open = roomOf(turn, room);
  const known = open && get(open.seats, id);
  if (open === undefined || known === undefined) return;
  known.session = null;
  if (!has(open.room, id)) {
    // It was about to become a member; nobody knows it yet.
    letGo(turn, open, id);
    return;
  }
  const questions = lose(open.room, id, turn);
  endProbes(turn, known);
  deliver(turn, open, questions);
  if (!isArmed(turn, { name: 'checks', room: open.name })) open.presentAt = turn.now;
  keepChecking(turn, open);
}

function letGo(turn: Turn, open: OpenRoom, id: PeerId): void {
  remove(turn, open, id, true);
  recoverIfWhole(turn, open);
}

function refusalOfOneMore(
  { state }: Turn,
  name: RoomName,
  open: OpenRoom | undefined,
): Refusal | null {
  const { rooms, peersPerRoom } = state.limits;
  if (open === undefined)
    return state.rooms.size < rooms
      ? null
      : refusal('room-full', 'this server has as many rooms as it takes');
  const { size } = open.seats;
  return size < peersPerRoom
    ? null
    : refusal('room-full', `room ${name} is full with ${size} peers`);
}

/** One that had a place in this very memory, and has it no more, was let go. */
function refusalOfReturn(
  turn: Turn,
  request: ResumeRequest,
  open: OpenRoom | undefined,
): Refusal | null {
  const { room, id, place } = request;
  const isOfThisMemory = place.incarnation.startsWith(`${turn.state.incarnation}.`);
  if (isOfThisMemory && !hasForgotten(turn, room, place.incarnation)) return placeLost(request);
  if (open !== undefined && hasLeft(open.room, id)) return placeLost(request);
  return refusalOfOneMore(turn, room, open);
}
