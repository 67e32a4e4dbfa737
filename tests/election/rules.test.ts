/** Each rule R1 to R7 of shared/election/SPEC.md on a single peer: number 5 of those that send to it. */
import { describe, expect, test } from 'vitest';
import {
  initialElection,
  MAX_REMOVED,
  type ElectionState,
  type Role,
} from '../../shared/election/state.ts';
import {
  step,
  type ElectionEffect,
  type ElectionInput,
  type Step,
} from '../../shared/election/step.ts';
import {
  MAX_HOPS,
  type Claim,
  type ClaimMessage,
  type Decision,
  type ElectedMessage,
  type ElectionMessage,
  type Policy,
} from '../../shared/protocol/messages.ts';
import { peerId } from '../support.ts';
import { claimOf } from './test-ring.ts';

const SELF = claimOf(5);
const RELAY_ONLY: Claim = { ...SELF, priority: 0 };

function claim(term: number, from: Claim, hops = 1): ClaimMessage {
  return { type: 'claim', term, claim: from, hops };
}

function elected(term: number, leader: Claim, part: Partial<Decision> = {}): ElectedMessage {
  return { type: 'elected', term, decision: { leader, lap: 0, size: 4, hops: 1, ...part } };
}

/** A decision as held by a peer two links behind the leader. */
function decision(leader: Claim, part: Partial<Decision> = {}): Decision {
  return { leader, lap: 3, size: 4, hops: 2, ...part };
}

function peer(
  term: number,
  role: Role,
  { self = SELF, removed = [] }: Partial<Pick<ElectionState, 'self' | 'removed'>> = {},
): ElectionState {
  return { self, claim: self, policy: 'highest', term, role, removed };
}

const candidate: Role = { name: 'candidate' };
const deferringTo = (best: Claim): Role => ({ name: 'deferring', best });
const following = (leader: Claim, part?: Partial<Decision>): Role => ({
  name: 'follower',
  decision: decision(leader, part),
});
const leading: Role = { name: 'leader', decision: decision(SELF, { hops: 0 }) };

function receive(state: ElectionState, message: ElectionMessage): Step {
  return step(state, { type: 'receive', message });
}

function sends(effects: readonly ElectionEffect[]): ElectionMessage[] {
  return effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []));
}

function waits(effects: readonly ElectionEffect[]): string[] {
  return effects.flatMap((effect) => (effect.type === 'wait' ? [effect.until] : []));
}

function judgements(effects: readonly ElectionEffect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === 'judge' ? [`${effect.judgement.outcome}: ${effect.judgement.reason}`] : [],
  );
}

/** Dropped: judged as given, and nothing else happens. */
function expectIgnored(state: ElectionState, message: ElectionMessage, reason: string): void {
  const after = receive(state, message);
  expect(after.state).toEqual(state);
  expect(judgements(after.effects)).toEqual([`ignored: ${reason}`]);
  expect(after.effects).toHaveLength(1);
}

/** A candidate in the given term whose own claim is the only message sent. */
function expectStarted(after: Step, term: number, self = SELF): void {
  expect(after.state.term).toBe(term);
  expect(after.state.role).toEqual(candidate);
  expect(sends(after.effects)).toEqual([claim(term, self, 1)]);
  expect(waits(after.effects)).toEqual(['leader']);
}

const everyRole: readonly [string, ElectionState][] = [
  ['idle', initialElection(SELF, 'highest')],
  ['candidate', peer(7, candidate)],
  ['deferring', peer(7, deferringTo(claimOf(8)))],
  ['follower', peer(7, following(claimOf(8)))],
  ['leader', peer(7, leading)],
];

describe('starting', () => {
  test.each(everyRole)(
    'R1: a peer that is %s starts one term higher with its claim',
    (_, state) => {
      expectStarted(step(state, { type: 'start' }), state.term + 1);
    },
  );
});

