import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { World, type SimulatedPeer, type TraceEntry } from '../../shared/simulation/world.ts';
import { defined, peerId } from '../support.ts';

const LONG_AGREED = 31_000;

function leaders(trace: readonly TraceEntry[]): { peer: PeerId; term: number }[] {
  return trace.flatMap(({ peer, event }) =>
    event.type === 'leader' && event.isSelf ? [{ peer, term: event.term }] : [],
  );
}

function join(world: World, number: number): SimulatedPeer {
  const peer = world.join({ newId: () => peerId(number) });
  world.run(500);
  return peer;
}

function runUntil(world: World, isDone: () => boolean): void {
  for (let left = 800; left > 0 && !isDone(); left -= 1) world.run(10);
  expect(isDone()).toBe(true);
}

describe('C5: a message that is held is on the link that it was decided for', () => {
  test.each([
    [3_500, 500],
    [3_000, 1_000],
    [2_500, 1_500],
  ])(
    'when a newcomer becomes the successor, it goes to the old one; one leader a term (%i ms after the start, %i ms away) (C5b)',
    (start, away) => {
      const world = new World(1);
      join(world, 1);
      const second = join(world, 2);
      expect(world.settle(60_000)).toEqual([]);
      world.run(LONG_AGREED);
      second.ring.setHopDelay(2_000);
      world.run(500);
      const began = world.trace.length;
      second.ring.campaign();
      world.run(start);
      // The second does not hear of the newcomer for a while: it holds what goes to the first.
      world.blip(second, 10, away);
      world.run(50);
      const newcomer = world.join({ newId: () => peerId(3) });
      world.run(400);
      for (let election = 0; election < 3; election += 1) newcomer.ring.campaign();
      runUntil(world, () => leaders(world.trace.slice(began)).length > 0);
      world.run(100);
      world.crash(second);
      world.run(8_000);
      const terms = leaders(world.trace.slice(began)).map(({ term }) => term);
      expect(terms).toEqual([...new Set(terms)]);
      expect(world.contradictions).toEqual([]);
    },
  );

  test('what is of a peer that is known to be gone is not sent, and the log says so (C5d)', () => {
    const world = new World(1);
    // In this order the second passes on what the first has passed on, while both hold it.
    const peers = [1, 2, 4, 3].map((number) => join(world, number));
    expect(world.settle(60_000)).toEqual([]);
    world.run(3_000);
    defined(peers[0]).ring.setHopDelay(2_000);
    world.run(1_000);
    const leader = defined(peers[2]);
    const gone = leader.ring.state.id;
    expect(leader.ring.state.role).toBe('leader');
    const began = world.trace.length;
    leader.ring.campaign();
    world.run(2_500);
    world.leave(leader);
    world.run(3_500);
    const news = world.trace.slice(began);
    const knows = new Set<PeerId>();
    const unsent: PeerId[] = [];
    for (const { peer, event } of news) {
      if (event.type === 'neighbours' && event.removed.includes(gone)) knows.add(peer);
      if (event.type === 'unsent') unsent.push(peer);
      if (event.type !== 'sent' || event.message.type !== 'claim') continue;
      if (event.message.claim.id === gone) expect(knows).not.toContain(peer);
    }
    expect(unsent.length).toBeGreaterThan(0);
  });
});
