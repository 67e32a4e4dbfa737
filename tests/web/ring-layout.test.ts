import { expect, test } from 'vitest';
import { arc, labelPlaces, pointAt } from '../../web/ring-layout.ts';

test('this peer stands at the bottom, and its successors clockwise from there', () => {
  const [bottom, left, top] = [0, 1, 2].map((place) => pointAt(place, 4, 10));
  expect(bottom?.y).toBeCloseTo(10);
  expect(left?.x).toBeCloseTo(-10);
  expect(top?.y).toBeCloseTo(-10);
});

test('an arc goes the long way where it is more than half of the circle', () => {
  expect(arc(0, 1, 4, 10)).toContain('A10 10 0 0 1');
  expect(arc(0, 3, 4, 10)).toContain('A10 10 0 1 1');
});

test('labels of a few of many stand apart, in the order of their peers', () => {
  for (const size of [17, 30, 60, 100])
    for (let leader = 2; leader < size - 1; leader += 1) {
      const places = [1, leader, size - 1];
      const labels = [0, ...places.map((place) => labelPlaces(places, size).get(place) ?? NaN)];
      const gaps = labels.map((at, number) => (labels[number + 1] ?? size) - at);
      for (const gap of gaps) expect(gap).toBeGreaterThan(size * 0.079);
    }
});

test('a label with room for it stands at its peer', () => {
  expect(labelPlaces([1, 50, 99], 100).get(50)).toBe(50);
});
