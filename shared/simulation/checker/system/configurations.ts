/** The configurations that are explored: the smallest in every test run, all of them by `npm run verify`. */
import type { Policy } from '../../../protocol/messages.ts';
import type { Configuration } from './opening.ts';
import type { Budget, Slot } from './world.ts';

const NOTHING: Budget = {
  ...{ joins: 0, starts: 0, timeouts: 0, leaves: 0, crashes: 0, drops: 0, losses: 0 },
  ...{ cuts: 0, lapses: 0, all: 0 },
};

/** Each event may happen once, and so many events in all, joins among them. */
function anything(all: number): Budget {
  const once = { starts: 1, timeouts: 1, leaves: 1, crashes: 1, drops: 1, losses: 1 };
  return { ...NOTHING, ...once, joins: all, all };
}

interface Part extends Partial<Omit<Configuration, 'budget'>> {
  readonly name: string;
  readonly budget: Partial<Budget>;
}

const SAME = [1, 1, 1, 1];

/** A ring of so many peers of one priority that has elected its leader. */
function decided(ring: readonly Slot[], peers: number, part: Part): Configuration {
  return {
    ...{ policy: 'highest' as const, priorities: SAME.slice(0, peers), ring, isDecided: true },
    ...part,
    budget: { ...NOTHING, ...part.budget },
  };
}

function fresh(ring: readonly Slot[], peers: number, part: Part): Configuration {
  return { ...decided(ring, peers, part), isDecided: false };
}

function under(policy: Policy, configuration: Configuration): Configuration {
  const name = policy === 'highest' ? configuration.name : `${configuration.name}, ${policy}`;
  return { ...configuration, policy, name };
}

export function both(configurations: readonly Configuration[]): readonly Configuration[] {
  return (['highest', 'incumbent'] as const).flatMap((policy) =>
    configurations.map((configuration) => under(policy, configuration)),
  );
}

/** Members whose connection to the server breaks, and a server that loses its memory. */
const outages: readonly Configuration[] = [
  decided([0, 1], 2, { name: '2 members, a connection is lost', budget: { cuts: 1, all: 1 } }),
  decided([0, 1, 2], 3, { name: 'ring of 3, a connection is lost', budget: { cuts: 1, all: 1 } }),
  decided([0, 1], 2, { name: '2 members, the server forgets', budget: { lapses: 1, all: 1 } }),
];

export const QUICK: readonly Configuration[] = [
  decided([1], 2, { name: '1 and 1 joins', isJoinOnly: true, budget: { joins: 1, all: 1 } }),
  decided([0, 1], 2, { name: '2 members, any 1', budget: anything(1) }),
  decided([0, 1], 3, { name: '2 and the greatest joins', budget: { joins: 1, all: 1 } }),
  decided([1, 2], 3, {
    ...{ name: '2 and the smallest joins', isJoinOnly: true },
    budget: { joins: 1, all: 1 },
  }),
  decided([0, 1, 2], 3, { name: 'ring of 3, any 1', budget: anything(1) }),
  fresh([1, 0, 2], 3, { name: 'fresh ring of 3, any 1', budget: anything(1) }),
  ...outages,
  decided([0, 1], 2, {
    name: '2 members, a connection and a link are lost',
    budget: { cuts: 1, drops: 1, all: 2 },
  }),
  decided([0, 1, 2], 3, {
    name: 'ring of 3, a connection is lost, a peer crashes',
    budget: { cuts: 1, crashes: 1, all: 2 },
  }),
  decided([0, 1, 2], 3, { name: 'ring of 3, the server forgets', budget: { lapses: 1, all: 1 } }),
  decided([0, 1, 2], 3, { name: 'ring of 3, the server forgets, a peer crashes', budget: { lapses: 1, crashes: 1, all: 2 } }),
];
export const ALL: readonly Configuration[] = [];
