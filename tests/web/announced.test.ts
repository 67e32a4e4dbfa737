import { expect, test } from 'vitest';
import { announcedAt } from '../../web/announced.ts';
import { peerId } from '../support.ts';
import { ringState } from './ring-state.ts';

const ring = ringState([peerId(1), peerId(2)], peerId(1));
const told = {
  key: 1,
  at: 500,
  self: peerId(1),
  isLap: false,
  times: 1,
  event: { type: 'leader', leader: peerId(2), term: 3, size: 2, isSelf: false },
} as const;

test('a leader leads since it was announced', () => {
  expect(announcedAt({ ring, log: [told] }, null)).toBe(500);
  expect(announcedAt({ ring: { ...ring, leader: null }, log: [told] }, null)).toBeNull();
});

test('the log may forget it, but another term is another announcement', () => {
  expect(announcedAt({ ring, log: [] }, { ring, at: 500 })).toBe(500);
  expect(announcedAt({ ring: { ...ring, term: 4 }, log: [] }, { ring, at: 500 })).toBeNull();
  const again = { ...told, at: 900, event: { ...told.event, term: 4 } };
  const next = { ...ring, term: 4 };
  expect(announcedAt({ ring: next, log: [again, told] }, { ring, at: 500 })).toBe(900);
});
