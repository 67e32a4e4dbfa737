/** To the others, a peer that vanishes on purpose is like one whose process was killed. */
import { expect, test } from 'vitest';
import { World, type SimulatedPeer } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

/** A ring that has settled, and its leader or another of its peers. */
function ringOf(peers: number, seed: number, role: string): { world: World; peer: SimulatedPeer } {
  const world = new World(seed);
  for (let joined = 0; joined < peers; joined += 1) world.join();
  expect(world.settle(60_000)).toEqual([]);
  return { world, peer: defined(world.peers.find(({ ring }) => ring.state.role === role)) };
}

/** Until long after a ring has closed over a gap, and before the vanished peer closes its links. */
const AFTERWARDS = 10_000;

test.each(['leader', 'follower'])(
  'a %s that vanishes leaves the same behind as one that is killed, event for event',
  (role) => {
    const [killed, vanished] = [ringOf(5, 11, role), ringOf(5, 11, role)];
    const { id } = vanished.peer.ring.state;
    killed.world.crash(killed.peer);
    vanished.world.vanish(vanished.peer);
    for (const { world } of [killed, vanished]) world.run(AFTERWARDS);
    const { trace } = vanished.world;
    expect(trace.filter(({ event }) => event.type !== 'vanished')).toEqual(killed.world.trace);
    expect(trace.filter(({ event }) => event.type === 'vanished')).toMatchObject([{ peer: id }]);
    expect(vanished.world.problems()).toEqual([]);
  },
);

test('one that has vanished and joins again is a new peer, and no end of it is left', () => {
  const { world, peer } = ringOf(4, 12, 'leader');
  const { id } = peer.ring.state;
  world.vanish(peer);
  expect(peer.ring.state).toMatchObject({ role: 'offline', leader: null, server: 'offline' });
  expect(peer.ring.links).toEqual([]);
  world.rejoin(peer);
  expect(world.settle(60_000)).toEqual([]);
  // Its earlier links are closed meanwhile.
  world.run(30_000);
  expect(world.problems()).toEqual([]);
  expect(world.violations).toEqual([]);
  expect(peer.ring.state.id).not.toBe(id);
});

test('one that vanishes twice, leaves after it, or vanishes before it is a member, does so once', () => {
  const { world, peer } = ringOf(3, 13, 'follower');
  world.vanish(peer);
  peer.ring.vanish();
  peer.ring.leave();
  const early = world.join();
  world.vanish(early);
  expect(world.settle(60_000)).toEqual([]);
  expect(world.states).toHaveLength(2);
  const ends = world.trace.filter(({ event }) => ['vanished', 'left'].includes(event.type));
  expect(ends.map(({ event }) => event.type)).toEqual(['vanished', 'vanished']);
});
