import { describe, expect, test } from 'vitest';
import { Patience, type RingSight } from '../../shared/member/patience.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';

function stage(sight: Partial<RingSight> = {}) {
  const clock = new SimulatedClock();
  const known = { peers: 12, latency: 0, hopDelay: 0, ...sight };
  const patience = new Patience(clock, () => known);
  /** Laps that take so long, one after the other. */
  const laps = (milliseconds: number, count = 3) => {
    for (let lap = 1; lap <= count; lap += 1) {
      clock.skip(milliseconds);
      patience.lapPassed(lap);
    }
  };
  return { clock, patience, known, laps };
}

describe('R7: a peer that waits for a leader', () => {
  test('waits for 3 s where a circuit takes less, and half as long again by chance (R7a)', () => {
    const { patience } = stage({ latency: 10 });
    expect(patience.for('leader', 0)).toBe(3_000);
    expect(patience.for('leader', 1)).toBe(4_500);
    expect(patience.for('return', 0)).toBe(3_000);
    expect(patience.for('lap', 0)).toBe(1_000);
  });

  test('waits for two circuits of as many hops as the room has, before any was measured (R7c)', () => {
    expect(stage({ peers: 100, latency: 300 }).patience.for('leader', 0)).toBe(60_000);
    expect(stage({ peers: 1_000, latency: 20 }).patience.for('return', 0)).toBe(40_000);
  });

  test('waits for four circuits as measured, for two where one takes long (R7d)', () => {
    const { patience, laps } = stage({ peers: 100 });
    laps(2_000);
    expect(patience.for('leader', 0)).toBe(8_000);
    laps(5_000);
    expect(patience.for('leader', 0)).toBe(15_000);
    laps(30_000);
    expect(patience.for('leader', 0)).toBe(60_000);
  });

  test('takes what a small ring can hardly take for its own sleep (R7d)', () => {
    const { patience, laps } = stage();
    laps(3_600_000);
    expect(patience.for('leader', 0)).toBe(15_000);
    const large = stage({ peers: 100 });
    large.laps(3_600_000);
    expect(large.patience.for('leader', 0)).toBe(100_000);
  });

  test('measures a circuit by its claim and the announcement, but not in slow motion (R7d)', () => {
    const { clock, patience } = stage({ peers: 100 });
    patience.claimSent();
    clock.skip(20_000);
    patience.decided();
    expect(patience.for('leader', 0)).toBe(40_000);
    const slow = stage({ peers: 100, hopDelay: 100 });
    const before = slow.patience.for('leader', 0);
    slow.patience.claimSent();
    slow.clock.skip(20_000);
    slow.patience.decided();
    expect(slow.patience.for('leader', 0)).toBe(before);
  });

  test('waits twice as long after each term in vain, up to a second for each peer (R7b)', () => {
    const { patience, laps } = stage();
    const waits = [0, 1, 2, 3, 4, 5].map(() => {
      const wait = patience.for('leader', 0);
      patience.termRose();
      return wait;
    });
    expect(waits).toEqual([3_000, 6_000, 12_000, 24_000, 24_000, 24_000]);
    const large = stage({ peers: 100 });
    for (let term = 0; term < 9; term += 1) large.patience.termRose();
    expect(large.patience.for('leader', 0)).toBe(100_000);
    laps(100, 1);
    expect(patience.for('leader', 0)).toBe(3_000);
  });

  test('C5f waits longer by twice the hop delay for each peer', () => {
    expect(stage({ hopDelay: 100 }).patience.for('leader', 0)).toBe(3_000 + 2_400);
  });

  test('never waits longer than the longest silence that is allowed to a neighbour', () => {
    for (const peers of [12, 100, 1_000])
      for (const hopDelay of [0, 2_000]) {
        const sight = { peers, latency: 150, hopDelay };
        const { patience, laps } = stage(sight);
        laps(3_600_000);
        for (let term = 0; term < 9; term += 1) patience.termRose();
        expect(patience.for('leader', 1)).toBeLessThanOrEqual(patience.longest(sight));
      }
  });
});
