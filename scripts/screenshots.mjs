/* global document, requestAnimationFrame -- in the functions that run in a page */
/** `npm run screenshots`: the pictures in docs/, of real tabs on a real server. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBrowser } from './browsers.mjs';
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { root } from './run.mjs';

await ensureInstalled();
await build();
const executablePath = await ensureBrowser('chromium');
const { default: puppeteer } = await import('puppeteer-core');
const { startServer } = await import(
  pathToFileURL(join(root, 'dist/signaling-server/server.js')).href
);
const { readOptions } = await import(
  pathToFileURL(join(root, 'dist/signaling-server/options.js')).href
);

const server = await startServer(
  readOptions({ PORT: '0', HOST: '127.0.0.1' }),
  join(root, 'dist/web'),
);
const browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox'] });
const url = `http://localhost:${server.port}/?room=classroom`;

/** Opens a tab as on a device of its own. */
async function open() {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Waits until a page shows a whole ring of the given size. */
async function untilRing(page, size) {
  await page.waitForFunction(
    (wanted) =>
      document.querySelector('[data-testid=ring-size]')?.dataset.value === wanted &&
      document.querySelector('[data-testid=leader-id]')?.dataset.value !== '' &&
      document.querySelector('[data-testid=successor-link]')?.dataset.value === 'direct' &&
      document.querySelector('[data-testid=predecessor-link]')?.dataset.value === 'direct',
    {},
    String(size),
  );
}

async function shoot(page, name, { width, height, scheme = 'light' }) {
  await page.bringToFront();
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  // A frame has been drawn since the change of size.
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
  const path = name === null ? undefined : join(root, 'docs', `${name}.png`);
  return page.screenshot({ ...(path === undefined ? {} : { path }) });
}

const tabs = [];
for (let count = 1; count <= 3; count += 1) tabs.push(await open());
for (const tab of tabs) await untilRing(tab, tabs.length);

const views = [];
for (const tab of tabs)
  views.push(Buffer.from(await shoot(tab, null, { width: 430, height: 700 })).toString('base64'));

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
await shoot(desk, 'three-tabs', { width: 1378, height: 748 });

const [tab] = tabs;
await shoot(tab, 'page-desktop', { width: 1280, height: 800, scheme: 'dark' });
await shoot(tab, 'page-phone', { width: 390, height: 844 });

await browser.close();
await server.close();
