/** The directory as a state machine. */
import { describe, expect, test } from 'vitest';
import {
  answer,
  ERAS_PER_GRANT,
  newDirectory,
  RECORD_LASTS,
} from '../../shared/instances/directory.ts';
import { directoryPromises } from '../contracts/directory.ts';
import { roomName } from '../support.ts';

describe('the directory', () => {
  const directory = newDirectory(200);
  let date = 1e12;
  directoryPromises(() => ({
    ask: (question) => Promise.resolve(answer(directory, question, date)),
    pass: (factor) => {
      date += factor * 200;
      return Promise.resolve();
    },
  }));
});

const room = roomName('lobby');
const claim = { type: 'claim', self: 'b', room, era: 0 } as const;
const renew = { type: 'renew', self: 'a', isNew: true, era: 0, keep: [] } as const;

test('S1e a lease from before the clock was set back is over', () => {
  const directory = newDirectory(5_000);
  answer(directory, renew, 10_000);
  answer(directory, { ...claim, self: 'a' }, 10_000);
  answer(directory, { ...renew, self: 'b' }, 1_000);
  expect(answer(directory, claim, 1_000)).toMatchObject({ type: 'granted', isLost: true });
});

test('S2a an era is the time where that is later', () => {
  const directory = newDirectory(5_000);
  answer(directory, renew, 1e12);
  expect(answer(directory, { ...claim, self: 'a' }, 1e12)).toMatchObject({ era: 1e12 });
});

test('R9d S2a eras grow although the clock is set back', () => {
  const directory = newDirectory(Infinity);
  answer(directory, renew, 1e12);
  answer(directory, { ...claim, self: 'a' }, 1e12);
  const next = { ...claim, self: 'a', room: roomName('hall') };
  expect(answer(directory, next, 9e11)).toMatchObject({ era: 1e12 + ERAS_PER_GRANT });
});

test('the record of a room is kept for a day, and longer where its owner says so', () => {
  const directory = newDirectory(Infinity);
  answer(directory, renew, 0);
  answer(directory, { ...claim, self: 'a' }, 0);
  answer(directory, { ...renew, isNew: false, keep: [room] }, RECORD_LASTS - 1);
  answer(directory, { type: 'drain', self: 'a' }, RECORD_LASTS);
  answer(directory, { ...renew, self: 'b' }, RECORD_LASTS);
  const later = 2 * RECORD_LASTS;
  expect(answer(structuredClone(directory), claim, later - 2)).toMatchObject({ isLost: true });
  expect(answer(directory, claim, later)).toMatchObject({ isLost: false });
});
