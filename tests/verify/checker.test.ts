/** The part of `npm run verify` that every test run has time for. */
import { describe, expect, test } from 'vitest';
import { step } from '../../shared/election/step.ts';
import { QUICK } from '../../shared/simulation/checker/configurations.ts';
import { explore, SHIPPED } from '../../shared/simulation/checker/explore.ts';
import { MUTANTS, MutantTrial } from '../../shared/simulation/checker/mutants.ts';

describe('every order of events', () => {
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

describe('the checker finds', () => {
  const wakeUp = MUTANTS.filter(({ without }) => without.includes('wake-up'));

  test('what breaks without the wake-up rule, and how', () => {
    const [caught] = wakeUp.map((mutant) => new MutantTrial(QUICK).try(mutant));
    expect(caught).toMatchObject({
      configuration: 'fixed 012, 4 starts',
      last: 'P2: CLAIM(P1, term 1, hops 1) → idle, term 0',
    });
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
