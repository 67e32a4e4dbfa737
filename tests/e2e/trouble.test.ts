import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PageFiles } from '../../signaling-server/page-files.ts';
import {
  byRole,
  launchChromium,
  notices,
  openTabs,
  PAGE_FOLDER,
  PATIENCE,
  serve,
  Tab,
  until,
  untilOneRing,
} from './support.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
});

/** Has a server of the test's own listen; returns its port. */
async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

test('a room of an impossible name is refused in plain words', async () => {
  const server = await serve();
  const tab = await Tab.open(browser, `http://localhost:${server.port}/?room=what%20room%3F`);
  await until(async () => {
    expect(await tab.alert()).toContain(
      'a room name has 1 to 64 of the letters A to Z and a to z, digits, "-" and "_"',
    );
  });
  expect(await tab.page.$eval('h1', (element) => element.textContent)).toContain('what room?');
  await tab.close();
  await server.close();
});

test('a full room says so, and takes the tab in once there is a place', async () => {
  const server = await serve({ peersPerRoom: 1 });
  const url = `http://localhost:${server.port}/`;
  const first = await Tab.open(browser, url);
  await untilOneRing([first]);
  const second = await Tab.open(browser, url);
  await until(async () => {
    expect(await second.alert()).toContain('room lobby is full');
    expect(await second.alert()).toContain('Wait until somebody leaves and press “Rejoin ring”');
    expect((await second.values())['role']).toBe('offline');
  });
  await first.close();
  await until(() => {
    expect(server.signaling.size.peers).toBe(0);
  });
  await second.click('Rejoin ring');
  await untilOneRing([second]);
  expect(await second.alert()).toBe('');
  await second.close();
  await server.close();
});

test('a server that is down when the page opens is said so and tried again', async () => {
  // A server that has the page and nothing else stands in for one that is down.
  const files = new PageFiles(PAGE_FOLDER, (error) => {
    throw error;
  });
  const pageOnly = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://localhost');
    if (!files.answer(pathname, request, response)) response.writeHead(404).end();
  });
  const port = await portOf(pageOnly);
  const tab = await Tab.open(browser, `http://localhost:${port}/`);
  await until(async () => {
    expect(await tab.alert()).toContain('The server cannot be reached.');
    const values = await tab.values();
    expect(values['server-link']).toBe('reconnecting');
    expect(values['role']).toBe('joining');
  });
  pageOnly.closeAllConnections();
  pageOnly.close();
  await once(pageOnly, 'close');
  const server = await serve({ port });
  await untilOneRing([tab]);
  expect(await tab.alert()).toBe('');
  await tab.close();
  await server.close();
});

test('a page whose server dies before all of it was loaded is whole once the server is back', async () => {
  const server = await serve();
  const tab = await Tab.make(browser);
  let isServed = true;
  const failed = new Set<string>();
  await tab.page.setRequestInterception(true);
  tab.page.on('request', (request) => {
    // What the entry asks for once the ring is quiet.
    if (isServed || !request.url().includes('/assets/')) void request.continue();
    else void request.abort();
  });
  tab.page.on('requestfailed', (request) => failed.add(request.resourceType()));
  await tab.page.goto(`http://localhost:${server.port}/`, { waitUntil: 'domcontentloaded' });
  isServed = false;
  await untilOneRing([tab]);
  await vi.waitFor(
    () => {
      expect(failed).toEqual(new Set(['script', 'stylesheet']));
    },
    { timeout: PATIENCE, interval: 20 },
  );
  await until(async () => {
    expect(await tab.alert()).toContain('The rest of this page cannot be loaded');
  });
  isServed = true;
  await tab.page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
  expect(await tab.alert()).toBe('');
  const paper = await tab.page.$eval('body', (body) =>
    getComputedStyle(body).getPropertyValue('--paper'),
  );
  expect(paper).not.toBe('');
  await tab.close();
  await server.close();
});

