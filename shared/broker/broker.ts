/**
 * The signaling server's state machine: rooms, places and brokering, without its network. The Socket.IO
 * server and the simulated one both run it.
 *
 * `handle` takes one input at a time. It changes the state in place and returns what is to be
 * delivered, in order. It knows no timers: what has to happen later is among the state's `dues`, and
 * run.ts gives the input `time` when the first of them is over.
 */
import { takeDue } from '../machine/due-times.ts';
import type { Moment } from '../machine/moment.ts';
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Request } from '../protocol/signaling.ts';
import type { Order } from '../protocol/watch.ts';
import { complain, endProbes, takeAnswer } from './complaints.ts';
import { govern } from './hosts.ts';
import { settle } from './places.ts';
import { letGo, lookup, recoverLate } from './recovery.ts';
import { peersOf } from './room.ts';
import { assign, checkNow } from './rooms.ts';
import { close, join, leaveByHttp, resume } from './sessions.ts';
import { pass } from './signals.ts';
import type {
  Asker,
  Broker,
  Delivery,
  Due,
  Input,
  Membership,
  OpenRoom,
  RoomTask,
  SessionId,
} from './state.ts';
import { sealTicket } from './tickets.ts';
import { announce, NOT_JOINED, refusal, reply, type BrokerPorts, type Turn } from './turn.ts';
import { viewFor } from './views.ts';

export const ALREADY_JOINED = refusal(
  'already-joined',
  'this connection has joined a room already',
);

/** What is done when something is due in a room. */
const TASKS: Readonly<Record<RoomTask, (turn: Turn, open: OpenRoom) => void>> = {
  assign,
  checks: checkNow,
  recovery: recoverLate,
  probes: endProbes,
  era: announce,
};

/** Takes one input. Returns what is to be delivered, in order. */
export function handle(
  state: Broker,
  input: Input,
  moment: Moment,
  ports: BrokerPorts,
): readonly Delivery[] {
  const grant = input.type === 'request' ? (input.grant ?? null) : null;
  const turn: Turn = { ...moment, ...ports, state, deliveries: [], grant };
  switch (input.type) {
    case 'opened':
      state.sessions.set(input.session, { address: input.address, place: null });
      break;
    case 'request':
      request(turn, { session: input.session, number: input.number }, input.request);
      break;
    case 'closed': {
      const place = placeOf(state, input.session);
      state.sessions.delete(input.session);
      if (place !== null) close(turn, place);
      break;
    }
    case 'goodbye':
      leaveByHttp(turn, input.request);
      break;
    case 'granted':
      state.latestEra = Math.max(state.latestEra, input.era);
      if (input.isLost) state.lost.add(input.room);
      break;
    case 'time': {
      const due = takeDue(state, turn.now);
      if (due !== undefined) perform(turn, due);
      break;
    }
  }
  return turn.deliveries;
}

/** Rooms and members at this moment. */
export function sizeOf({ rooms }: Broker): { readonly rooms: number; readonly peers: number } {
  const peers = [...rooms.values()].reduce((sum, { ring }) => sum + ring.length, 0);
  return { rooms: rooms.size, peers };
}

/** A room's peers in ring order, each followed by its successor, and whom the room prefers. */
export function orderOf({ rooms }: Broker, name: RoomName): Order {
  const { ring = [], policy = null } = rooms.get(name) ?? {};
  return { peers: ring.map(({ id }) => id), policy };
}

/** The place that a session has, or is about to get. */
export function placeOf({ sessions }: Broker, session: SessionId): Membership | null {
  return sessions.get(session)?.place ?? null;
}

/** The sessions of a room's members. */
export function sessionsIn({ rooms }: Broker, name: RoomName): readonly SessionId[] {
  const open = rooms.get(name);
  if (open === undefined) return [];
  return peersOf(open).flatMap((id) => open.seats.get(id)?.session ?? []);
}

/** Does what is due. */
function perform(turn: Turn, due: Due): void {
  const open = turn.state.rooms.get(due.room);
  if (open === undefined) return;
  open.tasks.delete(due.name);
  TASKS[due.name](turn, open);
}

function request(turn: Turn, asker: Asker, asked: Request): void {
  const session = turn.state.sessions.get(asker.session);
  if (session === undefined) return;
  const { place } = session;
  if (asked.type === 'govern') {
    govern(turn, asker, asked.body);
    return;
  }
  if (asked.type === 'join' || asked.type === 'resume') {
    if (place !== null) reply(turn, asker, ALREADY_JOINED);
    else if (asked.type === 'join') join(turn, asker, asked.body);
    else resume(turn, asker, asked.body);
    return;
  }
  if (place !== null) ofMember(turn, asker, place, asked);
  else reply(turn, asker, asked.type === 'leave' ? { ok: true } : NOT_JOINED);
}

/** What only one that has joined a room may ask. */
type MemberRequest = Exclude<Request, { readonly type: 'join' | 'resume' | 'govern' }>;

function ofMember(turn: Turn, asker: Asker, place: Membership, asked: MemberRequest): void {
  const { id } = place;
  const open = turn.state.rooms.get(place.room);
  // A room is open as long as somebody has a place in it.
  if (open === undefined) return;
  switch (asked.type) {
    case 'signal':
      if (takeAnswer(turn, open, id, asked.body)) reply(turn, asker, { ok: true });
      else pass(turn, open, id, asker, asked.body);
      return;
    case 'settle':
      return settleMember(turn, asker, open, id);
    case 'complain':
      return complain(turn, open, { asker, from: id, ...asked.body });
    case 'lookup':
      return lookup(turn, open, id, asker, asked.body);
    case 'leave':
      letGo(turn, open, id);
      reply(turn, asker, { ok: true });
      return;
  }
}

function settleMember(turn: Turn, asker: Asker, open: OpenRoom, id: PeerId): void {
  const view = viewFor(open, id);
  if (view === undefined) {
    reply(turn, asker, refusal('not-joined', `${id} is no member of ${open.name}`));
    return;
  }
  const era = settle(open, id);
  reply(turn, asker, { ok: true, era, ticket: sealTicket(turn.tickets, open, id, view) });
}
