/** Pages in the background, whose timers browsers run once a second. */
import { expect, test } from 'vitest';
import { World } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

/** Milliseconds that a ring of hidden pages takes to close over one that was killed. */
function closesIn(seed: number, killsLeader: boolean): number {
  const world = new World(seed);
  for (let joined = 0; joined < 5; joined += 1) world.join();
  expect(world.settle(60_000)).toEqual([]);
  for (const peer of world.peers) world.hide(peer, Infinity);
  world.run(5_000 + 100 * seed);
  const isWanted = (role: string) => (role === 'leader') === killsLeader;
  world.crash(defined(world.peers.find(({ ring }) => isWanted(ring.state.role))));
  const start = world.clock.now();
  expect(world.settle(30_000)).toEqual([]);
  return world.clock.now() - start;
}

// L13h, L13k: about a second to find out; until all count one peer less, a lap and its pause.
test.each([false, true])(
  'hidden pages find out that one was killed in about a second (L13k; the leader: %s)',
  (killsLeader) => {
    const times = Array.from({ length: 20 }, (_, seed) => closesIn(seed, killsLeader));
    expect(Math.max(...times)).toBeLessThan(5_000);
  },
);
