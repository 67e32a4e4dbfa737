/** The judges of simulated worlds, each given what it must report and what it must not. */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import { Farewells } from '../../shared/simulation/judges/farewells.ts';
import { Fencing } from '../../shared/simulation/judges/fencing.ts';
import type { Judge } from '../../shared/simulation/judges/judge.ts';
import { Offices } from '../../shared/simulation/judges/offices.ts';
import { World } from '../../shared/simulation/world.ts';
import { defined, peerId } from '../support.ts';

/** A state of a member, for tests to change parts of. */
const MEMBER: RingState = (() => {
  const world = new World(1);
  const { ring } = world.join();
  return ring.state;
})();

const [A, B, C] = [peerId(1), peerId(2), peerId(3)];

function see(judge: Judge, id: PeerId, event: RingEvent, part: Partial<RingState> = {}): void {
  const state: RingState = { ...MEMBER, id, role: 'follower', era: 1, term: 1, ...part };
  judge.see({ at: 0, name: id, event, state });
}

function sent(origin: PeerId, term: number): RingEvent {
  const message = { type: 'claim', term, claim: { priority: 1, id: origin }, hops: 1 } as const;
  return { type: 'sent', message, to: C };
}

function isElected(judge: Judge, leader: PeerId, era: number | null, term: number): void {
  const event = { type: 'leader', leader, term, size: 2, isSelf: true } as const;
  see(judge, leader, event, { role: 'leader', leader, era, term });
}

/** The leader goes on: it sends three laps. */
function leadsOn(
  judge: Judge,
  leader: PeerId,
  era: number | null,
  term: number,
  server: RingState['server'] = 'connected',
): void {
  for (let lap = 1; lap <= 3; lap += 1)
    see(judge, leader, sent(leader, term), { role: 'leader', leader, era, term, server });
}

const gone = (peer: PeerId): RingEvent => ({
  type: 'neighbours',
  successor: C,
  predecessor: C,
  removed: [peer],
  version: 2,
});

describe('two leaders of one era and term', () => {
  const elect = (judge: Judge, leader: PeerId, passedBy: readonly PeerId[], era = 1) => {
    for (const peer of [leader, ...passedBy]) see(judge, peer, sent(leader, 1));
    isElected(judge, leader, era, 1);
  };

  test('are a fault where one peer has passed both claims on', () => {
    const judge = new Offices();
    elect(judge, A, [C]);
    elect(judge, B, [C]);
    expect(judge.problems).toHaveLength(1);
    expect(judge.problems[0]).toContain(`${C} passed both claims on`);
  });

  test('are none where their rings share no peer, nor in two eras', () => {
    const judge = new Offices();
    elect(judge, A, []);
    elect(judge, B, [C]);
    elect(judge, C, [A, B], 2);
    expect(judge.problems).toEqual([]);
  });
});

