import { describe, expect, test } from 'vitest';
import { World, type SimulatedPeer } from '../../shared/simulation/world.ts';

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);

/** Any one of the peers. */
function anyOf(world: World): SimulatedPeer | undefined {
  const { peers } = world;
  return peers[Math.floor(world.random() * peers.length)];
}

function joinSome(world: World, count: number): void {
  for (let joined = 0; joined < count; joined += 1) {
    world.join();
    if (world.random() < 0.5) world.run(world.random() * 300);
  }
}

/** Safety held all the time, and once all is calm there is one ring with one leader, for good. */
function expectOneRing(world: World): void {
  expect(world.violations).toEqual([]);
  expect(world.settle(60_000)).toEqual([]);
  world.run(5_000);
  expect(world.problems()).toEqual([]);
  expect(world.violations).toEqual([]);
}

describe('a ring of simulated peers', () => {
  test.each(SEEDS)('agrees after joins, departures and crashes (seed %i)', (seed) => {
    const world = new World(seed);
    joinSome(world, 5);
    expectOneRing(world);
    for (let fault = 0; fault < 12; fault += 1) {
      const peer = anyOf(world);
      const dice = world.random();
      if (dice < 0.5 || peer === undefined) world.join();
      else if (dice < 0.75) world.leave(peer);
      else peer.crash();
      world.run(world.random() * 500);
    }
    expectOneRing(world);
  });

  test.each(SEEDS)('agrees after lost connections and a server’s death (seed %i)', (seed) => {
    const world = new World(seed);
    joinSome(world, 4);
    for (let fault = 0; fault < 10; fault += 1) {
      const peer = anyOf(world);
      const dice = world.random();
      if (dice < 0.25 || peer === undefined) world.join();
      else if (dice < 0.8) peer.blip(world.random() * 2_000, world.random() * 4_000);
      else if (dice < 0.9) world.restartServer(world.random() * 5_000);
      else peer.crash();
      world.run(world.random() * 2_000);
    }
    expectOneRing(world);
  });
});

test('two peers whose connections drop one after the other come back as new ones', () => {
  const world = new World(1);
  const peers = [world.join(), world.join()];
  expectOneRing(world);
  const before = world.states.map(({ id }) => id);
  for (const peer of peers) {
    peer.blip(100, 3_000);
    world.run(1_000);
  }
  expectOneRing(world);
  expect(world.states.some(({ id }) => before.includes(id))).toBe(false);
});

test('a connection that is back before the server misses it changes nothing', () => {
  const world = new World(2);
  joinSome(world, 4);
  expectOneRing(world);
  const before = world.states;
  const links = world.linkEnds;
  for (const peer of world.peers) peer.blip(3_000, 500);
  world.run(2_000);
  expect(world.states).toEqual(before);
  expect(world.linkEnds).toBe(links);
});
