import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { defined } from '../support.ts';
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

test('a tab at a server that takes no more connections says so, and joins once it does', async () => {
  const server = await serve({ connections: 1 });
  const url = `http://localhost:${server.port}/`;
  const [first] = await openTabs(browser, 1, url);
  await until(async () => {
    expect(await defined(first).values()).toMatchObject({ role: 'leader' });
  });
  const second = await Tab.open(browser, url);
  await until(async () => {
    const [notice] = await notices(second, 'server');
    expect(notice).toContain('takes no more connections at the moment');
    expect(notice).toContain('This page keeps trying.');
  });
  await defined(first).close();
  await until(async () => {
    expect(await second.values()).toMatchObject({ role: 'leader', 'server-link': 'connected' });
    expect(await notices(second, 'server')).toEqual([]);
  });
  await second.close();
  await server.close();
});

test('R10 a leader that nobody hears any more says so, and not that it leads or that the ring goes on', async () => {
  const server = await serve();
  const tabs = await openTabs(browser, 2, `http://localhost:${server.port}/`);
  const [values] = await untilOneRing(tabs);
  const ids = await Promise.all(tabs.map(async (tab) => (await tab.values())['own-id']));
  const leader = defined(tabs[ids.indexOf(values?.['leader-id'] ?? '')]);
  const other = defined(tabs.find((tab) => tab !== leader));
  const headline = () => leader.page.$eval('.headline', ({ textContent }) => textContent);
  await until(async () => {
    expect(await headline()).toContain('This tab leads');
  });
  await server.close();
  await other.click('Crash');
  await until(async () => {
    expect(await headline()).toBe('The leader is not confirmed');
    const shown = await leader.page.$eval('main', (main) => main.innerText);
    expect(shown).toMatch(
      /This tab was elected, but its announcement has not come round the ring in time: it was confirmed until \d\d:\d\d:\d\d\. The ring may have another leader by now\./,
    );
    expect(shown).toMatch(/leader, not confirmed/);
    expect(shown).not.toMatch(/This tab leads|goes on/);
    expect(await leader.page.title()).toBe('Not confirmed · Ringleader');
    const log = await leader.log();
    expect(log.map(({ text }) => text).join('\n')).toMatch(
      /I am not confirmed as the leader any more/,
    );
  });
  for (const tab of tabs) await tab.close();
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
  // A server that has only the page stands in for one that is down.
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
    expect(await tab.alert()).toMatch(
      /^This page cannot reach its signaling server, since \d\d:\d\d:\d\d\. localhost:\d+ answers over HTTP, with status 404, but not as this server/,
    );
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

/** Runs in a page before its program: makes it one of another version. */
function makeOutdated(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on whatever is to send
  const { send } = WebSocket.prototype;
  globalThis.isOutdated = false;
  WebSocket.prototype.send = function (data) {
    const isAsked = isOutdated && typeof data === 'string';
    send.call(this, isAsked ? data.replace(/\{"version":\d+,"room"/, '{"version":7,"room"') : data);
  };
}

test('a server of another version leaves open pages their ring, and is said so with a way to reload', async () => {
  const server = await serve();
  const url = `http://localhost:${server.port}/`;
  const open = async (path: string) => {
    const tab = await Tab.make(browser);
    await tab.page.evaluateOnNewDocument(makeOutdated);
    await tab.page.goto(`${url}${path}`);
    return tab;
  };
  const first = await open('');
  const tabs = [first, ...(await Promise.all([open(''), open('')]))];
  const before = await untilOneRing(tabs);
  for (const { page } of tabs) await page.waitForSelector('[data-testid=event]');
  const watching = await open('watch');
  await watching.page.waitForSelector('[data-testid=watch-link][data-value=connected]');
  for (const { page } of [...tabs, watching])
    await page.evaluate(() => {
      globalThis.isOutdated = true;
    });
  await server.close();
  const next = await serve({ port: server.port });
  onTestFinished(() => next.close());
  for (const tab of tabs)
    await until(async () => {
      expect(await notices(tab, 'refused')).toEqual([
        expect.stringMatching(/^The server and this page have different versions\./),
      ]);
      expect((await tab.values())['server-link']).toBe('offline');
    });
  await until(async () => {
    expect(await watching.alert()).toBe(
      'This page and the server have different versions. Reload it to continue watching.',
    );
  });
  // They elect as before.
  const wanted = before.map((values) => values['leader-id']);
  await first.click('Start election');
  await until(async () => {
    const values = await Promise.all(tabs.map((tab) => tab.values()));
    expect(values.map((each) => each['leader-id'])).toEqual(wanted);
    const terms = new Set(values.map((each) => Number(each['term'])));
    expect([...terms]).toEqual([Number(before[0]?.['term']) + 1]);
  });
  expect(next.signaling.size.peers).toBe(0);
  // A page that is loaded again is one of the server's version.
  for (const tab of [first, watching]) await tab.click('Reload page');
  await untilOneRing([first]);
  await until(async () => {
    expect((await watching.values())['watch-peers']).toBe('1');
  });
  for (const tab of [...tabs, watching]) await tab.close();
});

/**
 * A proxy before a server that does not do all that it should.
 * @param hasWebSockets whether it passes them on
 * @param host the name by which it calls the server; null: the name by which it was called itself
 */
async function openProxy(
  port: number,
  hasWebSockets: boolean,
  host: string | null,
): Promise<string> {
  const proxy = createServer(({ url, method, headers }, response) => {
    const sent = { ...headers, ...(host === null ? {} : { host }) };
    request({ port, path: url, method, headers: sent }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    }).end();
  });
  proxy.on('upgrade', ({ url, headers }: IncomingMessage, socket: Socket) => {
    if (!hasWebSockets) {
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      return;
    }
    const sent = Object.entries({ ...headers, ...(host === null ? {} : { host }) });
    const server = connect(port, '127.0.0.1');
    server.write(
      `GET ${url} HTTP/1.1\r\n${sent.map(([name, value]) => `${name}: ${String(value)}\r\n`).join('')}\r\n`,
    );
    server.pipe(socket).pipe(server);
    for (const each of [server, socket]) each.on('error', () => undefined);
  });
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://localhost:${await portOf(proxy)}/`;
}

test('behind a proxy that passes no WebSockets on, or another name, both pages say what was found out', async () => {
  const server = await serve();
  onTestFinished(() => server.close());
  const cases = [
    [await openProxy(server.port, false, null), /answers over HTTP, but no WebSocket/],
    [
      await openProxy(server.port, true, 'inner.test'),
      /refuses WebSockets from pages of the origin http:\/\/localhost:\d+: the Host header of the request was inner\.test/,
    ],
  ] as const;
  const tabs: Tab[] = [];
  for (const [url, words] of cases)
    for (const path of ['', 'watch']) {
      const tab = await Tab.open(browser, `${url}${path}`);
      tabs.push(tab);
      await until(async () => {
        const text = await tab.alert();
        expect(text).toMatch(/^This page cannot reach its signaling server, since/);
        expect(text).toMatch(words);
        expect(text).not.toMatch(/\bis on\b/);
      });
    }
  for (const tab of tabs) await tab.close();
});

test('nothing is said on a channel that a browser calls open too soon', async () => {
  const server = await serve();
  const tabs = await Promise.all([Tab.make(browser), Tab.make(browser), Tab.make(browser)]);
  for (const tab of tabs) {
    // Chromium does this now and then at the answering end, where the machine is busy: until something has
    // come on a channel, what is sent on it is lost.
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
  // Sleep itself is tested: long enough to be reported, too short for the ring to close over it.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  await until(async () => {
    const [text] = await notices(leader, 'asleep');
    expect(text).toMatch(/This page did not run for \d s\. It has kept its place/);
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
  /** Of a page that {@link makeOutdated} ran in: whether it speaks another version to the server. */
  var isOutdated: boolean;
  /** Of a page that {@link makeCuttable} ran in. */
  var cutOff: (wanted: boolean) => void;
}

/** Runs in a page before its program: cuts it off from server and neighbours, and reconnects it. */
function makeCuttable(): void {
  const cut: (() => void)[] = [];
  let isCut = false;
  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      // Nothing takes one there; the page's policy allows no other server.
      super(isCut ? `ws://${location.host}/nowhere` : url, protocols);
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