describe('receiving a CLAIM', () => {
  test.each(everyRole.slice(1))(
    'R2: a peer that is %s drops a CLAIM of a lower term',
    (_, state) => {
      expectIgnored(state, claim(6, claimOf(9)), 'old term');
    },
  );

  test.each(everyRole.slice(3))('R2: a %s drops every CLAIM of its decided term', (_, state) => {
    for (const from of [claimOf(1), SELF, claimOf(9)])
      expectIgnored(state, claim(7, from), 'term is decided');
  });

  test.each(everyRole)(
    'R2a: a peer that is %s relays a greater claim of a higher term',
    (_, state) => {
      const { state: after, effects } = receive(state, claim(8, claimOf(9), 3));
      expect(after).toMatchObject({ term: 8, role: deferringTo(claimOf(9)) });
      expect(sends(effects)).toEqual([claim(8, claimOf(9), 4)]);
      expect(judgements(effects)).toEqual(['forwarded: greater claim']);
      expect(waits(effects)).toEqual(['leader']);
    },
  );

  test.each(everyRole)(
    'R2a: a peer that is %s answers a smaller claim of a higher term with its own',
    (_, state) => {
      const after = receive(state, claim(8, claimOf(2), 3));
      expectStarted(after, 8);
      expect(judgements(after.effects)).toEqual(['answered: not yet started']);
    },
  );

  test('R2a: a peer of priority 0 relays even a smaller claim when it has not started', () => {
    const { state, effects } = receive(
      initialElection(RELAY_ONLY, 'highest'),
      claim(1, claimOf(2, 0), 1),
    );
    expect(state.role).toEqual(deferringTo(claimOf(2, 0)));
    expect(sends(effects)).toEqual([claim(1, claimOf(2, 0), 2)]);
  });

  test('R2a: the priority decides before the uuid does', () => {
    expect(receive(initialElection(SELF, 'highest'), claim(1, claimOf(2, 9))).state.role).toEqual(
      deferringTo(claimOf(2, 9)),
    );
    expect(
      receive(initialElection(claimOf(5, 9), 'highest'), claim(1, claimOf(6))).state.role,
    ).toEqual(candidate);
  });

  test.each([
    ['a peer', SELF],
    ['a peer of priority 0', RELAY_ONLY],
  ])('R2a: %s answers a claim that others made in its name, and passes none on', (_, self) => {
    const forged = claim(9, { ...self, priority: 200 }, 2);
    for (const role of [{ name: 'idle' } as const, candidate, following(claimOf(7))]) {
      const { state, effects } = receive(peer(4, role, { self }), forged);
      expect(state.role).toEqual(candidate);
      expect(effects).toContainEqual({ type: 'send', message: claim(9, self) });
    }
  });

  test('R2b, L17e: a candidate drops a claim in its name that it never made', () => {
    const before = peer(4, candidate);
    const { state, effects } = receive(before, claim(4, { ...SELF, priority: 200 }, 2));
    expect(state).toEqual(before);
    expect(effects.map(({ type }) => type)).toEqual(['judge']);
  });

  test('R2b: a candidate relays a greater claim and defers to it', () => {
    const { state, effects } = receive(peer(7, candidate), claim(7, claimOf(6), 2));
    expect(state).toEqual(peer(7, deferringTo(claimOf(6))));
    expect(sends(effects)).toEqual([claim(7, claimOf(6), 3)]);
  });

  test('R2b: a candidate drops a smaller claim', () => {
    expectIgnored(peer(7, candidate), claim(7, claimOf(4)), 'smaller claim');
  });

  test('R2b: a candidate whose claim comes back leads a ring of as many peers as it made hops', () => {
    const { state, effects } = receive(peer(7, candidate), claim(7, SELF, 6));
    const led = { leader: SELF, lap: 0, size: 6, hops: 0 };
    expect(state).toEqual(peer(7, { name: 'leader', decision: led }));
    expect(sends(effects)).toEqual([elected(7, SELF, { size: 6, hops: 1 })]);
    expect(judgements(effects)).toEqual(['elected: own claim came back']);
    expect(effects).toContainEqual({ type: 'decide', term: 7, decision: led });
    expect(waits(effects)).toEqual(['return']);
  });

  test('R2b: a candidate of priority 0 does not lead when its claim comes back', () => {
    expectIgnored(peer(7, candidate, { self: RELAY_ONLY }), claim(7, RELAY_ONLY, 3), 'never leads');
  });

  test('R2b, R3, L17d: a message that says it made all the hops there are is passed on with no more', () => {
    const far = receive(peer(4, candidate), claim(4, claimOf(7), MAX_HOPS));
    expect(far.effects).toContainEqual({ type: 'send', message: claim(4, claimOf(7), MAX_HOPS) });
    const led = receive(peer(4, candidate), elected(4, claimOf(7), { hops: MAX_HOPS }));
    expect(led.effects).toContainEqual({
      type: 'send',
      message: elected(4, claimOf(7), { hops: MAX_HOPS }),
    });
  });

  test('R2c: a deferring peer relays only a claim greater than the greatest it has seen', () => {
    const state = peer(7, deferringTo(claimOf(8)));
    expectIgnored(state, claim(7, claimOf(7)), 'smaller claim');
    expectIgnored(state, claim(7, claimOf(8)), 'same claim again');
    const after = receive(state, claim(7, claimOf(9), 2));
    expect(after.state).toEqual(peer(7, deferringTo(claimOf(9))));
    expect(sends(after.effects)).toEqual([claim(7, claimOf(9), 3)]);
  });

  test('R2c: its own claim, come back, is one of the smaller ones', () => {
    const state = peer(7, deferringTo(claimOf(8)));
    expectIgnored(state, claim(7, SELF, 4), 'own claim came back beaten');
  });
});

