/**
 * Which messages of the election a member takes from its predecessors: nothing forged, no more than its
 * successor takes from it (SPEC.md, L16), and none that lifts its term too far (L17).
 */
import type { PeerId } from '../protocol/ids.ts';
import { originOf, type ElectionMessage } from '../protocol/messages.ts';
import type { Admission, Link, TermGate } from './state.ts';
import { fullBucket, take, takeOne } from '../machine/token-bucket.ts';
import type { Turn } from './turn.ts';

/**
 * Messages from the predecessor. Each may cause another to the successor, where both together stay below
 * what one link may carry.
 */
const PRESENT = { burst: 1_500, perSecond: 400 };

/** The same from earlier predecessors, all together: they must not use up the present one's. */
const EARLIER = { burst: 500, perSecond: 100 };

export function initialAdmission(now: number): Admission {
  return { present: fullBucket(PRESENT, now), earlier: fullBucket(EARLIER, now) };
}

/** Whether there is room for another message: a peer that passes on a flood is taken for its source. */
export function admits({ member, now }: Turn, link: Link): boolean {
  const { admission, predecessor } = member;
  return link.peer === predecessor.target
    ? takeOne(admission.present, PRESENT, now)
    : takeOne(admission.earlier, EARLIER, now);
}

/** One hop is what a message has travelled that comes from its origin, and no other. */
export function isForged(message: ElectionMessage, from: PeerId): boolean {
  const hops = message.type === 'claim' ? message.hops : message.decision.hops;
  return (hops === 1) !== (originOf(message) === from);
}

// --- the term -----------------------------------------------------------------------------------

/**
 * How far messages may lift the term at once. Honest terms rise one by one. A peer that lets them leap freely
 * has used up the 32 bits within a minute.
 */
export const MAX_TERM_LEAP = 8_192;

/** The same in each second after that. */
export const TERM_RATE = 1_000;

const LIFT = { burst: MAX_TERM_LEAP, perSecond: TERM_RATE };

/** The greatest term that is believed by a peer that never knew a leader. */
const MAX_FIRST_TERM = 2 ** 31;

/** `haste`: a term that comes too soon. `leap`: a term that no honest neighbour sends. */
export type TermVerdict = 'fine' | 'haste' | 'leap';

export function initialTermGate(now: number): TermGate {
  return { bucket: fullBucket(LIFT, now), floor: 0, hasKnownLeader: false };
}

/**
 * Whether to let a message in.
 * @param own term of this peer
 * @param term of the message
 * @param isCredible whether the neighbour on the other edge has spoken, and does not contradict it
 */
export function judgeTerm(
  gate: TermGate,
  own: number,
  term: number,
  isCredible: boolean,
  now: number,
): TermVerdict {
  // A peer that never knew a leader has to take the ring's term as it is. One neighbour alone does not
  // tell it a term that the others would not follow to.
  const isFirst = term <= MAX_TERM_LEAP || (isCredible && term <= MAX_FIRST_TERM);
  if (!gate.hasKnownLeader && isFirst) return 'fine';
  const base = Math.max(own, gate.floor);
  const rise = Math.max(0, term - base);
  if (!gate.hasKnownLeader && rise > MAX_TERM_LEAP) return 'haste';
  // It lifts nothing: the peer that takes the next message after it would be blamed for its term.
  if (rise > 2 * MAX_TERM_LEAP) return 'leap';
  const allowed = take(gate.bucket, LIFT, now, rise);
  if (allowed === rise) return 'fine';
  gate.floor = base + allowed;
  return 'haste';
}

/** How long it takes until a term that came too soon may be let in, in milliseconds. */
export function hasteOf(gate: TermGate, own: number, term: number): number {
  const rise = Math.max(0, term - Math.max(own, gate.floor));
  return Math.ceil((rise / TERM_RATE) * 1_000);
}
