/** Random numbers that can be told again by their place in the sequence. */

/**
 * Mulberry32, a generator of 32-bit state by Tommy Ettinger. Its state only counts, so that the n-th
 * number needs none of those before it.
 * @param seed any integer
 * @returns the n-th number, from [0, 1)
 */
export function countedRandom(seed: number): (n: number) => number {
  return (n) => {
    const state = (seed + Math.imul(n, 0x6d2b79f5)) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
