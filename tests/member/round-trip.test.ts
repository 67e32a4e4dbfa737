import { expect, test } from 'vitest';
import { likelyRoundTrip, withRoundTrip } from '../../shared/member/neighbour-patience.ts';

function likelyAfter(...milliseconds: number[]) {
  return likelyRoundTrip(milliseconds.reduce<readonly number[]>(withRoundTrip, []));
}

test('before the first measurement there is nothing to be waited for', () => {
  expect(likelyAfter()).toBe(0);
});

test('twice the first one is likely', () => {
  expect(likelyAfter(300)).toBe(600);
});

test('twice the longest of the last four is likely, wherever among them it was', () => {
  expect(likelyAfter(900, 20, 30, 10)).toBe(1_800);
  expect(likelyAfter(20, 30, 10, 900)).toBe(1_800);
});

test('what was slow before the last four is forgotten', () => {
  expect(likelyAfter(900, 800, 20, 30, 10, 20)).toBe(60);
});
