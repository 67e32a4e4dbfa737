/** Every control of the page does what it says, and says that it did. */
import { networkInterfaces } from 'node:os';
import { expect, test, vi } from 'vitest';
import { defined } from '../support.ts';
import { byRole, openTabs, PATIENCE, setStage, Tab, untilOneRing } from './support.ts';

const stage = setStage({ host: '0.0.0.0' });

/** What the controls last said that they did. */
async function expectSaid(tab: Tab, text: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const said = await tab.page.$eval(
        '[aria-label=Controls] [role=status]',
        (element) => element.textContent,
      );
      expect(said).toContain(text);
    },
    { timeout: PATIENCE },
  );
}

test('each button says what it did, and one that does nothing now is told to be so', async () => {
  const [tab] = await openTabs(stage.browser, 1, stage.url);
  const only = defined(tab);
  await untilOneRing([only]);
  await only.click('Start election');
  await expectSaid(only, 'Election started');
  await only.click('Leave ring');
  await expectSaid(only, 'Left the ring');
  const disabled = await only.page.$$eval('[aria-label=Controls] [aria-disabled=true]', (buttons) =>
    buttons.map((button) => button.textContent),
  );
  expect(disabled).toEqual(['Start election', 'Leave ring', 'Crash']);
  await only.click('Rejoin ring');
  await expectSaid(only, 'Rejoining as a new peer');
  await untilOneRing([only]);
  expect(only.errors).toEqual([]);
});

test('“Crash” says goodbye to nobody: the others find out, and “Rejoin ring” makes a new peer', async () => {
  const tabs = await openTabs(stage.browser, 3, stage.url);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  const posted: string[] = [];
  leader.page.on('request', (request) => {
    if (request.method() === 'POST') posted.push(request.url());
  });
  const id = (await leader.values())['own-id'];
  await leader.click('Crash');
  await expectSaid(leader, 'Crashed: gone without a word');
  await untilOneRing(others);
  expect((await leader.values())['role']).toBe('offline');
  // A goodbye of a neighbour is a link closed by BYE, and in the log as such.
  for (const other of others)
    expect((await other.log()).filter(({ text }) => text.includes('leaving'))).toEqual([]);
  await leader.click('Rejoin ring');
  const after = await untilOneRing(tabs);
  expect(after.map((values) => values['own-id'])).not.toContain(id);
  await leader.click('Crash');
  await untilOneRing(others);
  await leader.page.goto('about:blank');
  expect(posted).toEqual([]);
  expect(tabs.flatMap(({ errors }) => errors)).toEqual([]);
});

test('the QR code of a page on localhost has an address that phones can open', async () => {
  const tab = await Tab.open(stage.browser, `${stage.url}?room=class`);
  await untilOneRing([tab]);
  await tab.click('Show QR code');
  const dialog = await tab.page.waitForSelector('dialog[open]');
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => `http://${address}:${stage.server.port}/?room=class`);
  await vi.waitFor(async () => {
    const text = (await dialog?.evaluate((element) => element.textContent)) ?? '';
    const link = (await dialog?.$eval('a', (element) => element.href)) ?? '';
    if (addresses.length > 0) {
      expect(link).toBe(addresses[0]);
      expect(text).toContain('which phones cannot open');
    } else expect(text).toContain('This is a link for this computer alone');
    const label = await dialog?.$eval('svg', (element) => element.getAttribute('aria-label'));
    expect(label).toBe(`QR code of ${link}`);
  });
  const size = await dialog?.$eval('svg', (element) => element.getBoundingClientRect().width);
  expect(size).toBeGreaterThan(300);
  await tab.click('Close');
  await vi.waitFor(async () => {
    expect(await tab.page.$('dialog[open]')).toBe(null);
  });
  // By its keyboard too, again and again.
  await tab.click('Show QR code');
  await tab.page.waitForSelector('dialog[open]');
  await tab.page.keyboard.press('Escape');
  await vi.waitFor(async () => {
    expect(await tab.page.$('dialog[open]')).toBe(null);
  });
  await tab.click('Show QR code');
  await tab.page.waitForSelector('dialog[open]');
});

test('the QR code of a page that others can open has its own address', async () => {
  const tab = await Tab.open(stage.browser, `http://ring.test:${stage.server.port}/`);
  await untilOneRing([tab]);
  await tab.click('Show QR code');
  const dialog = await tab.page.waitForSelector('dialog[open]');
  expect(await dialog?.$eval('a', (element) => element.href)).toBe(
    `http://ring.test:${stage.server.port}/?room=lobby`,
  );
  expect(await dialog?.evaluate((element) => element.textContent)).not.toContain('cannot open');
});

