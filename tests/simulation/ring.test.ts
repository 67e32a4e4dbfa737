import { describe, expect, test } from 'vitest';
import { runStorm } from '../../shared/simulation/storm.ts';
import { World } from '../../shared/simulation/world.ts';

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);

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
    expect(runStorm('crashes', seed, 5).problems).toEqual([]);
  });

  test.each(SEEDS)('agrees after lost connections and a server’s death (seed %i)', (seed) => {
    expect(runStorm('outages', seed, 4).problems).toEqual([]);
  });

  test('goes through the same storm with the same seed, event for event', () => {
    const [first, second] = [runStorm('outages', 7, 4), runStorm('outages', 7, 4)];
    expect(second).toEqual(first);
    expect(first.trace.length).toBeGreaterThan(100);
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
  for (let joined = 0; joined < 4; joined += 1) world.join();
  expectOneRing(world);
  const before = world.states;
  const links = world.linkEnds;
  for (const peer of world.peers) peer.blip(3_000, 500);
  world.run(2_000);
  expect(world.states).toEqual(before);
  expect(world.linkEnds).toBe(links);
});

test('a ring of 300, in which a claim takes longer than the first patience, agrees and stays calm', () => {
  const world = new World(3);
  for (let joined = 0; joined < 300; joined += 1) {
    world.join();
    world.run(10);
  }
  expect(world.settle(60_000)).toEqual([]);
  const [before] = world.states;
  world.run(30_000);
  expect(world.problems()).toEqual([]);
  expect(world.states[0]?.term).toBe(before?.term);
  expect(world.violations).toEqual([]);
}, 60_000);
