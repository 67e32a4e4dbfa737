/* global document, requestAnimationFrame, HTMLInputElement -- in the functions that run in a page */
/**
 * `npm run screenshots [-- --states FOLDER]`: the pictures in docs/, of real tabs on a real server.
 * With --states, the main states of the pages too, at three sizes and in both colour schemes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBrowser } from './browsers.mjs';
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { root } from './run.mjs';

const { values: options } = parseArgs({ options: { states: { type: 'string' } } });
await ensureInstalled();
await build();
const executablePath = await ensureBrowser('chromium');
const { default: puppeteer } = await import('puppeteer-core');
const { default: gifenc } = await import('gifenc');
const { PNG } = await import('pngjs');
const load = (name) => import(pathToFileURL(join(root, 'dist/signaling-server', name)).href);
const { startServer } = await load('server.js');
const { readOptions } = await load('options.js');

const server = await startServer(
  readOptions({ PORT: '0', HOST: '127.0.0.1' }),
  join(root, 'dist/web'),
);
const launch = (more = []) =>
  puppeteer.launch({
    executablePath,
    args: [
      ...['--no-sandbox', '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup'],
      ...more,
    ],
  });
const browser = await launch();

/** How long any step may take on a slow machine, in milliseconds. */
const PATIENCE = 180_000;

const SIZES = [
  { width: 390, height: 844 },
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
];

/** Opens a tab as on a separate device. */
async function open(room, { path = '', where = browser } = {}) {
  const context = await where.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`http://localhost:${server.port}/${path}?room=${room}`);
  return page;
}

const openTabs = (room, count) => Promise.all(Array.from({ length: count }, () => open(room)));

const closeTabs = (tabs) => Promise.all(tabs.map((tab) => tab.browserContext().close()));

/** Opens a ring, and waits until all members know all of it. */
async function openRing(room, count) {
  const tabs = await openTabs(room, count);
  for (const tab of tabs) await untilRing(tab, count);
  return tabs;
}

async function byRole(tabs, role) {
  for (const tab of tabs) if ((await valueOf(tab, 'role')) === role) return tab;
  throw new Error(`no tab is ${role}`);
}

const valueOf = (tab, name) =>
  tab.$eval(`[data-testid=${name}]`, (element) => element.dataset.value);

const press = (tab, name) => tab.locator(`::-p-aria([name="${name}"][role="button"])`).click();

/** Moves the slow-motion slider. */
const slowDown = (tab, seconds) =>
  tab.$eval(
    'input[aria-label="Slow motion"]',
    (input, value) => {
      if (!(input instanceof HTMLInputElement)) throw new Error('no slider');
      input.value = value;
      for (const type of ['input', 'change'])
        input.dispatchEvent(new Event(type, { bubbles: true }));
    },
    String(seconds),
  );

/** Waits until a page shows a whole ring of the given size, with everything that the ring tells. */
async function untilRing(page, size, link = size === 1 ? 'none' : 'direct') {
  await page.waitForFunction(
    (size, wanted) =>
      Object.entries(wanted).every(
        ([name, value]) => document.querySelector(`[data-testid=${name}]`)?.dataset.value === value,
      ) &&
      document.querySelectorAll('[data-peer]').length === size &&
      document.querySelector('[data-link=connecting]') === null &&
      /after \d+ message/.test(document.querySelector('[data-testid=announcement]').textContent),
    {},
    size,
    { 'ring-size': String(size), 'successor-link': link, 'predecessor-link': link },
  );
}

