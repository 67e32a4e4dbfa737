import { beforeEach, expect, test } from 'vitest';
import { byRole, openTabs, setStage, Tab, until, untilOneRing } from './support.ts';

let tabs: Tab[];
const stage = setStage({}, () => tabs);

beforeEach(() => {
  tabs = [];
});

async function openRing(count: number): Promise<void> {
  tabs = await openTabs(stage.browser, count, stage.url);
  await untilOneRing(tabs);
}

test('a tab alone leads a ring of one', async () => {
  await openRing(1);
  const [values] = await untilOneRing(tabs);
  expect(values?.['successor-id']).toBe(values?.['own-id']);
  expect(values?.['predecessor-id']).toBe(values?.['own-id']);
});

test('a tab makes one connection to the server, and says goodbye in two ways (L7d)', async () => {
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  const session = await tab.page.createCDPSession();
  const opened: string[] = [];
  session.on('Network.webSocketCreated', ({ url }) => opened.push(url));
  await session.send('Network.enable');
  const said: string[] = [];
  tab.page.on('request', (request) => {
    if (request.method() === 'POST') said.push(new URL(request.url()).pathname);
  });
  await tab.page.goto(stage.url);
  await untilOneRing([tab]);
  expect(opened).toHaveLength(1);
  await tab.click('Leave ring');
  await until(() => {
    expect(said).toEqual(['/leave']);
    expect(stage.server.signaling.size.peers).toBe(0);
  });
});

test('two tabs agree', async () => {
  await openRing(2);
});

test('three tabs that come one after another agree each time', async () => {
  for (let count = 1; count <= 3; count += 1) {
    tabs.push(await Tab.open(stage.browser, stage.url));
    await untilOneRing(tabs);
  }
});

test('twelve tabs opened at once agree, and again after the leader and two others are closed', async () => {
  await openRing(12);
  const { leader, others } = byRole(tabs, await untilOneRing(tabs));
  const [first, second, ...rest] = others;
  await Promise.all([leader.close(), first?.close(), second?.close()]);
  tabs = rest;
  await untilOneRing(tabs);
});

test('closing the leader’s tab elects the next highest, in a higher term', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  await leader.close();
  tabs = others;
  const [after] = await untilOneRing(tabs);
  expect(Number(after?.['term'])).toBeGreaterThan(Number(before[0]?.['term']));
});

test('a leader’s tab whose process is killed is replaced', async () => {
  await openRing(3);
  const { leader, others } = byRole(tabs, await untilOneRing(tabs));
  const session = await leader.page.createCDPSession();
  // The page never answers: its process is gone.
  session.send('Page.crash').catch(() => undefined);
  tabs = others;
  await untilOneRing(tabs);
});

test('closing a follower’s tab leaves the leader and its term as they were', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  const [gone, ...rest] = others;
  await gone?.close();
  tabs = [leader, ...rest];
  const [after] = await untilOneRing(tabs);
  expect(after?.['leader-id']).toBe(before[0]?.['leader-id']);
  expect(after?.['term']).toBe(before[0]?.['term']);
});

test('reloading a tab heals the ring with a new peer', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  await tabs[0]?.page.reload();
  const after = await untilOneRing(tabs);
  expect(after[0]?.['own-id']).not.toBe(before[0]?.['own-id']);
  expect(after[1]?.['own-id']).toBe(before[1]?.['own-id']);
});

test('a page from the back-forward cache takes part again', async () => {
  await openRing(2);
  await tabs[0]?.page.goto('about:blank');
  await untilOneRing(tabs.slice(1));
  await tabs[0]?.page.goBack();
  await untilOneRing(tabs);
});

test('“Start election” elects the same leader in a new term', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  await others[0]?.click('Start election');
  await until(async () => {
    const values = await leader.values();
    expect(Number(values['term'])).toBeGreaterThan(Number(before[0]?.['term']));
  });
  const after = await untilOneRing(tabs);
  expect(after[0]?.['leader-id']).toBe(before[0]?.['leader-id']);
});

test('“Leave ring” closes the ring over the tab, “Rejoin ring” brings it back', async () => {
  await openRing(3);
  const [first, ...rest] = tabs;
  await first?.click('Leave ring');
  await untilOneRing(rest);
  const values = await first?.values();
  expect(values?.['role']).toBe('offline');
  expect(values?.['server-link']).toBe('offline');
  for (const unknown of ['leader-id', 'successor-id', 'predecessor-id', 'ring-size', 'term'])
    expect(values?.[unknown]).toBe('');
  await first?.click('Rejoin ring');
  await untilOneRing(tabs);
});

test('tabs in different rooms do not meet', async () => {
  tabs = await Promise.all([
    Tab.open(stage.browser, `${stage.url}?room=a`),
    Tab.open(stage.browser, `${stage.url}?room=b`),
  ]);
  await Promise.all(tabs.map((tab) => untilOneRing([tab])));
});

test('tabs in rooms whose names differ in case alone meet', async () => {
  tabs = await Promise.all([
    Tab.open(stage.browser, `${stage.url}?room=Physics`),
    Tab.open(stage.browser, `${stage.url}?room=physics`),
  ]);
  await untilOneRing(tabs);
  for (const { page } of tabs)
    expect(await page.$$eval('.room strong', (all) => all.map((each) => each.textContent))).toEqual(
      ['physics'],
    );
});

test('on an insecure origin two tabs agree and the link can be copied', async () => {
  tabs = await openTabs(stage.browser, 2, `http://ring.test:${stage.server.port}/?room=phones`);
  await untilOneRing(tabs);
  const [tab] = tabs;
  expect(await tab?.page.evaluate(() => isSecureContext)).toBe(false);
  await tab?.page.bringToFront();
  await tab?.click('Copy link');
  await until(async () => {
    const said = await tab?.page.$eval(
      '[aria-label=Controls] [role=status]',
      (element) => element.textContent,
    );
    expect(said).toContain(`http://ring.test:${stage.server.port}/?room=phones`);
  });
});

test('the log says of each message what it was compared to and what became of it', async () => {
  await openRing(3);
  const { leader, others } = byRole(tabs, await untilOneRing(tabs));
  await others[0]?.click('Start election');
  await until(async () => {
    const log = await leader.log();
    const id = (await leader.values())['own-id']?.slice(0, 8) ?? '';
    const own = log.find(({ kind, text }) => kind === 'received' && text.includes('= mine'));
    expect(own?.text).toContain(`= mine ${id}: it went round the whole ring, so I am the leader`);
    expect(log.some(({ kind }) => kind === 'leader')).toBe(true);
  });
  const kinds = new Set((await leader.log()).map(({ kind }) => kind));
  for (const kind of ['sent', 'received', 'leader', 'neighbour', 'server'])
    expect(kinds).toContain(kind);
});
