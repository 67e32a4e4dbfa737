/**
 * The signaling server's state machine: rooms, places and brokering, without its network. The Socket.IO
 * server and the simulated one both run it, by the driver of driver.ts.
 *
 * `handle` takes one input at a time. It changes the state in place and returns what is to be
 * delivered, in order. It knows no timers: what has to happen later is among the state's `dues`, and the
 * driver gives the input `time` when the first of them is over.
 */
import type { RoomName } from '../protocol/ids.ts';
import type { Request } from '../protocol/signaling.ts';
import type { Order } from '../protocol/watch.ts';
import { checkNow } from './absence.ts';
import { assign } from './burst.ts';
import { settle } from './places.ts';
import { complain, probed, probeOverdue } from './complaints.ts';
import { firstOf, takeDue, type RoomTask } from './dues.ts';
import { lookup, recoverLate } from './recovery.ts';
import { ALREADY_JOINED, NOT_JOINED, refusal } from './refusals.ts';
import { has, passSignal, peersOf } from './room.ts';
import type { Moment } from '../machine/moment.ts';
import { close, join, leave, leaveByHttp, resume } from './sessions.ts';
import type { Asker, Broker, Delivery, Input, Membership, OpenRoom, SessionId } from './state.ts';
import { drop, get, put, valuesOf } from './table.ts';
import { announce, deliver, reply, roomOf, type Turn } from './turn.ts';

/** What is done when something is due in a room. */
const TASKS: Readonly<Record<RoomTask, (turn: Turn, open: OpenRoom) => void>> = {
  assign,
  checks: checkNow,
  recovery: recoverLate,
  era: (turn, open) => announce(turn, open, []),
};

/** Takes one input. Returns what is to be delivered, in order. */
export function handle(state: Broker, input: Input, { now, date }: Moment): readonly Delivery[] {
  const turn: Turn = { state, now, date, deliveries: [] };
  switch (input.type) {
    case 'opened':
      put(state.sessions, input.session, { name: 'arrived' });
      break;
    case 'request': {
      const { session, number } = input;
      request(turn, { session, number }, input.request);
      break;
    }
    case 'probed':
      probed(turn, input.session, input.probe);
      break;
    case 'closed': {
      const session = drop(state.sessions, input.session);
      if (session?.name === 'placed') close(turn, session);
      break;
    }
    case 'goodbye':
      leaveByHttp(turn, input.request);
      break;
    case 'time':
      pass(turn);
      break;
  }
  return turn.deliveries;
}

/** When the broker has something to do next; null where it has nothing. */
export function nextDue({ dues }: Broker): number | null {
  return firstOf(dues);
}

/** Rooms and members at this moment. */
export function sizeOf({ rooms }: Broker): { readonly rooms: number; readonly peers: number } {
  const peers = valuesOf(rooms).reduce((sum, { room }) => sum + room.ring.length, 0);
  return { rooms: rooms.size, peers };
}

/** A room's peers in ring order, each followed by its successor, and whom the room prefers. */
export function orderOf({ rooms }: Broker, name: RoomName): Order {
  const open = get(rooms, name);
  return open === undefined
    ? { peers: [], policy: null }
    : { peers: peersOf(open.room), policy: open.policy };
}

/** The place that a session has, or is about to get. */
export function placeOf({ sessions }: Broker, session: SessionId): Membership | null {
  const known = get(sessions, session);
  return known?.name === 'placed' ? { room: known.room, id: known.id } : null;
}

/** The sessions of a room's members. */
export function sessionsIn({ rooms }: Broker, name: RoomName): readonly SessionId[] {
  const open = get(rooms, name);
  if (open === undefined) return [];
  return peersOf(open.room).flatMap((id) => get(open.seats, id)?.session ?? []);
}

/** Takes what is due, one thing for each input. */
function pass(turn: Turn): void {
  const due = takeDue(turn);
  if (due === undefined) return;
  if (due.name === 'probe') {
    probeOverdue(turn, due.probe);
    return;
  }
  const open = roomOf(turn, due.room);
  if (open !== undefined) TASKS[due.name](turn, open);
}

function request(turn: Turn, asker: Asker, asked: Request): void {
  if (get(turn.state.sessions, asker.session) === undefined) return;
  const place = placeOf(turn.state, asker.session);
  switch (asked.type) {
    case 'join':
      if (place === null) join(turn, asker, asked.body);
      else reply(turn, asker, ALREADY_JOINED);
      return;
    case 'resume':
      if (place === null) resume(turn, asker, asked.body);
      else reply(turn, asker, ALREADY_JOINED);
      return;
    case 'leave':
      return leave(turn, asker, place);
    default:
      ofMember(turn, asker, place, asked);
  }
}

/** What only one that has joined a room may ask. */
type MemberRequest = Exclude<Request, { readonly type: 'join' | 'resume' | 'leave' }>;

function ofMember(turn: Turn, asker: Asker, place: Membership | null, asked: MemberRequest): void {
  const open = place === null ? undefined : roomOf(turn, place.room);
  if (place === null || open === undefined) {
    reply(turn, asker, NOT_JOINED);
    return;
  }
  const { room } = open;
  const { id } = place;
  switch (asked.type) {
    case 'signal': {
      const { to, edge } = asked.body;
      const notice = passSignal(room, id, asked.body);
      if (notice !== null) deliver(turn, open, [notice]);
      const refused = refusal('not-a-neighbour', `${to} is not your ${edge}`);
      reply(turn, asker, notice === null ? refused : { ok: true });
      return;
    }
    case 'settle':
      if (has(room, id)) reply(turn, asker, { ok: true, era: settle(room, id, turn) });
      else reply(turn, asker, refusal('not-joined', `${id} is no member of ${open.name}`));
      return;
    case 'complain':
      return complain(turn, open, asker, id, asked.body);
    case 'lookup':
      return lookup(turn, open, { asker, peer: asked.body });
  }
}
