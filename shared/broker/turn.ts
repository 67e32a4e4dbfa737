/** One input's worth of work: the broker, the time, and what is to be delivered. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { ReplyTo } from '../protocol/signaling.ts';
import { arm, isArmed } from './dues.ts';
import type { Notice } from './room.ts';
import type { Moment } from '../machine/moment.ts';
import type { Asker, Broker, Delivery, Ending, OpenRoom, SessionId } from './state.ts';
import { drop, get, put } from './table.ts';
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

export function roomOf({ state }: Turn, name: RoomName): OpenRoom | undefined {
  return get(state.rooms, name);
}

export function reply(turn: Turn, { session, number }: Asker, said: ReplyTo): void {
  turn.deliveries.push({ type: 'reply', session, number, reply: said });
}

/** Tells members what concerns them; one without a connection misses it. */
export function deliver(turn: Turn, { seats }: OpenRoom, notices: readonly Notice[]): void {
  for (const { to, ...told } of notices) {
    const session = get(seats, to)?.session ?? null;
    if (session !== null) turn.deliveries.push({ type: 'push', session, told });
  }
}

/** Hands out what a change brings to those whom it concerns, and to all the era that it has begun. */
export function announce(turn: Turn, open: OpenRoom, notices: readonly Notice[]): void {
  deliver(turn, open, notices);
  const task = { name: 'era', room: open.name } as const;
  if (isArmed(turn, task) || !hasUntoldEra(open.room)) return;
  const wait = (open.eraToldAt ?? -Infinity) + ERA_INTERVAL - turn.now;
  if (wait > 0) {
    arm(turn, task, wait);
    return;
  }
  open.eraToldAt = turn.now;
  deliver(turn, open, tellEra(open.room));
}

/** Gives a seat to a session, in place of the one that had it. */
export function seat(turn: Turn, { name, seats }: OpenRoom, id: PeerId, session: SessionId): void {
  const taken = get(seats, id);
  if (taken === undefined) return;
  end(turn, taken.session, 'replaced');
  taken.session = session;
  put(turn.state.sessions, session, { name: 'placed', room: name, id });
}

/** Takes a seat away. Returns its session, if it has one, which may ask for another seat. */
export function unseat({ state }: Turn, { seats }: OpenRoom, id: PeerId): SessionId | null {
  const session = drop(seats, id)?.session ?? null;
  if (session !== null) put(state.sessions, session, { name: 'arrived' });
  return session;
}

/** Ends the session of one that has no place any more, or another one for it. */
export function end({ state, deliveries }: Turn, session: SessionId | null, why: Ending): void {
  if (session === null) return;
  drop(state.sessions, session);
  deliveries.push({ type: 'end', session, why });
}
