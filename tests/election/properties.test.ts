/** Invariants: for any state, any message, any interleaving. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  decisionOf,
  initialElection,
  sittingClaim,
  type ElectionState,
} from '../../shared/election/state.ts';
import { step, type ElectionInput } from '../../shared/election/step.ts';
import type {
  Claim,
  Decision,
  ElectedMessage,
  ElectionMessage,
  Policy,
} from '../../shared/protocol/messages.ts';
import { compareClaims } from '../../shared/election/claim.ts';
import { seededRandom } from '../../shared/simulation/random.ts';
import { defined, peerId } from '../support.ts';
import { claimOf, TestRing } from './test-ring.ts';

// Many cases, and nothing in them waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

// Few ids, terms and laps, so that they meet often.
const id = fc.integer({ min: 1, max: 6 }).map((number) => peerId(number));
const term = fc.integer({ min: 1, max: 5 });
const policy = fc.constantFrom<Policy>('highest', 'incumbent');
const claim: fc.Arbitrary<Claim> = fc.record({ priority: fc.integer({ min: 0, max: 2 }), id });
const decision: fc.Arbitrary<Decision> = fc.record({
  leader: claim,
  lap: fc.nat(3),
  size: fc.integer({ min: 1, max: 8 }),
  hops: fc.integer({ min: 1, max: 8 }),
});
const elected: fc.Arbitrary<ElectedMessage> = fc.record({
  type: fc.constant('elected'),
  term,
  decision,
});
const message: fc.Arbitrary<ElectionMessage> = fc.oneof(
  fc.record({
    type: fc.constant('claim'),
    term,
    claim,
    hops: fc.integer({ min: 1, max: 8 }),
  }),
  elected,
);
const input: fc.Arbitrary<ElectionInput> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('receive'), message }) },
  fc.record({ type: fc.constant('start') }),
  fc.record({ type: fc.constant('timeout') }),
  fc.record({ type: fc.constant('new-successor') }),
  fc.record({ type: fc.constant('removed'), peers: fc.array(id, { maxLength: 2 }) }),
  fc.record({
    type: fc.constant('hello'),
    term,
    decision: fc.option(decision),
    removed: fc.array(id, { maxLength: 2 }),
  }),
);

/** A state of any role, reachable or not. */
const state: fc.Arbitrary<ElectionState> = fc
  .record({ self: claim, policy, removed: fc.uniqueArray(id, { maxLength: 3 }) })
  .chain(({ self, policy: ofRoom, removed }) => {
    const beginner = { ...initialElection(self, ofRoom), removed };
    const common = {
      self: fc.constant(self),
      claim: fc.constantFrom(self, sittingClaim(beginner)),
      policy: fc.constant(ofRoom),
      removed: fc.constant(removed),
    };
    return fc.oneof(
      fc.constant(beginner),
      fc.record({ ...common, term, role: fc.constant({ name: 'candidate' as const }) }),
      fc.record({
        ...common,
        term,
        role: fc.record({ name: fc.constant('deferring'), best: claim }),
      }),
      fc.record({
        ...common,
        term,
        role: fc.record({ name: fc.constant('follower'), decision }),
      }),
      fc.record({
        ...common,
        term,
        role: fc.record({
          name: fc.constant('leader'),
          decision: decision.map((made) => ({ ...made, leader: self, hops: 0 })),
        }),
      }),
    );
  });

