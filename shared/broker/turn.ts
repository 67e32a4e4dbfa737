/** One input's worth of work: the broker, the time, and what is to be delivered. */
import { arm, disarm } from '../machine/due-times.ts';
import type { Moment } from '../machine/moment.ts';
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Refusal, RefusalCode, ReplyTo, View } from '../protocol/signaling.ts';
import type { Notice, UnsealedView } from './room.ts';
import type {
  Asker,
  Broker,
  Delivery,
  Ending,
  Note,
  OpenRoom,
  RoomTask,
  Seat,
  SessionId,
} from './state.ts';
import { sealTicket, type Tickets } from './tickets.ts';
import { hasUntoldEra, tellEra } from './views.ts';

/** What a broker needs from the world around it. */
export interface BrokerPorts {
  readonly tickets: Tickets;
  /** A number from [0, 1) that nobody can foretell. */
  readonly random: () => number;
}

export interface Turn extends Moment, BrokerPorts {
  readonly state: Broker;
  readonly deliveries: Delivery[];
}

/**
 * What lies at least between two times that all members of a room are told of a later era, in
 * milliseconds: each takes a view for every one of them, and each that comes back may bring one.
 */
const ERA_INTERVAL = 250;

/** Has a room do something at a time, if none is set for it yet. */
export function schedule({ state }: Turn, open: OpenRoom, name: RoomTask, at: number): void {
  if (open.tasks.has(name)) return;
  open.tasks.add(name);
  arm(state, { name, room: open.name, at });
}

export function cancel({ state }: Turn, { name: room, tasks }: OpenRoom, name: RoomTask): void {
  if (tasks.delete(name)) disarm(state, (due) => due.name === name && due.room === room);
}

/** Replies to a request, unless the session has ended meanwhile. */
export function reply(turn: Turn, { session, number }: Asker, said: ReplyTo): void {
  if (turn.state.sessions.has(session))
    turn.deliveries.push({ type: 'reply', session, number, reply: said });
}

/** Characters of a refusal's sentence, which may quote what came. */
const MAX_MESSAGE_LENGTH = 200;

/** What is refused, in words for people. */
export function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message: message.slice(0, MAX_MESSAGE_LENGTH) };
}

export const NOT_JOINED = refusal('not-joined', 'join a room first');

export function idTaken(id: PeerId): Refusal {
  return refusal('id-taken', `the id ${id} is or was another peer's`);
}

export function placeLost(room: RoomName, id: PeerId): Refusal {
  return refusal('place-lost', `the place of ${id} in room ${room} is not kept any more`);
}

/** Replies to a member that has its place, or has it again. */
export function welcome(
  turn: Turn,
  open: OpenRoom,
  asker: Asker,
  id: PeerId,
  view: UnsealedView,
): void {
  const { policy } = open;
  reply(turn, asker, { ok: true, view: sealed(turn, open, id, view), policy });
}

/** Tells members what concerns them; one without a connection misses it. */
export function deliver(turn: Turn, open: OpenRoom, notices: readonly Notice[]): void {
  for (const { to, ...told } of notices) {
    const session = open.seats.get(to)?.session ?? null;
    if (session === null) continue;
    turn.deliveries.push({
      type: 'push',
      session,
      told: told.type === 'view' ? { ...told, view: sealed(turn, open, to, told.view) } : told,
    });
  }
}

function sealed({ tickets }: Turn, open: OpenRoom, id: PeerId, view: UnsealedView): View {
  return { ...view, ticket: sealTicket(tickets, open, id, view) };
}

/** Hands out what a change brings to those whom it concerns, and to all the era that it has begun. */
export function announce(turn: Turn, open: OpenRoom, notices: readonly Notice[] = []): void {
  deliver(turn, open, notices);
  if (open.tasks.has('era') || !hasUntoldEra(open)) return;
  const at = (open.eraToldAt ?? -Infinity) + ERA_INTERVAL;
  if (at > turn.now) {
    schedule(turn, open, 'era', at);
    return;
  }
  open.eraToldAt = turn.now;
  deliver(turn, open, tellEra(open));
}

/** Gives a seat to a session, in place of the one that had it. */
export function seat(turn: Turn, open: OpenRoom, id: PeerId, session: SessionId): void {
  const taken = open.seats.get(id);
  if (taken === undefined) return;
  end(turn, taken.session, 'replaced');
  taken.lookups = [];
  taken.session = session;
  const asking = turn.state.sessions.get(session);
  if (asking !== undefined) asking.place = { room: open.name, id };
}

/** Takes a seat away. Returns its session, if it has one, which may ask for another seat. */
export function unseat(turn: Turn, { seats }: OpenRoom, id: PeerId): SessionId | null {
  const taken = seats.get(id);
  if (taken === undefined) return null;
  seats.delete(id);
  endProbe(turn, taken, false);
  for (const asked of taken.lookups) reply(turn, asked, NOT_JOINED);
  const { session } = taken;
  const left = session === null ? undefined : turn.state.sessions.get(session);
  if (left !== undefined) left.place = null;
  return session;
}

/** Nobody waits any more for a member to show that it is awake. */
export function endProbe(turn: Turn, seat: Seat, isMember: boolean): void {
  for (const { asker } of seat.probe?.charges ?? []) reply(turn, asker, { ok: true, isMember });
  seat.probe = null;
}

/** Has something logged. */
export function note({ deliveries }: Turn, { name: room }: OpenRoom, note: Note): void {
  deliveries.push({ type: 'note', room, note });
}

/** Ends the session of one that has no place any more, or another one for it. */
export function end({ state, deliveries }: Turn, session: SessionId | null, why: Ending): void {
  if (session === null) return;
  state.sessions.delete(session);
  deliveries.push({ type: 'end', session, why });
}
