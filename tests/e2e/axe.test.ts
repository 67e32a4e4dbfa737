/** axe-core must find nothing wrong with the page, in any state and colour scheme. */
import axe from 'axe-core';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import type { RunningServer } from '../../signaling-server/server.ts';
import { defined, peerId } from '../support.ts';
import { ringState } from '../web/ring-state.ts';
import { DIRECT_LINK_PATIENCE } from '../../web/troubles.ts';
import { openShowcase, passTime, showMember, tellMember } from './showcase.ts';
import { byRole, launchChromium, openTabs, PATIENCE, serve, Tab, untilOneRing } from './support.ts';

/**
 * The conditions in which a page is checked. Colours take most of the time, so they are checked at one
 * width only: the narrower one has smaller letters, which need more contrast.
 */
const LOOKS = [
  { scheme: 'light', width: 390, colours: true },
  { scheme: 'dark', width: 390, colours: true },
  { scheme: 'dark', width: 1280, colours: false },
] as const;

declare global {
  /** Runs in a page that axe-core was injected into. */
  interface Window {
    readonly axe: typeof axe;
  }
}

let browser: Browser;
let server: RunningServer;
/** Tabs of the running test: they take part in their rings as long as they are open. */
let tabs: Tab[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  server = await serve();
});

afterEach(async () => {
  const closing = tabs;
  tabs = [];
  for (const tab of closing) await tab.close();
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

/** Each violated rule, with the first element that violates it, in each of {@link LOOKS}. */
async function violations(page: Page): Promise<string[]> {
  await page.waitForSelector('[data-testid=ring-picture], h1', { timeout: PATIENCE });
  if (await page.evaluate(() => !('axe' in window))) await page.evaluate(axe.source);
  const found: string[] = [];
  for (const { scheme, width, colours } of LOOKS) {
    await page.bringToFront();
    await page.setViewport({ width, height: 800 });
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      // Colours in transition must not be judged.
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]);
    const broken = await page.evaluate(async (enabled) => {
      const { violations } = await window.axe.run(document, {
        resultTypes: ['violations'],
        rules: { 'color-contrast': { enabled } },
      });
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''}`);
    }, colours);
    found.push(...broken.map((words) => `${scheme} ${width}: ${words}`));
  }
  return found;
}

function url(room: string): string {
  return `http://localhost:${server.port}/?room=${room}`;
}

test('alone, then offline', async () => {
  const tab = await Tab.open(browser, url('alone'));
  tabs.push(tab);
  await untilOneRing([tab]);
  await tab.page.waitForSelector('[data-testid=ring-picture]', { timeout: PATIENCE });
  expect(await violations(tab.page)).toEqual([]);
  await tab.click('Leave ring');
  await tab.page.waitForSelector('[data-testid=role][data-value=offline]');
  expect(await violations(tab.page)).toEqual([]);
});

test('leader and follower', async () => {
  const ring = await openTabs(browser, 3, url('three'));
  tabs = [...tabs, ...ring];
  for (const tab of ring)
    await tab.page.waitForSelector('[data-testid=ring-picture]', { timeout: PATIENCE });
  const { leader, others } = byRole(ring, await untilOneRing(ring));
  expect(await violations(leader.page)).toEqual([]);
  for (const tab of others.slice(0, 1)) expect(await violations(tab.page)).toEqual([]);
});

test('a room of an impossible name', async () => {
  const tab = await Tab.open(browser, `http://localhost:${server.port}/?room=a%20b`);
  tabs.push(tab);
  expect(await violations(tab.page)).toEqual([]);
});

test('the QR code of a room', async () => {
  const tab = await Tab.open(browser, url('code'));
  tabs.push(tab);
  await untilOneRing([tab]);
  await tab.click('Show QR code');
  // With the address that phones can open, or the reason why there is none.
  await tab.page.waitForSelector('dialog[open] .note', { timeout: PATIENCE });
  expect(await violations(tab.page)).toEqual([]);
  await tab.click('Close');
  await tab.page.click('[data-testid=connections] summary');
  await tab.page.waitForSelector('[data-testid=server-connection]');
  expect(await violations(tab.page)).toEqual([]);
});

describe('given what a ring tells,', () => {
  const ids = Array.from({ length: 30 }, (_, at) => peerId(((at + 1) * 7_919) % 65_537));
  const four = ids.slice(0, 4);
  const [self = peerId(1), successor = peerId(2)] = four;
  const ring = ringState(four, self);
  const offline: RingState = {
    ...ring,
    role: 'offline',
    leader: null,
    successor: null,
    predecessor: null,
    server: 'offline',
    ring: null,
  };

  let page: Page;

  beforeAll(async () => {
    page = await openShowcase(browser);
  });

  afterAll(async () => {
    await page.close();
  });

  const claim = (of: number) =>
    ({
      type: 'claim',
      term: 4,
      claim: { id: defined(ids[of]), priority: 1 },
      hops: 1,
    }) as const;
  const error = (message: string): RingEvent => ({ type: 'error', message });
  const refused = (code: 'room-full' | 'place-lost' | 'id-taken'): RingEvent => ({
    type: 'refused',
    code,
    message: 'room showcase is full',
  });
  const LOST: RingEvent = { type: 'server', state: 'reconnecting', reason: 'lost' };

  test('thirty peers, of which one is asked for', async () => {
    await showMember(page, ringState(ids, self));
    expect(await violations(page)).toEqual([]);
    await page.$eval(`[data-peer="${self}"]`, (dot) => {
      if (dot instanceof SVGElement) dot.focus();
    });
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector(`[data-asked="${successor}"]`);
    expect(await violations(page)).toEqual([]);
  });

  test('relayed links, and then one that is direct', async () => {
    const relayed = { ...ring, successorLink: 'relayed', predecessorLink: 'relayed' } as const;
    await showMember(page, relayed);
    await passTime(page, DIRECT_LINK_PATIENCE);
    await tellMember(page, { type: 'ring' }, relayed);
    await page.waitForSelector('[data-kind=relayed]');
    expect(await violations(page)).toEqual([]);
    await tellMember(page, { type: 'ring' }, { ...relayed, successorLink: 'direct' });
    await page.waitForSelector('[data-kind=switched]');
    expect(await violations(page)).toEqual([]);
  });

  test('relayed links in a browser that keeps the page from the local network', async () => {
    const session = await page.createCDPSession();
    const setTo = (setting: 'denied' | 'granted') =>
      session.send('Browser.setPermission', { permission: { name: 'local-network' }, setting });
    await setTo('denied');
    try {
      const relayed = { ...ring, successorLink: 'relayed', predecessorLink: 'relayed' } as const;
      await showMember(page, relayed);
      await passTime(page, DIRECT_LINK_PATIENCE);
      await tellMember(page, { type: 'ring' }, relayed);
      await page.waitForSelector(
        '[data-kind=relayed]::-p-text(allow “local network” for this site)',
      );
      expect(await violations(page)).toEqual([]);
      await setTo('granted');
      await page.waitForSelector('[data-kind=relayed]::-p-text(Within one Wi-Fi it may help)');
    } finally {
      await session.send('Browser.resetPermissions');
    }
  });

  test('a leader that is not confirmed', async () => {
    const doubted = { ...ring, isConfirmed: false, confirmedUntil: Date.now() };
    await showMember(page, doubted);
    await page.waitForSelector('.verdict.doubted');
    expect(await violations(page)).toEqual([]);
  });

  test('slow motion with a token here, on its way and announced', async () => {
    const slow = { ...ring, hopDelay: 2_000, leader: null, role: 'candidate' } as const;
    await showMember(page, slow);
    await tellMember(page, { type: 'holding', message: claim(2), milliseconds: 2 ** 30 }, slow);
    await tellMember(page, { type: 'sent', message: claim(3), to: successor }, slow);
    await page.waitForSelector('.pulse');
    expect(await violations(page)).toEqual([]);
  });

  test('a log that is filtered, paused, and has nothing to show', async () => {
    await showMember(page, ring);
    await tellMember(page, { type: 'joined', id: self, room: ring.room }, ring);
    await tellMember(page, { type: 'sent', message: claim(0), to: successor }, ring);
    await tellMember(page, error('something'), ring);
    await page.waitForSelector('.chip.sent');
    await page.click('.chip.sent');
    await page.locator('::-p-aria([name="Pause log"][role="button"])').click();
    await page.waitForSelector('.found .all');
    await tellMember(page, { type: 'sent', message: claim(1), to: successor }, ring);
    await page.waitForSelector('.found .fresh');
    expect(await violations(page)).toEqual([]);
    await page.type('input[type=search]', 'nothing of the kind');
    await page.waitForSelector('.entry.none');
    expect(await violations(page)).toEqual([]);
  });

  test.each<[string, RingState, RingEvent[], string[]]>([
    ['no connection at all', offline, [error('no connection can be made: none')], ['no links']],
    ['a full room', offline, [refused('room-full')], ['refused']],
    ['a server never reached', { ...offline, role: 'joining' }, [LOST], ['server']],
    [
      'a lost server, a fault and a lost place',
      ring,
      [error('odd'), LOST, refused('place-lost')],
      ['fault', 'server', 'new peer'],
    ],
    ['a uuid that was taken', ring, [refused('id-taken')], ['new peer']],
  ])('%s', async (_what, state, events, kinds) => {
    await showMember(page, state);
    for (const event of events) await tellMember(page, event, state);
    for (const kind of kinds) await page.waitForSelector(`[data-kind="${kind}"]`);
    expect(await violations(page)).toEqual([]);
  });

  test('a page that was asleep', async () => {
    await showMember(page, ring);
    await page.evaluate(() => {
      const now = Date.now;
      document.dispatchEvent(new Event('freeze'));
      Date.now = () => now() + 5_000;
      document.dispatchEvent(new Event('resume'));
      Date.now = now;
    });
    await page.waitForSelector('[data-kind=asleep]');
    expect(await violations(page)).toEqual([]);
  });
});

/** A projector page that shows something. */
async function watch(port: number, room: string): Promise<Tab> {
  const tab = await Tab.open(browser, `http://localhost:${port}/watch?room=${room}`);
  tabs.push(tab);
  await tab.page.waitForSelector('[data-testid=watch-link][data-value=connected]');
  return tab;
}

test('the projector page: nobody there, then a ring and its election', async () => {
  const watching = await watch(server.port, 'watched');
  expect(await violations(watching.page)).toEqual([]);
  const ring = await openTabs(browser, 3, url('watched'));
  tabs = [...tabs, ...ring];
  const { leader } = byRole(ring, await untilOneRing(ring));
  for (let elections = 0; elections < 2; elections += 1) {
    const known = (await watching.page.$$('[data-testid=watch-term] option')).length;
    await leader.click('Start election');
    await watching.page.waitForFunction(
      (before) => document.querySelectorAll('[data-testid=watch-term] option').length > before,
      { timeout: PATIENCE },
      known,
    );
  }
  await watching.page.waitForSelector('[data-testid=watch-why]', { timeout: PATIENCE });
  expect(await violations(watching.page)).toEqual([]);
  await watching.click('Previous election');
  await watching.page.waitForSelector('[data-testid=watch-won]', { timeout: PATIENCE });
  expect(await violations(watching.page)).toEqual([]);
});

test('the same page without a server', async () => {
  const ending = await serve();
  const watching = await watch(ending.port, 'offline');
  await ending.close();
  await watching.page.waitForSelector('[role=alert]', { timeout: PATIENCE });
  expect(await violations(watching.page)).toEqual([]);
});

test('the same page of a room of an impossible name', async () => {
  const tab = await Tab.open(browser, `http://localhost:${server.port}/watch?room=a%20b`);
  tabs.push(tab);
  expect(await violations(tab.page)).toEqual([]);
});
