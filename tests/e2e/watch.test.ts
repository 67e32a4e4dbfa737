/** The projector page, beside real tabs that elect. */
import { readFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunningServer } from '../../signaling-server/server.ts';
import { launchChromium, openTabs, serve, Tab, until, untilOneRing } from './support.ts';

let browser: Browser;
let server: RunningServer;
let url: string;
let folder: string;
let pages: Tab[];

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringleader-watch-'));
  server = await serve({ host: '0.0.0.0' });
  url = `http://localhost:${server.port}`;
  pages = [];
});

afterEach(async () => {
  const errors = pages.flatMap((page) => page.errors);
  await Promise.all(
    browser.browserContexts().map(async (context) => {
      if (context !== browser.defaultBrowserContext()) await context.close();
    }),
  );
  await server.close();
  await rm(folder, { recursive: true });
  expect(errors).toEqual([]);
});

async function watch(room = 'lobby'): Promise<Tab> {
  const page = await Tab.open(browser, `${url}/watch?room=${room}`);
  pages.push(page);
  await until(async () => {
    expect((await page.values())['watch-link']).toBe('connected');
  });
  return page;
}

/** Peers of the picture, in ring order, with their states. */
function peersOf({ page }: Tab): Promise<{ id: string; state: string }[]> {
  return page.$$eval('[data-testid=watch-peer]', (elements) =>
    elements.map((element) => ({
      id: element.getAttribute('data-value') ?? '',
      state: element.getAttribute('data-state') ?? '',
    })),
  );
}

function statesOf(watching: Tab): Promise<string[]> {
  return peersOf(watching).then((peers) => peers.map(({ state }) => state));
}

/** The messages of the diagram: from, to, type, term, origin, hops, lap. */
function messagesOf({ page }: Tab): Promise<string[]> {
  return page.$$eval('[data-testid=message]', (elements) =>
    elements.map((element) => element.getAttribute('data-value') ?? ''),
  );
}

/** How many messages of an election a tab has logged as sent. */
async function sentOf(tab: Tab, term: number): Promise<number> {
  const isOfTerm = new RegExp(`\\bterm ${term}\\b`);
  const log = await tab.log();
  return log.filter(({ kind, text }) => kind === 'sent' && isOfTerm.test(text)).length;
}

async function press(watching: Tab, key: 'Home' | 'End' | 'ArrowRight' | 'ArrowLeft') {
  await watching.page.focus('[data-testid=watch-moment]');
  await watching.page.keyboard.press(key);
}

/** A ring whose members all send traces to an open projector page. */
async function watchedRing(size: number): Promise<{ watching: Tab; tabs: Tab[] }> {
  const tabs = await openTabs(browser, size, url);
  pages.push(...tabs);
  await untilOneRing(tabs);
  // The whole page, which has the log.
  await Promise.all(
    tabs.map((tab) =>
      tab.page.waitForSelector('::-p-aria([name="Start election"][role="button"])'),
    ),
  );
  const watching = await watch();
  await until(async () => {
    const states = await statesOf(watching);
    expect(states.toSorted()).toEqual([...Array<string>(size - 1).fill('follower'), 'leader']);
  });
  return { watching, tabs };
}

