/** A part of `npm run fuzz`: the same seeds give the same inputs. */
import { describe, expect, test, vi } from 'vitest';
import { fuzz, TARGETS } from '../../shared/simulation/fuzz/fuzz.ts';

// Many inputs, and nothing in them waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

const INPUTS = 500;
const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);

describe.each(TARGETS)('%s under inputs that no honest peer or server sends', (target) => {
  test('neither throw, nor break a rule, nor lose their use for honest ones', () => {
    const counts: Record<string, number> = {};
    for (const seed of SEEDS) {
      const report = fuzz(target, seed, INPUTS);
      expect(report.problem === null ? null : `seed ${seed}: ${report.problem}`).toBeNull();
      for (const [name, count] of Object.entries(report.counts))
        counts[name] = (counts[name] ?? 0) + count;
    }
    // Every outcome really occurs.
    expect(Object.values(counts).every((count) => count > 0)).toBe(true);
  });

  test('are given the same by the same seed', () => {
    expect(fuzz(target, 7, INPUTS)).toEqual(fuzz(target, 7, INPUTS));
  });
});
