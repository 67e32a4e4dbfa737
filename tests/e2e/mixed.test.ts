import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defined } from '../support.ts';
import {
  byRole,
  launchChromium,
  launchFirefox,
  openTabs,
  serve,
  Tab,
  untilOneRing,
} from './support.ts';

/** Until an attempt at a direct one succeeds, a link may be relayed. */
const LINKS = ['direct', 'relayed'];

let browsers: Browser[];

beforeAll(async () => {
  browsers = await Promise.all([launchChromium(), launchFirefox()]);
});

afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
});

test('Chromium and Firefox tabs form one ring, and again without their leader', async () => {
  const server = await serve();
  const url = `http://localhost:${server.port}/`;
  let tabs = (await Promise.all(browsers.map((browser) => openTabs(browser, 3, url)))).flat();
  const { leader, others } = byRole(tabs, await untilOneRing(tabs, LINKS));
  await leader.close();
  tabs = others;
  await untilOneRing(tabs, LINKS);
  expect(tabs.flatMap((tab) => tab.errors)).toEqual([]);
  await server.close();
});

test.each([
  ['Firefox joins Chromium', 0, 1],
  ['Chromium joins Firefox', 1, 0],
])('where %s both links are direct in the end', async (_, first, second) => {
  const server = await serve();
  const tabs: Tab[] = [];
  for (const browser of [browsers[first], browsers[second]]) {
    tabs.push(await Tab.open(defined(browser), `http://localhost:${server.port}/`));
    await untilOneRing(tabs, LINKS);
  }
  await untilOneRing(tabs, ['direct']);
  expect(tabs.flatMap((tab) => tab.errors)).toEqual([]);
  await server.close();
});
