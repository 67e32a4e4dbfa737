/** The ring members and the broker with one rule changed at a time, and what catches each. */
import { ELECTION_MUTANTS } from './election.mjs';
import { MEMBER_MUTANTS } from './member.mjs';
import { storm, test } from './mutant.mjs';

/** @type {readonly import('./mutant.mjs').Mutant[]} */
export const MUTANTS = [
  ...MEMBER_MUTANTS,
  {
    rule: 'L2',
    change: 'newcomers of a burst get their places one by one',
    file: 'broker/burst.ts',
    find: 'open.pending.length > 1 || now < (open.assignedAt ?? -Infinity) + burstWindow',
    replace: 'false',
    caughtBy: test('broker/broker', 'L2: when newcomers are given their places'),
  },
  {
    rule: 'L13',
    change: 'one neighbour alone turns a member out that has no connection',
    file: 'broker/places.ts',
    find: 'return !mayHear && Object.values(words)',
    replace: 'return mayHear || Object.values(words)',
    caughtBy: storm('kept', 30),
  },
  {
    rule: 'L14',
    change: 'a server without memory does not wait for those who were there',
    file: 'broker/absence.ts',
    find: 'const RECOVERY_PATIENCE = 5_000;',
    replace: 'const RECOVERY_PATIENCE = 0;',
    caughtBy: test(
      'broker/places',
      'after the server has lost its memory newcomers wait until all are back',
    ),
  },
  {
    rule: 'L14',
    change: 'edges that both ends name do not come first',
    file: 'broker/fragments.ts',
    find: 'Number(b.isMutual) - Number(a.isMutual) || b.version - a.version',
    replace: 'b.version - a.version',
    caughtBy: test(
      'broker/recovery',
      'members of a true ring, some lost, the others back in any order, L14',
    ),
  },
  {
    rule: 'R9b',
    change: 'no era begins where a newcomer is the first to settle',
    file: 'broker/places.ts',
    find: 'if (!room.ring.some(({ isSettled }) => isSettled)) startEra(room, moment);',
    replace: '',
    caughtBy: storm('clocks', 0),
  },
  {
    rule: 'R9b',
    change: 'an era begins whenever a member settles',
    file: 'broker/places.ts',
    find: 'if (!room.ring.some(({ isSettled }) => isSettled)) startEra(room, moment);',
    replace: 'startEra(room, moment);',
    caughtBy: test('broker/recovery', 'a room that recovers R9c is one of newcomers'),
  },
  {
    rule: 'R9b',
    change: 'newcomers are told the era, and act in it',
    file: 'broker/views.ts',
    find: 'era: isSettled ? era : null,',
    replace: 'era,',
    caughtBy: storm('clocks', 0),
  },
  {
    rule: 'R9e',
    change: 'the era goes on when one departs that may have led elsewhere',
    file: 'broker/places.ts',
    find: 'if (wasElsewhere(room, at, leaving)) startEra(room, moment);',
    replace: '',
    caughtBy: test('broker/room', 'leaving R9e one without a connection'),
  },
  {
    rule: 'R9c',
    change: 'the era that members bring is not exceeded',
    file: 'broker/places.ts',
    find: 'if (era !== null) room.era = Math.max(room.era, era + 1);',
    replace: '',
    caughtBy: test(
      'broker/recovery',
      'a room that recovers R9c is one of newcomers, and in an era after theirs',
    ),
  },
  ...ELECTION_MUTANTS,
];