describe('receiving an ELECTED', () => {
  test.each(everyRole.slice(1))(
    'R3: a peer that is %s drops an ELECTED of a lower term',
    (_, state) => {
      expectIgnored(state, elected(6, claimOf(9)), 'old term');
    },
  );

  test('R3d: a follower relays only a newer lap of what it knows', () => {
    const state = peer(7, following(claimOf(8), { lap: 3 }));
    expectIgnored(state, elected(7, claimOf(8), { lap: 3 }), 'announcement known');
    expectIgnored(state, elected(7, claimOf(8), { lap: 2 }), 'announcement known');
    const { state: after, effects } = receive(state, elected(7, claimOf(8), { lap: 4, size: 9 }));
    expect(after).toEqual(peer(7, following(claimOf(8), { lap: 4, size: 9, hops: 1 })));
    expect(sends(effects)).toEqual([elected(7, claimOf(8), { lap: 4, size: 9, hops: 2 })]);
    expect(waits(effects)).toEqual(['leader']);
  });

  test('R3d: a newer lap is no news of a leader', () => {
    const { effects } = receive(peer(7, following(claimOf(8))), elected(7, claimOf(8), { lap: 4 }));
    expect(effects.map(({ type }) => type)).toEqual(['judge', 'send', 'wait']);
  });

  test('R3a: the announcement stops at the leader, which learns the size of its ring', () => {
    const { state, effects } = receive(peer(7, leading), elected(7, SELF, { lap: 3, hops: 6 }));
    expect(state).toEqual(
      peer(7, { name: 'leader', decision: decision(SELF, { size: 6, hops: 0 }) }),
    );
    expect(sends(effects)).toEqual([]);
    expect(judgements(effects)).toEqual(['completed: announcement came home']);
    expect(waits(effects)).toEqual(['lap']);
  });

  test('R3a: a late lap counts too, so that a ring slower than the wait is measured as well', () => {
    const { state, effects } = receive(peer(7, leading), elected(7, SELF, { lap: 2, hops: 6 }));
    expect(state).toEqual(
      peer(7, { name: 'leader', decision: decision(SELF, { size: 6, hops: 0 }) }),
    );
    expect(waits(effects)).toEqual(['lap']);
  });

  test.each(everyRole.slice(0, 4))(
    'R3a: a peer that is %s and hears that it leads starts above that term',
    (_, state) => {
      const term = Math.max(1, state.term);
      const after = receive(state, elected(term, SELF));
      expectStarted(after, term + 1);
      expect(judgements(after.effects)).toEqual(['answered: a second leader in one term']);
    },
  );

  test('R3a: a leader that hears that it leads a later term starts above it', () => {
    expectStarted(receive(peer(7, leading), elected(9, SELF, { lap: 3 })), 10);
  });

  test.each(everyRole.slice(0, 3))(
    'R3b: a peer that is %s adopts and relays the first announcement',
    (_, state) => {
      const term = Math.max(1, state.term);
      const { state: after, effects } = receive(state, elected(term, claimOf(8), { hops: 2 }));
      expect(after).toEqual({ ...state, term, role: following(claimOf(8), { lap: 0, hops: 2 }) });
      expect(sends(effects)).toEqual([elected(term, claimOf(8), { hops: 3 })]);
      expect(judgements(effects)).toEqual(['forwarded: announcement']);
      expect(effects.filter(({ type }) => type === 'decide')).toHaveLength(1);
    },
  );

  test.each(everyRole)(
    'R3b: a peer that is %s adopts the announcement of a higher term',
    (_, state) => {
      const { state: after } = receive(state, elected(9, claimOf(8), { hops: 2 }));
      expect(after).toEqual({
        ...state,
        term: 9,
        role: following(claimOf(8), { lap: 0, hops: 2 }),
      });
    },
  );

  test.each(everyRole)(
    'R3b: a peer that is %s and outranks who is announced starts above that term',
    (_, state) => {
      const after = receive(state, elected(9, claimOf(2)));
      expectStarted(after, 10);
      expect(judgements(after.effects)).toEqual(['answered: outranks the announced leader']);
    },
  );

  test.each(everyRole.slice(3))(
    'R3c: a %s that hears of another leader of its term starts the next',
    (_, state) => {
      const after = receive(state, elected(7, claimOf(9)));
      expectStarted(after, 8);
      expect(judgements(after.effects)).toEqual(['answered: a second leader in one term']);
    },
  );
});

