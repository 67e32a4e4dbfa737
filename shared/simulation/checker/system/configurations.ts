/** The configurations that are explored: the smallest in every test run, all of them by `npm run verify`. */
import type { Policy } from '../../../protocol/messages.ts';
import type { Configuration, Wish } from './opening.ts';
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

function both(configurations: readonly Configuration[]): readonly Configuration[] {
  return (['highest', 'incumbent'] as const).flatMap((policy) =>
    configurations.map((configuration) => under(policy, configuration)),
  );
}

/** The orders of four on a ring, turned so that the greatest is last; and those of three. */
const ORDERS_OF_4: readonly (readonly Slot[])[] = [
  [0, 1, 2, 3],
  [0, 2, 1, 3],
  [1, 0, 2, 3],
  [1, 2, 0, 3],
  [2, 0, 1, 3],
  [2, 1, 0, 3],
];
const ORDERS_OF_3: readonly (readonly Slot[])[] = [
  [0, 1, 2],
  [1, 0, 2],
];

/** Fixed rings: every order, everyone may start, nothing is lost. */
const fixed: readonly Configuration[] = [
  ...ORDERS_OF_3.map((ring) =>
    fresh(ring, 3, { name: `fixed ${ring.join('')}, 4 starts`, budget: { starts: 4, all: 4 } }),
  ),
  ...ORDERS_OF_4.map((ring) =>
    fresh(ring, 4, { name: `fixed ${ring.join('')}, 3 starts`, budget: { starts: 3, all: 3 } }),
  ),
  ...[
    [1, 0, 2, 1],
    [0, 0, 1, 0],
    [0, 0, 0, 0],
  ].map((priorities) =>
    fresh([0, 2, 1, 3], 4, {
      ...{ name: `fixed, priorities ${priorities.join('')}, 2 starts`, priorities },
      budget: { starts: 2, all: 2 },
    }),
  ),
];

/** Joins that change no leader: the ring stays closed, and their messages are counted. */
const joins: readonly Configuration[] = [
  decided([1], 2, { name: '1 and 1 joins', isJoinOnly: true, budget: { joins: 1, all: 1 } }),
  decided([1, 2], 3, {
    ...{ name: '2 and the smallest joins', isJoinOnly: true },
    budget: { joins: 1, all: 1 },
  }),
  decided([1, 2], 3, {
    ...{ name: '2 and the smallest joins, during a lap', isJoinOnly: true },
    script: [
      { type: 'due', slot: 2 },
      { type: 'join', slot: 0 },
    ],
    budget: { timeouts: 1, joins: 1, all: 2 },
  }),
  decided([1, 2, 3], 4, {
    ...{ name: '3 and the smallest joins', isJoinOnly: true },
    budget: { joins: 1, all: 1 },
  }),
];

/** Only these events, in this order of their beginnings. */
function script(...wishes: readonly Wish[]): Pick<Configuration, 'script' | 'budget'> {
  const often = (type: Wish['type']) => wishes.filter((wish) => wish.type === type).length;
  return {
    script: wishes,
    budget: {
      ...NOTHING,
      ...{ joins: often('join'), starts: often('start'), timeouts: often('due') },
      ...{ leaves: often('leave'), crashes: often('crash'), cuts: often('cut') },
      all: wishes.length,
    },
  };
}

/** How a single event proceeds while another is not over. */
const scripted: readonly Configuration[] = [
  decided([0, 1, 2], 3, {
    name: 'the leader leaves during a lap',
    ...script({ type: 'due', slot: 2 }, { type: 'leave', slot: 2 }),
  }),
  decided([0, 2], 3, {
    name: 'a peer joins before the leader, which leaves',
    ...script({ type: 'join', slot: 1, after: 0 }, { type: 'leave', slot: 2 }),
  }),
  decided([0, 1], 3, {
    name: 'the greatest joins and leaves',
    ...script({ type: 'join', slot: 2 }, { type: 'leave', slot: 2 }),
  }),
  decided([0, 1], 3, {
    name: 'the greatest joins, another starts',
    ...script({ type: 'join', slot: 2 }, { type: 'start', slot: 0 }),
  }),
  decided([0, 1, 2], 3, {
    name: 'ring of 3, a start, a message is lost',
    budget: { starts: 1, losses: 1, all: 2 },
  }),
];

/** Members whose connection to the server breaks, and a server that loses its memory. */
const outages: readonly Configuration[] = [
  decided([0, 1], 2, { name: '2 members, a connection is lost', budget: { cuts: 1, all: 1 } }),
  decided([0, 1, 2], 3, { name: 'ring of 3, a connection is lost', budget: { cuts: 1, all: 1 } }),
  decided([0, 1], 2, { name: '2 members, the server forgets', budget: { lapses: 1, all: 1 } }),
  decided([0, 1, 2], 3, { name: 'ring of 3, the server forgets', budget: { lapses: 1, all: 1 } }),
  decided([0, 1], 2, {
    name: '2 members, a connection and a link are lost',
    budget: { cuts: 1, drops: 1, all: 2 },
  }),
];

const longerOutages: readonly Configuration[] = [
  decided([0, 1, 2], 3, {
    name: 'ring of 3, a connection is lost, a peer crashes',
    budget: { cuts: 1, crashes: 1, all: 2 },
  }),
  decided([0, 1, 2], 3, {
    name: 'ring of 3, a connection is lost, a start',
    budget: { cuts: 1, starts: 1, all: 2 },
  }),
  decided([0, 1, 2], 3, {
    name: 'ring of 3, the server forgets, a peer crashes',
    budget: { lapses: 1, crashes: 1, all: 2 },
  }),
  decided([0, 1], 3, {
    name: '2 and 1 joins, a connection is lost',
    budget: { joins: 1, cuts: 1, all: 2 },
  }),
];

