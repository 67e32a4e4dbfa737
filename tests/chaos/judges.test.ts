/** The parts of the chaos run that judge and draw, without a ring. */
import { expect, test } from 'vitest';
import { problemsOf, type Member } from './agreement.ts';
import { growthOf } from './growth.ts';
import { schedule } from './schedule.ts';

/** A ring at rest; the last peer leads. */
function ringOf(count: number): Member[] {
  const id = (at: number) => `peer ${(at + count) % count}`;
  return Array.from({ length: count }, (_, at) => ({
    name: `p${at}.0`,
    state: {
      id: id(at),
      role: at === count - 1 ? 'leader' : 'follower',
      term: 3,
      leader: id(-1),
      size: count,
      successor: id(at + 1),
      predecessor: id(at - 1),
      successorLink: 'direct',
      predecessorLink: 'direct',
      server: 'connected',
    },
  }));
}

test('a ring at rest has no problems, unless its links should be of another kind', () => {
  expect(problemsOf(ringOf(5), 'direct')).toEqual([]);
  expect(problemsOf(ringOf(5), 'relayed')).not.toEqual([]);
});

test.each([
  ['role', 'leader'],
  ['term', 4],
  ['leader', 'peer 0'],
  ['size', 4],
  ['successor', 'peer 4'],
  ['predecessor', 'peer 3'],
  ['successorLink', 'connecting'],
  ['predecessorLink', 'none'],
  ['server', 'reconnecting'],
] as const)('a member whose %s is %s is a problem', (what, value) => {
  const members = ringOf(5).map((member, at) =>
    at === 1 ? { ...member, state: { ...member.state, [what]: value } } : member,
  );
  expect(problemsOf(members, 'direct')).not.toEqual([]);
});

test('two rings are not one', () => {
  const state = { successor: 'peer 0', predecessor: 'peer 0' };
  const members = ringOf(4).map((member, at) =>
    at === 0 ? { ...member, state: { ...member.state, ...state } } : member,
  );
  expect(problemsOf(members, 'direct').map(({ what }) => what)).toContain(
    'successors lead from it through 1 of 4 peers',
  );
});

test('what stays or falls does not grow, and a few outliers do not matter', () => {
  const steady = Array.from({ length: 30 }, (_, at) => (at % 7 === 0 ? 5_000 : 1_000 + (at % 3)));
  expect(growthOf(steady)).toBeLessThan(1);
  expect(growthOf(Array.from({ length: 30 }, (_, at) => 1_000 + 10 * at))).toBe(10);
  expect(growthOf([1, 2, 3])).toBeNull();
});

test('a seed draws the same faults each time, another seed others', () => {
  const draw = (seed: number) => {
    const rounds = schedule({ seed, canUnplug: true });
    return Array.from({ length: 30 }, () => rounds.next().value);
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});