test('a page of which only a part has come says so, one that comes slowly runs', async () => {
  const server = await serve();
  const page = await (await fetch(`http://localhost:${server.port}/`)).text();
  const program = page.indexOf('id="program"');
  const body = page.indexOf('<body');
  /** As a proxy passes on a page that was cut off: whoever reads it takes it for whole. */
  const proxy = createServer(({ url }, response) => {
    const cut = Number(url?.slice(1));
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(page.slice(0, cut));
  });
  let sendRest: () => void = () => undefined;
  const slow = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.write(page.slice(0, body / 2));
    sendRest = () => response.end(page.slice(body / 2));
  });
  const port = await portOf(proxy);
  // In the middle of the program, before it, after it, and among what the page shows.
  for (const cut of [
    body / 2,
    page.lastIndexOf('<script', program),
    body - 1,
    page.indexOf('data-testid="term"'),
  ]) {
    const tab = await Tab.make(browser);
    await tab.page.goto(`http://localhost:${port}/${Math.floor(cut)}`);
    await until(async () => {
      expect(await tab.alert()).toBe('Only a part of this page has come. Reload it.');
    });
    await tab.close();
  }
  const tab = await Tab.make(browser);
  const asked = once(slow, 'request');
  const url = `http://localhost:${await portOf(slow)}/`;
  const going = tab.page.goto(url, { waitUntil: 'domcontentloaded' });
  await asked;
  sendRest();
  await going;
  await until(async () => {
    expect((await tab.values())['own-id']).not.toBe('');
  });
  await tab.close();
  for (const each of [proxy, slow]) {
    each.closeAllConnections();
    each.close();
  }
  await server.close();
});

test('a browser that does not understand the program says so', async () => {
  const server = await serve();
  const page = await (await fetch(`http://localhost:${server.port}/`)).text();
  const program = /(id="program">)/;
  const newer = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(page.replace(program, '$1what is of tomorrow;'));
  });
  const tab = await Tab.make(browser);
  await tab.page.goto(`http://localhost:${await portOf(newer)}/`);
  await until(async () => {
    expect(await tab.alert()).toContain('This browser cannot run this page.');
  });
  await tab.close();
  newer.closeAllConnections();
  newer.close();
  await server.close();
});

test('a tab that is drawn or whose program starts late brings one offer with its join, another two', async () => {
  const server = await serve();
  /**
   * @param late by how many milliseconds its program starts later than it does
   * @param frame after how many more than now it is drawn; null where it counts as drawn in time
   */
  const offersOf = async (late: number, frame: number | null) => {
    const tab = await Tab.make(browser);
    await tab.page.evaluateOnNewDocument(
      (late, frame) => {
        const entriesOf = performance.getEntriesByName.bind(performance);
        performance.getEntriesByName = (name, type) => {
          if (name === 'device-busy' && frame === null) return [];
          const entries = entriesOf(name, type);
          for (const entry of entries)
            Object.defineProperty(entry, 'startTime', { value: entry.startTime - late });
          return entries;
        };
        const { requestAnimationFrame } = globalThis;
        globalThis.requestAnimationFrame = (draw) =>
          requestAnimationFrame((at) => setTimeout(draw, frame ?? 0, at));
        globalThis.RTCPeerConnection = class extends RTCPeerConnection {
          constructor(configuration?: RTCConfiguration) {
            super(configuration);
            const { dataset } = document.body;
            dataset['offers'] = String(Number(dataset['offers'] ?? 0) + 1);
          }
        };
      },
      late,
      frame,
    );
    await tab.page.goto(`http://localhost:${server.port}/`);
    await untilOneRing([tab]);
    const offers = await tab.page.$eval('body', (body) => body.dataset['offers']);
    await tab.close();
    await until(() => {
      expect(server.signaling.size.peers).toBe(0);
    });
    return Number(offers);
  };
  // No machine is too slow for that.
  expect(await offersOf(-60_000, null)).toBe(2);
  expect(await offersOf(1_000, null)).toBe(1);
  expect(await offersOf(-60_000, 200)).toBe(1);
  await server.close();
});

test('nothing is said on a channel that a browser calls open too soon', async () => {
  const server = await serve();
  const tabs = await Promise.all([Tab.make(browser), Tab.make(browser), Tab.make(browser)]);
  for (const tab of tabs) {
    // What Chromium does now and then at the end that answers, where the machine is busy: until
    // something has come on a channel, what is sent on it is lost.
    await tab.page.evaluateOnNewDocument(() => {
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          this.addEventListener('datachannel', ({ channel }) => {
            channel.send = () => undefined;
            const mend = () => Reflect.deleteProperty(channel, 'send');
            channel.addEventListener('message', mend, { once: true });
          });
        }
      };
    });
    await tab.page.goto(`http://localhost:${server.port}/`);
  }
  await untilOneRing(tabs);
  for (const tab of tabs) await tab.close();
  await server.close();
});

test('a browser without WebRTC is told so', async () => {
  const server = await serve();
  const tab = await Tab.make(browser);
  await tab.page.evaluateOnNewDocument(() => {
    Reflect.deleteProperty(globalThis, 'RTCPeerConnection');
    Reflect.deleteProperty(globalThis, 'webkitRTCPeerConnection');
  });
  await tab.page.goto(`http://localhost:${server.port}/`);
  await until(async () => {
    expect(await tab.alert()).toContain('This browser has no WebRTC. Peers are linked by it');
    expect((await tab.values())['role']).toBe('offline');
  });
  await tab.close();
  await server.close();
});