/** Rings that grow and shrink, with faults meanwhile. */
const changing: readonly Configuration[] = [
  decided([0, 1, 2], 3, { name: 'ring of 3, any 2', budget: anything(2) }),
  fresh([1, 0, 2], 3, { name: 'fresh ring of 3, any 2', budget: anything(2) }),
  fresh([], 2, { name: 'from nothing to 2, any 2', budget: anything(2) }),
  fresh([], 2, { name: 'from nothing to 2, any 3', budget: anything(3) }),
  decided([1], 2, { name: '1 and 1 joins, any 2', budget: anything(2) }),
  decided([0, 1, 2], 4, { name: '3 and the greatest joins', budget: { joins: 1, all: 1 } }),
  decided([0], 3, { name: '1 and 2 join', budget: { joins: 2, all: 2 } }),
  decided([2], 3, { name: 'the greatest and 2 join', budget: { joins: 2, all: 2 } }),
  decided([0, 1], 3, { name: '2 and 1 joins, a start', budget: { joins: 1, starts: 1, all: 2 } }),
  decided([0, 1], 3, { name: '2 and 1 joins, 1 leaves', budget: { joins: 1, leaves: 1, all: 2 } }),
  decided([0, 1], 3, {
    name: '2 and 1 joins, a link breaks',
    budget: { joins: 1, drops: 1, all: 2 },
  }),
  decided([0, 1], 3, { name: '2 and 1 joins, a crash', budget: { joins: 1, crashes: 1, all: 2 } }),
];

/** Members hold their messages: slow motion. */
const slow: readonly Configuration[] = [
  decided([0, 1, 2], 3, {
    ...{ name: 'ring of 3 in slow motion, a start, 1 leaves', hopDelay: 1_000 },
    budget: { starts: 1, leaves: 1, all: 2 },
  }),
  decided([0, 1], 3, {
    ...{ name: '2 in slow motion and 1 joins', hopDelay: 1_000 },
    budget: { joins: 1, all: 1 },
  }),
  decided([0, 2], 3, {
    ...{ name: 'a peer joins before the leader, which crashes, in slow motion', hopDelay: 1_000 },
    ...script({ type: 'join', slot: 1, after: 0 }, { type: 'crash', slot: 2 }),
  }),
];

/** Joins where an incumbent has one priority more: the newcomer unseats it or does not. */
const rivals: readonly Configuration[] = [
  { ring: [0, 1], priorities: [1, 1, 2], who: 'a greater one of priority 2' },
  { ring: [1, 2], priorities: [2, 1, 1], who: 'a smaller one of priority 2' },
  { ring: [1, 2], priorities: [3, 1, 1], who: 'a smaller one of priority 3' },
  { ring: [0, 2], priorities: [2, 3, 1], who: 'one of priority 3' },
  { ring: [0, 1], priorities: [255, 255, 255], who: 'a greater one of priority 255' },
].map(({ ring, priorities, who }) =>
  under(
    'incumbent',
    decided(ring, 3, {
      ...{ name: `${ring.map((at) => priorities[at]).join(' and ')}, ${who} joins`, priorities },
      budget: { joins: 1, all: 1 },
    }),
  ),
);

/** The largest: a minute or two each. */
const large: readonly Configuration[] = [
  decided([0, 3, 1], 4, {
    name: 'the leader starts and crashes, a peer has joined behind it',
    ...script(
      { type: 'join', slot: 2, after: 3 },
      { type: 'start', slot: 3 },
      { type: 'crash', slot: 3 },
    ),
  }),
  decided([0, 1, 2, 3], 4, {
    name: 'ring of 4, a crash, a start',
    budget: { crashes: 1, starts: 1, all: 2 },
  }),
  decided([0, 1], 3, { name: '2 and 1 joins, any 2', budget: anything(2) }),
  decided([0, 1], 4, { name: '2 and 2 join', budget: { joins: 2, all: 2 } }),
  decided([0, 1, 2], 4, {
    name: '3 and the greatest joins, a crash',
    budget: { joins: 1, crashes: 1, all: 2 },
  }),
  decided([0, 1, 2, 3], 4, { name: 'ring of 4, any 2', budget: anything(2) }),
];

/** Small enough for every test run, and for each mutant. */
export const QUICK: readonly Configuration[] = [
  ...both([
    decided([0, 1], 2, { name: '2 members, any 1', budget: anything(1) }),
    decided([0, 1, 2], 3, { name: 'ring of 3, any 1', budget: anything(1) }),
    fresh([1, 0, 2], 3, { name: 'fresh ring of 3, any 1', budget: anything(1) }),
    decided([0, 1], 3, { name: '2 and the greatest joins', budget: { joins: 1, all: 1 } }),
    ...joins.slice(0, 3),
    ...fixed.slice(0, 1),
    ...fixed.slice(-2),
    ...scripted,
  ]),
  ...outages,
  ...rivals,
  ...slow.slice(1, 2),
];

export const ALL: readonly Configuration[] = [
  ...QUICK,
  ...both([
    ...fixed.slice(1, -2),
    ...joins.slice(3),
    ...changing,
    ...longerOutages,
    ...slow.slice(0, 1),
    ...slow.slice(2),
  ]),
  ...large,
];
