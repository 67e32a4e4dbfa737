/**
 * How far messages may lift a peer's term (SPEC.md, L17). Honest terms rise one by one. A peer that lets
 * them leap freely has used up the 32 bits within a minute.
 */
import { fullBucket, take, type TokenBucket } from '../machine/token-bucket.ts';

/** How far messages may lift the term at once. */
export const MAX_TERM_LEAP = 8_192;

/** The same in each second after that. */
export const TERM_RATE = 1_000;

const LIFT = { burst: MAX_TERM_LEAP, perSecond: TERM_RATE };

/** The greatest term that is believed by a peer that never knew a leader. */
const MAX_FIRST_TERM = 2 ** 31;

export interface TermGate {
  readonly bucket: TokenBucket;
  /** How far the term might be by now, had it followed the messages that came too soon. */
  floor: number;
  hasKnownLeader: boolean;
}

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
