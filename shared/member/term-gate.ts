/**
 * How far messages may lift a peer's term (SPEC.md, L17). Honest terms rise one by one. A peer that lets
 * them leap freely has used up the 32 bits within a minute.
 */
import { fullBucket, take, type TokenBucket } from './token-bucket.ts';

/** How far messages may lift the term at once, and in each second after that. */
const LIFT = { burst: 8_192, perSecond: 1_000 };

/** The greatest term that a peer believes which never knew a leader. */
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
 */
export function judgeTerm(gate: TermGate, own: number, term: number, now: number): TermVerdict {
  if (!gate.hasKnownLeader && term <= MAX_FIRST_TERM) return 'fine';
  const base = Math.max(own, gate.floor);
  const rise = Math.max(0, term - base);
  // It lifts nothing: the peer that takes the next message after it would be blamed for its term.
  if (rise > 2 * LIFT.burst) return 'leap';
  const allowed = take(gate.bucket, LIFT, now, rise);
  if (allowed === rise) return 'fine';
  gate.floor = base + allowed;
  return 'haste';
}
