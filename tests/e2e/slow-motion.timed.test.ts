/** The token as seen by a person: each page of a ring shows that it is there, one after another. */
import { expect, test, vi } from 'vitest';
import {
  byRole,
  openTabs,
  setStage,
  until,
  untilOneRing,
  type Tab,
  type Values,
} from './support.ts';

const stage = setStage();

/** A token that was seen on a page. */
interface Sighting {
  readonly id: string;
  readonly origin: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Makes the page note each token that it shows. */
function watchTokens(tab: Tab): Promise<void> {
  return tab.page.evaluate(() => {
    const seen: { origin: string; at: number }[] = [];
    Object.assign(globalThis, { seen });
    let last = '';
    new MutationObserver(() => {
      const origin =
        document.querySelector('[data-testid=token-here]')?.getAttribute('data-value') ?? '';
      if (origin === last) return;
      last = origin;
      if (origin !== '') seen.push({ origin, at: Date.now() });
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

async function sightings(tabs: readonly Tab[]): Promise<Sighting[]> {
  const each = await Promise.all(
    tabs.map((tab) =>
      tab.page.evaluate(() => ({
        id: document.querySelector('[data-testid=own-id]')?.getAttribute('data-value') ?? '',
        seen: Reflect.get(globalThis, 'seen') as { origin: string; at: number }[],
      })),
    ),
  );
  return each
    .flatMap(({ id, seen }) => seen.map((sighting) => ({ id, ...sighting })))
    .toSorted((a, b) => a.at - b.at);
}

function ringOrder(values: readonly Values[], first: string): string[] {
  const successors = new Map(values.map((each) => [each['own-id'], each['successor-id']]));
  const order: string[] = [];
  for (let at = first; !order.includes(at); at = successors.get(at) ?? first) order.push(at);
  return order;
}

async function setHopDelay(tab: Tab, seconds: string): Promise<void> {
  await tab.page.$eval(
    'input[aria-label="Slow motion"]',
    (input, value) => {
      input.value = value;
      input.dispatchEvent(new Event('input', { bubbles: true }));
      input.dispatchEvent(new Event('change', { bubbles: true }));
    },
    seconds,
  );
}

test('in a ring of 12 the token is seen going round twice, in ring order', async () => {
  const tabs = await openTabs(stage.browser, 12, `${stage.url}?room=slow`);
  const values = await untilOneRing(tabs);
  for (const tab of tabs) await tab.page.waitForSelector('[data-testid=token-here]');
  const { leader, others } = byRole(tabs, values);
  const term = Number((await leader.values())['term']);
  // Set in one tab and shown in another: the ring has carried it there.
  const [other] = others;
  if (other === undefined) throw new Error('no other tab');
  await setHopDelay(other, '0.4');
  const shown = (tab: Tab) =>
    tab.page.$eval('input[aria-label="Slow motion"]', (input) => input.value);
  await until(async () => {
    for (const tab of tabs) expect(await shown(tab)).toBe('0.4');
  });
  await Promise.all(tabs.map(watchTokens));
  await leader.click('Start election');
  await vi.waitFor(
    async () => {
      expect((await leader.values())['term']).toBe(String(term + 1));
      expect(await sightings(tabs)).toHaveLength(24);
    },
    { timeout: 60_000, interval: 500 },
  );
  const seen = await sightings(tabs);
  const leaderId = (await leader.values())['own-id'] ?? '';
  const order = ringOrder(values, leaderId);
  expect(order).toHaveLength(12);
  expect(seen.map(({ id }) => id)).toEqual([...order, ...order]);
  expect(new Set(seen.map(({ origin }) => origin))).toEqual(new Set([leaderId]));
  // Claim and announcement, each with one more hop: it must take this long, without another election.
  const took = (seen.at(-1)?.at ?? 0) - (seen[0]?.at ?? 0);
  expect(took).toBeGreaterThanOrEqual(23 * 400 - 100);
  await untilOneRing(tabs);
  for (const tab of tabs) expect((await tab.values())['term']).toBe(String(term + 1));
  for (const tab of tabs) expect(tab.errors).toEqual([]);
});
