/** Newcomers and the ring's term: one that is a lie, and one that is truly high. */
import { expect, test } from 'vitest';
import { parseFrame } from '../../shared/protocol/frame.ts';
import { MAX_TERM_LEAP } from '../../shared/member/admission.ts';
import { Dice } from '../../shared/simulation/fuzz/dice.ts';
import { defined } from '../support.ts';
import { HostileRing, type Hostility } from './hostile.ts';

/** Tells each newcomer of a term that is far above the ring's; keeps to all other rules. */
function boaster(seed: number): Hostility {
  const leader = { priority: 1, id: new Dice(seed).greatestId() };
  return {
    instead: (frame, link) => {
      const parsed = parseFrame(frame);
      if (!parsed.ok || parsed.value.message.type !== 'hello') link.send(frame);
      else
        link.say({
          ...parsed.value.message,
          term: 2 ** 31 - 1,
          decision: { leader, lap: 1, size: 4, hops: 2 },
        });
    },
  };
}

/** Raises the term as far and as fast as all can follow. */
const CLIMBER: Hostility = {
  instead: (frame, link) => {
    const parsed = parseFrame(frame);
    if (!parsed.ok) return;
    const { message } = parsed.value;
    if (message.type !== 'claim' || message.hops > 1) link.send(frame);
    else link.say({ ...message, term: message.term + (message.term < 100 ? MAX_TERM_LEAP : 90) });
  },
  also: (_, { ring }) => {
    ring.campaign();
  },
};

/** A ring of honest peers whose term is far above any that a newcomer believes of one neighbour. */
function highRing(seed: number): HostileRing {
  const ring = new HostileRing(seed, 5, CLIMBER);
  while ((ring.honest[0]?.term ?? 0) < 2.2 * MAX_TERM_LEAP) ring.rage(5_000);
  expect(ring.banish()).toEqual([]);
  return ring;
}

test.each([0, 1, 2, 3, 4, 5, 6, 7])(
  'a first HELLO of a term near 2³¹ cuts no newcomer off from the others (seed %i)',
  (seed) => {
    const ring = new HostileRing(seed, 4, boaster(seed));
    for (let joined = 0; joined < 6; joined += 1)
      ring.world.clock.after(500 * joined, () => ring.world.join());
    ring.rage(8_000);
    // While it is still there: it passes everything on.
    expect(ring.honest).toHaveLength(10);
    expect(ring.world.problems()).toEqual([]);
    expect(Math.max(...ring.honest.map(({ term }) => term ?? 0))).toBeLessThan(100);
    expect(ring.world.violations).toEqual([]);
  },
);

/**
 * Of many newcomers, some hear of the leader only with its next lap; sometimes one has to wait until the
 * leader is missed (R7).
 */
test.each([
  [1, 500],
  [2, 500],
  [3, 1_500],
  [5, 1_500],
  [8, 2_000],
  [20, 3_000],
])(
  'a ring of a high term takes in %i newcomers at once, mostly within %i ms (L17c)',
  (newcomers, milliseconds) => {
    const times = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((seed) => {
      const { world } = highRing(seed);
      const before = defined(world.states[0]?.term);
      const complaintsSoFar = () =>
        world.trace.filter(({ event }) => event.type === 'complained').length;
      const complaints = complaintsSoFar();
      const start = world.clock.now();
      for (let joined = 0; joined < newcomers; joined += 1) world.join();
      while (!isAgreed(world, 5 + newcomers) && world.clock.now() - start < 10_000) world.run(50);
      const time = world.clock.now() - start;
      expect(isAgreed(world, 5 + newcomers)).toBe(true);
      // All know the size with the second lap after that.
      expect(world.settle(3_000)).toEqual([]);
      expect(defined(world.states[0]?.term) - before).toBeLessThan(10);
      expect(complaintsSoFar()).toBe(complaints);
      return time;
    });
    const [, , , , median] = times.toSorted((a, b) => a - b);
    expect(median).toBeLessThanOrEqual(milliseconds);
  },
);

function isAgreed({ states }: HostileRing['world'], size: number): boolean {
  const leaders = new Set(states.map(({ leader }) => leader));
  const terms = new Set(states.map(({ term }) => term));
  return states.length === size && leaders.size === 1 && !leaders.has(null) && terms.size === 1;
}
