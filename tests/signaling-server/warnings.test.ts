/** Warnings of each kind are limited per minute, and those left out are counted. */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Warnings } from '../../signaling-server/warnings.ts';

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function written(): { readonly warnings: Warnings; readonly lines: unknown[] } {
  const lines: unknown[] = [];
  const write = (line: string) => {
    lines.push(JSON.parse(line));
  };
  return { warnings: new Warnings(pino({}, { write })), lines };
}

test('a flood of one kind is cut short and counted at the end of its minute', () => {
  const { warnings, lines } = written();
  for (let time = 0; time < 1_000; time += 1) warnings.warn('a', { time }, 'flood');
  warnings.warn('b', {}, 'something else');
  expect(lines).toHaveLength(31);
  expect(lines.at(-1)).toMatchObject({ level: 40, msg: 'something else' });
  vi.advanceTimersByTime(MINUTE);
  expect(lines).toHaveLength(32);
  expect(lines.at(-1)).toMatchObject({ level: 40, kind: 'a', leftOut: 970 });
  // The next minute has room for more.
  warnings.warn('a', {}, 'again');
  expect(lines.at(-1)).toMatchObject({ msg: 'again' });
});

test('where nothing was left out nothing is said of it', () => {
  const { warnings, lines } = written();
  warnings.warn('a', {}, 'one');
  vi.advanceTimersByTime(10 * MINUTE);
  warnings.close();
  expect(lines).toMatchObject([{ msg: 'one' }]);
});

test('a kind may be had once a minute, and at the end it is said what was left out', () => {
  const { warnings, lines } = written();
  for (let time = 0; time < 5; time += 1) warnings.warn('a', {}, 'no descriptors', 1);
  expect(lines).toMatchObject([{ msg: 'no descriptors' }]);
  warnings.close();
  expect(lines).toMatchObject([{ msg: 'no descriptors' }, { kind: 'a', leftOut: 4 }]);
});
