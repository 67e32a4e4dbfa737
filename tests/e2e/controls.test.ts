/** Every control of the page does what it says, and confirms it. */
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defined, peerId } from '../support.ts';
import { ringState } from '../web/ring-state.ts';
import { showMember, openShowcase, tellMember } from './showcase.ts';
import { byRole, openTabs, PATIENCE, setStage, Tab, until, untilOneRing } from './support.ts';

const stage = setStage({ host: '0.0.0.0' });

/** The last confirmation of the controls. */
async function expectSaid(tab: Tab, text: string): Promise<void> {
  await until(async () => {
    const said = await tab.page.$eval(
      '[aria-label=Controls] [role=status]',
      (element) => element.textContent,
    );
    expect(said).toContain(text);
  });
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

/** What hardened browsers remove from a page, or make throw. */
test.each([
  ['is missing', false],
  ['throws', true],
])('a tab whose way to say goodbye and what else it can do without %s', async (_, throws) => {
  const tab = await Tab.make(stage.browser);
  await tab.page.evaluateOnNewDocument((throws) => {
    const refuse = () => {
      throw new Error('not in this browser');
    };
    const take = (owner: object, name: string) => {
      if (throws) Reflect.set(owner, name, refuse);
      else Reflect.deleteProperty(owner, name);
    };
    take(Navigator.prototype, 'sendBeacon');
    take(Document.prototype, 'execCommand');
    if (throws) take(globalThis, 'fetch');
    else for (const name of ['mark', 'getEntriesByName']) take(Performance.prototype, name);
    Reflect.deleteProperty(Navigator.prototype, 'clipboard');
  }, throws);
  const posted: string[] = [];
  tab.page.on('request', (request) => {
    if (request.method() === 'POST') posted.push(new URL(request.url()).pathname);
  });
  await tab.page.goto(stage.url);
  await untilOneRing([tab]);
  await tab.click('Copy link');
  await expectSaid(tab, 'Copy it from here: http://');
  expect(await tab.page.$$('textarea')).toHaveLength(0);
  await tab.click('Leave ring');
  await expectSaid(tab, 'Left the ring');
  await until(async () => {
    expect((await tab.values())['role']).toBe('offline');
    expect(stage.server.signaling.size.peers).toBe(0);
    expect(await tab.page.$eval('.connection', (it) => it.textContent)).toContain(
      'not in the ring',
    );
  });
  expect(posted).toEqual(throws ? [] : ['/leave']);
  await tab.click('Rejoin ring');
  await untilOneRing([tab]);
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
  await expectSaid(leader, 'Crashed without a goodbye');
  await untilOneRing(others);
  expect((await leader.values())['role']).toBe('offline');
  // A goodbye of a neighbour is a link closed by BYE, and is logged as such.
  for (const other of others) {
    // The log is drawn later than the values.
    const log = await until(async () => {
      const all = await other.log();
      expect(all.some(({ text }) => text.includes(`gone: ${id?.slice(0, 8)}`))).toBe(true);
      return all;
    });
    expect(log.filter(({ text }) => text.includes('leaving'))).toEqual([]);
  }
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
  const { others } = await stage.server.reach();
  await until(async () => {
    const text = (await dialog?.evaluate((element) => element.textContent)) ?? '';
    const link = (await dialog?.$eval('a', (element) => element.href)) ?? '';
    if (others.length > 0) {
      expect(link).toBe(`${others[0]}/?room=class`);
      expect(text).toContain('which phones cannot open');
    } else expect(text).toContain('This link works on this computer only');
    const label = await dialog?.$eval('svg', (element) => element.getAttribute('aria-label'));
    expect(label).toBe(`QR code of ${link}`);
  });
  const size = await dialog?.$eval('svg', (element) => element.getBoundingClientRect().width);
  expect(size).toBeGreaterThan(300);
  await tab.click('Close');
  await until(async () => {
    expect(await tab.page.$('dialog[open]')).toBe(null);
  });
  // By keyboard too, several times.
  await tab.click('Show QR code');
  await tab.page.waitForSelector('dialog[open]');
  await tab.page.keyboard.press('Escape');
  await until(async () => {
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
  await until(async () => {
    expect((await tab.values())['ring-size']).toBe('2');
  });
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
    await until(async () => {
      expect(await tab.page.$eval('input[type=range]', ({ value }) => value)).toBe('0.3');
      const paces = (await tab.log()).filter(({ kind }) => kind === 'pace');
      expect(paces.at(-1)?.text).toContain('hop delay of the room is 300 ms');
    });
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
  await until(async () => {
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
  });
  await tab.page.click('[data-testid=connections] summary');
  await tab.page.waitForFunction(() => document.querySelector('[data-testid=connection]') === null);
  const before = await asked();
  expect(before).toBeGreaterThan(0);
  // The leader's next lap comes within a second.
  const laps = async () => (await tab.log()).findLast(({ kind }) => kind === 'lap')?.text;
  const [lap, start] = [await laps(), Date.now()];
  await until(async () => {
    expect(Date.now() - start).toBeGreaterThan(2_000);
    expect(await laps()).not.toBe(lap);
  });
  expect(await asked()).toBe(before);
});

describe('given what a ring tells,', () => {
  let page: Page;
  const ids = [peerId(1), peerId(2), peerId(3)] as const;
  const [self, other] = ids;
  const SLIDER = 'input[type=range]';
  const pace = (hopDelay: number) =>
    tellMember(page, { type: 'pace', hopDelay, by: other }, ringState(ids, self, { hopDelay }));
  const untilShown = (value: string) =>
    page.waitForFunction(
      (selector, wanted) => document.querySelector<HTMLInputElement>(selector)?.value === wanted,
      {},
      SLIDER,
      value,
    );
  const settings = () => page.evaluate(() => globalThis.settings);
  const untilSaid = (text: string) =>
    page.waitForFunction(
      (wanted) =>
        document.querySelector('[aria-label=Controls] [role=status]')?.textContent === wanted,
      { timeout: PATIENCE },
      text,
    );

  beforeAll(async () => {
    page = await openShowcase(stage.browser);
    await page.bringToFront();
  });

  afterAll(async () => {
    await page.close();
  });

  test('what was done is said until it is no longer so', async () => {
    await showMember(page, ringState(ids, self));
    await page.focus(SLIDER);
    await page.keyboard.press('ArrowRight');
    await pace(100);
    await untilSaid('Slow motion: each peer of the room holds a message for 0.1 s');
    await pace(0);
    await untilSaid('');
    await page.click('.main');
    await untilSaid('Election started: my claim is on its way round the ring');
    await tellMember(page, { type: 'ring' }, ringState(ids, self, { term: 4 }));
    await untilSaid('');
  });

  test('a button that is pressed again says so again', async () => {
    await showMember(page, ringState(ids, self));
    const said = await page.evaluate(async () => {
      const status = document.querySelector('[aria-label=Controls] [role=status]');
      const button = document.querySelector<HTMLElement>('.controls .main');
      if (status === null || button === null) throw new Error('no controls');
      const heard: string[] = [];
      const change = () =>
        new Promise<void>((resolve) => {
          new MutationObserver((_, observer) => {
            observer.disconnect();
            heard.push(status.textContent);
            resolve();
          }).observe(status, { childList: true, characterData: true, subtree: true });
        });
      for (let press = 0; press < 2; press += 1) {
        let changed = change();
        button.click();
        await changed;
        if (status.textContent !== '') continue;
        changed = change();
        await changed;
      }
      return heard;
    });
    const started = 'Election started: my claim is on its way round the ring';
    expect(said).toEqual([started, '', started]);
  });

  test('a drag of the slow motion outlives the setting of another peer', async () => {
    await showMember(page, ringState(ids, self));
    const box = await (await page.waitForSelector(SLIDER))?.boundingBox();
    const { x, y, width, height } = defined(box ?? undefined);
    await page.mouse.move(x + 8, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width - 4, y + height / 2, { steps: 4 });
    await untilShown('2');
    await pace(700);
    await page.waitForSelector('[data-kind=pace]');
    await page.mouse.up();
    expect(await settings()).toEqual([2_000]);
    expect(await page.$eval(SLIDER, ({ value }) => value)).toBe('2');
    await pace(500);
    await untilShown('0.5');
  });

  test('a key that is held sets no more than five hop delays a second, and the last', async () => {
    await showMember(page, ringState(ids, self));
    await page.focus(SLIDER);
    const began = performance.now();
    for (let press = 0; press < 20; press += 1) await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => globalThis.settings.at(-1) === 2_000);
    const turns = Math.ceil((performance.now() - began) / 200);
    expect((await settings()).length).toBeLessThanOrEqual(turns + 1);
    expect((await settings()).length).toBeLessThan(20);
  });
});
