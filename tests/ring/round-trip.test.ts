import { expect, test } from 'vitest';
import { RoundTrip } from '../../shared/ring/round-trip.ts';

function measured(...samples: number[]): RoundTrip {
  const roundTrip = new RoundTrip();
  for (const sample of samples) roundTrip.measure(sample);
  return roundTrip;
}

test('before the first measurement there is no mean, and nothing to be waited for', () => {
  expect(measured()).toMatchObject({ mean: null, most: 0 });
});

test('twice the first one is likely', () => {
  expect(measured(300)).toMatchObject({ mean: 300, most: 600 });
});

test('twice the longest of the last four is likely, wherever among them it was', () => {
  expect(measured(900, 20, 30, 10)).toMatchObject({ mean: 240, most: 1_800 });
  expect(measured(20, 30, 10, 900)).toMatchObject({ mean: 240, most: 1_800 });
});

test('what was slow before the last four is forgotten', () => {
  expect(measured(900, 800, 20, 30, 10, 20)).toMatchObject({ mean: 20, most: 60 });
});
