/** Rings with slow hops, on the simulated network; larger ones: `npm run simulate -- --slow`. */
import { describe, expect, test } from 'vitest';
import { SlowRing } from '../../shared/simulation/slow-ring.ts';
import { defined } from '../support.ts';

const MINUTE = 60_000;

describe('R7: a ring with slow hops', () => {
  test.each([
    [100, 300],
    [300, 50],
  ])('of %i peers at %i ms has a leader within four circuits, and keeps it', (peers, hop) => {
    const ring = new SlowRing(1, hop);
    for (let joined = 0; joined < peers; joined += 1) ring.world.join();
    expect(ring.agree()).toBeLessThan(4);
    expect(ring.rest(MINUTE)).toBe(0);
    expect(ring.isAgreed).toBe(true);
    expect(ring.world.violations).toEqual([]);
  });

  test.each([100, 1_000])(
    'that grows by a peer each %i ms agrees after the last, and replaces a killed leader (R7e)',
    (pause) => {
      const ring = new SlowRing(2, 300);
      const { world } = ring;
      for (let joined = 0; joined < 60; joined += 1) {
        world.join();
        world.run(2 * pause * world.random());
      }
      expect(ring.agree()).toBeLessThan(4);
      expect(ring.rest(MINUTE)).toBe(0);
      world.crash(defined(world.peers.find((peer) => peer.ring.state.role === 'leader')));
      world.run(1_000);
      expect(ring.agree()).toBeLessThan(4);
      expect(world.violations).toEqual([]);
    },
  );
});
