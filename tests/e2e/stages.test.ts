/** The page's two stages: the shell in its HTML, and the whole page; and what may keep them from loading. */
import { createServer } from 'node:http';
import type { Browser, HTTPRequest } from 'puppeteer-core';
import { beforeEach, expect, test, vi } from 'vitest';
import { parsePeerId, type PeerId } from '../../shared/protocol/ids.ts';
import { hueOf, nameOf } from '../../shared/narration/names.ts';
import { PageFiles } from '../../signaling-server/page-files.ts';
import { defined, valueOf } from '../support.ts';
import { listening } from './listening.ts';
import { PAGE_FOLDER, PATIENCE, setStage, Tab, until, untilOneRing } from './support.ts';

let tabs: Tab[];
const stage = setStage({}, () => tabs);

beforeEach(() => {
  tabs = [];
});

/** The fate of a request; undefined: the server answers it. */
type Fate = (request: HTTPRequest) => Promise<void> | undefined;

async function makeTab(browser: Browser, fateOf: Fate): Promise<Tab> {
  const tab = await Tab.make(browser);
  await tab.page.setRequestInterception(true);
  tab.page.on('request', (request) => {
    void (fateOf(request) ?? request.continue());
  });
  return tab;
}

/** Whether a request is for the rest of the page. */
const isOfRest = (request: HTTPRequest) => /\/page-[^/]*\.js$/.test(request.url());

/** Whether it is for the program that index.html names. */
const isOfEntry = (request: HTTPRequest) => /\/index-[^/]*\.js$/.test(request.url());

/** The text that a person reads on a page. */
const textOf = (tab: Tab) =>
  tab.page.$eval('body', (body) => body.innerText.replaceAll(/\s+/g, ' ').trim());

/** Ids whose names take one line on a phone. A longer one, as a leader's, moves what is around it. */
const LESSER = valueOf(parsePeerId('44444444-0000-4000-8000-000000000000'));
const GREATER = valueOf(parsePeerId('eeeeeeee-0000-4000-8000-000000000000'));

/** Makes the tab's peer the one with this id. */
async function become(tab: Tab, id: PeerId): Promise<void> {
  await tab.page.evaluateOnNewDocument((given) => {
    Object.assign(crypto, { randomUUID: () => given });
  }, id);
}

/** What is there before the program runs; and what both stages have. */
const STATIC = ['h1', '.verdict', '.own', '.headline'];
const LASTING = [...STATIC, '.room', '.room strong', '.own .name'];

/** Where things are. */
function places(tab: Tab, names: readonly string[]): Promise<unknown> {
  return tab.page.evaluate(
    (all) =>
      all.map((name) => {
        const box = document.querySelector(name)?.getBoundingClientRect();
        return [
          name,
          ...[box?.x, box?.y, box?.width, box?.height].map((at) => Math.round(at ?? -1)),
        ];
      }),
    names,
  );
}

test.each([
  ['another tab', 1280, 800],
  ['this tab', 1280, 800],
  ['another tab', 390, 844],
  ['this tab', 390, 844],
])(
  'the shell says that %s leads, and what the whole page has of it stays in its place (%i by %i)',
  async (who, width, height) => {
    const isLeader = who === 'this tab';
    const [own, other] = isLeader ? [GREATER, LESSER] : [LESSER, GREATER];
    const first = await Tab.make(stage.browser);
    tabs.push(first);
    await become(first, other);
    await first.page.goto(`${stage.url}?room=class`);
    await untilOneRing([first]);
    const held: HTTPRequest[] = [];
    const untilHeld = async (): Promise<HTTPRequest> => {
      await until(() => {
        expect(held).toHaveLength(1);
      });
      return defined(held.pop());
    };
    const tab = await makeTab(stage.browser, (request) => {
      if (!isOfEntry(request) && !isOfRest(request)) return undefined;
      held.push(request);
      return Promise.resolve();
    });
    tabs.push(tab);
    await become(tab, own);
    await tab.page.setViewport({ width, height });
    const going = tab.page.goto(`${stage.url}?room=class`);
    const entry = await untilHeld();
    await tab.page.waitForSelector('[data-testid=event-log]');
    // Nothing is drawn before they are there.
    await tab.page.waitForFunction(() => document.styleSheets.length === 2);
    expect(await textOf(tab)).toContain('Joining the ring …');
    const joining = await places(tab, STATIC);
    await entry.continue();
    await going;
    await untilOneRing([tab, first]);
    const headline = isLeader ? '★ This tab leads' : `★ ${nameOf(other)} leads`;
    const shell = await textOf(tab);
    expect(shell).toMatch(/^Ringleader room class ● connected This tab is /);
    expect(shell).toContain(`This tab is ${nameOf(own)} ${own.slice(0, 8)} ${headline}`);
    expect(
      await tab.page.$eval('.own .name', (name) =>
        getComputedStyle(name).getPropertyValue('--hue'),
      ),
    ).toBe(String(hueOf(own)));
    expect(await places(tab, STATIC)).toEqual(joining);
    const before = await places(tab, LASTING);
    await (await untilHeld()).continue();
    await tab.page.waitForSelector('[data-testid=event]');
    expect(await textOf(tab)).toContain(`${nameOf(own)} ${own.slice(0, 8)} ${headline}`);
    expect(await places(tab, LASTING)).toEqual(before);
  },
);

