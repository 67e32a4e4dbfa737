/** The cost of an election, over every order of ids, compared with the published figures. */
import { describe, expect, test, vi } from 'vitest';
import { initialElection, type ElectionState } from '../../shared/election/state.ts';
import { claimOf, orders, TestRing } from './test-ring.ts';
import { defined } from '../support.ts';

// Many cases, and nothing in them waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const SIZES = [1, 2, 3, 4, 5, 6, 7, 8];
const BEGINNERS: readonly ElectionState[] = Array.from({ length: 9 }, (_, number) =>
  initialElection(claimOf(number), 'highest'),
);

interface Costs {
  readonly claims: number;
  readonly announcements: number;
  readonly laps: ReadonlySet<number>;
}

function electionOf(order: readonly number[], starters: readonly number[]): TestRing {
  const ring = new TestRing(order.map((number) => defined(BEGINNERS[number])));
  for (const starter of starters) ring.apply(starter, { type: 'start' });
  ring.drain();
  return ring;
}

/** An election in which all start before anything arrives. */
function costsWhenAllStart(order: readonly number[]): Costs {
  const { sent } = electionOf(order, [...order.keys()]);
  const laps = new Set<number>();
  let announcements = 0;
  for (const { message } of sent)
    if (message.type === 'elected') {
      announcements += 1;
      laps.add(message.decision.lap);
    }
  return { claims: sent.length - announcements, announcements, laps };
}

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}

/** n! · n · Hₙ = the sum of n · n!/k for k = 1 to n, in integers throughout. */
function totalOverAllOrders(n: number): number {
  let total = 0;
  for (let k = 1; k <= n; k += 1) total += n * (factorial(n) / k);
  return total;
}

describe.each(SIZES)('on every ring of %i, when all start', (n) => {
  const all = orders(n).map((order) => costsWhenAllStart(order));
  const claims = all.map((costs) => costs.claims);

  test('there are n! orders', () => {
    expect(all).toHaveLength(factorial(n));
  });

  test('R2: the mean number of CLAIM messages is exactly n·Hₙ', () => {
    expect(claims.reduce((sum, count) => sum + count, 0)).toBe(totalOverAllOrders(n));
  });

  test('R2: the worst order costs n(n+1)/2 CLAIM messages and the best 2n−1', () => {
    expect(Math.max(...claims)).toBe((n * (n + 1)) / 2);
    expect(Math.min(...claims)).toBe(2 * n - 1);
  });

  test('R3: the announcement is n ELECTED messages, all of lap 0', () => {
    expect(new Set(all.map(({ announcements }) => announcements))).toEqual(new Set([n]));
    for (const { laps } of all) expect(laps).toEqual(new Set([0]));
  });
});

test('falling ids along the ring are the worst order and rising ids the best', () => {
  const rising = [1, 2, 3, 4, 5, 6, 7, 8];
  expect(costsWhenAllStart(rising.toReversed()).claims).toBe(36);
  expect(costsWhenAllStart(rising).claims).toBe(15);
});

describe.each(SIZES.slice(0, 6))('on every ring of %i', (n) => {
  test('R2a: a lone starter, whichever it is, leads to the election of the greatest', () => {
    for (const order of orders(n))
      for (const starter of order.keys()) {
        const ring = electionOf(order, [starter]);
        expect(ring.leaders).toEqual(order.map(() => claimOf(n)));
        expect(ring.states.map(({ term }) => term)).toEqual(order.map(() => 1));
      }
  });

  test('R2b: when all start, the leader knows after n hops and everyone after 2n−1', () => {
    for (const order of orders(n)) {
      const { decided } = electionOf(order, [...order.keys()]);
      expect(decided).toHaveLength(n);
      expect(decided[0]).toMatchObject({ by: order.indexOf(n), leader: claimOf(n), hop: n });
      expect(Math.max(...decided.map(({ hop }) => hop))).toBe(2 * n - 1);
    }
  });
});