test('a ring of twelve: each message of an election is there once, can be gone through, and saved', async () => {
  const { watching, tabs } = await watchedRing(12);
  const before = await untilOneRing(tabs);
  // In ring order, as the tabs themselves are linked.
  const shown = (await peersOf(watching)).map(({ id }) => id);
  const successors = new Map(before.map((each) => [each['own-id'], each['successor-id']]));
  expect(shown).toHaveLength(12);
  expect(shown.map((id) => successors.get(id))).toEqual([...shown.slice(1), shown[0]]);
  await tabs[3]?.click('Start election');
  const term = await until(async () => {
    const [after] = await untilOneRing(tabs);
    expect(Number(after?.['term'])).toBeGreaterThan(Number(before[0]?.['term']));
    return Number(after?.['term']);
  });

  // What the tabs have logged, once they have drawn it all, is what is shown here.
  await until(async () => {
    expect((await watching.values())['watch-missed']).toBeUndefined();
    const logged = await Promise.all(tabs.map((tab) => sentOf(tab, term)));
    const messages = await messagesOf(watching);
    const total = logged.reduce((sum, count) => sum + count, 0);
    // The leader's claim and its announcement go all round at least.
    expect(total).toBeGreaterThanOrEqual(24);
    expect(messages).toHaveLength(total);
    for (const [at, values] of before.entries())
      expect(messages.filter((each) => each.startsWith(values['own-id'] ?? ''))).toHaveLength(
        logged[at] ?? -1,
      );
    // A message is here once one of its ends has sent it: both ends must have.
    const halves = await watching.page.$$eval('.message.unseen > title', (elements) =>
      elements.map(({ textContent }) => textContent),
    );
    expect(halves).toEqual([]);
  });
  const messages = await messagesOf(watching);
  expect(new Set(messages).size).toBe(messages.length);
  expect(messages.every((message) => message.split(' ')[3] === String(term))).toBe(true);
  expect(await watching.values()).toMatchObject({
    'watch-messages': String(messages.length),
    'watch-mean': '49.2',
    'watch-worst': '90',
    'watch-leader': before[0]?.['leader-id'],
    'watch-peers': '12',
  });

  const why = await watching.page.$eval(
    '[data-testid=watch-why]',
    ({ textContent }) => textContent,
  );
  expect(why).toMatch(`The highest uuid leads: ${(before[0]?.['leader-id'] ?? '').slice(0, 8)}`);
  const links = await watching.page.$$eval('[data-edge]', (edges) =>
    edges.map((edge) => edge.getAttribute('data-link')),
  );
  expect(links).toEqual(Array(12).fill('direct'));

  await press(watching, 'Home');
  expect(await statesOf(watching)).toEqual(Array(12).fill('idle'));
  expect((await watching.values())['watch-moment']).toBe('0');
  await press(watching, 'ArrowRight');
  const [one] = (await peersOf(watching)).filter(({ state }) => state !== 'idle');
  expect(one).toEqual({ id: before[3]?.['own-id'], state: 'candidate' });
  await press(watching, 'ArrowLeft');
  expect(await statesOf(watching)).toEqual(Array(12).fill('idle'));
  await press(watching, 'End');
  const leaders = (await peersOf(watching)).filter(({ state }) => state === 'leader');
  expect(leaders.map(({ id }) => id)).toEqual([before[0]?.['leader-id']]);

  const session = await watching.page.createCDPSession();
  await session.send('Page.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
  await watching.click('Save as SVG');
  const file = await until(async () => {
    const [name] = (await readdir(folder)).filter((each) => each.endsWith('.svg'));
    if (name === undefined) throw new Error('nothing saved yet');
    return join(folder, name);
  });
  expect(await readFile(file, 'utf8')).not.toMatch(/var\(--|class=|<link|@import/);
  const drawing = await Tab.open(browser, pathToFileURL(file).href);
  pages.push(drawing);
  expect(await drawing.page.$$('parsererror')).toHaveLength(0);
  // Each line and each message has a description of itself.
  const titles = await drawing.page.$$eval('path > title', (elements) =>
    elements.map((element) => element.textContent),
  );
  expect(titles.filter((title) => title.includes(' sends '))).toHaveLength(messages.length);
});

/** Counts the traces that tabs send from now on. */
async function countTraces(tabs: readonly Tab[]): Promise<() => number> {
  let count = 0;
  for (const { page } of tabs) {
    const session = await page.createCDPSession();
    session.on('Network.webSocketFrameSent', ({ response: { payloadData } }) => {
      if (payloadData.includes('["trace",')) count += 1;
    });
    await session.send('Network.enable');
  }
  return () => count;
}

test('members send traces only while a projector page is open', async () => {
  const { watching, tabs } = await watchedRing(3);
  const traces = await countTraces(tabs);
  await tabs[0]?.click('Start election');
  await until(() => {
    expect(traces()).toBeGreaterThan(0);
  });
  await watching.close();
  pages = pages.filter((page) => page !== watching);
  await until(() => {
    expect(server.signaling.spectators).toBe(0);
  });
  const before = traces();
  const [{ term } = {}] = await untilOneRing(tabs);
  await tabs[0]?.click('Start election');
  await until(async () => {
    const [values] = await untilOneRing(tabs);
    expect(Number(values?.['term'])).toBeGreaterThan(Number(term));
  });
  expect(traces()).toBe(before);
});

test('a room that is empty is watched until somebody comes, and a server until it is back', async () => {
  const watching = await watch();
  await until(async () => {
    expect((await watching.values())['watch-peers']).toBe('0');
  });
  const tab = await Tab.open(browser, url);
  pages.push(tab);
  await untilOneRing([tab]);
  await until(async () => {
    expect(await statesOf(watching)).toEqual(['leader']);
  });
  const { port } = server;
  await server.close();
  await until(async () => {
    expect(await watching.alert()).toMatch(/server/);
  });
  server = await serve({ port });
  await until(async () => {
    expect(await watching.alert()).toBe('');
    expect(await statesOf(watching)).toEqual(['leader']);
  });
});

test('the code to join by of a page on localhost has an address that phones can open', async () => {
  const watching = await watch('Class');
  const { others } = await server.reach();
  await until(async () => {
    const link = await watching.page.$eval('.join a', (element) => element.href);
    const text = await watching.page.$eval('.join', (element) => element.textContent);
    expect(link).toBe(`${others[0] ?? url}/?room=class`);
    if (others.length === 0) expect(text).toContain('This address is only this computer’s');
    else expect(text).not.toContain('only this computer’s');
    const label = await watching.page.$eval('.join svg', (svg) => svg.getAttribute('aria-label'));
    expect(label).toBe(`QR code of ${link}`);
  });
});

test('a page that others can open has its own address in the code to join by', async () => {
  url = `http://ring.test:${server.port}`;
  const watching = await watch();
  const link = await watching.page.$eval('.join a', (element) => element.href);
  expect(link).toBe(`${url}/?room=lobby`);
  expect(await watching.page.$$('.join small')).toHaveLength(0);
});

test('a spectator too many is told so, and one of a room without a name', async () => {
  await server.close();
  server = await serve({ spectatorsPerRoom: 1 });
  url = `http://localhost:${server.port}`;
  await watch();
  const second = await Tab.open(browser, `${url}/watch`);
  pages.push(second);
  await until(async () => {
    expect(await second.alert()).toMatch('the limit of spectators for room lobby is 1');
  });
  // It does not know that nobody is in the ring.
  expect(await second.page.$eval('[data-testid=watch-leader]', (it) => it.textContent)).toMatch(
    'Connecting',
  );
  const third = await Tab.open(browser, `${url}/watch?room=a%20b`);
  pages.push(third);
  expect(await third.alert()).toMatch(/room name/);
});
