/** Real tabs in real browsers on a real server, and what must be true of the ring they form. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import type { ServerOptions } from '../../signaling-server/options.ts';
import { startServer, type RunningServer } from '../../signaling-server/server.ts';

export const PAGE_FOLDER = fileURLToPath(new URL('../../dist/web', import.meta.url));

/** How long anything may take on a slow machine, in milliseconds. Not a measure of anything. */
export const PATIENCE = 40_000;

/** Options that keep Chromium off the network and let it run as root in a container. */
const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  // Chromium would start a hidden process for each tab, as heavy as the tab itself, and keep another one
  // ready for the next, which cannot use it in a separate context.
  '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess',
  // A name that is not localhost, for a page on an insecure origin.
  '--host-resolver-rules=MAP ring.test 127.0.0.1',
];

function browserPath(variable: string): string {
  const path = process.env[variable];
  if (path === undefined) throw new Error(`${variable} is not set; run the tests by npm test`);
  return path;
}

/** Options of puppeteer that keep hidden pages awake. */
const KEEP_AWAKE = [
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

/**
 * @param more arguments
 * @param background the state of pages in the background: `throttled` as in people's browsers
 */
export function launchChromium(
  more: readonly string[] = [],
  background: 'awake' | 'throttled' = 'awake',
): Promise<Browser> {
  return puppeteer.launch({
    executablePath: browserPath('CHROMIUM_PATH'),
    args: [...CHROMIUM_ARGUMENTS, ...more],
    ignoreDefaultArgs: background === 'throttled' ? KEEP_AWAKE : [],
  });
}

/** The path of a program of the system. */
function existing(program: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const paths = folders.map((folder) => join(folder, program));
  return paths.find((path) => existsSync(path)) ?? program;
}

/**
 * Chromium in another part of the network.
 * @param within puts a command behind the one that runs it there
 */
export function launchWithin(
  within: (command: readonly string[]) => readonly string[],
): Promise<Browser> {
  const [program = '', ...before] = within([browserPath('CHROMIUM_PATH')]);
  return puppeteer.launch({
    executablePath: existing(program),
    // From here none of its own addresses is reached.
    pipe: true,
    ignoreDefaultArgs: true,
    args: [...before, ...puppeteer.defaultArgs({ args: [...CHROMIUM_ARGUMENTS] })],
  });
}

export function launchFirefox(): Promise<Browser> {
  return puppeteer.launch({ browser: 'firefox', executablePath: browserPath('FIREFOX_PATH') });
}

/** Starts a server on a free port, or the given one. */
export function serve(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  return startServer(
    {
      port: 0,
      host: '127.0.0.1',
      logLevel: 'silent',
      peersPerRoom: 1_000,
      rooms: 10,
      spectatorsPerRoom: 16,
      spectators: 64,
      secret: 'the secret of all test servers, of some length',
      connections: 5_000,
      connectionsPerAddress: 500,
      joinSecret: undefined,
      stunUrls: [],
      turnUrls: [],
      turnSecret: undefined,
      relays: true,
      relayedBytes: 2_000_000,
      trustedProxies: '',
      allowedOrigins: [],
      publicUrl: null,
      basePath: '/',
      frameAncestors: [],
      metricsPort: null,
      redisUrl: undefined,
      ...options,
    },
    PAGE_FOLDER,
  );
}

/** The values a page shows, by the test ids of its elements. */
export type Values = Readonly<Record<string, string>>;

/**
 * Firefox logs each failed attempt at a link like an error of the page. Some attempts fail: the names by
 * which two browsers hide their addresses from each other (mDNS) get lost on a busy machine, as on a real
 * network, and the ring makes another attempt.
 */
const FIREFOX_NOTE = 'Error: WebRTC: ICE failed';

/** One tab in its own browser context, as on a separate device. */
export class Tab {
  readonly page: Page;
  readonly #context: BrowserContext;
  /** Errors the page did not catch, and what its policy forbids it. */
  readonly errors: string[] = [];

  private constructor(page: Page, context: BrowserContext) {
    this.page = page;
    this.#context = context;
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => {
      if (!String(error).startsWith(FIREFOX_NOTE)) this.errors.push(String(error));
    });
    page.on('console', (message) => {
      if (/content.security.policy/i.test(message.text())) this.errors.push(message.text());
    });
  }

  static async make(browser: Browser): Promise<Tab> {
    return Tab.makeIn(await browser.createBrowserContext());
  }

  /** Those of one context share a window, so that one of them is visible and the others are not. */
  static async makeIn(context: BrowserContext): Promise<Tab> {
    return new Tab(await context.newPage(), context);
  }

  static async open(browser: Browser, url: string): Promise<Tab> {
    const tab = await Tab.make(browser);
    await tab.page.goto(url);
    return tab;
  }

  values(): Promise<Values> {
    return this.page.evaluate(() =>
      Object.fromEntries(
        Array.from(document.querySelectorAll('[data-testid][data-value]'), (element) => [
          element.getAttribute('data-testid') ?? '',
          element.getAttribute('data-value') ?? '',
        ]),
      ),
    );
  }

  /** The log, oldest entry first. */
  async log(): Promise<{ kind: string; text: string }[]> {
    const entries = await this.page.$$eval('[data-testid=event]', (elements) =>
      elements.map((element) => ({
        kind: element.getAttribute('data-kind') ?? '',
        text: element.textContent.replaceAll(/\s+/g, ' ').trim(),
      })),
    );
    return entries.toReversed();
  }

  async click(name: string): Promise<void> {
    await this.page.locator(`::-p-aria([name="${name}"][role="button"])`).click();
  }

  /** The text of everything the page reads out at once. */
  alert(): Promise<string> {
    return this.page.$$eval('[role=alert]', (elements) =>
      elements.map((element) => element.textContent.replaceAll(/\s+/g, ' ').trim()).join(' '),
    );
  }

  async close(): Promise<void> {
    await this.page.close();
    await this.#context.close();
  }
}

