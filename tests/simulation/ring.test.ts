import { describe, expect, test } from 'vitest';
import { runStorm, STORMS } from '../../shared/simulation/storm.ts';
import type { RingState } from '../../shared/member/events.ts';
import { World } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

const SEEDS = Array.from({ length: 70 }, (_, seed) => seed);

/** Safety at all times; after the faults there is one ring with one leader, and it lasts. */
function expectOneRing(world: World): void {
  expect(world.violations).toEqual([]);
  expect(world.settle(60_000)).toEqual([]);
  world.run(5_000);
  expect(world.problems()).toEqual([]);
  expect(world.violations).toEqual([]);
}

describe.each(STORMS)('a ring of simulated peers in a storm of %s', (storm) => {
  test.each(SEEDS)('agrees afterwards (seed %i)', (seed) => {
    expect(runStorm(storm, seed, 5).problems).toEqual([]);
  });

  test('goes through the same with the same seed, event for event', () => {
    const [first, second] = [runStorm(storm, 7, 4), runStorm(storm, 7, 4)];
    expect(second).toEqual(first);
    expect(first.trace.length).toBeGreaterThan(50);
  });
});

test('L11f a member that has resumed uses none of its relayed links again (delays, seed 40819)', () => {
  expect(runStorm('delays', 40_819, 4).problems).toEqual([]);
});

test.each([0, 10_000, 22_000, 26_000, 120_000])(
  'R9 a newcomer that slept for %i ms, and never heard of the ring, leads in a later era',
  (milliseconds) => {
    const world = new World(3);
    const first = world.join();
    world.run(500);
    for (let election = 0; election < 4; election += 1) {
      first.ring.campaign();
      world.run(200);
    }
    world.run(40_000);
    const before = defined(world.states[0]);
    expect([before.role, before.term]).toEqual(['leader', 5]);
    // The server has lost it by then, and keeps its place.
    world.freeze(first, 300_000);
    world.run(16_500);
    const newcomer = world.join();
    world.run(200);
    world.freeze(newcomer, milliseconds);
    world.run(milliseconds + 60_000);
    const { role, era } = newcomer.ring.state;
    expect(role).toBe('leader');
    expect(era).toBeGreaterThan(defined(before.era));
  },
);

test('R9 a leader that a neighbour has told the term leads on in the same era, in a later term', () => {
  const world = ringOf(3, 5);
  const before = defined(world.states.find(({ role }) => role === 'leader'));
  for (const peer of world.peers) if (peer.ring.state.id === before.id) world.crash(peer);
  expectOneRing(world);
  const leader = defined(world.states.find(({ role }) => role === 'leader'));
  expect(leader.era).toBe(before.era);
  expect(leader.term).toBeGreaterThan(defined(before.term));
});

/** A ring that has settled. */
function ringOf(peers: number, seed: number): World {
  const world = new World(seed);
  for (let joined = 0; joined < peers; joined += 1) world.join();
  expectOneRing(world);
  return world;
}

/** What stays as long as the leader is heard: everything but the end of its lease, which moves with time. */
function lasting(world: World): readonly RingState[] {
  return world.states.map((state) => ({ ...state, confirmedUntil: null }));
}

/** All of it but the era: a server that has lost its memory begins another (R9). */
function withoutEra(world: World): readonly RingState[] {
  return lasting(world).map((state) => ({ ...state, era: null }));
}

test('connections that drop one after the other change nothing: the links are alive', () => {
  const world = ringOf(2, 1);
  const before = lasting(world);
  for (const peer of world.peers) {
    world.blip(peer, 100, 3_000);
    world.run(1_000);
  }
  world.run(5_000);
  expect(lasting(world)).toEqual(before);
});

