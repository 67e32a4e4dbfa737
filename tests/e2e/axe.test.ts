/** What axe-core finds wrong with the page: nothing, in any state and scheme. */
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningServer } from '../../signaling-server/server.ts';
import { byRole, launchChromium, openTabs, PATIENCE, serve, Tab, untilOneRing } from './support.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

declare global {
  /** In a page that {@link AXE} was put into. */
  interface Window {
    readonly axe: typeof axe;
  }
}

let browser: Browser;
let server: RunningServer;
let tabs: Tab[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  server = await serve();
});

afterAll(async () => {
  for (const tab of tabs) await tab.close();
  await browser.close();
  await server.close();
});

/** Each rule that is broken, with the first element that breaks it, in both schemes and at two sizes. */
async function violations(tab: Tab): Promise<string[]> {
  await tab.page.waitForSelector('[data-testid=ring-picture], h1', { timeout: PATIENCE });
  await tab.page.addScriptTag({ path: AXE });
  const found: string[] = [];
  for (const scheme of ['light', 'dark'])
    for (const width of [390, 1280]) {
      await tab.page.bringToFront();
      await tab.page.setViewport({ width, height: 800 });
      await tab.page.emulateMediaFeatures([
        { name: 'prefers-color-scheme', value: scheme },
        // Colours in mid-flight are not what is to be judged.
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ]);
      const broken = await tab.page.evaluate(async () => {
        const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
        return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''}`);
      });
      found.push(...broken.map((words) => `${scheme} ${width}: ${words}`));
    }
  return found;
}

function url(room: string): string {
  return `http://localhost:${server.port}/?room=${room}`;
}

test('alone, then offline', async () => {
  const tab = await Tab.open(browser, url('alone'));
  tabs.push(tab);
  await untilOneRing([tab]);
  await tab.page.waitForSelector('[data-testid=ring-picture]', { timeout: PATIENCE });
  expect(await violations(tab)).toEqual([]);
  await tab.click('Leave ring');
  await tab.page.waitForSelector('[data-testid=role][data-value=offline]');
  expect(await violations(tab)).toEqual([]);
});

test('leader and follower', async () => {
  const ring = await openTabs(browser, 3, url('three'));
  tabs = [...tabs, ...ring];
  for (const tab of ring)
    await tab.page.waitForSelector('[data-testid=ring-picture]', { timeout: PATIENCE });
  const { leader, others } = byRole(ring, await untilOneRing(ring));
  expect(await violations(leader)).toEqual([]);
  for (const tab of others.slice(0, 1)) expect(await violations(tab)).toEqual([]);
});

test('a room of an impossible name', async () => {
  const tab = await Tab.open(browser, `http://localhost:${server.port}/?room=a%20b`);
  tabs.push(tab);
  expect(await violations(tab)).toEqual([]);
});

/** A watch page that shows something. */
async function watch(port: number, room: string): Promise<Tab> {
  const tab = await Tab.open(browser, `http://localhost:${port}/watch?room=${room}`);
  tabs.push(tab);
  await tab.page.waitForSelector('[data-testid=watch-link][data-value=connected]');
  return tab;
}

test('the page for the front of the room: nobody there, then a ring and its election', async () => {
  const watching = await watch(server.port, 'watched');
  expect(await violations(watching)).toEqual([]);
  const ring = await openTabs(browser, 3, url('watched'));
  tabs = [...tabs, ...ring];
  const { leader } = byRole(ring, await untilOneRing(ring));
  for (let elections = 0; elections < 2; elections += 1) {
    const known = (await watching.page.$$('[data-testid=watch-term] option')).length;
    await leader.click('Start election');
    await watching.page.waitForFunction(
      (before) => document.querySelectorAll('[data-testid=watch-term] option').length > before,
      { timeout: PATIENCE },
      known,
    );
  }
  await watching.page.waitForSelector('[data-testid=watch-why]', { timeout: PATIENCE });
  expect(await violations(watching)).toEqual([]);
  await watching.click('The election before');
  await watching.page.waitForSelector('[data-testid=watch-won]', { timeout: PATIENCE });
  expect(await violations(watching)).toEqual([]);
});

test('the same page without a server', async () => {
  const ending = await serve();
  const watching = await watch(ending.port, 'offline');
  await ending.close();
  await watching.page.waitForSelector('[role=alert]', { timeout: PATIENCE });
  expect(await violations(watching)).toEqual([]);
});

test('the same page of a room of an impossible name', async () => {
  const tab = await Tab.open(browser, `http://localhost:${server.port}/watch?room=a%20b`);
  tabs.push(tab);
  expect(await violations(tab)).toEqual([]);
});