describe('the policy of a room', () => {
  const SITTING: Claim = { ...SELF, priority: SELF.priority + 1 };
  const NEWCOMER = claimOf(9);

  /** Peer 5 as the leader of term 1, in a room of the given policy. */
  function elect(policy: Policy, self = SELF): Step {
    const { state } = step(initialElection(self, policy), { type: 'start' });
    return receive(state, claim(1, self, 3));
  }

  test('R2b: under `incumbent` a leader is announced with one priority more', () => {
    expect(sends(elect('incumbent').effects)).toEqual([elected(1, SITTING, { size: 3 })]);
    expect(sends(elect('highest').effects)).toEqual([elected(1, SELF, { size: 3 })]);
  });

  test('R2b: a priority of 255 cannot rise', () => {
    const self = { ...SELF, priority: 255 };
    expect(elect('incumbent', self).state.claim).toEqual(self);
  });

  test('R2a: an incumbent answers a greater newcomer of its own priority with its own claim', () => {
    const { state } = receive(elect('incumbent').state, claim(2, NEWCOMER));
    expect(state.role).toEqual(candidate);
    expect(receive(state, claim(2, SITTING, 3)).state.role.name).toBe('leader');
    expect(receive(elect('highest').state, claim(2, NEWCOMER)).state.role).toEqual(
      deferringTo(NEWCOMER),
    );
  });

  test('R2b: an incumbent elected again has one priority more than its base, not two', () => {
    const { state } = step(elect('incumbent').state, { type: 'start' });
    expect(receive(state, claim(2, SITTING, 3)).state.claim).toEqual(SITTING);
  });

  test('R2b: an incumbent gives way to a claim of higher priority and stays one until another leads', () => {
    const high = claimOf(2, 7);
    const beaten = receive(elect('incumbent').state, claim(2, high)).state;
    expect(beaten.role).toEqual(deferringTo(high));
    expect(sends(step(beaten, { type: 'timeout' }).effects)).toEqual([claim(3, SITTING)]);
    const follower = receive(beaten, elected(2, high)).state;
    expect(sends(step(follower, { type: 'timeout' }).effects)).toEqual([claim(3, SELF)]);
  });

  test('R3b: a greater newcomer follows an incumbent of its own priority', () => {
    const newcomer = initialElection(NEWCOMER, 'incumbent');
    expect(receive(newcomer, elected(1, SITTING)).state.role).toEqual(
      following(SITTING, { lap: 0, hops: 1 }),
    );
  });

  test('R3b: an incumbent of an earlier term follows a later one that its base does not outrank', () => {
    const later = claimOf(2, SITTING.priority);
    expect(receive(elect('incumbent').state, elected(4, later)).state).toMatchObject({
      term: 4,
      claim: SELF,
      role: { name: 'follower' },
    });
  });

  test('R4b: a greater newcomer passes an incumbent of its own priority on', () => {
    const newcomer = initialElection(NEWCOMER, 'incumbent');
    const { state } = step(newcomer, {
      type: 'hello',
      term: 1,
      decision: decision(SITTING),
      removed: [],
    });
    expect(step(state, { type: 'new-successor' }).state).toEqual(state);
  });
});

