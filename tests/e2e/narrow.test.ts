/** Nothing needs sideways scrolling on the narrowest phones, whatever the pages show. */
import type { Page } from 'puppeteer-core';
import { beforeAll, afterAll, expect, test } from 'vitest';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import { nameOf } from '../../shared/narration/names.ts';
import { defined, peerId, roomName } from '../support.ts';
import { threeTraces } from '../watch/traces.ts';
import { TracedRing } from '../watch/simulated.ts';
import { ringState } from '../web/ring-state.ts';
import { DIRECT_LINK_PATIENCE } from '../../web/troubles.ts';
import { openShowcase, passTime, showMember, showWatched, tellMember } from './showcase.ts';
import { setStage } from './support.ts';

const stage = setStage();
const WIDTHS = [320, 280];

/** Peers with long names. */
const LONG = Array.from({ length: 500 }, (_, at) => peerId(at + 1))
  .toSorted((one, other) => nameOf(other).length - nameOf(one).length)
  .slice(0, 3);
const SELF = defined(LONG[0]);
const OTHER = defined(LONG[1]);
const room = roomName('a-room-of-the-longest-name-that-there-may-be-is-of-64-letters-ok');

let page: Page;

beforeAll(async () => {
  page = await openShowcase(stage.browser);
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
});

afterAll(async () => {
  await page.close();
});

/** What is wider than the screen, by state and width. */
async function tooWide(state: string): Promise<string[]> {
  const found: string[] = [];
  for (const width of WIDTHS) {
    await page.setViewport({ width, height: 700 });
    const wide = await page.evaluate(() => {
      const most = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= most) return [];
      return Array.from(document.querySelectorAll('#stage *'))
        .filter((element) => element.getBoundingClientRect().right > most + 0.5)
        .map((element) => `${element.tagName} ${element.getAttribute('class') ?? ''}`);
    });
    if (wide.length > 0) found.push(`${state} at ${width}: ${wide.join(', ')}`);
  }
  return found;
}

test('a member’s page', async () => {
  const ring = (ids: typeof LONG, more: Partial<RingState> = {}) =>
    ringState(ids, SELF, { room, ...more });
  const nowhere = { successor: null, predecessor: null, leader: null, size: null, term: null };
  const offline = ring([SELF], { ...nowhere, role: 'offline', server: 'offline', ring: null });
  const relayed = { successorLink: 'relayed', predecessorLink: 'relayed' } as const;
  const message = {
    type: 'claim',
    term: 4_000_000_000,
    claim: { id: OTHER, priority: 1 },
    hops: 1,
  } as const;
  const refused = (code: 'version' | 'place-lost' | 'room-full'): RingEvent => ({
    type: 'refused',
    code,
    message: `the place of ${SELF} in room ${room} is not kept any more`,
  });
  const lost: RingEvent = { type: 'server', state: 'reconnecting', reason: 'transport close' };
  const dropped: RingEvent = {
    type: 'dropped',
    from: OTHER,
    reason: 'Acharacterstringthatnobodywouldbreakbutwhichmaycomefromanyone'.repeat(2),
    count: 1,
  };
  const states: [string, RingState, RingEvent[]][] = [
    ['joining', ring([SELF], { ...nowhere, role: 'joining', server: 'reconnecting' }), [lost]],
    ['alone', ring([SELF]), []],
    ['leader', ring([SELF, OTHER], { leader: SELF, role: 'leader', term: 4_000_000_000 }), []],
    ['follower', ring(LONG), [{ type: 'sent', message, to: OTHER }, dropped]],
    ['electing', ring(LONG, { role: 'candidate', leader: null }), []],
    ['unconfirmed', ring(LONG, { isConfirmed: false, confirmedUntil: Date.now() }), []],
    ['relayed', ring(LONG, relayed), [{ type: 'spent' }]],
    ['server lost', ring(LONG), [lost, refused('place-lost')]],
    ['outdated', ring(LONG, { server: 'offline' }), [refused('version')]],
    ['refused', offline, [refused('room-full'), { type: 'error', message: 'x'.repeat(300) }]],
    ['thirty', ring(Array.from({ length: 30 }, (_, at) => peerId(at + 1)).with(3, SELF)), []],
    [
      'token',
      ring(LONG, { hopDelay: 2_000 }),
      [{ type: 'holding', message, milliseconds: 2 ** 30 }],
    ],
  ];
  const wide: string[] = [];
  for (const [state, shown, events] of states) {
    await showMember(page, shown);
    for (const event of events) await tellMember(page, event, shown);
    if (state === 'relayed') {
      await passTime(page, DIRECT_LINK_PATIENCE);
      await tellMember(page, { type: 'ring' }, shown);
      await page.waitForSelector('[data-kind=relayed]');
    }
    const logged = events.filter(({ type }) => type !== 'holding').length;
    await page.waitForSelector(`[data-testid=event-log][data-value="${logged}"]`);
    wide.push(...(await tooWide(state)));
  }
  await page.click('[data-testid=connections] summary');
  wide.push(...(await tooWide('connections')));
  await page.locator('::-p-aria([name="Show QR code"][role="button"])').click();
  await page.waitForSelector('dialog[open]');
  wide.push(...(await tooWide('code')));
  expect(wide).toEqual([]);
});

test('the projector page', async () => {
  const wide: string[] = [];
  await showWatched(page);
  await page.evaluate(() => {
    watched.onProblem('x'.repeat(200), 'reload');
  });
  wide.push(...(await tooWide('problem')));
  for (const size of [0, 3, 30]) {
    const ring = new TracedRing(Math.max(1, size));
    ring.campaign(false);
    ring.run(5_000);
    const order = size === 0 ? { peers: [], policy: null } : ring.order;
    const traces = size === 0 ? [] : ring.takeTraces();
    await showWatched(page);
    await page.evaluate(
      (order, traces) => {
        watched.onProblem(null);
        watched.onOrder(order);
        watched.onTraces({ traces, missed: 0 });
      },
      order,
      traces,
    );
    await page.waitForSelector(`[data-testid=watch-peers][data-value="${size}"]`);
    wide.push(...(await tooWide(`${size} peers`)));
  }
  await showWatched(page);
  await page.evaluate(
    (peers, traces) => {
      watched.onProblem(null);
      watched.onOrder({ peers, policy: 'highest' });
      watched.onTraces({ traces, missed: 0 });
    },
    [1, 2, 3].map(peerId),
    threeTraces(),
  );
  await page.waitForSelector('[data-testid=watch-term]');
  wide.push(...(await tooWide('an election')));
  expect(wide).toEqual([]);
});
