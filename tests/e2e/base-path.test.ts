/** The pages below a path: the server's own, and one that a proxy removes. */
import { createServer, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { RunningServer } from '../../signaling-server/server.ts';
import { defined } from '../support.ts';
import { listening } from './listening.ts';
import { launchChromium, openTabs, serve, Tab, until, untilOneRing } from './support.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
});

/** The path to which a request was forwarded. */
type Forwarded = string[];

/** Forwards what is below /ring/, without that path, as nginx does by `location /ring/`. */
async function strippingProxy(target: number, forwarded: Forwarded): Promise<number> {
  const stripped = ({ method, url = '' }: IncomingMessage): string | null => {
    if (!url.startsWith('/ring/')) return null;
    const path = url.slice('/ring'.length);
    forwarded.push(`${method} ${path.split('?')[0]}`);
    return path;
  };
  const proxy = createServer((incoming, response) => {
    const path = stripped(incoming);
    if (path === null) {
      response.writeHead(404).end();
      return;
    }
    const { method, headers } = incoming;
    const onward = request({ port: target, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  proxy.on('upgrade', (incoming: IncomingMessage, near) => {
    const path = stripped(incoming);
    if (path === null) {
      near.destroy();
      return;
    }
    const far = connect(target);
    const { rawHeaders } = incoming;
    const lines = rawHeaders.flatMap((name, at) =>
      at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : [],
    );
    far.write([`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
    near.pipe(far).pipe(near);
    for (const socket of [near, far])
      socket.on('error', () => {
        near.destroy();
        far.destroy();
      });
  });
  return listening(proxy);
}

async function startServer(basePath: string): Promise<RunningServer> {
  const server = await serve({ basePath });
  onTestFinished(() => server.close());
  return server;
}

const ways: [
  string,
  () => Promise<{ server: RunningServer; url: string; forwarded?: Forwarded }>,
][] = [
  [
    'below the base path',
    async () => {
      const server = await startServer('/ring/');
      return { server, url: `http://localhost:${server.port}/ring/` };
    },
  ],
  [
    'behind a proxy that takes a path off',
    async () => {
      const server = await startServer('/');
      const forwarded: Forwarded = [];
      const port = await strippingProxy(server.port, forwarded);
      return { server, url: `http://localhost:${port}/ring/`, forwarded };
    },
  ],
];

test.each(ways)('%s tabs elect, are watched, invite others and leave', async (_, make) => {
  const { server, url, forwarded } = await make();
  const tabs = await openTabs(browser, 2, `${url}?room=class`);
  const [first, second] = [defined(tabs[0]), defined(tabs[1])];
  await untilOneRing(tabs);

  const watching = await Tab.open(browser, `${url}watch?room=class`);
  await until(async () => {
    const states = await watching.page.$$eval('[data-testid=watch-peer]', (peers) =>
      peers.map((peer) => peer.getAttribute('data-state')),
    );
    expect(states.toSorted()).toEqual(['follower', 'leader']);
    expect(await watching.page.$eval('.join a', (link) => link.href)).toBe(`${url}?room=class`);
  });

  await first.click('Show QR code');
  await until(async () => {
    expect(await first.page.$eval('dialog[open] a', (link) => link.href)).toBe(`${url}?room=class`);
  });
  await first.click('Close');

  const answers: string[] = [];
  first.page.on('response', (response) => {
    if (response.request().method() === 'POST')
      answers.push(`${response.status()} ${response.url()}`);
  });
  await first.click('Leave ring');
  await until(() => {
    expect(answers).toEqual([`204 ${url}leave`]);
  });
  await untilOneRing([second]);
  // A page that is being closed says goodbye too.
  forwarded?.splice(0);
  await second.page.close();
  await until(() => {
    expect(server.signaling.size.peers).toBe(0);
    if (forwarded !== undefined) expect(forwarded).toContain('POST /leave');
  });

  await first.page.goto(`${url}?room=a%20b`);
  await until(async () => {
    expect(await first.page.$eval('main a', (link) => link.href)).toBe(url);
  });
  for (const tab of [first, second, watching]) expect(tab.errors).toEqual([]);
});