test('a server that dies and forgets everything changes neither leader, ids nor places (L14a)', () => {
  const world = ringOf(12, 4);
  const { states } = world;
  const before = withoutEra(world);
  const links = world.linkEnds;
  world.crashServer(3_000, false);
  world.run(1_000);
  expect(world.states.map(({ server }) => server)).toEqual(states.map(() => 'reconnecting'));
  world.run(7_000);
  expect(withoutEra(world)).toEqual(before);
  const [era, ...others] = new Set(world.states.map((state) => state.era));
  expect(others).toEqual([]);
  expect(era).toBeGreaterThan(defined(states[0]?.era));
  expect(world.linkEnds).toBe(links);
  world.join();
  expectOneRing(world);
  expect(world.states.map(({ id }) => id).slice(0, 12)).toEqual(states.map(({ id }) => id));
});

test('a server away for longer than it remembers changes nothing either', () => {
  const world = ringOf(5, 5);
  const before = withoutEra(world);
  world.crashServer(60_000, true);
  world.run(70_000);
  expect(withoutEra(world)).toEqual(before);
});

test('a newcomer that is there before the others are back waits for them', () => {
  const world = ringOf(6, 6);
  const [before] = world.states;
  world.crashServer(100, false);
  world.run(110);
  world.join();
  expectOneRing(world);
  expect(world.states).toHaveLength(7);
  expect(world.states[0]?.id).toBe(before?.id);
});

test('a newcomer that led a ring of its own before the others are back does not unseat the incumbent (L14b)', () => {
  for (let seed = 0; seed < 8; seed += 1) {
    const world = new World(seed, { peers: { policy: 'incumbent' } });
    world.join();
    // In term 1, as the newcomer will be.
    world.run(1_000);
    for (let joined = 0; joined < 3; joined += 1) world.join();
    expectOneRing(world);
    const before = world.states;
    world.crashServer(600, false);
    world.run(610);
    const newcomer = world.join();
    expectOneRing(world);
    expect(world.states.slice(0, 4).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(newcomer.ring.state).toMatchObject({ leader: before[0]?.leader, role: 'follower' });
    expect(world.isLeaderAdmitted).toBe(true);
  }
});

test('a goodbye while a forgetful server is away costs no time when it is back (L14g)', () => {
  for (let seed = 0; seed < 8; seed += 1) {
    const world = ringOf(5, seed);
    const [leaving] = world.peers;
    if (leaving === undefined) throw new Error('nobody is there');
    world.crashServer(3_000, false);
    world.run(1_000);
    world.leave(leaving);
    world.run(2_000);
    expect(world.settle(2_000)).toEqual([]);
  }
});

test('members that come back to a forgetful server after a minute are the ring that they were', () => {
  for (const policy of ['highest', 'incumbent'] as const) {
    const world = new World(12, { peers: { policy } });
    for (let joined = 0; joined < 6; joined += 1) world.join();
    expectOneRing(world);
    const before = withoutEra(world);
    for (const peer of world.peers) world.blip(peer, 50, 70_000 + world.random() * 2_000);
    world.crashServer(100, false);
    world.run(80_000);
    expect(withoutEra(world)).toEqual(before);
  }
});

test('a newcomer turns nobody out whose connection is lost and whose links are alive', () => {
  for (const size of [1, 2, 8]) {
    const world = ringOf(size, size);
    const before = world.states.map(({ id }) => id);
    for (const peer of world.peers) world.blip(peer, 50, 1_500 + world.random() * 1_500);
    world.run(300);
    world.join();
    expectOneRing(world);
    expect(world.states.slice(0, size).map(({ id }) => id)).toEqual(before);
  }
});

test('a crashed leader is replaced within a second of its socket’s end (L13k)', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    const world = ringOf(8, seed);
    const leader = world.peers.find(({ ring }) => ring.state.role === 'leader');
    if (leader === undefined) throw new Error('nobody leads');
    world.crash(leader);
    world.run(1_000);
    expect(new Set(world.states.map((state) => state.leader)).size).toBe(1);
    expect(world.states.some(({ role }) => role === 'leader')).toBe(true);
  }
});

test('a peer that sleeps too long is left out, and comes back as a new one (L12f)', () => {
  const world = ringOf(4, 7);
  const [sleeper] = world.peers;
  if (sleeper === undefined) throw new Error('nobody is there');
  const { id } = sleeper.ring.state;
  world.freeze(sleeper, 20_000);
  world.run(15_000);
  const awake = world.states.filter((state) => state.id !== id);
  expect(awake.map(({ size }) => size)).toEqual([3, 3, 3]);
  world.run(6_000);
  expectOneRing(world);
  expect(world.states.map((state) => state.id)).not.toContain(id);
});

