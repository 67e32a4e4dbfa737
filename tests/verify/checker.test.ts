/** The part of `npm run verify` that every test run has time for. */
import { describe, expect, test } from 'vitest';
import { step } from '../../shared/election/step.ts';
import { ownActions } from '../../shared/simulation/checker/actions.ts';
import { disagreement, Patience } from '../../shared/simulation/checker/calm.ts';
import { QUICK } from '../../shared/simulation/checker/configurations.ts';
import { explore, SHIPPED, type Report } from '../../shared/simulation/checker/explore.ts';
import { MUTANTS, MutantTrial } from '../../shared/simulation/checker/mutants.ts';
import { LINK_RULES, Scene, type Action } from '../../shared/simulation/checker/scene.ts';
import { numberedId, Space } from '../../shared/simulation/checker/space.ts';
import { beginning } from '../../shared/simulation/checker/world.ts';

describe('every order of a few events', () => {
  test.each(QUICK)('$name', (configuration) => {
    const report = explore(configuration);
    expect(report.finding).toBeNull();
    expect(report.needsTimeout).toBeNull();
    expect(report.calm).toBeGreaterThan(0);
  });

  test('a fixed ring of four has exactly as many worlds as it had', () => {
    const fixed = QUICK.filter(({ name }) => name === 'fixed 0123, 3 starts');
    expect(fixed.map((configuration) => explore(configuration))).toMatchObject([
      { states: 1532, transitions: 3435, calm: 12, agreed: 12 },
    ]);
  });
});

test('the ids of the checker are ranked by their bytes, letters among them', () => {
  const ids = [0, 1, 2, 3, 4, 5].map(numberedId);
  expect(ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))).toEqual(ids);
  const inOtherWays = [
    ids.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })),
    ids.toSorted((a, b) => (a.at(-1) ?? '').localeCompare(b.at(-1) ?? '')),
    ids.toSorted((a, b) => a.replace(/\D/g, '').localeCompare(b.replace(/\D/g, ''))),
  ];
  for (const other of inOtherWays) expect(other.slice(0, 3)).not.toEqual(ids.slice(0, 3));
});

test.each(['2 and 1 joins, any 2', 'fresh ring of 3, any 2'])(
  'what is taken off closed links makes no difference: %s',
  (name) => {
    const [configuration] = QUICK.filter((other) => other.name === name);
    if (configuration === undefined) throw new Error('nothing to try');
    const untidy = explore(configuration, {
      ...SHIPPED,
      rules: { ...LINK_RULES, isTidy: false },
    });
    const tidy = explore(configuration);
    expect(tidy.states).toBeLessThan(untidy.states);
    expect(outcomeOf(tidy)).toEqual(outcomeOf(untidy));
  },
);

/** What is found where nothing is on its way. */
function outcomeOf({ calm, agreed, timeouts, needsTimeout, finding, terms }: Report): object {
  return { calm, agreed, timeouts, needsTimeout, finding, terms: terms.count };
}