test('“Open another tab” opens one that joins the ring', async () => {
  const tab = await Tab.open(stage.browser, `${stage.url}?room=more`);
  await untilOneRing([tab]);
  await tab.click('Open another tab');
  await expectSaid(tab, 'Opened another tab');
  await vi.waitFor(
    async () => {
      expect((await tab.values())['ring-size']).toBe('2');
    },
    { timeout: PATIENCE },
  );
});

test('slow motion that one tab sets, by its keyboard, is shown by all and logged', async () => {
  const tabs = await openTabs(stage.browser, 3, stage.url);
  await untilOneRing(tabs);
  const [first, ...others] = tabs;
  const setter = defined(first);
  await setter.page.bringToFront();
  await setter.page.waitForSelector('input[type=range]', { timeout: PATIENCE });
  await setter.page.focus('input[type=range]');
  for (let press = 0; press < 3; press += 1) await setter.page.keyboard.press('ArrowRight');
  await expectSaid(setter, 'holds a message for 0.3 s');
  for (const tab of others)
    await vi.waitFor(
      async () => {
        expect(await tab.page.$eval('input[type=range]', ({ value }) => value)).toBe('0.3');
        const paces = (await tab.log()).filter(({ kind }) => kind === 'pace');
        expect(paces.at(-1)?.text).toContain('hop delay of the room is 300 ms');
      },
      { timeout: PATIENCE },
    );
});

test('connections are looked into while their panel is open, and only then', async () => {
  const tabs: Tab[] = [];
  for (let count = 0; count < 2; count += 1) {
    const tab = await Tab.make(stage.browser);
    await tab.page.evaluateOnNewDocument(() => {
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called on whatever it is asked of
      const { getStats } = RTCPeerConnection.prototype;
      RTCPeerConnection.prototype.getStats = function (...selector) {
        performance.mark('getStats');
        return getStats.apply(this, selector);
      };
    });
    await tab.page.goto(stage.url);
    tabs.push(tab);
  }
  const [values] = await untilOneRing(tabs);
  const tab = defined(tabs[0]);
  const asked = () => tab.page.evaluate(() => performance.getEntriesByName('getStats').length);
  await tab.page.waitForSelector('[data-testid=connections]', { timeout: PATIENCE });
  expect(await asked()).toBe(0);
  await tab.page.bringToFront();
  await tab.page.click('[data-testid=connections] summary');
  await vi.waitFor(
    async () => {
      const links = await tab.page.$$eval('[data-testid=connection]', (elements) =>
        elements.map((element) => element.textContent.replaceAll(/\s+/g, ' ')),
      );
      expect(links).toHaveLength(2);
      for (const edge of ['successor', 'predecessor']) {
        const text = links.find((each) => each.startsWith(edge)) ?? '';
        expect(text).toContain(values?.[`${edge}-id`]?.slice(0, 8));
        expect(text).toMatch(/State ?direct, (in use|open)/);
        expect(text).toMatch(/Round trip ?[\d.]+ ms/);
        expect(text).toMatch(/Sent ?[1-9]\d* B/);
        expect(text).toMatch(/Received ?[1-9]\d* B/);
        expect(text).toMatch(/(host|prflx) \(.*\) ↔ (host|prflx) \(/);
      }
      const text = await tab.page.$eval(
        '[data-testid=server-connection]',
        (element) => element.textContent,
      );
      expect(text).toMatch(/connected.*Since ?\d\d:\d\d:\d\d.*WebSocket/s);
    },
    { timeout: PATIENCE },
  );
  await tab.page.click('[data-testid=connections] summary');
  await tab.page.waitForFunction(() => document.querySelector('[data-testid=connection]') === null);
  const before = await asked();
  expect(before).toBeGreaterThan(0);
  // A lap of the leader later, which comes once a second.
  const laps = async () => (await tab.log()).findLast(({ kind }) => kind === 'lap')?.text;
  const [lap, start] = [await laps(), Date.now()];
  await vi.waitFor(
    async () => {
      expect(Date.now() - start).toBeGreaterThan(2_000);
      expect(await laps()).not.toBe(lap);
    },
    { timeout: PATIENCE },
  );
  expect(await asked()).toBe(before);
});