test('the leader is said in the same moment in which it is known', async () => {
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  await tab.page.evaluateOnNewDocument(() => {
    new MutationObserver(() => {
      const leader = document.querySelector<HTMLElement>('[data-testid=leader-id]');
      if ((leader?.dataset['value'] ?? '') === '') return;
      document.documentElement.dataset['said'] ??=
        document.querySelector('.headline')?.textContent ?? '';
    }).observe(document, { subtree: true, childList: true, attributeFilter: ['data-value'] });
  });
  await tab.page.goto(stage.url);
  await untilOneRing([tab]);
  expect(await tab.page.$eval('html', ({ dataset }) => dataset['said'])).toBe('★ This tab leads');
});

test('a member that finds no leader gets the whole page after a moment', async () => {
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  await tab.page.evaluateOnNewDocument(() => {
    // Nothing comes from the server.
    globalThis.WebSocket = class extends WebSocket {
      constructor() {
        super(`ws://${location.host}/nowhere`);
      }
    };
  });
  await tab.page.goto(stage.url);
  await tab.page.waitForSelector('[data-testid=event-log][role]', { timeout: PATIENCE });
  expect(await textOf(tab)).toContain('Joining the ring …');
});

test('a page whose server dies before all of it was loaded is whole once the server is back', async () => {
  let isServed = true;
  const failed = new Set<string>();
  const tab = await makeTab(stage.browser, (request) =>
    // What the entry requests once there is a leader.
    isServed || !request.url().includes('/assets/') ? undefined : request.abort(),
  );
  tab.page.on('requestfailed', (request) => failed.add(request.resourceType()));
  await tab.page.goto(stage.url, { waitUntil: 'domcontentloaded' });
  isServed = false;
  await untilOneRing([tab]);
  await vi.waitFor(
    () => {
      expect([...failed]).toEqual(expect.arrayContaining(['script', 'stylesheet']));
    },
    { timeout: PATIENCE, interval: 20 },
  );
  await until(async () => {
    expect(await tab.alert()).toContain('The rest of this page cannot be loaded');
  });
  expect(await textOf(tab)).toContain('★ This tab leads');
  isServed = true;
  await tab.page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
  expect(await tab.alert()).toBe('');
  // Of the shell's style sheet and of the whole page's.
  const paper = await tab.page.$eval('body', (body) =>
    getComputedStyle(body).getPropertyValue('--paper'),
  );
  expect(paper).not.toBe('');
  expect(await tab.page.$eval('main', (main) => getComputedStyle(main).display)).toBe('grid');
});

test('a page that was cut off after its head is whole all the same', async () => {
  const page = await (await fetch(stage.url)).text();
  const files = new PageFiles(PAGE_FOLDER, (error) => {
    throw error;
  });
  /** A proxy may pass on a page that was cut off as if it were whole. */
  const proxy = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    const cut = Number(searchParams.get('cut'));
    if (pathname === '/')
      response.writeHead(200, { 'content-type': 'text/html' }).end(page.slice(0, cut));
    else if (!files.answer(pathname, request, response)) response.writeHead(404).end();
  });
  const port = await listening(proxy);
  for (const end of ['<body', 'class="verdict', 'data-testid="term"']) {
    const cut = page.indexOf(end);
    const tab = await Tab.open(stage.browser, `http://localhost:${port}/?cut=${cut}`);
    tabs.push(tab);
    await tab.page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
    expect((await tab.values())['own-id']).not.toBe('');
    await tab.close();
  }
});

test.each([
  ['does not come', (request: HTTPRequest) => request.abort()],
  [
    'is cut off',
    (request: HTTPRequest) => request.respond({ contentType: 'text/javascript', body: 'if (a' }),
  ],
])('a page whose program %s says that it has not started', async (_, spoil) => {
  const tab = await makeTab(stage.browser, (request) =>
    isOfEntry(request) ? spoil(request) : undefined,
  );
  await tab.page.goto(stage.url);
  await tab.page.waitForSelector('.not-started', { visible: true, timeout: PATIENCE });
  expect(await textOf(tab)).toContain('The program of this page has not started yet.');
});

test('where JavaScript is off, the page says that it needs it, and nothing else of the ring', async () => {
  const tab = await Tab.make(stage.browser);
  await tab.page.setJavaScriptEnabled(false);
  await tab.page.goto(stage.url);
  expect(await textOf(tab)).toContain('This page needs JavaScript');
  expect(await textOf(tab)).not.toMatch(/Joining|connecting|will lead|has not started/);
});