describe('one peer, whatever happens to it', () => {
  test('R1 to R7: step() never throws, and the term never falls', () => {
    fc.assert(
      fc.property(state, input, (before, happening) => {
        const { state: after } = step(before, happening);
        expect(after.term).toBeGreaterThanOrEqual(before.term);
        expect(after.self).toEqual(before.self);
      }),
      { numRuns: 5_000 },
    );
  });

  test('step() changes neither the state nor the input it is given', () => {
    fc.assert(
      fc.property(state, input, (before, happening) => {
        const copy = structuredClone({ before, happening });
        step(before, happening);
        expect({ before, happening }).toEqual(copy);
      }),
      { numRuns: 1_000 },
    );
  });

  test('R2 and R3: every message received is judged once, first of all effects', () => {
    fc.assert(
      fc.property(state, message, (before, received) => {
        const { effects } = step(before, { type: 'receive', message: received });
        expect(effects[0]).toMatchObject({ type: 'judge', message: received });
        expect(effects.filter(({ type }) => type === 'judge')).toHaveLength(1);
      }),
      { numRuns: 1_000 },
    );
  });

  test('R2 and R3: a message causes at most one message', () => {
    fc.assert(
      fc.property(state, message, (before, received) => {
        const { effects } = step(before, { type: 'receive', message: received });
        expect(effects.filter(({ type }) => type === 'send').length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1_000 },
    );
  });

  test('R6: no message whose origin is known to be gone is relayed', () => {
    fc.assert(
      fc.property(state, message, (before, received) => {
        const origin = received.type === 'claim' ? received.claim.id : received.decision.leader.id;
        fc.pre(origin !== before.self.id);
        const knowing = { ...before, removed: [origin] };
        for (const effect of step(knowing, { type: 'receive', message: received }).effects)
          if (effect.type === 'send')
            expect(effect.message).toMatchObject({ type: 'claim', claim: before.claim, hops: 1 });
      }),
      { numRuns: 1_000 },
    );
  });

  test('R2: the claims it sends in one term strictly grow, and a decided term keeps its leader', () => {
    fc.assert(
      fc.property(
        claim,
        policy,
        fc.array(input, { maxLength: 60, size: 'max' }),
        (self, ofRoom, happenings) => {
          let current = initialElection(self, ofRoom);
          const greatest = new Map<number, Claim>();
          const leaders = new Map<number, string>();
          for (const happening of happenings) {
            const { state: after, effects } = step(current, happening);
            current = after;
            for (const effect of effects) {
              if (effect.type !== 'send' || effect.message.type !== 'claim') continue;
              const before = greatest.get(effect.message.term);
              if (before !== undefined)
                expect(compareClaims(effect.message.claim, before)).toBe('greater');
              greatest.set(effect.message.term, effect.message.claim);
            }
            const leader = decisionOf(after)?.leader.id;
            if (leader === undefined) continue;
            expect(leaders.get(after.term) ?? leader).toBe(leader);
            leaders.set(after.term, leader);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

/** An adversary's actions on a fixed ring; the numbers are taken modulo what there is. */
type Move =
  | { readonly type: 'deliver'; readonly pick: number }
  | { readonly type: 'start' | 'timeout' | 'new-successor'; readonly at: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ type: fc.constant('deliver'), pick: fc.nat(100) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('start'), at: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('timeout'), at: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('new-successor'), at: fc.nat(100) }) },
);

/** Long schedules from a seed: quick to draw, where {@link move} is quick to shrink. */
function randomMoves(seed: number, length: number): Move[] {
  const random = seededRandom(seed);
  const others = ['start', 'start', 'timeout', 'new-successor'] as const;
  return Array.from({ length }, () => {
    const other = others[Math.floor(random() * 16)];
    const number = Math.floor(random() * 100);
    return other === undefined ? { type: 'deliver', pick: number } : { type: other, at: number };
  });
}

const order = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 7 });

function play(ring: TestRing, moves: readonly Move[]): void {
  for (const next of moves)
    if (next.type === 'deliver') ring.deliverAny(next.pick);
    else ring.apply(next.at % ring.size, { type: next.type });
}

/** What was unsafe in a run, in words: who led which term, and what was announced of it. */
function faultsOf(ring: TestRing): string[] {
  const faults: string[] = [];
  const leaders = new Map<number, string>();
  for (const { term: decidedTerm, leader } of ring.decided) {
    if ((leaders.get(decidedTerm) ?? leader.id) !== leader.id)
      faults.push(`term ${decidedTerm} has two leaders`);
    leaders.set(decidedTerm, leader.id);
  }
  for (const { message: sent } of ring.sent)
    if (sent.type === 'elected' && sent.decision.size !== ring.size)
      faults.push(`${ring.size} peers were announced as ${sent.decision.size}`);
  for (const effect of ring.effects)
    if (effect.type === 'judge' && effect.judgement.reason === 'a second leader in one term')
      faults.push(`a second leader of term ${effect.message.term} was announced`);
  return faults;
}

describe('a fixed ring, under any interleaving', () => {
  test('one leader per term, who announces the length of the ring', () => {
    let decisions = 0;
    fc.assert(
      fc.property(order, fc.noShrink(fc.integer()), (numbers, seed) => {
        const ring = TestRing.of(numbers.map((number) => claimOf(number)));
        play(ring, randomMoves(seed, 250));
        expect(faultsOf(ring)).toEqual([]);
        decisions += ring.decided.length;
      }),
      { numRuns: 1_500 },
    );
    expect(decisions).toBeGreaterThan(1_500);
  });

  test('once nothing more is started, all agree on the greatest and on its term', () => {
    fc.assert(
      fc.property(order, fc.array(move, { maxLength: 100 }), fc.nat(100), (numbers, moves, at) => {
        const ring = TestRing.of(numbers.map((number) => claimOf(number)));
        play(ring, moves);
        ring.apply(at % ring.size, { type: 'start' });
        ring.drain();
        expect(faultsOf(ring)).toEqual([]);
        expect(ring.leaders).toEqual(numbers.map(() => claimOf(Math.max(...numbers))));
        expect(new Set(ring.states.map((peer) => peer.term)).size).toBe(1);
      }),
      { numRuns: 1_000 },
    );
  });

  test('with priorities, all agree on the greatest claim, and priority 0 never leads', () => {
    const claims = fc
      .tuple(order, fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 7, maxLength: 7 }))
      .map(([numbers, priorities]) => numbers.map((number, at) => claimOf(number, priorities[at])));
    fc.assert(
      fc.property(claims, fc.array(move, { maxLength: 100 }), fc.nat(100), (ranked, moves, at) => {
        const ring = TestRing.of(ranked);
        play(ring, moves);
        ring.apply(at % ring.size, { type: 'start' });
        ring.drain();
        expect(faultsOf(ring)).toEqual([]);
        for (const { leader } of ring.decided) expect(leader.priority).toBeGreaterThan(0);
        const greatest = ranked.reduce((a, b) => (compareClaims(a, b) === 'greater' ? a : b));
        if (greatest.priority > 0) expect(ring.leaders).toEqual(ranked.map(() => greatest));
      }),
      { numRuns: 1_000 },
    );
  });

  test('R2a: the order of delivery does not change the number of CLAIM messages when all start', () => {
    fc.assert(
      fc.property(order, fc.array(fc.nat(100), { maxLength: 200 }), (numbers, picks) => {
        const [inOrder, shuffled] = [0, 1].map(() => {
          const ring = TestRing.of(numbers.map((number) => claimOf(number)));
          for (const at of numbers.keys()) ring.apply(at, { type: 'start' });
          return ring;
        });
        for (const pick of picks) defined(shuffled).deliverAny(pick);
        for (const ring of [inOrder, shuffled]) defined(ring).drain();
        expect(defined(shuffled).count('claim')).toBe(defined(inOrder).count('claim'));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the laps of a leader', () => {
  const numbers = [3, 7, 1, 5, 2];
  const leaderAt = 1;

  function decided(): TestRing {
    const ring = TestRing.of(numbers.map((number) => claimOf(number)));
    ring.apply(0, { type: 'start' });
    ring.drain();
    return ring;
  }

  test('R7: a lap is one message per peer, stops at home, and tells each its distance', () => {
    const ring = decided();
    const before = ring.sent.length;
    ring.apply(leaderAt, { type: 'timeout' });
    ring.drain();
    expect(ring.sent.slice(before).map(({ by }) => by)).toEqual([1, 2, 3, 4, 0]);
    expect(ring.effects.at(-1)).toEqual({ type: 'wait', until: 'lap' });
    for (const [at, peer] of ring.states.entries())
      expect(decisionOf(peer)).toEqual({
        leader: claimOf(7),
        lap: 1,
        size: 5,
        hops: (at - leaderAt + 5) % 5,
      });
  });

  test('R3a: when a peer has gone, one lap corrects the size at the leader and the next one everywhere', () => {
    const full = decided();
    const ring = new TestRing([...full.states.slice(0, 3), ...full.states.slice(4)]);
    ring.apply(2, { type: 'removed', peers: [peerId(5)] });
    ring.apply(2, { type: 'new-successor' });
    ring.drain();
    const sizes = (): (number | undefined)[] => ring.states.map((peer) => decisionOf(peer)?.size);
    expect(sizes()).toEqual([5, 5, 5, 5]);
    ring.apply(leaderAt, { type: 'timeout' });
    ring.drain();
    expect(sizes()).toEqual([5, 4, 5, 5]);
    ring.apply(leaderAt, { type: 'timeout' });
    ring.drain();
    expect(sizes()).toEqual([4, 4, 4, 4]);
  });

  test('R4a: when the leader has gone, its predecessor starts and the greatest left is elected', () => {
    const full = decided();
    const ring = new TestRing(full.states.toSpliced(leaderAt, 1));
    ring.apply(0, { type: 'removed', peers: [peerId(7)] });
    ring.apply(0, { type: 'new-successor' });
    ring.drain();
    expect(ring.leaders).toEqual([5, 5, 5, 5].map((number) => claimOf(number)));
    expect(ring.states.map((peer) => peer.term)).toEqual([2, 2, 2, 2]);
  });

  test('R4b: a smaller newcomer is welcomed with one message and disturbs nobody', () => {
    const full = decided();
    const before = full.states;
    const ring = new TestRing([...before, initialElection(claimOf(4), 'highest')]);
    ring.apply(4, { type: 'new-successor' });
    expect(ring.sent).toHaveLength(1);
    ring.drain();
    expect(ring.sent).toHaveLength(2);
    expect(ring.states.slice(0, 5)).toEqual(before);
    expect(ring.leaders.at(-1)).toEqual(claimOf(7));
  });

  test('R3b: a greater newcomer answers its welcome with a new election and wins it', () => {
    const ring = new TestRing([...decided().states, initialElection(claimOf(9), 'highest')]);
    ring.apply(4, { type: 'new-successor' });
    ring.drain();
    expect(ring.leaders).toEqual(Array.from({ length: 6 }, () => claimOf(9)));
    expect(ring.states.map((peer) => peer.term)).toEqual([2, 2, 2, 2, 2, 2]);
  });
});
