/** C1 to C4: what the ring tells its members of itself, and the hop delay that it carries. */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { RingState } from '../../shared/member/events.ts';
import { World, type SimulatedPeer, type TraceEntry } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

function ringOf(peers: number, seed: number): World {
  const world = new World(seed);
  for (let joined = 0; joined < peers; joined += 1) world.join();
  expect(world.settle(60_000)).toEqual([]);
  return world;
}

/** The peers in ring order by each peer's successor, the leader first. */
function orderOf(states: readonly RingState[]): PeerId[] {
  const successors = new Map(states.map(({ id, successor }) => [id, successor]));
  const order: PeerId[] = [];
  let at = states.find(({ role }) => role === 'leader')?.id ?? null;
  while (at !== null && !order.includes(at)) {
    order.push(at);
    at = successors.get(at) ?? null;
  }
  return order;
}

/** The messages of a term's election that were really sent. */
function sentIn(world: World, term: number | null): number {
  return world.trace.filter(
    ({ event }) =>
      event.type === 'sent' &&
      event.message.term === term &&
      (event.message.type === 'claim' || event.message.decision.lap === 0),
  ).length;
}

function expectKnown(world: World): void {
  const { states } = world;
  const seats = orderOf(states).map((id) => ({ id, link: 'direct' }));
  expect(seats).toHaveLength(states.length);
  const [{ term } = { term: null }] = states;
  const ring = { term, messages: sentIn(world, term), seats };
  for (const state of states) expect(state.ring).toEqual(ring);
}

describe('the whole ring', () => {
  test.each([1, 2, 3, 12, 100])('C1 is known to each of %i peers after three laps', (size) => {
    const world = ringOf(size, size);
    for (const { ring } of world.peers) ring.campaign();
    expect(world.settle(60_000)).toEqual([]);
    world.run(10_000);
    expectKnown(world);
  });

  test('C2b a newcomer and all others know of each other after two laps and their pauses', () => {
    const world = ringOf(12, 5);
    world.run(10_000);
    world.join();
    world.run(3_500);
    expectKnown(world);
  });

  test('C1b a link that goes through the server is known for that to all', () => {
    const world = ringOf(5, 6);
    const [one] = world.peers;
    const next = world.peers.find(({ ring }) => ring.state.id === one?.ring.state.successor);
    const [from, to] = [defined(one), defined(next)];
    world.block(from, to);
    world.breakLinks(from, true);
    world.run(30_000);
    for (const { ring } of world.states) {
      const kinds = new Map(ring?.seats.map(({ id, link }) => [id, link]));
      expect(kinds.get(from.ring.state.id)).toBe('relayed');
      expect([...kinds.values()].filter((kind) => kind === 'direct')).toHaveLength(4);
    }
  });

  test('C3 more than a hundred are counted, and not named', () => {
    const world = ringOf(101, 7);
    world.run(10_000);
    for (const { ring, size } of world.states) {
      expect(size).toBe(101);
      expect(ring?.seats).toEqual([]);
    }
  });

  test('is forgotten by a peer that leaves', () => {
    const world = ringOf(3, 8);
    world.run(5_000);
    const peer = defined(world.peers[0]);
    world.leave(peer);
    expect(peer.ring.state.ring).toBeNull();
  });
});

