import { expect, test } from 'vitest';
import { Fence } from '../../shared/election/fence.ts';
import { peerId } from '../support.ts';

test('R9f: a leader acts until one of a later term has', () => {
  const fence = new Fence();
  const [old, present] = [
    { leader: peerId(1), era: 1, term: 3 },
    { leader: peerId(2), era: 1, term: 5 },
  ];
  expect(fence.admit(old)).toBe(true);
  expect(fence.admit(old)).toBe(true);
  expect(fence.admit(present)).toBe(true);
  expect(fence.admit(old)).toBe(false);
  expect(fence.admit(present)).toBe(true);
});

test('R9f: of two that claim the same term the first is let through, and the other never', () => {
  const fence = new Fence();
  expect(fence.admit({ leader: peerId(1), era: 1, term: 3 })).toBe(true);
  expect(fence.admit({ leader: peerId(2), era: 1, term: 3 })).toBe(false);
  expect(fence.admit({ leader: peerId(1), era: 1, term: 3 })).toBe(true);
});

test('R9a: terms begin anew in a room that was empty, and its leader acts all the same', () => {
  const fence = new Fence();
  expect(fence.admit({ leader: peerId(1), era: 1, term: 9 })).toBe(true);
  expect(fence.admit({ leader: peerId(2), era: 2, term: 1 })).toBe(true);
  expect(fence.admit({ leader: peerId(1), era: 1, term: 10 })).toBe(false);
});

test('R9f: the fence does not tell whether a mandate is true', () => {
  const fence = new Fence();
  expect(fence.admit({ leader: peerId(1), era: 1, term: 3 })).toBe(true);
  expect(fence.admit({ leader: peerId(9), era: 2 ** 52, term: 1 })).toBe(true);
  expect(fence.admit({ leader: peerId(1), era: 1, term: 4 })).toBe(false);
});
