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

test('of a flood of one kind one warning is written, and the rest counted at the end of its minute', () => {
  const { warnings, lines } = written();
  for (let time = 0; time < 1_000; time += 1) warnings.warn('a', { time }, 'flood');
  warnings.warn('b', {}, 'something else');
  expect(lines).toMatchObject([
    { level: 40, msg: 'flood' },
    { level: 40, msg: 'something else' },
  ]);
  vi.advanceTimersByTime(MINUTE);
  expect(lines).toHaveLength(3);
  expect(lines.at(-1)).toMatchObject({ level: 40, kind: 'a', leftOut: 999 });
  // The next minute has room for more.
  warnings.warn('a', {}, 'again');
  expect(lines.at(-1)).toMatchObject({ msg: 'again' });
});

test('of what happens in the ordinary course there are more lines, and not without end', () => {
  const { warnings, lines } = written();
  for (let time = 0; time < 100; time += 1) warnings.info('evicted', {}, 'evicted');
  expect(lines).toHaveLength(30);
  warnings.close();
  expect(lines.at(-1)).toMatchObject({ level: 30, kind: 'evicted', leftOut: 70 });
});

test('where nothing was left out nothing is said of it', () => {
  const { warnings, lines } = written();
  warnings.warn('a', {}, 'one');
  vi.advanceTimersByTime(10 * MINUTE);
  warnings.close();
  expect(lines).toMatchObject([{ msg: 'one' }]);
});
