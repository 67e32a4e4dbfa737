import { expect, test } from 'vitest';
import { lasting } from '../../web/time.ts';

test.each([
  [-5, '0 s'],
  [59_999, '59 s'],
  [125_000, '2 min'],
  [3 * 3_600_000 + 61_000, '3 h 1 min'],
])('%i ms are %s', (milliseconds, words) => {
  expect(lasting(milliseconds)).toBe(words);
});