export function openTabs(browser: Browser, count: number, url: string): Promise<Tab[]> {
  return Promise.all(Array.from({ length: count }, () => Tab.open(browser, url)));
}

/** What keeps the tabs from being one ring that agrees, in words; nothing where all is well. */
function ringProblems(tabs: readonly Values[], links: readonly string[]): string[] {
  const problems: string[] = [];
  const byId = new Map(tabs.map((values) => [values['own-id'] ?? '', values]));
  const greatest = [...byId.keys()].toSorted().at(-1);
  for (const values of tabs) {
    const id = values['own-id'] ?? '';
    const wanted: Values = {
      'leader-id': greatest ?? '',
      role: id === greatest ? 'leader' : 'follower',
      'ring-size': String(tabs.length),
      term: tabs[0]?.['term'] ?? '',
      'server-link': 'connected',
    };
    for (const name of ['successor-link', 'predecessor-link'])
      if (!(tabs.length === 1 ? ['none'] : links).includes(values[name] ?? ''))
        problems.push(`${id}: ${name} is "${values[name]}"`);
    for (const [name, value] of Object.entries(wanted))
      if (values[name] !== value)
        problems.push(`${id}: ${name} is "${values[name]}", not "${value}"`);
    const successor = byId.get(values['successor-id'] ?? '');
    if (successor?.['predecessor-id'] !== id)
      problems.push(`${id}: not the predecessor of its successor ${values['successor-id']}`);
  }
  const seen = new Set<string>();
  for (let at = tabs[0]?.['own-id']; at !== undefined && !seen.has(at);) {
    seen.add(at);
    at = byId.get(at)?.['successor-id'];
  }
  if (seen.size !== tabs.length)
    problems.push(`successors lead through ${seen.size} of ${tabs.length}`);
  return problems;
}

/**
 * Checks pages repeatedly until the check succeeds; returns its result.
 * @param pages to check: each check takes time of a small machine from what is waited for
 */
export function until<T>(check: () => T | Promise<T>, pages = 1): Promise<T> {
  return vi.waitFor(check, { timeout: PATIENCE, interval: Math.max(50, 25 * pages) });
}

/**
 * Waits until the tabs are one ring and agree; returns what they show then.
 * @param links the allowed kinds of links between them
 */
export function untilOneRing(
  tabs: readonly Tab[],
  links: readonly string[] = ['direct'],
): Promise<Values[]> {
  return until(async () => {
    const values = await Promise.all(tabs.map((tab) => tab.values()));
    expect(ringProblems(values, links)).toEqual([]);
    return values;
  }, tabs.length);
}

/** The tab that leads, and the others. */
export function byRole(
  tabs: readonly Tab[],
  values: readonly Values[],
): { leader: Tab; others: Tab[] } {
  const leader = tabs.find((_, at) => values[at]?.['role'] === 'leader');
  if (leader === undefined) throw new Error('no tab leads');
  return { leader, others: tabs.filter((tab) => tab !== leader) };
}

/** What the tests of a file run on. */
export interface Stage {
  /** One for the whole file. */
  readonly browser: Browser;
  /** Another for each test. */
  readonly server: RunningServer;
  /** Of the server, with a slash at its end. */
  readonly url: string;
}

/**
 * Makes each test of the file begin with a new server, and leave no tab behind.
 * @param tabs those of a test that must have caught all their errors by its end
 */
export function setStage(
  options: Partial<ServerOptions> = {},
  tabs: () => readonly Tab[] = () => [],
): Stage {
  let browser: Browser | null = null;
  let server: RunningServer | null = null;
  const ready = <T>(value: T | null): T => {
    if (value === null) throw new Error('only in a test');
    return value;
  };
  beforeAll(async () => {
    browser = await launchChromium();
  });
  beforeEach(async () => {
    server = await serve(options);
  });
  afterEach(async () => {
    const errors = tabs().flatMap((tab) => tab.errors);
    const all = ready(browser);
    await Promise.all(
      all.browserContexts().map(async (context) => {
        if (context !== all.defaultBrowserContext()) await context.close();
      }),
    );
    await ready(server).close();
    expect(errors).toEqual([]);
  });
  afterAll(async () => {
    await ready(browser).close();
  });
  return {
    get browser() {
      return ready(browser);
    },
    get server() {
      return ready(server);
    },
    get url() {
      return `http://localhost:${ready(server).port}/`;
    },
  };
}

/** What a page says of one kind of trouble. */
export function notices(tab: Tab, kind: string): Promise<string[]> {
  return tab.page.$$eval(`[data-testid=notice][data-kind="${kind}"] p`, (elements) =>
    elements.map((element) => element.textContent.replaceAll(/\s+/g, ' ').trim()),
  );
}
