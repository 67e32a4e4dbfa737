/** Randomness that a seed repeats exactly. */
import { hyphenated } from '../protocol/ids.ts';

/**
 * Mulberry32, a generator of 32-bit state by Tommy Ettinger: small, and good enough for schedules.
 * @param seed any integer
 * @returns numbers from [0, 1)
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A uuid of version 4 from the given random numbers. */
export function randomUuid(random: () => number): string {
  const digits = Array.from({ length: 32 }, (_, at) => {
    const digit = Math.floor(random() * 16);
    if (at === 12) return 4;
    return at === 16 ? 8 + (digit % 4) : digit;
  });
  return hyphenated(digits.map((digit) => digit.toString(16)).join(''));
}
