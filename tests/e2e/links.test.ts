/** Links over WebRTC in Chromium keep the contract, as the page makes them. */
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll } from 'vitest';
import { testPromises } from '../contracts/links.ts';
import { openShowcase } from './showcase.ts';
import { launchChromium } from './support.ts';

const PROGRAM = fileURLToPath(new URL('../contracts/links.page.ts', import.meta.url));

let browser: Browser;
let page: Page;

beforeAll(async () => {
  browser = await launchChromium();
  page = await openShowcase(browser);
  await page.addScriptTag({ type: 'module', url: encodeURI(`/@fs/${PROGRAM}`) });
  await page.waitForFunction(() => 'checkInPage' in globalThis);
});

afterAll(() => browser.close());

testPromises('simple-peer in Chromium', (promise) =>
  page.evaluate((name) => checkInPage(name), promise),
);