describe('a new link to a successor', () => {
  test.each(everyRole.slice(0, 3))('R4a: a peer that is %s starts', (_, state) => {
    expectStarted(step(state, { type: 'new-successor' }), state.term + 1);
  });

  test.each(everyRole.slice(3))(
    'R4b: a %s welcomes it with the announcement and stays as it is',
    (_, state) => {
      const after = step(state, { type: 'new-successor' });
      const [message] = sends(after.effects);
      expect(after.state).toEqual(state);
      expect(after.effects).toHaveLength(1);
      const leads = state.role.name === 'leader';
      expect(message).toEqual(
        elected(7, leads ? SELF : claimOf(8), { lap: 3, hops: leads ? 1 : 3 }),
      );
    },
  );

  test('R4a: a follower whose leader is gone starts', () => {
    const state = peer(7, following(claimOf(8)), { removed: [peerId(8)] });
    expectStarted(step(state, { type: 'new-successor' }), 8);
  });

  test('R4a: a follower that outranks its leader starts', () => {
    expectStarted(step(peer(7, following(claimOf(2))), { type: 'new-successor' }), 8);
  });

  test('R4b: a peer of priority 0 passes its leader on whatever the uuids', () => {
    const state = peer(7, following(claimOf(2, 0)), { self: RELAY_ONLY });
    expect(step(state, { type: 'new-successor' }).state).toEqual(state);
  });
});

describe('what a neighbour knows', () => {
  function hello(part: Partial<Extract<ElectionInput, { type: 'hello' }>>): ElectionInput {
    return { type: 'hello', term: 7, decision: decision(claimOf(8)), removed: [], ...part };
  }

  test('R5b: a peer that knows of no election takes the leader from HELLO and sends nothing', () => {
    const { state, effects } = step(initialElection(SELF, 'highest'), hello({}));
    expect(state).toEqual(peer(7, following(claimOf(8))));
    expect(effects.map(({ type }) => type)).toEqual(['decide', 'wait']);
  });

  test.each(everyRole.slice(1))(
    'R5b: a peer that is %s does not take the leader from HELLO',
    (_, state) => {
      expect(step(state, hello({ term: 9 }))).toEqual({ state, effects: [] });
    },
  );

  test('R5b: a leader known to be gone is not taken from HELLO', () => {
    const gone = step(initialElection(SELF, 'highest'), hello({ removed: [peerId(8)] }));
    expect(gone).toEqual({
      state: { ...initialElection(SELF, 'highest'), removed: [peerId(8)] },
      effects: [],
    });
  });

  test('R5b: nobody takes itself for the leader because another says so', () => {
    const fresh = initialElection(SELF, 'highest');
    expect(step(fresh, hello({ decision: decision(SELF) }))).toEqual({ state: fresh, effects: [] });
  });

  test('R5a: departures are kept once each, the newest of them, and never the peer itself', () => {
    const many = Array.from({ length: MAX_REMOVED + 10 }, (_, at) => peerId(100 + at));
    const first = step(initialElection(SELF, 'highest'), {
      type: 'removed',
      peers: [peerId(100), SELF.id],
    });
    const { state } = step(first.state, { type: 'removed', peers: [...many, ...many] });
    expect(state.removed).toEqual(many.slice(10));
  });

  test('R5d: a peer that has returned is relayed again, and others stay presumed departed', () => {
    const before = peer(7, candidate, { removed: [peerId(8), peerId(9)] });
    const { state, effects } = step(before, { type: 'returned', peer: peerId(9) });
    expect(state).toEqual({ ...before, removed: [peerId(8)] });
    expect(effects).toEqual([]);
    expect(sends(receive(state, claim(7, claimOf(9))).effects)).toEqual([claim(7, claimOf(9), 2)]);
  });

  test.each(['removed', 'hello'] as const)(
    'R5a: a peer that defers to one that is gone starts when %s says so',
    (type) => {
      // Found by the checker: a newcomer vanished before its predecessor had a link to it, so that no peer
      // got a new successor (R4), and its claim had already passed every peer.
      const state = peer(7, deferringTo(claimOf(8)));
      const removed = [peerId(8)];
      const after = step(
        state,
        type === 'removed' ? { type, peers: removed } : hello({ removed, decision: null }),
      );
      expectStarted(after, 8);
      expect(after.state.removed).toEqual(removed);
    },
  );

  test.each(['removed', 'hello'] as const)(
    "R5c: a follower makes nothing of its leader's departure by %s; a new successor link does",
    (type) => {
      const state = peer(7, following(claimOf(8)));
      const removed = [peerId(8)];
      const after = step(state, type === 'removed' ? { type, peers: removed } : hello({ removed }));
      expect(after).toEqual({ state: { ...state, removed }, effects: [] });
      expectStarted(step(after.state, { type: 'new-successor' }), 8);
    },
  );
});