describe('the hop delay', () => {
  const delays = (world: World) => new Set(world.states.map(({ hopDelay }) => hopDelay));

  test('C4 goes round once and then holds for all, for newcomers too (C4a, C4c)', () => {
    const world = ringOf(12, 9);
    defined(world.peers[4]).ring.setHopDelay(1_500);
    world.run(500);
    expect(delays(world)).toEqual(new Set([1_500]));
    world.join();
    expect(world.settle(120_000)).toEqual([]);
    expect(delays(world)).toEqual(new Set([1_500]));
  });

  test('C4b set by two at once is the same for all in the end', () => {
    const world = ringOf(12, 10);
    defined(world.peers[1]).ring.setHopDelay(100);
    defined(world.peers[7]).ring.setHopDelay(200);
    world.run(1_000);
    expect(delays(world).size).toBe(1);
    defined(world.peers[3]).ring.setHopDelay(0);
    world.run(1_000);
    expect(delays(world)).toEqual(new Set([0]));
  });

  test.each([100, 2_000])(
    'C5 of %i ms makes one election slow and starts no other, and the token goes from peer to peer (C5a)',
    (delay) => {
      const world = ringOf(12, 11);
      defined(world.peers[0]).ring.setHopDelay(delay);
      world.run(2_000);
      const order = orderOf(world.states);
      const leader = defined(order[0]);
      const term = defined(world.states[0]).term ?? 0;
      const from = world.clock.now();
      const began = world.trace.length;
      defined(peerOf(world, leader)).ring.campaign();
      world.run(30 * delay + 5_000);
      expect(world.problems()).toEqual([]);
      for (const state of world.states) expect(state.term).toBe(term + 1);
      const news = world.trace.slice(began);
      const held = news.filter(({ event }) => event.type === 'holding').map(({ peer }) => peer);
      // Once round with the claim, once with the announcement.
      expect(held).toEqual([...order, ...order]);
      const decided = news
        .filter(({ event }) => event.type === 'leader')
        .map(({ at }) => at - from);
      const hops = (2 * order.length - 1) * delay;
      expect(Math.max(...decided)).toBeGreaterThanOrEqual(hops);
      expect(Math.max(...decided)).toBeLessThan(hops + 40 * order.length);
    },
  );

  test('C5g starts no other election where it is set after the last lap before one', () => {
    const world = ringOf(12, 14);
    world.run(5_000);
    const leader = defined(peerOf(world, defined(orderOf(world.states)[0])));
    const term = defined(leader.ring.state.term);
    const laps = () => world.trace.filter(isCompletedLap).length;
    for (const before = laps(); laps() === before;) world.run(10);
    leader.ring.setHopDelay(700);
    world.run(400);
    expect(delays(world)).toEqual(new Set([700]));
    const began = world.trace.length;
    leader.ring.campaign();
    world.run(30_000);
    expect(world.problems()).toEqual([]);
    const news = world.trace.slice(began).map(({ event }) => event);
    expect(news.filter(({ type }) => type === 'started')).toHaveLength(1);
    expect(news.filter(({ type }) => type === 'holding')).toHaveLength(24);
    for (const state of world.states) expect(state.term).toBe(term + 1);
  });

  test('C5f the death of the leader is got over at 2 s a hop', () => {
    const world = ringOf(8, 12);
    defined(world.peers[0]).ring.setHopDelay(2_000);
    world.run(3_000);
    world.crash(defined(peerOf(world, defined(orderOf(world.states)[0]))));
    const term = defined(world.states[0]).term ?? 0;
    world.run(90_000);
    expect(world.problems()).toEqual([]);
    expect(world.violations).toEqual([]);
    for (const state of world.states) expect(state.term).toBeLessThanOrEqual(term + 2);
  });

  test('C5f lets a ring that grows to 60 peers at 2 s a hop elect, in few terms', () => {
    const world = new World(20);
    world.join();
    world.run(3_000);
    defined(world.peers[0]).ring.setHopDelay(2_000);
    for (let joined = 1; joined < 60; joined += 1) world.join();
    expect(world.settle(25 * 60_000)).toEqual([]);
    expect(world.violations).toEqual([]);
    for (const { term } of world.states) expect(term).toBeLessThanOrEqual(8);
  });

  test.each([-1, 2_001, 0.5, NaN])('is not %d ms (C4a)', (milliseconds) => {
    const world = ringOf(1, 13);
    expect(() => {
      defined(world.peers[0]).ring.setHopDelay(milliseconds);
    }).toThrow(RangeError);
    expect(defined(world.states[0]).hopDelay).toBe(0);
  });
});

function peerOf(world: World, id: PeerId): SimulatedPeer | undefined {
  return world.peers.find(({ ring }) => ring.state.id === id);
}

function isCompletedLap({ event }: TraceEntry): boolean {
  return event.type === 'received' && event.judgement.outcome === 'completed';
}