test('a page that was asleep says so, and whether it kept its place', async () => {
  const server = await serve();
  const tabs = await openTabs(browser, 3, `http://localhost:${server.port}/`);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  await leader.page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
  const session = await leader.page.createCDPSession();
  const id = (await leader.values())['own-id'];
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  // Sleep is what this is about: long enough to be told, too short for the ring to close over it.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  await until(async () => {
    const [text] = await notices(leader, 'asleep');
    expect(text).toMatch(/This page was asleep for \d s\. It has kept its place/);
    expect((await leader.values())['own-id']).toBe(id);
  });
  await leader.page.$eval('[data-kind=asleep] button', (button) => {
    button.click();
  });
  expect(await notices(leader, 'asleep')).toEqual([]);

  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  await untilOneRing(others);
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  await until(async () => {
    const [text] = await notices(leader, 'asleep');
    expect(text).toContain('so it came back as a new peer with a new uuid');
    expect(await notices(leader, 'new peer')).toEqual([]);
  });
  expect((await leader.values())['own-id']).not.toBe(id);
  await untilOneRing(tabs);
  for (const tab of tabs) await tab.close();
  await server.close();
});

declare global {
  /** Of a page that {@link makeCuttable} ran in. */
  var cutOff: (wanted: boolean) => void;
}

/** In a page before its program: what cuts it off from server and neighbours, and lets it back. */
function makeCuttable(): void {
  const cut: (() => void)[] = [];
  let isCut = false;
  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      // The port of nobody.
      super(isCut ? 'ws://127.0.0.1:9/' : url, protocols);
      cut.push(() => {
        this.close();
      });
    }
  };
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      cut.push(() => {
        this.close();
      });
    }
  };
  globalThis.cutOff = (wanted) => {
    isCut = wanted;
    if (isCut) for (const end of cut) end();
  };
}

const setCut = (tab: Tab, isCut: boolean) =>
  tab.page.evaluate((wanted) => {
    cutOff(wanted);
  }, isCut);

test('a tab that was cut off until the ring closed over it is back as a new peer, and says so once', async () => {
  const server = await serve();
  const url = `http://localhost:${server.port}/`;
  const others = await openTabs(browser, 2, url);
  const tab = await Tab.make(browser);
  await tab.page.evaluateOnNewDocument(makeCuttable);
  await tab.page.goto(url);
  await untilOneRing([...others, tab]);
  await tab.page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
  const id = (await tab.values())['own-id'];
  await setCut(tab, true);
  await untilOneRing(others);
  expect(await notices(tab, 'new peer')).toEqual([]);
  await setCut(tab, false);
  const values = await untilOneRing([...others, tab]);
  expect(values.at(-1)?.['own-id']).not.toBe(id);
  await until(async () => {
    expect(await notices(tab, 'new peer')).toEqual([
      expect.stringMatching(
        /^This tab lost its place in the ring and came back as a new peer\. .* Its old uuid counts as gone, so it has a new one\./,
      ),
    ]);
  });
  expect(await tab.alert()).toBe('');
  await tab.page.$eval('[data-kind="new peer"] button', (button) => {
    button.click();
  });
  expect(await notices(tab, 'new peer')).toEqual([]);
  for (const each of [...others, tab]) expect(each.errors).toEqual([]);
  for (const each of [...others, tab]) await each.close();
  await server.close();
});

test('the downloaded log is that of a classic program', async () => {
  const server = await serve();
  const folder = await mkdtemp(join(tmpdir(), 'ringleader-'));
  const tab = await Tab.open(browser, `http://localhost:${server.port}/`);
  const [values] = await untilOneRing([tab]);
  const browserContextId = tab.page.browserContext().id ?? '';
  const session = await tab.page.createCDPSession();
  await session.send('Browser.setDownloadBehavior', {
    behavior: 'allow',
    downloadPath: folder,
    browserContextId,
  });
  await tab.click('Download log');
  const id = values?.['own-id'] ?? '';
  const text = await until(async () => {
    const [file] = (await readdir(folder)).filter((name) => name.endsWith('.log'));
    if (file === undefined) throw new Error('nothing downloaded yet');
    const content = await readFile(join(folder, file), 'utf8');
    expect(content).not.toBe('');
    return content;
  });
  expect(text).toContain(`Sent: uuid=${id}, flag=0, term=1`);
  expect(text).toContain(`Received: uuid=${id}, flag=0, term=1, same, compared to ${id}`);
  expect(text).toContain(`leader is ${id}, term=1`);
  expect(text).toContain(`Received: uuid=${id}, flag=1, term=1`);
  await tab.close();
  await server.close();
  await rm(folder, { recursive: true });
});