describe('a leader that the fence refuses', () => {
  /** A leads term 2 of era 1; then another is elected in term 1, while these are the members. */
  function refused(era: number | null, states: readonly Partial<RingState>[], letGo?: PeerId) {
    const judge = new Fencing(() =>
      states.map((part) => ({ ...MEMBER, era: 1, term: 1, leader: null, ...part })),
    );
    isElected(judge, A, 1, 2);
    if (letGo !== undefined) see(judge, C, gone(letGo));
    isElected(judge, B, era, 1);
    expect(judge.problems).toEqual([]);
    leadsOn(judge, B, era, 1);
    return judge.problems;
  }

  test('is a fault where no member knows the later mandate', () => {
    expect(refused(1, [{ id: B }])).toHaveLength(1);
    expect(refused(1, [{ id: A, term: 2, leader: A }, { id: B }], A)).toHaveLength(1);
    expect(refused(1, [{ id: B, term: 2, leader: B }])).toHaveLength(1);
  });

  test('is none where it is late, another part of the ring knows better, or its era is later or unknown', () => {
    expect(refused(1, [{ id: C, term: 2, leader: A }, { id: B }])).toEqual([]);
    expect(refused(1, [{ id: C, term: 3 }, { id: B }])).toEqual([]);
    expect(refused(2, [{ id: B }])).toEqual([]);
    // A late old leader.
    expect(refused(1, [{ id: B }], B)).toEqual([]);
    expect(refused(null, [{ id: B }])).toEqual([]);
  });

  test('is none as long as the server cannot tell it of the later era', () => {
    const judge = new Fencing(() => [{ ...MEMBER, id: B, era: 1, term: 1 }]);
    isElected(judge, A, 2, 1);
    isElected(judge, B, 1, 1);
    leadsOn(judge, B, 1, 1, 'reconnecting');
    expect(judge.problems).toEqual([]);
    leadsOn(judge, B, 1, 1);
    expect(judge.problems).toHaveLength(1);
  });

  test('is a fault without the server where only its term is earlier', () => {
    const judge = new Fencing(() => [{ ...MEMBER, id: B, era: 1, term: 1 }]);
    isElected(judge, A, 1, 2);
    isElected(judge, B, 1, 1);
    leadsOn(judge, B, 1, 1, 'reconnecting');
    expect(judge.problems).toHaveLength(1);
  });

  test('is judged when it learns its era', () => {
    const judge = new Fencing(() => [{ ...MEMBER, id: B, era: 1, term: 1 }]);
    isElected(judge, A, 1, 2);
    isElected(judge, B, null, 1);
    expect(judge.problems).toEqual([]);
    see(judge, B, { type: 'era', era: 1 }, { role: 'leader' });
    leadsOn(judge, B, 1, 1);
    expect(judge.problems).toHaveLength(1);
  });

  test('is none where it has no mandate any more, in another memory of the server', () => {
    const judge = new Fencing(() => [{ ...MEMBER, id: B, era: 1, term: 1 }]);
    isElected(judge, A, 2, 1);
    isElected(judge, B, 1, 1);
    leadsOn(judge, B, null, 1);
    expect(judge.problems).toEqual([]);
  });

  test('is none where it learns of a later era in time', () => {
    const judge = new Fencing(() => [{ ...MEMBER, id: B, era: 1, term: 1 }]);
    isElected(judge, A, 1, 2);
    isElected(judge, B, 1, 1);
    leadsOn(judge, B, 2, 1);
    expect(judge.problems).toEqual([]);
  });
});

describe('a message of a peer that is gone', () => {
  test('is a fault of one that knows it, and of no other', () => {
    const judge = new Farewells(() => false);
    see(judge, B, sent(A, 1));
    see(judge, B, gone(A));
    see(judge, C, sent(A, 1));
    expect(judge.problems).toEqual([]);
    see(judge, B, { type: 'returned', peer: A });
    see(judge, B, sent(A, 1));
    expect(judge.problems).toEqual([]);
    see(judge, B, gone(A));
    see(judge, B, sent(A, 1));
    expect(judge.problems).toHaveLength(1);
  });

  test('is none where the peer is there after all', () => {
    const judge = new Farewells((id) => id === A);
    see(judge, B, gone(A));
    see(judge, B, sent(A, 1));
    expect(judge.problems).toEqual([]);
  });
});

describe('under `incumbent` with different priorities', () => {
  const ringOf = (...priorities: readonly number[]) => {
    const world = new World(5, { peers: { policy: 'incumbent' } });
    const peers = priorities.map((priority) => {
      const peer = world.join({ priority });
      world.run(3_000);
      return peer.ring.state.id;
    });
    expect(world.settle(20_000)).toEqual([]);
    return { world, leader: peers.indexOf(defined(world.states[0]?.leader)) };
  };

  test('one of the same priority does not unseat the leader, one of two more does', () => {
    expect(ringOf(1, 1, 1, 1, 1, 1).leader).toBe(0);
    expect(ringOf(1, 1, 3, 1).leader).toBe(2);
    expect(ringOf(3, 2, 1, 0).leader).toBe(0);
  });

  test('one of one more does where its uuid is greater', () => {
    for (let pair = 0; pair < 8; pair += 1) {
      const world = new World(pair, { peers: { policy: 'incumbent' } });
      const incumbent = world.join({ priority: 1 });
      world.run(3_000);
      const newcomer = world.join({ priority: 2 });
      expect(world.settle(20_000)).toEqual([]);
      const [first, second] = [incumbent.ring.state.id, newcomer.ring.state.id];
      expect(world.states[0]?.leader).toBe(second > first ? second : first);
    }
  });
});
