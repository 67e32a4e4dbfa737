import { expect, test } from 'vitest';
import { World } from '../../shared/simulation/world.ts';

test.each(Array.from({ length: 500 }, (_, seed) => seed))('seed %i', (seed) => {
  const world = new World(seed);
  for (let i = 0; i < 5; i += 1) {
    world.join();
    if (world.random() < 0.5) world.run(world.random() * 300);
  }
  expect(world.settle(30_000)).toEqual([]);
  for (let i = 0; i < 12; i += 1) {
    const { peers } = world;
    const peer = peers[Math.floor(world.random() * peers.length)];
    const dice = world.random();
    if (dice < 0.5 || peer === undefined) world.join();
    else if (dice < 0.75) world.leave(peer);
    else peer.crash();
    world.run(world.random() * 500);
  }
  expect(world.violations).toEqual([]);
  expect(world.settle(60_000)).toEqual([]);
  world.run(5_000);
  expect(world.problems()).toEqual([]);
  expect(world.violations).toEqual([]);
});
