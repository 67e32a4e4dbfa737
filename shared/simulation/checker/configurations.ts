/**
 * The configurations that are explored: a few seconds of them in every test run, all of them by `npm run
 * verify`.
 */
import type { Policy } from '../../protocol/messages.ts';
import type { Configuration, Wish } from './opening.ts';
import type { Budget, PeerNumber } from './world.ts';

const NOTHING: Budget = {
  ...{ starts: 0, timeouts: 0, leaves: 0, crashes: 0, drops: 0, losses: 0, rewirings: 0 },
  all: 0,
};

/** Each event may happen once, and so many events in all, joins among them. */
function anything(all: number): Budget {
  return { starts: 1, timeouts: 1, leaves: 1, crashes: 1, drops: 1, losses: 1, rewirings: 0, all };
}

function budget(part: Partial<Budget>): Budget {
  return { ...NOTHING, ...part };
}

/** Only these events, in this order of their beginnings. */
function script(...wishes: readonly Wish[]): Pick<Configuration, 'script' | 'budget'> {
  const often = (type: Wish['type']) => wishes.filter((wish) => wish.type === type).length;
  return {
    script: wishes,
    budget: budget({
      ...{ starts: often('start'), timeouts: often('timeout') },
      ...{ leaves: often('leave'), crashes: often('crash'), all: wishes.length },
    }),
  };
}

const SAME = [1, 1, 1, 1, 1, 1];

interface Part extends Partial<Omit<Configuration, 'budget'>> {
  readonly name: string;
  readonly budget: Partial<Budget>;
}

/** A ring of so many peers of one priority that has elected its leader. */
function decided(ring: readonly PeerNumber[], peers: number, part: Part): Configuration {
  return {
    ...{ policy: 'highest' as const, priorities: SAME.slice(0, peers), ring, isDecided: true },
    ...part,
    budget: budget(part.budget),
  };
}

function fresh(ring: readonly PeerNumber[], peers: number, part: Part): Configuration {
  return { ...decided(ring, peers, part), isDecided: false };
}

function under(policy: Policy, configuration: Configuration): Configuration {
  const name = policy === 'highest' ? configuration.name : `${configuration.name}, ${policy}`;
  return { ...configuration, policy, name };
}

/** The orders of four on a ring, turned so that the greatest is last. */
const ORDERS_OF_4: readonly (readonly PeerNumber[])[] = [
  [0, 1, 2, 3],
  [0, 2, 1, 3],
  [1, 0, 2, 3],
  [1, 2, 0, 3],
  [2, 0, 1, 3],
  [2, 1, 0, 3],
];
const ORDERS_OF_3 = ORDERS_OF_4.slice(0, 1)
  .map(() => [0, 1, 2])
  .concat([[1, 0, 2]]);

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

/** Rings of three or four that break apart. */
const shrinking: readonly Configuration[] = [
  ...ORDERS_OF_4.map((ring) =>
    decided(ring, 4, {
      name: `ring ${ring.join('')}, 2 crashes, start`,
      budget: { crashes: 2, starts: 1, all: 3 },
    }),
  ),
  decided([0, 2, 1, 3], 4, { name: 'ring of 4, any 2', budget: anything(2) }),
  decided([0, 1, 2], 3, { name: 'ring of 3, any 3', budget: anything(3) }),
  fresh([1, 0, 2], 3, { name: 'fresh ring of 3, any 3', budget: anything(3) }),
];

/** Rings that grow, with faults meanwhile. The last peers join: the greatest, or a small one. */
const growing: readonly Configuration[] = [
  fresh([], 2, { name: 'from nothing to 2, any 4', budget: anything(4) }),
  fresh([], 3, { name: 'from nothing to 3', budget: { all: 3 } }),
  decided([0], 3, { name: '1 and 2 join', budget: { all: 2 } }),
  decided([2], 3, { name: 'the greatest and 2 join', budget: { all: 2 } }),
  decided([0, 1], 3, { name: '2 and 1 joins, any 2', budget: anything(2) }),
  decided([0, 1, 2], 4, { name: '3 and the greatest joins, any 2', budget: anything(2) }),
  decided([1, 2, 3], 4, { name: '3 and the smallest joins, any 2', budget: anything(2) }),
  decided([0, 1], 4, { name: '2 and 2 join', budget: { all: 2 } }),
  decided([0, 1, 2], 4, {
    ...{ name: '3 and one of priority 0 joins, any 2', priorities: [1, 1, 1, 0] },
    budget: anything(2),
  }),
  decided([0, 1, 2], 4, {
    ...{ name: '3 and one of priority 3 joins, any 2', priorities: [1, 1, 1, 3] },
    budget: anything(2),
  }),
];