describe('what a dead peer left behind', () => {
  const removed = [peerId(9), peerId(2)];
  const messages: readonly ElectionMessage[] = [claim(8, claimOf(9)), elected(8, claimOf(9))];

  test.each(messages)(
    'R6: a $type of a higher term is absorbed, and a term above it begins',
    (message) => {
      const after = receive(peer(7, following(claimOf(8)), { removed }), message);
      expectStarted(after, 9);
      expect(judgements(after.effects)).toEqual(['answered: its origin is gone']);
    },
  );

  test.each([candidate, deferringTo(claimOf(8))])(
    'R6: a $name peer starts above a term in which it knows no leader',
    (role) => {
      for (const origin of [9, 2]) {
        const state = peer(7, role, { removed });
        expectStarted(receive(state, claim(7, claimOf(origin))), 8);
        expectStarted(receive(state, elected(7, claimOf(origin))), 8);
      }
    },
  );

  test.each(everyRole.slice(3))(
    'R6: a %s absorbs it in silence in its decided term',
    (_, state) => {
      for (const message of [claim(7, claimOf(9)), elected(7, claimOf(9))])
        expectIgnored({ ...state, removed }, message, 'its origin is gone');
    },
  );

  test('R6: a lower term is dropped before anybody asks whose it is', () => {
    expectIgnored(peer(7, candidate, { removed }), claim(6, claimOf(9)), 'old term');
  });
});

describe('time', () => {
  test('R7: the leader sends its next lap with the size it knows and waits for its return', () => {
    const { state, effects } = step(peer(7, leading), { type: 'timeout' });
    expect(state).toEqual(
      peer(7, { name: 'leader', decision: decision(SELF, { lap: 4, hops: 0 }) }),
    );
    expect(sends(effects)).toEqual([elected(7, SELF, { lap: 4, hops: 1 })]);
    expect(waits(effects)).toEqual(['return']);
  });

  test.each(everyRole.slice(0, 4))(
    'R7: a peer that is %s starts when no announcement came in time',
    (_, state) => {
      expectStarted(step(state, { type: 'timeout' }), state.term + 1);
    },
  );
});

describe('what a judgement says', () => {
  test('R2: it names what the claim was compared to and how it compared', () => {
    const relayed = receive(peer(7, deferringTo(claimOf(6))), claim(7, claimOf(8)));
    expect(relayed.effects[0]).toMatchObject({
      judgement: {
        compared: { to: 'greatest claim seen', claim: claimOf(6), result: 'greater' },
      },
    });
    const dropped = receive(peer(7, candidate), claim(7, claimOf(2)));
    expect(dropped.effects[0]).toMatchObject({
      judgement: { compared: { to: 'own claim', claim: SELF, result: 'less' } },
    });
  });
});
