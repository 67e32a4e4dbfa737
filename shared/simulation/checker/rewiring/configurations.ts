/** Successors that change for no reason, to any peer: everything that a server or a fault may do. */
import type { Policy } from '../../../protocol/messages.ts';
import type { Budget, Configuration } from './world.ts';

const NOTHING: Budget = {
  ...{ starts: 0, timeouts: 0, leaves: 0, drops: 0, losses: 0, rewirings: 0, all: 0 },
};

function rewired(
  name: string,
  part: Partial<Budget>,
  priorities: readonly number[] = [1, 1, 1],
): Configuration {
  const budget = { ...NOTHING, ...part };
  return { policy: 'highest', name, priorities, ring: [0, 1, 2], budget };
}

function both(configurations: readonly Configuration[]): readonly Configuration[] {
  const under = (policy: Policy) =>
    configurations.map((each) => ({ ...each, policy, name: `${each.name}, ${policy}` }));
  return [...configurations, ...under('incumbent')];
}

const small: readonly Configuration[] = [
  rewired('2 rewirings, 1 start', { rewirings: 2, starts: 1, all: 3 }),
  rewired('2 rewirings, 2 starts', { rewirings: 2, starts: 2, all: 4 }),
  rewired('2 rewirings, 2 starts, priorities 201', { rewirings: 2, starts: 2, all: 4 }, [2, 0, 1]),
  rewired('2 rewirings, 1 start, 1 leaves', { rewirings: 2, starts: 1, leaves: 1, all: 4 }),
];

/** Small enough for every test run, and for each mutant. */
export const QUICK: readonly Configuration[] = both(small.slice(0, 1));

export const ALL: readonly Configuration[] = [
  ...both(small),
  rewired('3 rewirings, 2 starts', { rewirings: 3, starts: 2, all: 5 }),
  rewired('4 rewirings, 1 start', { rewirings: 4, starts: 1, all: 5 }),
  rewired('2 rewirings, 2 starts, 1 leaves', { rewirings: 2, starts: 2, leaves: 1, all: 5 }),
  rewired('2 rewirings, 1 of each fault', {
    ...{ rewirings: 2, starts: 1, timeouts: 1, leaves: 1, drops: 1, losses: 1, all: 4 },
  }),
];
