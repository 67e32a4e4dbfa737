/** What the broker tells the log. */
import { expect, test } from 'vitest';
import type { Eviction } from '../../shared/broker/state.ts';
import { defined, peerId } from '../support.ts';
import { Server } from './test-broker.ts';

/** Longer than a member needs to be believed, and than it may take to answer a probe. */
const LONG = 10_000;

/** A ring of five that have been members for long; the first, and those after it. */
function longRing() {
  const server = new Server();
  server.seat(1, 2, 3, 4, 5);
  for (const number of [1, 2, 3, 4, 5]) server.settle(number);
  server.pass(LONG);
  const [first, ...others] = server.peers;
  return { server, first: defined(first), others };
}

const CASES: readonly (readonly [Eviction, (ring: ReturnType<typeof longRing>) => unknown])[] = [
  [
    'no answer',
    ({ server, first, others }) => {
      server.complain(first, defined(others[0]), 'silent');
      server.pass(LONG);
    },
  ],
  [
    'unheard',
    ({ server, first, others }) => {
      server.lose(defined(others[0]));
      server.pass(LONG);
      server.complain(first, defined(others[0]), 'silent');
    },
  ],
  ['accused', ({ server, first, others }) => server.accuse(first, defined(others[0]))],
];

test.each(CASES)('an eviction is noted with its reason: %s', (reason, evict) => {
  const ring = longRing();
  evict(ring);
  const { server, others } = ring;
  expect(server.notes).toEqual([{ type: 'evicted', id: others[0], reason }]);
});

test('newcomers that have to come again are noted, and nobody who was never here', () => {
  const server = new Server();
  server.seat(9);
  server.resume(1, undefined, { place: { incarnation: 'sunday.1' }, removed: [peerId(8)] });
  server.pass(LONG);
  expect(server.notes).toEqual([
    { type: 'recovery begun' },
    { type: 'evicted', id: peerId(9), reason: 'no place' },
    { type: 'recovery ended', members: 1 },
  ]);
});

test('a recovery is noted when it begins and when it ends', () => {
  const server = new Server();
  const place = { incarnation: 'sunday.1', era: 1, version: 7 };
  const other = peerId(2);
  server.resume(1, undefined, { place: { ...place, successor: other, predecessor: other } });
  expect(server.notes).toEqual([{ type: 'recovery begun' }]);
  server.pass(LONG);
  expect(server.notes.slice(1)).toEqual([{ type: 'recovery ended', members: 2 }]);
});