/** Joins that change no leader: the ring stays closed, and their messages are counted. */
const joins: readonly Configuration[] = [
  decided([2], 3, { name: '1 and 1 joins, nothing else', isJoinOnly: true, budget: { all: 1 } }),
  decided([1, 2, 3], 4, {
    name: '3 and 1 joins, nothing else',
    isJoinOnly: true,
    budget: { all: 1 },
  }),
  decided([1, 2, 3], 4, {
    ...{ name: '3 and 1 joins, during a lap', isJoinOnly: true },
    ...script({ type: 'timeout', peer: 3 }, { type: 'join', peer: 0 }),
  }),
];

/** How a single event proceeds while another is not over. */
const scripted: readonly Configuration[] = [
  decided([0, 1, 2], 3, {
    name: 'the leader leaves during a lap',
    ...script({ type: 'timeout', peer: 2 }, { type: 'leave', peer: 2 }),
  }),
  decided([0, 2], 3, {
    name: 'a peer joins before the leader, which leaves',
    ...script({ type: 'join', peer: 1, after: 1 }, { type: 'leave', peer: 2 }),
  }),
  decided([0, 3, 1], 4, {
    name: 'the leader starts and crashes, a peer has joined behind it',
    ...script(
      { type: 'join', peer: 2, after: 2 },
      { type: 'start', peer: 3 },
      { type: 'crash', peer: 3 },
    ),
  }),
  decided([0, 5, 1, 2], 6, {
    name: 'its claim comes to one who has heard of its crash by a join',
    before: [
      ...['P4 joins after P6', 'P4 gets its view', 'P2 gets its view', 'P6 gets its view'],
      ...['link P4→P2 opens', 'HELLO arrives on P4→P2', 'HELLO arrives on P4→P2, back'],
      ...['ELECTED arrives on P4→P2', 'P6 is asked to start', 'CLAIM arrives on P6→P2'],
      ...['P6 crashes', 'P1 gets its view', 'P4 gets its view'],
    ],
    ...script(
      { type: 'join', peer: 3, after: 2 },
      { type: 'start', peer: 5 },
      { type: 'crash', peer: 5 },
      { type: 'join', peer: 4, after: 4 },
    ),
  }),
];

/** What no honest ring does: two rings that have elected meet, or a peer lies. */
const tainted: readonly Configuration[] = [
  ...both([
    decided([0], 2, {
      ...{ name: 'two rings of one term meet', meets: { ring: [1], elections: 1 } },
      budget: {},
    }),
    decided([3, 0], 4, {
      ...{ name: 'the ring of the greatest meets one of a later term', budget: {} },
      meets: { ring: [1, 2], elections: 2 },
    }),
  ]),
  decided([0, 1, 2], 3, {
    ...{ name: 'a peer lies that another leads', budget: {} },
    lie: { type: 'elected', term: 5, origin: 2, over: 0 },
  }),
];

/** Joins where an incumbent has one priority more: the newcomer unseats it or does not. */
function rivals(trouble: string, part: Partial<Budget>): readonly Configuration[] {
  return [
    { ring: [0, 1], priorities: [1, 1, 2], who: 'a greater one of priority 2' },
    { ring: [1, 2], priorities: [2, 1, 1], who: 'a smaller one of priority 2' },
    { ring: [1, 2], priorities: [3, 1, 1], who: 'a smaller one of priority 3' },
    { ring: [0, 2], priorities: [2, 3, 1], who: 'one of priority 3' },
    { ring: [0, 1], priorities: [255, 255, 255], who: 'a greater one of priority 255' },
  ].map(({ ring, priorities, who }) => {
    const name = `${ring.map((at) => priorities[at]).join(' and ')}, ${who} joins${trouble}`;
    return under('incumbent', decided(ring, 3, { name, priorities, budget: part }));
  });
}

