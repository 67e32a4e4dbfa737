/* global document, MutationObserver, requestAnimationFrame -- in what runs in a page */
/** A phone that opens the page for the first time, and when a person sees what on it. */
import { setTimeout as sleep } from 'node:timers/promises';

/** A processor so many times slower, and a network of 1.6 Mbit/s and 150 ms. */
const SLOWNESS = 6;
const NETWORK = {
  offline: false,
  latency: 150,
  downloadThroughput: 1_600_000 / 8,
  uploadThroughput: 750_000 / 8,
};

/** How long it may take until all is seen, and how often that is asked, in milliseconds. */
const PATIENCE = 60_000;
const LOOK = 250;

/**
 * Runs in the page from its first moment, and takes its times there, in milliseconds since the start of
 * the navigation.
 */
function watch() {
  const times = {};
  globalThis.seenTimes = times;
  new PerformanceObserver((list) => {
    for (const { name, startTime } of list.getEntries())
      if (name === 'first-contentful-paint') times.words = startTime;
  }).observe({ type: 'paint', buffered: true });
  const look = () => {
    const leader = document.querySelector('[data-testid=leader-id]')?.dataset.value ?? '';
    if (leader !== '') times.known ??= performance.now();
    const headline = document.querySelector('.headline');
    if (times.said !== undefined || !/ leads$/.test(headline?.textContent.trim() ?? '')) return;
    times.said = performance.now();
    requestAnimationFrame(() => {
      // After the frame that has the text.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        times.seen = performance.now();
      };
      port2.postMessage(null);
    });
  };
  const changes = { subtree: true, childList: true, characterData: true };
  new MutationObserver(look).observe(document, { ...changes, attributeFilter: ['data-value'] });
}

/** Runs in the page before its program, which asks for its uuid there. */
function beginUuids(digits) {
  const newUuid = crypto.randomUUID.bind(crypto);
  crypto.randomUUID = () => `${digits}${newUuid().slice(digits.length)}`;
}

/**
 * @param {import('puppeteer-core').Page} page that has nothing cached
 * @param {string} url
 * @param {string} digits that its uuid begins with: they decide whether it leads
 * @returns {Promise<{ html: number, words: number, known: number, said: number, seen: number }>}
 *   milliseconds since the start of the navigation: all of the HTML has arrived, the first words are
 *   painted, the page has the leader in `data-value`, it says so in words, these are painted
 */
export async function visitAsPhone(page, url, digits) {
  const session = await page.createCDPSession();
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', NETWORK);
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWNESS });
  await page.evaluateOnNewDocument(beginUuids, digits);
  await page.evaluateOnNewDocument(watch);
  await page.goto(url, { timeout: PATIENCE });
  const end = performance.now() + PATIENCE;
  for (;;) {
    await sleep(LOOK);
    const times = await page.evaluate(() => ({
      html: performance.getEntriesByType('navigation')[0]?.responseEnd,
      ...globalThis.seenTimes,
    }));
    if (times.words !== undefined && times.seen !== undefined) return times;
    if (performance.now() > end) throw new Error(`not within a minute: ${JSON.stringify(times)}`);
  }
}
