/** A ring that loses its server, and a tab that no direct link can reach, each within its time. */
import { expect, onTestFinished, test } from 'vitest';
import { RELAY_AFTER } from '../../shared/member/successor.ts';
import {
  byRole,
  launchChromium,
  notices,
  openTabs,
  PATIENCE,
  serve,
  setStage,
  Tab,
  until,
  untilOneRing,
  type Values,
} from './support.ts';

const stage = setStage();

/** What a tab must show unchanged when the server is back. */
const KEPT: ReadonlySet<string> = new Set([
  'own-id',
  'leader-id',
  'predecessor-id',
  'successor-id',
  'role',
  'ring-size',
  'term',
  'server-link',
  'predecessor-link',
  'successor-link',
]);

/** Until a timer of the page has fired: the measure of a wait made of the page's own timers. */
async function untilTimerOf({ page }: Tab, milliseconds: number): Promise<void> {
  await page.evaluate((wait) => new Promise((resolve) => setTimeout(resolve, wait)), milliseconds);
}

/** The longest pause between two attempts to reach a server, in milliseconds. */
const LONGEST_RETRY = 3_000;

test('a server that dies and forgets twelve tabs finds them in their places, with their leader', async () => {
  const server = await serve();
  const url = `http://localhost:${server.port}/`;
  const began = performance.now();
  const tabs = await openTabs(stage.browser, 12, url);
  await untilOneRing(tabs);
  const opening = performance.now() - began;
  // Twelve whole pages may take a small machine seconds without a lap: the leader may be elected again.
  for (const { page } of tabs)
    await page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
  const [tab] = tabs;
  const laps = async () => (await tab?.log())?.findLast(({ kind }) => kind === 'lap')?.text;
  const nextLap = async () => {
    const last = await laps();
    await until(async () => {
      expect(await laps()).not.toBe(last);
    });
  };
  await nextLap();
  await nextLap();
  const before = await untilOneRing(tabs);
  await server.close();
  await until(async () => {
    for (const values of await Promise.all(tabs.map((tab) => tab.values())))
      expect(values['server-link']).toBe('reconnecting');
  });
  expect(await tab?.alert()).toMatch(
    /^This page cannot reach its signaling server, since [\d:]+\. The links to both neighbours are direct and open/,
  );
  // The ring goes on without it: laps go round, the term stays.
  await nextLap();
  const again = await serve({ port: server.port });
  const back = performance.now();
  const pause = Promise.all(tabs.map((each) => untilTimerOf(each, LONGEST_RETRY))).then(
    () => performance.now() - back,
  );
  await until(async () => {
    for (const values of await Promise.all(tabs.map((each) => each.values())))
      expect(values['server-link']).toBe('connected');
  });
  const took = performance.now() - back;
  // What the first stage shows, too, which some tabs may still have had before.
  const facts = (all: readonly Values[]) =>
    all.map((values) =>
      Object.fromEntries(Object.entries(values).filter(([name]) => KEPT.has(name))),
    );
  expect(facts(await untilOneRing(tabs))).toEqual(facts(before));
  // One pause and the time to reconnect, both measured on this machine at this time.
  expect(took).toBeLessThan((await pause) + 2 * opening);
  const thirteenth = await Tab.open(stage.browser, url);
  const after = await untilOneRing([...tabs, thirteenth]);
  expect(after.slice(0, 12).map((values) => values['own-id'])).toEqual(
    before.map((values) => values['own-id']),
  );
  for (const each of [...tabs, thirteenth]) await each.close();
  await again.close();
});

test('tabs in the background, whose timers are slow, find a killed leader before it counts as silent', async () => {
  const browser = await launchChromium([], 'throttled');
  onTestFinished(() => browser.close());
  const context = await browser.createBrowserContext();
  const tabs: Tab[] = [];
  for (let count = 0; count < 5; count += 1) {
    const tab = await Tab.makeIn(context);
    await tab.page.goto(stage.url);
    tabs.push(tab);
  }
  const first = byRole(tabs, await untilOneRing(tabs));
  const front = await context.newPage();
  await front.bringToFront();
  // By then a timer of a quarter second takes a whole one.
  const timers: number[] = [];
  for (const { page } of tabs)
    await until(async () => {
      const took = await page.evaluate(async () => {
        const began = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 250));
        return performance.now() - began;
      });
      expect(took).toBeGreaterThan(750);
      timers.push(took);
    });
  // The yardstick: a leader that says goodbye, so that nothing has to be found out.
  const left = performance.now();
  await first.leader.page.evaluate(() => {
    dispatchEvent(new Event('pagehide'));
  });
  const { leader, others } = byRole(first.others, await untilOneRing(first.others));
  const leaving = performance.now() - left;
  const session = await leader.page.createCDPSession();
  const killed = performance.now();
  // There is nobody left to answer.
  session.send('Page.crash').catch(() => undefined);
  await untilOneRing(others);
  // Two of their timers to find it out; its silence alone would take 3.5 s and those.
  expect(performance.now() - killed).toBeLessThan(3 * leaving + 2 * Math.max(...timers));
});

test('a tab that no direct connection can reach is in the ring by relayed links, and shown so', async () => {
  // As in a network that lets no UDP through.
  const walled = await launchChromium(['--webrtc-ip-handling-policy=disable_non_proxied_udp']);
  const opened = performance.now();
  const tabs = await openTabs(stage.browser, 3, stage.url);
  await untilOneRing(tabs);
  const opening = performance.now() - opened;
  const began = performance.now();
  const wait = Promise.all(tabs.map((each) => untilTimerOf(each, 2 * RELAY_AFTER.succeeded))).then(
    () => performance.now() - began,
  );
  const tab = await Tab.open(walled, stage.url);
  const values = await untilOneRing([...tabs, tab], ['direct', 'relayed']);
  const took = performance.now() - began;
  // Twice the longest wait for a direct link; for the rest, this machine at this time is the measure.
  expect(took).toBeLessThan((await wait) + 4 * opening);
  const own = values.at(-1);
  expect([own?.['successor-link'], own?.['predecessor-link']]).toEqual(['relayed', 'relayed']);
  expect(values.filter((each) => each['successor-link'] === 'relayed')).toHaveLength(2);
  const successor = own?.['successor-id']?.slice(0, 8) ?? '';
  const predecessor = own?.['predecessor-id']?.slice(0, 8) ?? '';
  await until(async () => {
    const [text] = await notices(tab, 'relayed');
    expect(text).toMatch(new RegExp(`the successor ${successor} .* predecessor ${predecessor} `));
    expect(text).toContain('goes on trying for a direct one');
  });
  await walled.close();
  await untilOneRing(tabs);
});
