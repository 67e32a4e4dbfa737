/** Rings in networks that keep devices apart: all links go through the server (shared/member/SPEC.md, L11). */
import { describe, expect, test } from 'vitest';
import type { ElectionMessage } from '../../shared/protocol/messages.ts';
import { World, type SimulatedPeer } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

/** Peers of which no two can be linked directly. */
function isolated(size: number, seed: number): World {
  const world = new World(seed);
  for (let joined = 0; joined < size; joined += 1) {
    const newcomer = world.join();
    for (const peer of world.peers) if (peer !== newcomer) world.block(peer, newcomer);
    world.run(20);
  }
  return world;
}

function textOf(message: ElectionMessage): string {
  const { type, term } = message;
  if (message.type === 'claim') return `${type} ${term} ${message.claim.id} ${message.hops}`;
  const { leader, lap, hops } = message.decision;
  return `${type} ${term} ${leader.id} ${lap} ${hops}`;
}

function leaderOf(world: World): SimulatedPeer {
  return defined(world.peers.find(({ ring }) => ring.state.role === 'leader'));
}

/** Milliseconds until all follow one leader, in a term after this one. */
function timeToAgree(world: World, after = 0): number {
  const began = world.clock.now();
  const isAgreed = () => {
    const { states } = world;
    const leaders = new Set(states.map(({ leader }) => leader));
    const terms = new Set(states.map(({ term }) => term));
    const [term] = terms;
    return leaders.size === 1 && !leaders.has(null) && terms.size === 1 && (term ?? 0) > after;
  };
  while (!isAgreed() && world.clock.now() - began < 60_000) world.run(10);
  return world.clock.now() - began;
}

describe.each([1, 2, 3])('L11: twelve peers that are kept apart (seed %i)', (seed) => {
  test('agree soon, and replace a leader that leaves or is killed', () => {
    const world = isolated(12, seed);
    expect(timeToAgree(world)).toBeLessThan(2_500);
    expect(world.settle(5_000)).toEqual([]);
    world.run(15_000);

    const left = leaderOf(world);
    const before = defined(left.ring.state.term);
    world.leave(left);
    expect(timeToAgree(world, before)).toBeLessThan(1_500);
    expect(world.settle(5_000)).toEqual([]);
    world.run(15_000);

    const killed = leaderOf(world);
    const then = defined(killed.ring.state.term);
    world.crash(killed);
    expect(timeToAgree(world, then)).toBeLessThan(5_000);
    expect(world.settle(10_000)).toEqual([]);
    expect(world.violations).toEqual([]);
  });
});

test('L6c links that become direct in the midst of an election lose, double and reorder nothing', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const world = isolated(6, seed);
    expect(world.settle(20_000)).toEqual([]);
    const term = defined(world.states[0]?.term);
    for (const one of world.peers)
      for (const other of world.peers) if (one !== other) world.unblock(one, other);
    // Every peer starts an election again and again while its link is replaced.
    const began = world.trace.length;
    for (let round = 0; round < 60; round += 1) {
      if (round % 3 === 0) world.peers[round % 6]?.ring.campaign();
      world.run(200);
    }
    const news = world.trace.slice(began);
    const moved = news.filter(
      ({ event }) => event.type === 'link' && event.state === 'in use' && event.kind === 'direct',
    );
    expect(moved.length).toBeGreaterThan(3);
    const started = news.filter(({ event }) => event.type === 'started');
    expect(started.map(({ event }) => event.type === 'started' && event.because)).toEqual(
      started.map(() => 'start'),
    );
    // What was received was sent in the same order, except for what is still on its way.
    const sent = world.trace.flatMap(({ peer, event }) =>
      event.type === 'sent' ? [`${peer} ${event.to} ${textOf(event.message)}`] : [],
    );
    const received = news.flatMap(({ peer, event }) =>
      event.type === 'received' ? [`${event.from} ${peer} ${textOf(event.message)}`] : [],
    );
    for (const edge of new Set(received.map((line) => line.slice(0, 73)))) {
      const arrived = received.filter((line) => line.startsWith(edge));
      const all = sent.filter((line) => line.startsWith(edge));
      const last = all.lastIndexOf(defined(arrived.at(-1)));
      expect(all.slice(last + 1 - arrived.length, last + 1)).toEqual(arrived);
    }
    expect(world.settle(20_000)).toEqual([]);
    expect(defined(world.states[0]?.term)).toBe(term + started.length);
    expect(world.violations).toEqual([]);
  }
});
