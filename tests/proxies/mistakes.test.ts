/** What a page says behind nginx where it is not set up as it should be: what fails, within five seconds. */
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { launchChromium, Tab } from '../e2e/support.ts';
import {
  makeCertificate,
  NAMES,
  NGINX,
  portLike,
  readExample,
  startProxy,
  startServerProcess,
  type ServerProcess,
} from './proxy.ts';

/** How long after it was opened a page may take to say what is wrong, in milliseconds. */
const SOON = 5_000;

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium([
    '--ignore-certificate-errors',
    `--host-resolver-rules=${NAMES.map((name) => `MAP ${name} 127.0.0.1`).join()}`,
  ]);
});

afterAll(async () => {
  await browser.close();
});

/** A program that accepts connections and never answers. */
async function startHole(): Promise<number> {
  const open = new Set<Socket>();
  const hole = createServer((socket) => {
    open.add(socket.on('error', () => undefined));
  }).listen(0, '127.0.0.1');
  await once(hole, 'listening');
  onTestFinished(() => {
    hole.close();
    for (const socket of open) socket.destroy();
  });
  const address = hole.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const UPGRADE_LINES = /^.*proxy_set_header (?:Upgrade|Connection) .*$/gm;

/** Puts a location for Socket.IO's path before that of all. */
const withSockets = (text: string, lines: string) =>
  text.replace('  location / {', `  location /socket.io/ {\n${lines}\n  }\n  location / {`);

interface Mistake {
  readonly name: string;
  readonly make: (text: string) => string | Promise<string>;
  /** Whether the server knows its address. */
  readonly isNamed: boolean;
  readonly words: RegExp;
  /** What the server's log has of it; nothing where nothing comes to it. */
  readonly logged: RegExp | null;
}

const MISTAKES: readonly Mistake[] = [
  {
    name: 'passes no Upgrade header on',
    make: (text) => text.replaceAll(UPGRADE_LINES, ''),
    isNamed: true,
    words:
      /The server answers over HTTP, but the WebSocket of this page came to it as an ordinary request\. A proxy in between has to pass on the headers Upgrade and Connection\./,
    logged: /have the proxy pass on the headers Upgrade and Connection/,
  },
  {
    name: 'calls the server by another name, and the server knows none',
    make: (text) => text.replace('Host $http_host', 'Host backend.internal'),
    isNamed: false,
    words:
      /refuses WebSockets from pages of the origin https:\/\/ring\.example\.org\S*: the Host header of the request was backend\.internal\. Have the proxy pass on the Host header/,
    logged: /the Host header of the request was "backend\.internal"/,
  },
  {
    name: 'calls the server by another name than PUBLIC_URL has',
    make: (text) => text.replace('Host $http_host', 'Host backend.internal'),
    isNamed: true,
    words:
      /this server is at https:\/\/ring\.example\.org\S*, but the Host header of the request was "backend\.internal": .*have the proxy pass on the Host header/,
    logged: /the Host header of the request was "backend\.internal"/,
  },
  {
    name: 'answers 403 where WebSockets are',
    make: (text) => withSockets(text, 'return 403;'),
    isNamed: true,
    words:
      /The server answers over HTTP, but no WebSocket to it can be opened: https:\/\/ring\.example\.org\S*\/socket\.io\/ answers with status 403, and not as the server does\./,
    logged: null,
  },
  {
    name: 'answers 403 to WebSockets alone',
    make: (text) =>
      text.replace(
        'location / {',
        "location / {\n    if ($http_upgrade = 'websocket') { return 403; }",
      ),
    isNamed: true,
    words:
      /The server answers over HTTP, but no WebSocket to it can be opened: that of this page is ended on its way\. It has not come to the server\./,
    logged: null,
  },
  {
    name: 'holds WebSockets and does not answer',
    make: async (text) => {
      const port = await startHole();
      const headers = (text.match(UPGRADE_LINES) ?? []).join('\n');
      return withSockets(text, `proxy_pass http://127.0.0.1:${port};\n${headers}`);
    },
    isNamed: true,
    words:
      /The server answers over HTTP, but the WebSocket of this page is not answered\. It has not come to the server\./,
    logged: null,
  },
];

async function startBadSite({
  make,
  isNamed,
}: Mistake): Promise<{ readonly url: string; readonly server: ServerProcess }> {
  const port = await portLike(8443);
  const url = `https://ring.example.org:${port}/`;
  const server = await startServerProcess({
    HOST: '127.0.0.1',
    TRUST_PROXY: 'loopback',
    ...(isNamed ? { PUBLIC_URL: url } : {}),
  });
  const text = await make(await readExample('nginx.conf'));
  await startProxy(NGINX, text, {
    ...{ port, serverPort: server.port },
    certificate: await makeCertificate(),
  });
  return { url, server };
}

test.each(MISTAKES)('nginx that $name is told of', async (mistake) => {
  const { url, server } = await startBadSite(mistake);
  for (const path of ['', 'watch']) {
    const tab = await Tab.make(browser);
    const begin = performance.now();
    await tab.page.goto(`${url}${path}`);
    await vi.waitFor(
      async () => {
        expect(await tab.page.$eval('body', ({ innerText }) => innerText)).toMatch(mistake.words);
      },
      { timeout: begin + SOON - performance.now(), interval: 50 },
    );
    await tab.close();
  }
  const said = server.warnings().map(({ msg }) => msg);
  if (mistake.logged === null) expect(said).toEqual([]);
  else expect(said).toContainEqual(expect.stringMatching(mistake.logged));
});