async function show(page, { width, height, scheme = 'light' }) {
  await page.bringToFront();
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  // A frame has been drawn since the change of size.
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

async function shoot(page, path, view) {
  await show(page, view);
  return page.screenshot(path === null ? {} : { path });
}

const picture = (name) => join(root, 'docs', name);

/** The ring on the projector page while the token goes round: once in slow motion, small. */
async function animate(spectator, tabs, path) {
  const leader = await byRole(tabs, 'leader');
  await slowDown(tabs[0], 0.5);
  await leader.waitForFunction(
    () => document.querySelector('input[aria-label="Slow motion"]')?.value === '0.5',
  );
  // As wide as the ring needs to stay in its place, whatever text is beside it.
  await show(spectator, { width: 1000, height: 900 });
  const clip = await spectator.$eval('[data-testid=watched-ring]', (element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return { x, y, width, height };
  });
  const term = await valueOf(leader, 'term');
  await press(leader, 'Start election');
  const gif = gifenc.GIFEncoder();
  let before = performance.now();
  const isOver = async () =>
    (await valueOf(leader, 'term')) !== term && (await valueOf(tabs[0], 'leader-id')) !== '';
  const end = performance.now() + tabs.length * 2 * 500 + 1_500;
  while (performance.now() < end || !(await isOver())) {
    const shot = await spectator.screenshot({ clip, captureBeyondViewport: false });
    const { width, height, data } = PNG.sync.read(Buffer.from(shot));
    const palette = gifenc.quantize(data, 64);
    const now = performance.now();
    gif.writeFrame(gifenc.applyPalette(data, palette), width, height, {
      palette,
      delay: Math.max(20, now - before),
    });
    before = now;
    await sleep(100);
  }
  gif.finish();
  writeFileSync(path, gif.bytes());
}

/** Every state at every size in both schemes, for inspection; in the last one the server is gone. */
async function shootStates(folder) {
  mkdirSync(folder, { recursive: true });
  const shootAll = async (page, state, prepare = async () => undefined) => {
    for (const size of SIZES)
      for (const scheme of ['light', 'dark']) {
        await show(page, { ...size, scheme });
        await prepare();
        await page.screenshot({ path: join(folder, `${state}-${size.width}-${scheme}.png`) });
      }
  };
  const [alone] = await openRing('alone', 1);
  await shootAll(alone, 'alone');
  await press(alone, 'Show QR code');
  await alone.waitForSelector('dialog[open] .note');
  await shootAll(alone, 'code');
  const three = await openRing('three', 3);
  await shootAll(await byRole(three, 'leader'), 'leader');
  await shootAll(await byRole(three, 'follower'), 'follower');
  const leader = await byRole(three, 'leader');
  await slowDown(leader, 2);
  await leader.waitForSelector('input[aria-label="Slow motion"][aria-valuetext^="2.0"]');
  // Its claim is the token, and stays here until it is passed on.
  const token = '[data-testid=token-here]:not([data-value=""])';
  await shootAll(leader, 'token', async () => {
    if ((await leader.$(token)) === null) await press(leader, 'Start election');
    await leader.waitForSelector(token);
  });
  await slowDown(leader, 0);
  const walled = await launch(['--webrtc-ip-handling-policy=disable_non_proxied_udp']);
  const relayed = await open('three', { where: walled });
  await untilRing(relayed, 4, 'relayed');
  await shootAll(relayed, 'relayed');
  await walled.close();
  await closeTabs([alone, ...three]);
  const thirty = await openRing('thirty', 30);
  await shootAll(await byRole(thirty, 'follower'), 'thirty');
  const spectator = await open('thirty', { path: 'watch' });
  await spectator.waitForSelector('[data-testid=watch-peers]');
  await press(await byRole(thirty, 'leader'), 'Start election');
  await sleep(5_000);
  await shootAll(spectator, 'watch-thirty');
  await closeTabs([spectator, ...thirty.slice(1)]);
  await press(thirty[0], 'Leave ring');
  await shootAll(thirty[0], 'left');
  await closeTabs([thirty[0]]);
  const pair = await openRing('pair', 2);
  await server.close();
  await pair[0].waitForSelector('[data-testid=notice][data-kind=server]');
  await shootAll(pair[0], 'server-lost');
  await closeTabs(pair);
}

const tabs = [];
for (let count = 1; count <= 3; count += 1) {
  tabs.push(await open('classroom'));
  for (const tab of tabs) await untilRing(tab, count);
}

const views = [];
for (const tab of tabs) {
  const view = await shoot(tab, null, { width: 430, height: 620 });
  views.push(Buffer.from(view).toString('base64'));
}

// The three side by side, in one picture.
const desk = await browser.newPage();
await desk.setContent(`
  <body style="margin:0;padding:24px;display:flex;gap:20px;background:#cfd6df">
    ${views
      .map(
        (view) =>
          `<img src="data:image/png;base64,${view}" width="430" style="border-radius:12px;box-shadow:0 6px 24px #0004">`,
      )
      .join('')}
  </body>`);
await shoot(desk, picture('three-tabs.png'), { width: 1378, height: 668 });

tabs.push(...(await openTabs('classroom', 5)));
for (const tab of tabs) await untilRing(tab, tabs.length);
const follower = await byRole(tabs, 'follower');
await shoot(follower, picture('page-desktop.png'), { width: 1280, height: 800, scheme: 'dark' });
await shoot(follower, picture('page-phone.png'), { width: 390, height: 844 });

const spectator = await open('classroom', { path: 'watch' });
await spectator.waitForSelector('[data-testid=watched-ring]');
await animate(spectator, tabs, picture('token.gif'));
await shoot(spectator, picture('projector.png'), { width: 1920, height: 1080, scheme: 'dark' });

await closeTabs([spectator, ...tabs]);
if (options.states === undefined) await server.close();
else await shootStates(resolve(options.states));
await browser.close();
