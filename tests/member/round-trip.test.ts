import { expect, test } from 'vitest';
import {
  longestLikelyRoundTrip,
  meanRoundTrip,
  withSample,
} from '../../shared/member/round-trip.ts';

function measured(...samples: number[]) {
  const remembered = samples.reduce<readonly number[]>(withSample, []);
  return { mean: meanRoundTrip(remembered), most: longestLikelyRoundTrip(remembered) };
}

test('before the first measurement there is no mean, and nothing to be waited for', () => {
  expect(measured()).toEqual({ mean: null, most: 0 });
});

test('twice the first one is likely', () => {
  expect(measured(300)).toEqual({ mean: 300, most: 600 });
});

test('twice the longest of the last four is likely, wherever among them it was', () => {
  expect(measured(900, 20, 30, 10)).toEqual({ mean: 240, most: 1_800 });
  expect(measured(20, 30, 10, 900)).toEqual({ mean: 240, most: 1_800 });
});

test('what was slow before the last four is forgotten', () => {
  expect(measured(900, 800, 20, 30, 10, 20)).toEqual({ mean: 20, most: 60 });
});
