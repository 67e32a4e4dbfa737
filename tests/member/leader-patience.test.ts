import { describe, expect, test } from 'vitest';
import type { Wait } from '../../shared/election/step.ts';
import {
  initialPatience,
  noteDecided,
  noteLapPassed,
  noteTermRose,
  waitFor,
  type RingSize,
} from '../../shared/member/leader-patience.ts';

function stage(size: Partial<RingSize> = {}) {
  const known = { peers: 12, latency: 0, hopDelay: 0, ...size };
  const patience = initialPatience();
  let now = 0;
  const decided = () => {
    noteDecided(patience, known.hopDelay, now);
  };
  const termRose = () => {
    noteTermRose(patience);
  };
  /** A claim goes round, and its announcement comes after so long. */
  const elect = (milliseconds: number) => {
    patience.claimAt = now;
    now += milliseconds;
    decided();
  };
  /** Laps that take so long, one after the other. */
  const laps = (milliseconds: number, count = 3) => {
    for (let lap = 1; lap <= count; lap += 1) {
      now += milliseconds;
      noteLapPassed(patience, lap, now);
    }
  };
  const wait = (until: Wait, share: number) => waitFor(patience, until, share, known);
  return { elect, laps, termRose, wait };
}

describe('R7: a peer that waits for a leader', () => {
  test('waits for 3 s where a circuit takes less, and half as long again by chance (R7a)', () => {
    const { wait } = stage({ latency: 10 });
    expect(wait('leader', 0)).toBe(3_000);
    expect(wait('leader', 1)).toBe(4_500);
    expect(wait('return', 0)).toBe(3_000);
    expect(wait('lap', 0)).toBe(1_000);
  });

  test('waits for two circuits of as many hops as the room has, before any was measured (R7c)', () => {
    expect(stage({ peers: 100, latency: 300 }).wait('leader', 0)).toBe(60_000);
    expect(stage({ peers: 1_000, latency: 20 }).wait('return', 0)).toBe(40_000);
  });

  test('waits for four circuits as measured, for two where one takes long (R7d)', () => {
    const { laps, wait } = stage({ peers: 100 });
    laps(2_000);
    expect(wait('leader', 0)).toBe(8_000);
    laps(5_000);
    expect(wait('leader', 0)).toBe(15_000);
    laps(30_000);
    expect(wait('leader', 0)).toBe(60_000);
  });

  test('takes what a small ring can hardly take for its own sleep (R7d)', () => {
    const { laps, wait } = stage();
    laps(3_600_000);
    expect(wait('leader', 0)).toBe(15_000);
    const large = stage({ peers: 100 });
    large.laps(3_600_000);
    expect(large.wait('leader', 0)).toBe(100_000);
  });

  test('measures a circuit by its claim and the announcement, but not in slow motion (R7d)', () => {
    const { elect, wait } = stage({ peers: 100 });
    elect(20_000);
    expect(wait('leader', 0)).toBe(40_000);
    const slow = stage({ peers: 100, hopDelay: 100 });
    const before = slow.wait('leader', 0);
    slow.elect(20_000);
    expect(slow.wait('leader', 0)).toBe(before);
  });

  test('waits twice as long after each term in vain, up to a second for each peer (R7b)', () => {
    const { laps, termRose, wait } = stage();
    const waits = [0, 1, 2, 3, 4, 5].map(() => {
      const milliseconds = wait('leader', 0);
      termRose();
      return milliseconds;
    });
    expect(waits).toEqual([3_000, 6_000, 12_000, 24_000, 24_000, 24_000]);
    const large = stage({ peers: 100 });
    for (let term = 0; term < 9; term += 1) large.termRose();
    expect(large.wait('leader', 0)).toBe(100_000);
    laps(100, 1);
    expect(wait('leader', 0)).toBe(3_000);
  });

  test('C5f waits longer by twice the hop delay for each peer, doubled three times at most', () => {
    expect(stage({ hopDelay: 100 }).wait('leader', 0)).toBe(3_000 + 2_400);
    const { termRose, wait } = stage({ hopDelay: 2_000 });
    const added = [3_000, 6_000, 12_000, 24_000, 24_000].map((silence) => {
      const milliseconds = wait('leader', 0) - silence;
      termRose();
      return milliseconds;
    });
    expect(added).toEqual([48_000, 96_000, 192_000, 384_000, 384_000]);
  });
});
