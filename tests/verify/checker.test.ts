/** Successors that change for no reason, and the election with a rule removed: a part of `npm run verify`. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { StepFunction } from '../../shared/simulation/checker/rewiring/space.ts';
import { numberedId } from '../../shared/simulation/checker/ids.ts';
import { MUTANTS, MutantTrial } from '../../shared/simulation/checker/mutants.ts';
import { QUICK as REWIRINGS } from '../../shared/simulation/checker/rewiring/configurations.ts';
import { explore as rewire, SHIPPED } from '../../shared/simulation/checker/rewiring/explore.ts';
import { QUICK } from '../../shared/simulation/checker/system/configurations.ts';

/** What members take instead of the shipped step; that may call the shipped one. */
const changed = vi.hoisted((): { step: StepFunction | null } => ({ step: null }));

vi.mock('../../shared/election/step.ts', async (original) => {
  const { step } = await original<{ step: StepFunction }>();
  const hooked: StepFunction = (state, input) => {
    const installed = changed.step;
    changed.step = null;
    try {
      return (installed ?? step)(state, input);
    } finally {
      changed.step = installed;
    }
  };
  return { step: hooked };
});

function install(step: StepFunction | null): void {
  changed.step = step;
}

afterEach(() => {
  install(null);
});

describe('successors that change for no reason', () => {
  test.each(REWIRINGS)('$name', (configuration) => {
    const report = rewire(configuration);
    expect(report.finding).toBeNull();
    expect(report.calm).toBeGreaterThan(0);
  });

  test('there are exactly as many worlds as there were', () => {
    const [report] = REWIRINGS.map((configuration) => rewire(configuration));
    expect(report).toMatchObject({ states: 6818, transitions: 15955, calm: 506 });
  });

  test('a shortest trace, peer by peer', () => {
    const [configuration] = REWIRINGS;
    const [mutant] = MUTANTS.filter(({ rule }) => rule === 'R1');
    if (mutant === undefined || configuration === undefined) throw new Error('nothing to try');
    expect(rewire(configuration, mutant.design).finding?.trace).toEqual([
      'ring: P1 idle, term 0 | P2 idle, term 0 | P3 idle, term 0',
      'P1 gets P2 for a successor',
      '    P1: new-successor → candidate, term 1; sends CLAIM(P1, term 1, hops 1)',
      'P1 is asked to start',
      '    P1: start → candidate, term 1; sends CLAIM(P1, term 1, hops 1) !! the claims sent do not grow',
      'ring: P1 candidate, term 1 | P2 idle, term 0 | P3 idle, term 0',
    ]);
  });

  test('a term that falls', () => {
    const [configuration] = REWIRINGS;
    if (configuration === undefined) throw new Error('nothing to try');
    const forgetful: StepFunction = (state, input) => {
      const result = SHIPPED.step(state, input);
      if (state.role.name !== 'candidate' || input.type !== 'receive') return result;
      return { ...result, state: { ...result.state, term: 0 } };
    };
    const { finding } = rewire(configuration, { ...SHIPPED, step: forgetful });
    expect(finding?.fault).toBe('the term falls from 1 to 0');
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

describe('what breaks without', () => {
  test.each([
    {
      ...{ rule: 'R2a', part: 'wake-up', name: '2 members, the server forgets' },
      fault: 'the terms differ, and time does not help',
    },
    {
      ...{ rule: 'R2b', part: 'priority 0', name: 'fixed, priorities 0000, 2 starts' },
      fault: 'a peer of priority 0 leads',
    },
    {
      ...{ rule: 'R3a', part: 'own announcement is not relayed', name: '1 and 1 joins' },
      fault: 'a peer goes on talking to itself',
    },
    {
      ...{ rule: 'R3', part: 'a known lap', name: '1 and 1 joins' },
      fault: 'the size stays wrong',
    },
  ])('$rule: $part', ({ rule, part, name, fault }) => {
    const trial = new MutantTrial(
      install,
      QUICK.filter((configuration) => configuration.name === name),
    );
    const mutants = MUTANTS.filter(
      (mutant) => mutant.rule === rule && mutant.without.includes(part),
    );
    expect(mutants.map((mutant) => trial.try(mutant)?.fault)).toEqual([fault]);
  });

  test.each([
    { rule: 'C5', part: 'decided for' },
    { rule: 'R4', part: 'who knows no leader' },
  ])('$rule: $part, where successors change for no reason', ({ rule, part }) => {
    const trial = new MutantTrial(install, [], REWIRINGS);
    const [mutant] = MUTANTS.filter((each) => each.rule === rule && each.without.includes(part));
    expect(mutant && trial.try(mutant)?.fault).toBe(
      'two leaders of term 1, whose rings share a peer',
    );
  });
});