test('a peer that sleeps for a moment is not accused of anything, nor does it accuse (L15)', () => {
  const world = ringOf(4, 8);
  const ids = world.states.map(({ id }) => id);
  const [sleeper] = world.peers;
  if (sleeper === undefined) throw new Error('nobody is there');
  world.freeze(sleeper, 2_400);
  world.run(10_000);
  expectOneRing(world);
  expect(world.states.map(({ id }) => id)).toEqual(ids);
  expect(world.trace.filter(({ event }) => event.type === 'complained')).toEqual([]);
});

test('neighbours that cannot reach each other are linked through the server, within 10 s (L11a)', () => {
  const world = ringOf(3, 9);
  const blocked = world.join();
  for (const peer of world.peers) if (peer !== blocked) world.block(blocked, peer);
  world.run(10_000);
  expect(world.problems()).toEqual([]);
  const { state } = blocked.ring;
  expect([state.successorLink, state.predecessorLink]).toEqual(['relayed', 'relayed']);
  world.blip(blocked, 50, 500);
  world.run(10_000);
  expect(world.problems()).toEqual([]);
  expect(blocked.ring.state.id).toBe(state.id);
});

test('an id that is taken is refused, and its owner left alone', () => {
  const world = ringOf(3, 10);
  const [owner] = world.peers;
  if (owner === undefined) throw new Error('nobody is there');
  const { id } = owner.ring.state;
  let tries = 0;
  const thief = world.join({
    newId: () => {
      tries += 1;
      return tries === 1 ? id : world.newId();
    },
  });
  expectOneRing(world);
  expect(owner.ring.state.id).toBe(id);
  expect(thief.ring.state.id).not.toBe(id);
});

test('a policy is the room’s: newcomers do not unseat the incumbent', () => {
  const world = new World(11, { peers: { policy: 'incumbent' } });
  world.join();
  expectOneRing(world);
  const leader = world.states[0]?.leader;
  for (let joined = 0; joined < 20; joined += 1) {
    world.join();
    expectOneRing(world);
  }
  expect(new Set(world.states.map((state) => state.leader))).toEqual(new Set([leader]));
});

test('a connection that is back before the server misses it changes nothing', () => {
  const world = new World(2);
  for (let joined = 0; joined < 4; joined += 1) world.join();
  expectOneRing(world);
  const before = lasting(world);
  const links = world.linkEnds;
  for (const peer of world.peers) world.blip(peer, 3_000, 500);
  world.run(2_000);
  expect(lasting(world)).toEqual(before);
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

test('a ring of 300 whose peers all start at once, several times over, drops no message', () => {
  const world = new World(4);
  for (let joined = 0; joined < 300; joined += 1) {
    world.join();
    world.run(10);
  }
  expect(world.settle(60_000)).toEqual([]);
  for (let round = 0; round < 5; round += 1) {
    for (const { ring } of world.peers) ring.campaign();
    world.run(200);
  }
  expect(world.settle(60_000)).toEqual([]);
  expect(world.violations).toEqual([]);
}, 60_000);

test('a newcomer whose connection is lost at any moment of its joining is a member in the end', () => {
  for (let moment = 0; moment < 80; moment += 2) {
    const world = new World(moment);
    world.join();
    world.run(500);
    const newcomer = world.join();
    world.run(moment);
    world.blip(newcomer, 5, 20);
    expect(world.settle(60_000)).toEqual([]);
    expect(world.trace.filter(({ event }) => event.type === 'error')).toEqual([]);
  }
});

test('departures behind a neighbour do not use up the links that one may make with it', () => {
  const world = new World(1);
  world.join();
  world.join();
  for (let round = 0; round < 30; round += 1) {
    const visitor = world.join();
    world.run(5_000);
    world.leave(visitor);
    world.run(1_000);
    for (const { successorLink } of world.states) expect(successorLink).toBe('direct');
  }
});
