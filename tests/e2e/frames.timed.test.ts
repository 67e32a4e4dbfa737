/**
 * The load of the page on the browser while much happens: thirty peers are drawn, fifty messages a second
 * come and are forwarded, and the log has its full length. `npm test -- tests/e2e/frames.timed.test.ts`
 * measures it.
 */
import type { Browser, CDPSession, Page } from 'puppeteer-core';
import { expect, onTestFinished, test } from 'vitest';
import type { RingEvent } from '../../shared/member/events.ts';
import { defined, peerId } from '../support.ts';
import { ringState } from '../web/ring-state.ts';
import { showMember, openShowcase } from './showcase.ts';
import { launchChromium } from './support.ts';

/** At sixty frames a second. */
const FRAME = 1_000 / 60;
const MESSAGES_A_SECOND = 50;
const LOG = 5_000;

/** Quiet and busy times alternate, so that other load of the machine affects both. */
const TURNS = 4;
const TURN = 1_000;

/** Of the yardstick: texts drawn anew in a frame, and frames in a turn. */
const TEXTS = 60;
const FRAMES = 45;

/** Frames after a page is brought to the front that are not measured: it catches up in them. */
const SETTLING = 5;

/**
 * The most that a message may cost, in frames of the yardstick; it costs 1.4 to 1.8. Twice its work would
 * fail.
 */
const MOST = 2.5;

const peers = Array.from({ length: 30 }, (_, at) => peerId(((at + 1) * 7_919) % 65_537));
const [self = peerId(1), successor = peerId(2)] = peers;

const compared = {
  to: 'own claim',
  claim: { id: self, priority: 1 },
  result: 'greater',
} as const;

/** A claim of each other peer comes and is forwarded. */
const events: RingEvent[] = peers.slice(1).flatMap((id): RingEvent[] => {
  const message = { type: 'claim', term: 4, claim: { id, priority: 1 }, hops: 7 } as const;
  return [
    {
      type: 'received',
      message,
      from: defined(peers.at(-1)),
      judgement: { outcome: 'forwarded', reason: 'greater claim', compared },
    },
    { type: 'sent', message, to: successor },
  ];
});

/**
 * Frames for a while, each as the milliseconds since the one before; and the number of messages meanwhile.
 */
function frames(
  page: Page,
  messagesASecond: number,
): Promise<{ intervals: number[]; messages: number }> {
  return page.evaluate(
    async (all, turn, rate) => {
      let messages = 0;
      const next = () => {
        const at = (2 * messages) % all.length;
        for (const event of all.slice(at, at + 2)) tell(event);
        messages += 1;
      };
      const telling = rate === 0 ? undefined : setInterval(next, 1_000 / rate);
      const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
      const began = await frame();
      const intervals: number[] = [];
      for (let last = began; last < began + turn;) {
        const now = await frame();
        intervals.push(now - last);
        last = now;
      }
      clearInterval(telling);
      return { intervals, messages };
    },
    events,
    TURN,
    messagesASecond,
  );
}

/** Opens a page with a fixed amount of work in each frame: the measure of this machine's speed. */
async function openYardstick(browser: Browser): Promise<Page> {
  const page = await browser.newPage();
  await page.setViewport({ width: 1_280, height: 800 });
  await page.setContent(`<svg viewBox="0 0 1280 800">${'<text></text>'.repeat(TEXTS)}</svg>`);
  return page;
}

async function bringToFront(page: Page): Promise<void> {
  await page.bringToFront();
  await page.evaluate(async (settling) => {
    for (let frame = 0; frame < settling; frame += 1)
      await new Promise((resolve) => requestAnimationFrame(resolve));
  }, SETTLING);
}

/** Processor milliseconds for a frame in which every text changes and moves. */
async function yardstickWork(page: Page, session: CDPSession): Promise<number> {
  await bringToFront(page);
  const before = await metrics(session);
  await page.evaluate(async (frames) => {
    const texts = [...document.querySelectorAll('text')];
    for (let frame = 0; frame < frames; frame += 1) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      for (const [at, text] of texts.entries()) {
        text.textContent = `${at} of frame ${frame}`;
        text.setAttribute('x', String((31 * at + frame) % 1_200));
        text.setAttribute('y', String((17 * at + frame) % 800));
      }
    }
  }, FRAMES);
  return ((await metrics(session)).work - before.work) / FRAMES;
}

async function measuredSession(page: Page): Promise<CDPSession> {
  const session = await page.createCDPSession();
  // Processor time, independent of other load.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return session;
}

async function metrics(session: CDPSession) {
  const all = (await session.send('Performance.getMetrics')).metrics;
  const valueOf = (name: string) => defined(all.find((each) => each.name === name)).value;
  return {
    /** Processor milliseconds. */
    work: valueOf('TaskDuration') * 1_000,
    heap: valueOf('JSHeapUsedSize') / 1e6,
  };
}

function middleOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Infinity;
}

test('fifty messages a second in a ring of thirty leave room for sixty frames a second', async () => {
  const browser = await launchChromium();
  onTestFinished(async () => {
    await browser.close();
  });
  const page = await openShowcase(browser);
  const errors: string[] = [];
  page.on('pageerror', (error) => {
    errors.push(String(error));
  });
  await page.bringToFront();
  await page.setViewport({ width: 1_280, height: 800 });
  // In slow motion each message is drawn when it comes.
  await showMember(page, ringState(peers, self, { hopDelay: 100 }));
  await page.evaluate(
    (all, count) => {
      for (let told = 0; told < count; told += 1) {
        const event = all[told % all.length];
        if (event !== undefined) tell(event);
      }
    },
    events,
    LOG,
  );
  await page.waitForSelector(`[data-testid=event-log][data-value="${LOG}"]`);
  const session = await measuredSession(page);
  const yardstick = await openYardstick(browser);
  const yardstickSession = await measuredSession(yardstick);
  const quiet: number[] = [];
  const busy: number[] = [];
  let work = 0;
  /** The sum of a frame's work in each turn. */
  let yardstickFrames = 0;
  let messages = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    yardstickFrames += await yardstickWork(yardstick, yardstickSession);
    await bringToFront(page);
    const [before, still] = [await metrics(session), await frames(page, 0)];
    const [between, moving] = [await metrics(session), await frames(page, MESSAGES_A_SECOND)];
    const after = await metrics(session);
    quiet.push(...still.intervals);
    busy.push(...moving.intervals);
    messages += moving.messages;
    work += after.work - between.work - (between.work - before.work);
  }
  await session.send('HeapProfiler.collectGarbage');
  const measured = {
    'milliseconds from frame to frame': middleOf(busy),
    'the same while nothing happens': middleOf(quiet),
    'milliseconds of work for a message': work / messages,
    'the same in frames of the yardstick': work / messages / (yardstickFrames / TURNS),
    'megabytes of heap': (await metrics(session)).heap,
  };
  console.log(measured);
  expect(errors).toEqual([]);
  expect(messages).toBeGreaterThan((TURNS * TURN * MESSAGES_A_SECOND) / 2_000);
  expect(work).toBeGreaterThan(0);
  expect(measured['the same in frames of the yardstick']).toBeLessThan(MOST);
  expect(middleOf(busy)).toBeLessThan(1.1 * Math.max(FRAME, middleOf(quiet)));
  expect(measured['megabytes of heap']).toBeLessThan(100);
});
