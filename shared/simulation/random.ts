/** Randomness that a seed repeats exactly. */
import { countedRandom } from '../driver/random.ts';
import { hyphenated } from '../protocol/ids.ts';

/**
 * Random numbers one after the other.
 * @param seed any integer
 * @returns numbers from [0, 1)
 */
export function seededRandom(seed: number): () => number {
  const random = countedRandom(seed);
  let drawn = 0;
  return () => {
    drawn += 1;
    return random(drawn);
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
