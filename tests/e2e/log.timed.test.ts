/** The log of the page with as many entries as it keeps. */
import { expect, test } from 'vitest';
import { PATIENCE, setStage, Tab, until, untilOneRing } from './support.ts';

const stage = setStage();

test('five thousand entries are kept, can be scrolled to their end, and stay smooth', async () => {
  const tab = await Tab.open(stage.browser, stage.url);
  await untilOneRing([tab]);
  await tab.page.bringToFront();
  await tab.page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
  await tab.page.evaluate(async () => {
    const button = Array.from(document.querySelectorAll('button')).find(
      ({ textContent }) => textContent.trim() === 'Start election',
    );
    // An election of one tab is some entries; with pauses, as elections do not come all at once.
    for (let round = 0; round < 90; round += 1) {
      for (let election = 0; election < 12; election += 1) button?.click();
      await new Promise((resolve) => setTimeout(resolve));
    }
  });
  await until(async () => {
    expect((await tab.values())['event-log']).toBe('5000');
  });
  const measured = await tab.page.evaluate(async () => {
    const list = document.querySelector('[data-testid=event-log]');
    if (list === null) throw new Error('no log');
    const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
    const rows = () => list.querySelectorAll('[data-testid=event]').length;
    for (let count = 0; rows() < 5_000 && count < 2_000; count += 1) {
      list.scrollTop = list.scrollHeight;
      await frame();
    }
    const quiet: number[] = [];
    const scrolling: number[] = [];
    // Alternating, so that other load of the machine affects both.
    for (let at = 0; at < 240; at += 1) {
      const isQuiet = Math.floor(at / 30) % 2 === 0;
      const last = await frame();
      if (!isQuiet) list.scrollTop = (list.scrollHeight * at) / 240;
      (isQuiet ? quiet : scrolling).push((await frame()) - last);
    }
    const middleOf = (took: number[]) => took.sort((a, b) => a - b)[took.length / 2] ?? Infinity;
    return { all: rows(), quiet: middleOf(quiet), scrolling: middleOf(scrolling) };
  });
  console.log('5,000 entries, milliseconds a frame:', measured);
  expect(measured.all).toBe(5_000);
  // At sixty frames a second, or at as many as the machine reaches when nothing moves.
  expect(measured.scrolling).toBeLessThan(1.1 * Math.max(1_000 / 60, measured.quiet));
  // A search reads all of them.
  await tab.page.type('input[type=search]', 'asked for here');
  await until(async () => {
    const log = await tab.log();
    expect(log).not.toEqual([]);
    for (const { text } of log) expect(text).toContain('asked for here');
  });
});
