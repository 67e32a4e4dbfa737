/** The part of `npm run verify` on the shipped member and broker that every test run has time for. */
import { describe, expect, test } from 'vitest';
import { QUICK } from '../../shared/simulation/checker/system/configurations.ts';
import { explore } from '../../shared/simulation/checker/system/explore.ts';
import type { Change } from '../../shared/simulation/checker/system/machines.ts';
import type { Configuration } from '../../shared/simulation/checker/system/opening.ts';

function named(name: string): Configuration {
  const found = QUICK.find((configuration) => configuration.name === name);
  if (found === undefined) throw new Error(`there is no configuration ${name}`);
  return found;
}

describe('every order of a few events, of the shipped member and broker', () => {
  test.each(QUICK)('$name', (configuration) => {
    const report = explore(configuration);
    expect(report.finding).toBeNull();
    expect(report.needsTimeout).toBeNull();
    expect(report.calm).toBeGreaterThan(0);
  });

  test.each(QUICK.filter(({ isJoinOnly, script }) => isJoinOnly === true && script === undefined))(
    'two messages, R4: $name',
    (configuration) => {
      expect(explore(configuration).messages).toBe(2);
    },
  );
});

/** What is said instead of a message, and what it breaks. */
const CHANGES: readonly {
  readonly rule: string;
  readonly name: string;
  readonly change: Change;
  readonly fault: string;
}[] = [
  {
    rule: 'L5a, a successor is used only once it is ready',
    name: '2 and the smallest joins',
    change: {
      said: (message) => (message.type === 'hello' ? { ...message, ready: true } : message),
    },
    fault: 'a join opens the ring',
  },
  {
    rule: 'L3c, a link that is lost is made anew',
    name: 'ring of 3, any 1',
    change: { makesNothingAnew: true },
    fault: 'P1 has no link to its successor, and time does not help',
  },
  {
    rule: 'L7b, what came before BYE is read',
    name: '2 and the smallest joins, during a lap',
    change: { forgetsBeforeBye: true },
    fault: 'a join loses a message',
  },
];

describe('the checker finds what breaks without', () => {
  test.each(CHANGES)('$rule', ({ name, change, fault }) => {
    const { finding, needsTimeout } = explore(named(name), change);
    expect((finding ?? needsTimeout)?.fault).toBe(fault);
  });
});
