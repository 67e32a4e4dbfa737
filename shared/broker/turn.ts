/** One input's worth of work: the broker, the time, and what is to be delivered. */
import { arm, disarm } from '../machine/due-times.ts';
import type { Moment } from '../machine/moment.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { Refusal, RefusalCode, ReplyTo } from '../protocol/signaling.ts';
import type { Notice } from './room.ts';
import type { Asker, Broker, Delivery, Ending, OpenRoom, RoomTask, SessionId } from './state.ts';
import { hasUntoldEra, tellEra } from './views.ts';

export interface Turn extends Moment {
  readonly state: Broker;
  readonly deliveries: Delivery[];
}

/**
 * What lies at least between two times that all members of a room are told of a later era, in
 * milliseconds: each takes a view for every one of them, and anyone can bring an era.
 */
const ERA_INTERVAL = 250;

/** Has a room do something, for which no time is set yet, so many milliseconds from now. */
export function schedule(turn: Turn, open: OpenRoom, name: RoomTask, wait: number): void {
  arm(turn.state, { name, room: open.name, at: turn.now + wait });
}

export function cancel({ state }: Turn, { name: room }: OpenRoom, name: RoomTask): void {
  disarm(state, (due) => due.name === name && due.room === room);
}

export function isScheduled({ state }: Turn, { name: room }: OpenRoom, name: RoomTask): boolean {
  return state.dues.some((due) => due.name === name && due.room === room);
}

export function reply(turn: Turn, { session, number }: Asker, said: ReplyTo): void {
  turn.deliveries.push({ type: 'reply', session, number, reply: said });
}

/** Characters of a refusal's sentence, which may quote what came. */
const MAX_MESSAGE_LENGTH = 200;

/** What is refused, in words for people. */
export function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message: message.slice(0, MAX_MESSAGE_LENGTH) };
}

export function idTaken(id: PeerId): Refusal {
  return refusal('id-taken', `the id ${id} is or was another peer's`);
}

/** Tells members what concerns them; one without a connection misses it. */
export function deliver(turn: Turn, { seats }: OpenRoom, notices: readonly Notice[]): void {
  for (const { to, ...told } of notices) {
    const session = seats.get(to)?.session ?? null;
    if (session !== null) turn.deliveries.push({ type: 'push', session, told });
  }
}

/** Hands out what a change brings to those whom it concerns, and to all the era that it has begun. */
export function announce(turn: Turn, open: OpenRoom, notices: readonly Notice[] = []): void {
  deliver(turn, open, notices);
  if (isScheduled(turn, open, 'era') || !hasUntoldEra(open)) return;
  const wait = (open.eraToldAt ?? -Infinity) + ERA_INTERVAL - turn.now;
  if (wait > 0) {
    schedule(turn, open, 'era', wait);
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
  taken.session = session;
  turn.state.sessions.set(session, { room: open.name, id });
}

/** Takes a seat away. Returns its session, if it has one, which may ask for another seat. */
export function unseat({ state }: Turn, { seats }: OpenRoom, id: PeerId): SessionId | null {
  const session = seats.get(id)?.session ?? null;
  seats.delete(id);
  if (session !== null) state.sessions.set(session, null);
  return session;
}

/** Ends the session of one that has no place any more, or another one for it. */
export function end({ state, deliveries }: Turn, session: SessionId | null, why: Ending): void {
  if (session === null) return;
  state.sessions.delete(session);
  deliveries.push({ type: 'end', session, why });
}
