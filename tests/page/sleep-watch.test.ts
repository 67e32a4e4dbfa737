/** What a page can tell of a time in which it did not run, from its two clocks. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchSleep, type Gap } from '../../web/sleep-watch.ts';

let date: number;
let running: number;
let page: EventTarget & { hidden: boolean };
let gaps: Gap[];

beforeEach(() => {
  vi.useFakeTimers();
  date = 1_700_000_000_000;
  running = 5_000;
  page = Object.assign(new EventTarget(), { hidden: false });
  gaps = [];
  vi.stubGlobal('document', page);
  vi.spyOn(Date, 'now').mockImplementation(() => date);
  vi.spyOn(performance, 'now').mockImplementation(() => running);
  watchSleep((gap) => gaps.push(gap));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** The next check comes after so long by each of the clocks. */
function look(byDate: number, byRunning: number): void {
  date += byDate;
  running += byRunning;
  vi.advanceTimersToNextTimer();
}

test('a clock that is set ahead is told as such, and one that is set back not at all', () => {
  look(1_000, 1_000);
  look(3_601_000, 1_000);
  expect(gaps).toEqual([{ by: 'clock', milliseconds: 3_600_000 }]);
  look(-7_199_000, 1_000);
  look(1_000, 1_000);
  expect(gaps).toHaveLength(1);
});

test('a page that did not run is told by how long, whatever the date says', () => {
  look(21_000, 21_000);
  look(-500_000, 31_000);
  expect(gaps).toEqual([
    { by: 'page', milliseconds: 20_000 },
    { by: 'page', milliseconds: 30_000 },
  ]);
  look(8_900, 8_900);
  expect(gaps).toHaveLength(2);
});

test('timers of a hidden page may come once a minute', () => {
  page.hidden = true;
  look(60_000, 60_000);
  look(60_000, 60_000);
  expect(gaps).toEqual([{ by: 'page', milliseconds: 59_000 }]);
  look(95_000, 95_000);
  expect(gaps).toHaveLength(2);
});

test('a page that its browser froze tells of it, and of the date where only that went on', () => {
  const freeze = (byDate: number, byRunning: number) => {
    page.dispatchEvent(new Event('freeze'));
    date += byDate;
    running += byRunning;
    page.dispatchEvent(new Event('resume'));
  };
  freeze(5_000, 5_000);
  freeze(900, 900);
  freeze(600_000, 4_000);
  look(1_000, 1_000);
  expect(gaps).toEqual([
    { by: 'page', milliseconds: 5_000 },
    { by: 'clock', milliseconds: 600_000 },
  ]);
});
