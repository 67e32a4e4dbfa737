/** The proxies' files in deploy/, with the real programs: two tabs form a ring through each. */
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { launchChromium, openTabs, Tab, until, untilOneRing } from '../e2e/support.ts';
import { defined } from '../support.ts';
import {
  ask,
  CADDY,
  environmentIn,
  HAPROXY,
  makeCertificate,
  NAMES,
  NGINX,
  portLike,
  readExample,
  startProxy,
  startServerProcess,
  type Answer,
  type Program,
  type ServerProcess,
} from './proxy.ts';

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

/** A server behind a proxy. */
interface Site {
  readonly url: string;
  readonly server: ServerProcess;
  /** Asks the proxy for a path of its host. */
  readonly get: (
    path: string,
    headers?: Readonly<Record<string, string>>,
    from?: string,
  ) => Promise<Answer>;
}

/** @param change of the file */
async function startSite(
  program: Program,
  file: string,
  wanted: number,
  change: (text: string) => string = (text) => text,
): Promise<Site> {
  const text = change(await readExample(file));
  const { PUBLIC_URL = '', ...env } = environmentIn(text);
  const port = await portLike(wanted);
  const url = new URL(PUBLIC_URL);
  if (port !== 443) url.port = String(port);
  const server = await startServerProcess({
    ...env,
    PUBLIC_URL: url.href,
    // The test's client is at another address of loopback.
    TRUST_PROXY: defined(env['TRUST_PROXY']).replace('loopback', '127.0.0.1'),
  });
  const certificate = await makeCertificate();
  await startProxy(program, text, { port, serverPort: server.port, certificate });
  const get: Site['get'] = (path, headers, from) =>
    ask(new URL(path, url), certificate, headers, from);
  return { url: url.href, server, get };
}

const protocols = ({ page }: Tab) =>
  page.evaluate(() =>
    ['navigation', 'resource'].flatMap((type) =>
      performance
        .getEntriesByType(type)
        .flatMap((entry) =>
          entry instanceof PerformanceResourceTiming ? [entry.nextHopProtocol] : [],
        ),
    ),
  );

const peersOf = async ({ get }: Site, path: string) => {
  const { status, text } = await get(`${path}healthz`);
  expect(status).toBe(200);
  const body: unknown = JSON.parse(text);
  return body;
};

/** Pages join, are watched, leave, and end, through the proxy. */
async function checkPages(site: Site, path: string): Promise<void> {
  const tabs = await openTabs(browser, 2, site.url);
  const [first, second] = [defined(tabs[0]), defined(tabs[1])];
  await untilOneRing(tabs);
  expect(new Set(await protocols(first))).toEqual(new Set(['h2']));
  expect(await peersOf(site, path)).toMatchObject({ status: 'ok', peers: 2 });
  const watching = await Tab.open(browser, new URL('watch', site.url).href);
  await until(async () => {
    expect((await watching.values())['watch-peers']).toBe('2');
  });

  const answers: string[] = [];
  first.page.on('response', (response) => {
    if (response.request().method() === 'POST')
      answers.push(`${response.status()} ${response.url()}`);
  });
  await first.click('Leave ring');
  await until(() => {
    expect(answers).toEqual([`204 ${new URL('leave', site.url).href}`]);
  });
  await untilOneRing([second]);
  await second.close();
  await until(async () => {
    expect(await peersOf(site, path)).toMatchObject({ peers: 0 });
  });

  for (const tab of [first, watching]) await tab.close();
  for (const tab of [first, second, watching]) expect(tab.errors).toEqual([]);
  // Nobody has done anything wrong.
  expect(site.server.warnings()).toEqual([]);
}

/** A page that ends without a goodbye has done nothing wrong, either. */
async function checkCrash({ url, get, server }: Site): Promise<void> {
  const tab = await Tab.open(browser, url);
  await untilOneRing([tab]);
  const session = await tab.page.createCDPSession();
  // The answer never comes.
  void session.send('Page.crash').catch(() => undefined);
  await until(async () => {
    expect((await get('/metrics')).text).toMatch(/^ringleader_sockets 0$/m);
  });
  expect(server.warnings()).toEqual([]);
}

/** The server hears from the proxy where clients are, and not from the clients. */
async function checkAddress({ get, server }: Site, path: string): Promise<void> {
  const { status } = await get(
    `${path}socket.io/?EIO=4&transport=websocket`,
    {
      ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      ...{ 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', origin: 'https://foe.example' },
      'x-forwarded-for': '203.0.113.9',
    },
    '127.0.0.9',
  );
  expect(status).toBe(400);
  await vi.waitFor(() => {
    expect(server.warnings()).toEqual([
      expect.objectContaining({ from: '127.0.0.9', origin: 'https://foe.example' }),
    ]);
  });
}

describe.each([NGINX, CADDY, HAPROXY])('$name', (program) => {
  const [whole, below] = program.files;
  // To save time.
  const ports = program === HAPROXY ? [8443] : [443, 8443];

  test.each(ports)('at the root, on port %i', async (port) => {
    const site = await startSite(program, whole, port);
    expect(await site.get('/readyz')).toMatchObject({ status: 200, text: '{"status":"ready"}' });
    expect(await site.get('/nothing')).toMatchObject({ status: 404 });
    await checkPages(site, '/');
    await checkCrash(site);
    await checkAddress(site, '/');
  });

  test.each(ports)('below a path, on port %i', async (port) => {
    const site = await startSite(program, below, port);
    expect(await site.get('/ring/readyz')).toMatchObject({
      status: 200,
      text: '{"status":"ready"}',
    });
    for (const path of ['/', '/ringer', '/ring/nothing', '/healthz'])
      expect((await site.get(path)).text, path).not.toMatch(/Ringleader|"status"/);
    const { status, location } = await site.get('/ring');
    expect([301, 307, 308]).toContain(status);
    expect(new URL(location, site.url).href).toBe(site.url);
    await checkPages(site, '/ring/');
    await checkAddress(site, '/ring/');
  });
});

test('nginx may take the path off', async () => {
  const site = await startSite(NGINX, 'nginx-ring.conf', 8443, (text) =>
    text.replace(/(proxy_pass .*:3000);/, '$1/;').replace(' BASE_PATH=/ring/', ''),
  );
  expect(await site.get('/ring')).toMatchObject({ status: 301, location: site.url });
  await checkPages(site, '/ring/');
});