describe('the checker finds', () => {
  const wakeUp = MUTANTS.filter(({ without }) => without.includes('wake-up'));

  test('what breaks without the wake-up rule, and how', () => {
    const [caught] = wakeUp.map((mutant) => new MutantTrial(QUICK.slice(0, 1)).try(mutant));
    expect(caught).toMatchObject({
      kind: 'breaks',
      configuration: 'fixed 012, 4 starts',
      fault: 'the terms differ, and time does not help',
    });
  });

  test.each([
    {
      ...{ rule: 'L5', part: 'ready', name: '1 and 1 joins, nothing else' },
      fault: 'a join opens the ring',
    },
    {
      ...{ rule: 'L5', part: 'old link', name: '1 and 1 joins, nothing else' },
      fault: 'a join opens the ring',
    },
    {
      ...{ rule: 'L7', part: 'BYE', name: '3 and 1 joins, during a lap' },
      fault: 'a join loses a message',
    },
    {
      ...{ rule: 'L8', part: 'departure', name: 'a peer joins before the leader, which leaves' },
      fault: 'a message of a peer that has said BYE is sent',
    },
    {
      ...{ rule: 'L3', part: 'made anew', name: 'fresh ring of 3, any 2' },
      fault: 'peer 1 has no link to its successor, and time does not help',
    },
    {
      ...{ rule: 'C5', part: 'decided for', name: '2 rewirings, 1 start' },
      fault: 'two leaders of term 1, whose rings share a peer',
    },
    {
      ...{ rule: 'R4', part: 'who knows no leader', name: '2 rewirings, 1 start' },
      fault: 'two leaders of term 1, whose rings share a peer',
    },
    {
      ...{
        rule: 'C5',
        part: 'is taken back',
        name: 'a peer joins before the leader, which leaves',
      },
      fault: 'a message of a peer known to be gone is still held',
    },
    {
      ...{ rule: 'C5', part: 'takes back', name: '2 and 1 joins, any 2' },
      fault: 'only R7 helps: a peer knows no leader',
    },
    {
      ...{ rule: 'policy', part: 'out of touch' },
      name: 'the ring of the greatest meets one of a later term, incumbent',
      fault: 'the incumbent is unseated, and time does not help',
    },
    {
      ...{ rule: 'policy', part: 'has no more' },
      name: '1 and 1, a greater one of priority 2 joins, incumbent',
      fault: 'the leader is outranked, and time does not help',
    },
    {
      ...{ rule: 'policy', part: 'has one priority more' },
      name: '1 and 1, a smaller one of priority 2 joins, incumbent',
      fault: 'the incumbent is unseated, and time does not help',
    },
    {
      ...{ rule: 'R5', part: 'gives a leader', name: '1 and 1 joins, nothing else' },
      fault: '3 messages, not 2',
    },
    {
      ...{ rule: 'R6', part: 'decided term', name: 'the leader leaves during a lap' },
      fault: '3 terms, not 2',
    },
    {
      ...{ rule: 'R3a', part: 'does not lead', name: 'a peer lies that another leads' },
      fault: 'only R7 helps: the terms differ',
    },
    {
      ...{ rule: 'R3c', part: 'second leader', name: 'two rings of one term meet' },
      fault: 'the leaders differ, and time does not help',
    },
  ])('what breaks without $rule: $part', ({ rule, part, name, fault }) => {
    const trial = new MutantTrial(QUICK.filter((configuration) => configuration.name === name));
    const mutants = MUTANTS.filter(
      (mutant) => mutant.rule === rule && mutant.without.includes(part),
    );
    expect(mutants.map((mutant) => trial.try(mutant)?.fault)).toEqual([fault]);
  });

  test('a peer that waits and may never time out', () => {
    const space = new Space(step, 2);
    const rules = { ...LINK_RULES, makesAnew: false };
    const budget = {
      ...{ starts: 1, timeouts: 0, leaves: 0, crashes: 0, drops: 2, losses: 0, rewirings: 0 },
      all: 3,
    };
    const start = { policy: 'highest' as const, priorities: [1, 1], ring: [0, 1], budget };
    const happened: readonly Action[] = [
      { type: 'start', peer: 0 },
      { type: 'drop', link: 0 },
      { type: 'drop', link: 0 },
    ];
    const world = happened.reduce(
      (last, action) => new Scene(space, rules, last).act(action),
      beginning(space, start),
    );
    const expectation = {
      ...{ policy: start.policy, ring: start.ring, incumbent: null },
      isTainted: false,
    };
    expect(ownActions(world)).toEqual([]);
    expect(disagreement(space, world, expectation)).not.toBeNull();
    expect(new Patience(space, rules, expectation).timeoutsToAgree(world)).toBeNull();
  });

  test('a peer alone that sends itself a message for ever', () => {
    const [configuration] = QUICK.filter(({ name }) => name === '2 and 1 joins, any 2');
    const [mutant] = MUTANTS.filter(({ without }) => without.includes('drops the same claim'));
    if (mutant === undefined || configuration === undefined) throw new Error('nothing to try');
    expect(explore(configuration, mutant.design).finding).not.toBeNull();
  });

  test('a shortest trace, peer by peer', () => {
    const [mutant] = wakeUp;
    const [configuration] = QUICK;
    if (mutant === undefined || configuration === undefined) throw new Error('nothing to try');
    expect(explore(configuration, mutant.design).finding?.trace).toEqual([
      'ring: P1 idle, term 0 | P2 idle, term 0 | P3 idle, term 0',
      'P1 is asked to start',
      '    P1: start → candidate, term 1; sends CLAIM(P1, term 1, hops 1)',
      'CLAIM arrives on P1→P2',
      '    P2: CLAIM(P1, term 1, hops 1) → idle, term 0',
      'ring: P1 candidate, term 1 | P2 idle, term 0 | P3 idle, term 0',
    ]);
  });

  test('a term that falls', () => {
    const [configuration] = QUICK;
    if (configuration === undefined) throw new Error('nothing to try');
    const forgetful: typeof step = (state, input) => {
      const result = step(state, input);
      if (state.role.name !== 'leader' || input.type !== 'start') return result;
      return { ...result, state: { ...result.state, term: 0 } };
    };
    const { finding } = explore(configuration, { ...SHIPPED, step: forgetful });
    expect(finding?.fault).toBe('the term falls from 1 to 0');
  });
});