/** Rings of several priorities. */
const mixed: readonly Configuration[] = [
  decided([0, 1, 2], 3, {
    ...{ name: 'ring of 3, priorities 213, any 3', priorities: [2, 1, 3] },
    budget: anything(3),
  }),
  fresh([1, 0, 2], 3, {
    ...{ name: 'fresh ring of 3, priorities 321, any 3', priorities: [3, 2, 1] },
    budget: anything(3),
  }),
  decided([1], 3, {
    ...{ name: '1 of priority 1, those of priorities 2 and 3 join', priorities: [2, 1, 3] },
    budget: { all: 2 },
  }),
].map((configuration) => under('incumbent', configuration));

/** Successors that change for no reason, to any peer: everything that a server or a fault may do. */
function rewired(
  name: string,
  part: Partial<Budget>,
  priorities = SAME.slice(0, 3),
): Configuration {
  return fresh([0, 1, 2], 3, { name, priorities, budget: part });
}

const rewirings: readonly Configuration[] = [
  rewired('2 rewirings, 1 start', { rewirings: 2, starts: 1, all: 3 }),
  rewired('2 rewirings, 2 starts', { rewirings: 2, starts: 2, all: 4 }),
  rewired('2 rewirings, 2 starts, priorities 201', { rewirings: 2, starts: 2, all: 4 }, [2, 0, 1]),
  rewired('2 rewirings, 1 start, 1 leaves', { rewirings: 2, starts: 1, leaves: 1, all: 4 }),
];

const largeRewirings: readonly Configuration[] = [
  rewired('3 rewirings, 2 starts', { rewirings: 3, starts: 2, all: 5 }),
  rewired('4 rewirings, 1 start', { rewirings: 4, starts: 1, all: 5 }),
  rewired('2 rewirings, 2 starts, 1 leaves', { rewirings: 2, starts: 2, leaves: 1, all: 5 }),
  rewired('2 rewirings, 1 of each fault', { ...anything(4), rewirings: 2, crashes: 0 }),
];

/** The largest: minutes each. */
const large: readonly Configuration[] = [
  decided([0, 1], 3, { name: '2 and 1 joins, any 3', budget: anything(3) }),
  decided([0, 1], 4, { name: '2 and 2 join, any 2', budget: anything(2) }),
  decided([0, 1, 2], 4, {
    name: '3 and 1 joins, 2 crash or leave',
    budget: { crashes: 2, leaves: 2, all: 3 },
  }),
  decided([0, 1, 3, 2], 4, { name: 'ring of 4, any 3', budget: anything(3) }),
];

function both(configurations: readonly Configuration[]): readonly Configuration[] {
  return (['highest', 'incumbent'] as const).flatMap((policy) =>
    configurations.map((configuration) => under(policy, configuration)),
  );
}

/** Small enough for every test run, and for each mutant. */
export const QUICK: readonly Configuration[] = [
  ...both([
    ...fixed,
    decided([0, 2, 1, 3], 4, { name: 'ring of 4, any 2', budget: anything(2) }),
    decided([0, 1], 3, { name: '2 and 1 joins, any 2', budget: anything(2) }),
    decided([0, 1, 2], 4, { name: '3 and the greatest joins', budget: { all: 1 } }),
    decided([0, 1, 2], 4, {
      name: '3 and the greatest joins, a crash',
      budget: { crashes: 1, all: 2 },
    }),
    fresh([], 2, { name: 'from nothing to 2, any 3', budget: anything(3) }),
    fresh([1, 0, 2], 3, { name: 'fresh ring of 3, any 2', budget: anything(2) }),
    ...joins,
    ...scripted,
    ...rewirings.slice(0, 1),
  ]),
  ...rivals('', { all: 1 }),
  ...tainted,
];

export const ALL: readonly Configuration[] = [
  ...both([...fixed, ...shrinking, ...growing, ...joins, ...scripted, ...rewirings]),
  ...rivals(', any 2', anything(2)),
  ...mixed,
  ...tainted,
  ...largeRewirings,
  ...large,
];
