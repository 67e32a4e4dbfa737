/** The picture of the ring and the announcement: with given states, and in tabs of a real ring. */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parsePeerId, type PeerId } from '../../shared/protocol/ids.ts';
import type { Seat } from '../../shared/member/events.ts';
import { hueOf, nameOf } from '../../shared/narration/names.ts';
import { factsOf } from '../../web/facts.ts';
import { defined, peerId, valueOf } from '../support.ts';
import { ringState } from '../web/ring-state.ts';
import { DIRECT_LINK_PATIENCE } from '../../web/troubles.ts';
import { show, showMember, openShowcase, NO_WAYS } from './showcase.ts';
import {
  byRole,
  launchChromium,
  openTabs,
  PATIENCE,
  serve,
  until,
  untilOneRing,
  type Tab,
} from './support.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
});

/** Peers in no order of their ids; the last of the list does not lead. */
function peers(count: number): PeerId[] {
  return Array.from({ length: count }, (_, at) => peerId(((at + 1) * 7_919) % 65_537));
}

/** The peers in the picture, starting from this one, and those with labels. */
async function drawn(page: Page): Promise<{ order: string[]; labels: string[] }> {
  return page.evaluate(() => {
    const place = (element: Element) => Number(element.getAttribute('data-place'));
    const dots = [...document.querySelectorAll('[data-peer]')].sort((a, b) => place(a) - place(b));
    return {
      order: dots.map((dot) => dot.getAttribute('data-peer') ?? ''),
      labels: Array.from(
        document.querySelectorAll('[data-label]'),
        (label) => label.getAttribute('data-label') ?? '',
      ),
    };
  });
}

describe('given what a ring tells,', () => {
  let page: Page;

  beforeAll(async () => {
    page = await openShowcase(browser);
  });

  afterAll(async () => {
    await page.close();
  });

  afterEach(async () => {
    await page.emulateMediaFeatures([]);
  });

  test.each([2, 3, 16, 30, 100])(
    'all of %i peers are drawn, each with its colour',
    async (size) => {
      const ids = peers(size);
      const self = ids[1] ?? peerId(1);
      const ring = ringState(ids, self);
      await show(page, 'RingPicture', { ring, tokens: [] });
      const { order, labels } = await drawn(page);
      expect(order).toEqual([...ids.slice(1), ...ids.slice(0, 1)]);
      const named = size <= 16 ? ids : [self, ring.successor, ring.predecessor, ring.leader];
      expect(labels.toSorted()).toEqual([...new Set(named)].toSorted());
      const hues = await page.$$eval('[data-peer]', (dots) =>
        dots.map((dot) => [
          dot.getAttribute('data-peer'),
          getComputedStyle(dot).getPropertyValue('--hue'),
        ]),
      );
      expect(hues).toHaveLength(size);
      for (const [id, hue] of hues) expect(hue).toBe(String(hueOf(valueOf(parsePeerId(id)))));
    },
  );

  test.each([2, 3, 4, 5, 6, 7, 8, 16, 30, 60])(
    'labels of %i peers are whole, and do not cover each other',
    async (size) => {
      const ids = peers(size);
      // The leader near this peer is the hardest case, where not all have labels.
      const leads = ids.indexOf(ids.toSorted().at(-1) ?? peerId(1));
      const selves = [1, 2, size - 1, Math.floor(size / 2)].map((far) => (leads + far) % size);
      for (const at of new Set(selves)) {
        const ring = ringState(ids, ids[at] ?? peerId(1));
        await show(page, 'RingPicture', { ring, tokens: [] });
        const faults = await page.$$eval('text.label', (labels) => {
          const picture = document.querySelector('[data-testid=ring-picture]');
          const frame = picture?.getBoundingClientRect() ?? new DOMRect();
          const boxes = labels.map((label) => {
            const { left, right, top, bottom, height } = label.getBoundingClientRect();
            return { text: label.textContent, left, right, top, bottom, height };
          });
          const cut = boxes.filter(
            ({ left, right, top, bottom }) =>
              left < frame.left - 1 ||
              right > frame.right + 1 ||
              top < frame.top - 1 ||
              bottom > frame.bottom + 1,
          );
          const covered = boxes.filter((a, at) =>
            boxes.slice(at + 1).some(
              (b) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                // The line of a text is higher than its letters.
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > a.height / 3,
            ),
          );
          return [
            ...cut.map(({ text }) => `cut: ${text}`),
            ...covered.map(({ text }) => `covered: ${text}`),
          ];
        });
        expect(faults).toEqual([]);
      }
    },
  );

  test('links of each kind differ in more than colour', async () => {
    const ids = peers(6);
    const self = ids[0] ?? peerId(1);
    const kinds: Seat['link'][] = ['direct', 'relayed', 'connecting'];
    const ring = ringState(ids, self, { successorLink: 'direct', predecessorLink: 'none' });
    const seats = ids.map((id, at): Seat => ({ id, link: kinds[at % 3] ?? 'direct' }));
    await show(page, 'RingPicture', {
      ring: { ...ring, ring: { term: 3, seats, messages: 3 } },
      tokens: [],
    });
    const edges = await page.$$eval('[data-link]', (paths) =>
      paths.map((path) => path.getAttribute('data-link')),
    );
    expect(edges).toEqual(['direct', 'relayed', 'connecting', 'direct', 'relayed', 'broken']);
    const looks = await page.$$eval('[data-link]', (paths) =>
      paths
        .slice(-3)
        .concat(paths.slice(2, 3))
        .map((path) => {
          const { strokeDasharray, fill } = getComputedStyle(path);
          return `${strokeDasharray} ${fill} ${path.nextElementSibling?.getAttribute('d') ?? ''}`;
        }),
    );
    expect(new Set(looks).size).toBe(4);
  });

  test('a peer of many tells who it is, by mouse and by keyboard', async () => {
    const ids = peers(40);
    const self = ids[0] ?? peerId(1);
    await show(page, 'RingPicture', { ring: ringState(ids, self), tokens: [] });
    const asked = async () => {
      const texts = await page.$$eval('[data-asked]', (all) =>
        all.map((text) => [text.getAttribute('data-asked') ?? '', text.textContent]),
      );
      return texts.flat();
    };
    expect(await asked()).toEqual([]);
    const third = ids[3] ?? self;
    await page.hover(`[data-peer="${third}"]`);
    const [id, words] = await asked();
    expect(id).toBe(third);
    for (const part of [...nameOf(third).split(' '), third.slice(0, 8), '3 links away'])
      expect(words).toContain(part);
    await page.mouse.move(0, 0);
    expect(await asked()).toEqual([]);
    await page.keyboard.press('Tab');
    expect((await asked())[0]).toBe(self);
    for (let step = 0; step < 3; step += 1) await page.keyboard.press('ArrowRight');
    expect((await asked())[0]).toBe(third);
    await page.keyboard.press('Enter');
    await page.$eval(`[data-peer="${third}"]`, (dot) => {
      if (dot instanceof SVGElement) dot.blur();
    });
    expect((await asked())[0]).toBe(third);
  });

  const tokens = [
    { key: 1, edge: 'successor', kind: 'claim', origin: peerId(4) },
    { key: 2, edge: 'predecessor', kind: 'elected', origin: peerId(5) },
  ] as const;
  const animations = () =>
    page.$$eval('[data-testid=token]', (shown) =>
      shown.map((token) => token.getAnimations().length),
    );

  test('tokens move along this tab’s edges once there is a leader, or in slow motion', async () => {
    const ids = peers(5);
    const ring = ringState(ids, ids[0] ?? peerId(1));
    await show(page, 'RingPicture', { ring, tokens });
    expect(await animations()).toEqual([1, 1]);
    const election = { ...ring, leader: null, role: 'candidate' as const };
    await show(page, 'RingPicture', { ring: election, tokens });
    expect(await animations()).toEqual([0, 0]);
    await show(page, 'RingPicture', { ring: { ...election, hopDelay: 500 }, tokens });
    expect(await animations()).toEqual([1, 1]);
    const shapes = await page.$$eval('[data-testid=token]', (shown) =>
      shown.map((token) => token.querySelector('circle, path')?.tagName),
    );
    expect(shapes).toEqual(['circle', 'path']);
  });

  test('with reduced motion tokens are shown where they are, and nothing flashes', async () => {
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
    const ids = peers(5);
    const ring = ringState(ids, ids[0] ?? peerId(1));
    await show(page, 'RingPicture', { ring, tokens });
    expect(await animations()).toEqual([0, 0]);
    const pulse = { key: 1, kind: 'claim' as const, origin: peerId(4) };
    await show(page, 'TokenHere', { here: { origin: peerId(4), count: 1, pulse } });
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
    expect(await page.$eval('[data-testid=token-here] p', (text) => text.textContent)).toContain(
      nameOf(peerId(4)),
    );
  });

  test('a token that is here fills the screen, and lets clicks through', async () => {
    const pulse = { key: 1, kind: 'claim' as const, origin: peerId(4) };
    await show(page, 'TokenHere', { here: { origin: peerId(4), count: 7, pulse } });
    const seen = await page.$eval('[data-testid=token-here]', (element) => {
      const { width, height } = element.getBoundingClientRect();
      return {
        fills: width === innerWidth && height === innerHeight,
        top: document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('[data-testid]'),
        value: element.getAttribute('data-value'),
        count: element.getAttribute('data-count'),
      };
    });
    expect(seen).toEqual({ fills: true, top: null, value: peerId(4), count: '7' });
    await show(page, 'TokenHere', { here: { origin: null, count: 7, pulse: null } });
    expect(await page.$('.pulse')).toBeNull();
    expect(await page.$eval('[data-testid=token-here]', (e) => e.getAttribute('data-value'))).toBe(
      '',
    );
  });

  const message = {
    type: 'claim',
    term: 4,
    claim: { id: peerId(4), priority: 1 },
    hops: 1,
  } as const;

  test('the page shows a token that is here at once, until it is sent', async () => {
    const ids = peers(5);
    const self = ids[0] ?? peerId(1);
    await showMember(page, ringState(ids, self, { hopDelay: 1_000 }));
    const seen = await page.evaluate(
      async (message, to) => {
        const look = () => {
          const here = document.querySelector('[data-testid=token-here]');
          return [here?.getAttribute('data-value'), here?.getAttribute('data-count')];
        };
        const seen = [look()];
        tell({ type: 'holding', message, milliseconds: 1_000 });
        // As soon as this is done, not a frame later.
        await Promise.resolve();
        seen.push(look());
        tell({ type: 'sent', message, to });
        await Promise.resolve();
        seen.push(look());
        return seen;
      },
      message,
      ids[1] ?? self,
    );
    expect(seen).toEqual([
      ['', '0'],
      [peerId(4), '1'],
      ['', '1'],
    ]);
  });

  test('at full speed nothing is drawn of an election before it is calm', async () => {
    const ids = peers(5);
    const self = ids[0] ?? peerId(1);
    await showMember(page, ringState(ids, self, { leader: null, role: 'candidate' }));
    const took = await page.evaluate(
      async (message, to) => {
        const began = performance.now();
        // Not searched in each frame: on a busy machine it may be gone by the next.
        const drawn = new Promise<number>((resolve) => {
          new MutationObserver(() => {
            if (document.querySelector('[data-testid=token]') !== null)
              resolve(performance.now() - began);
          }).observe(document, { subtree: true, childList: true });
        });
        // One is shown for half a second only, and a frame may be late: those that wait follow it.
        for (let told = 0; told < 6; told += 1) tell({ type: 'sent', message, to });
        return drawn;
      },
      message,
      ids[1] ?? self,
    );
    expect(took).toBeGreaterThan(140);
  });

  test('the next leader is drawn in the task that tells of it, in words too', async () => {
    const ids = peers(4);
    const ring = ringState(ids, ids[0] ?? peerId(1));
    await showMember(page, ring);
    // The highest has gone.
    const leader = defined(ids[2]);
    const elected = { type: 'leader', leader, term: 9, size: 3, isSelf: false } as const;
    const after = { ...ring, leader, term: 9 };
    const drawn = await page.evaluate(
      async (event, sight) => {
        let isLater = false;
        const drawn = new Promise<{ isLater: boolean; headline: string }>((resolve) => {
          new MutationObserver(() => {
            const value = document.querySelector<HTMLElement>('[data-testid=leader-id]')?.dataset;
            const headline = document.querySelector('.headline')?.textContent ?? '';
            if (value?.['value'] === sight.ring.leader) resolve({ isLater, headline });
          }).observe(document, { subtree: true, childList: true, attributes: true });
        });
        setTimeout(() => (isLater = true));
        tell(event, sight);
        return drawn;
      },
      elected,
      { ring: after, facts: factsOf(after), ways: NO_WAYS },
    );
    expect(drawn.isLater).toBe(false);
    expect(drawn.headline).toContain(`${nameOf(leader)} leads`);
  });

  test('the announcement says who leads and why, in which term, after how many messages', async () => {
    const ids = [peerId(0x10), peerId(0x20), peerId(0x30)] as const;
    const since = Date.now() - 125_000;
    const text = () =>
      page.$eval('[data-testid=announcement]', (element) =>
        element.textContent.replaceAll(/\s+/g, ' '),
      );
    await show(page, 'Verdict', { ring: ringState(ids, ids[0]), since });
    for (const part of [`${nameOf(ids[2])} leads`, 'term 3', 'after 41 messages', 'for 2 min'])
      expect(await text()).toContain(part);
    // The digits that decide, and no more digits than necessary.
    expect(
      await page.$$eval('[data-testid=announcement] b', (marks) =>
        marks.slice(0, 2).map((mark) => mark.textContent),
      ),
    ).toEqual(['3', '1']);
    await show(page, 'Verdict', { ring: ringState(ids, ids[2]), since });
    expect(await text()).toContain('This tab leads');
    expect(await text()).toContain(`(${nameOf(ids[1])})`);
    // The known ring is that of the term before, until the new leader has described it.
    await show(page, 'Verdict', { ring: ringState(ids, ids[0], { term: 4 }), since });
    expect(await text()).toContain('term 4');
    expect(await text()).toContain('after – messages');
  });

  test('the first leader is read out, too: the announcement comes empty and is filled', async () => {
    const ids = [peerId(0x10), peerId(0x20)] as const;
    const said = await page.evaluate(
      async (props) => {
        mountShown('Verdict', props);
        const status = document.querySelector('[data-testid=announcement] [role=status]');
        if (status === null) throw new Error('nothing is read out');
        const first = status.textContent;
        const changed = new Promise((resolve) => {
          new MutationObserver(resolve).observe(status, { childList: true, subtree: true });
        });
        if (first === '') await changed;
        return [first, status.textContent];
      },
      { ring: ringState(ids, ids[0]), since: null },
    );
    expect(said).toEqual(['', `${nameOf(ids[1])}, ${ids[1].slice(0, 8)}, leads. Term 3.`]);
  });

  test('a notice that is no alarm comes empty and is filled, so that it is read out', async () => {
    const ids = [peerId(0x10), peerId(0x20)] as const;
    const ring = ringState(ids, ids[0], { successorLink: 'relayed' });
    const first = await page.evaluate(
      (sight, patience) =>
        new Promise<string>((resolve) => {
          new MutationObserver((_, observer) => {
            const notice = document.querySelector('[data-kind=relayed] [role=status]');
            if (notice === null) return;
            observer.disconnect();
            resolve(notice.textContent);
          }).observe(document.body, { childList: true, subtree: true });
          mountMember(sight);
          const now = Date.now;
          Date.now = () => now() + patience;
          tell({ type: 'ring' }, sight);
        }),
      { ring, facts: factsOf(ring), ways: NO_WAYS },
      DIRECT_LINK_PATIENCE,
    );
    expect(first).toBe('');
    await page.waitForFunction(
      () =>
        document
          .querySelector('[data-kind=relayed] [role=status]')
          ?.textContent.includes('No direct connection') === true,
    );
  });
});

describe('in a real ring', () => {
  let server: Awaited<ReturnType<typeof serve>>;
  let tabs: Tab[];

  beforeEach(async () => {
    server = await serve();
    tabs = await openTabs(browser, 3, `http://localhost:${server.port}/`);
    await untilOneRing(tabs);
  });

  afterEach(async () => {
    const errors = tabs.flatMap((tab) => tab.errors);
    await Promise.all(tabs.map((tab) => tab.close()));
    await server.close();
    expect(errors).toEqual([]);
  });

  const icon = (tab: Tab) =>
    tab.page.$eval('link[rel=icon]', (link) => link.getAttribute('href') ?? '');
  const said = (tab: Tab) =>
    tab.page.$eval('[data-testid=announcement] [role=status]', (element) =>
      element.textContent.trim(),
    );

  test('title, icon and banner say which tab leads, and another once it is gone', async () => {
    for (const tab of tabs)
      await tab.page.waitForSelector('[data-testid=announcement]', { timeout: PATIENCE });
    const values = await untilOneRing(tabs);
    const { leader, others } = byRole(tabs, values);
    const id = valueOf(parsePeerId(values[0]?.['leader-id']));
    // A moment after the page has loaded.
    const untilTitled = (tab: Tab, title: string) =>
      until(async () => {
        expect(await tab.page.title()).toBe(title);
      });
    const untilSaid = (tab: Tab, text: string) =>
      until(async () => {
        expect(await said(tab)).toContain(text);
      });
    await untilTitled(leader, '★ Leader · Ringleader');
    await untilSaid(leader, 'This tab leads');
    for (const tab of others) {
      await untilTitled(tab, `${nameOf(id)} leads · Ringleader`);
      await untilSaid(tab, `${nameOf(id)}, ${id.slice(0, 8)}, leads`);
      expect(await icon(tab)).not.toBe(await icon(leader));
    }
    const leaderIcon = await icon(leader);
    tabs = others;
    await leader.close();
    const next = byRole(others, await untilOneRing(others)).leader;
    await until(async () => {
      expect(await next.page.title()).toBe('★ Leader · Ringleader');
      expect(await icon(next)).toBe(leaderIcon);
      expect(await said(next)).toContain('This tab leads');
    });
  });

  test('what can be pressed stays where it is while the details of the election come', async () => {
    const [tab] = tabs;
    if (tab === undefined) throw new Error('no tab');
    for (const width of [390, 1280]) {
      await tab.page.setViewport({ width, height: 900 });
      await tab.page.goto(`http://localhost:${server.port}/`);
      await tab.page.waitForSelector('.controls', { timeout: PATIENCE });
      const top = () => tab.page.$eval('.controls', (element) => element.getBoundingClientRect().y);
      const before = await top();
      await tab.page.waitForFunction(
        () => /after\s+\d/.test(document.querySelector('.when')?.textContent ?? ''),
        { timeout: PATIENCE },
      );
      expect({ width, top: await top() }).toEqual({ width, top: before });
    }
  });

  test('the announcement is read out once for each change, not at each lap', async () => {
    const [tab] = tabs;
    if (tab === undefined) throw new Error('no tab');
    await tab.page.waitForSelector('[data-testid=announcement] [role=status]', {
      timeout: PATIENCE,
    });
    await tab.page.waitForFunction(
      () => document.querySelector('[data-testid=announcement] [role=status]')?.textContent !== '',
    );
    await tab.page.$eval('[data-testid=announcement] [role=status]', (status) => {
      const changes: string[] = [];
      new MutationObserver(() => changes.push(status.textContent)).observe(status, {
        childList: true,
        characterData: true,
        subtree: true,
      });
      Object.assign(globalThis, { changes });
    });
    const look = () =>
      tab.page.evaluate(() => {
        const changes: unknown = Reflect.get(globalThis, 'changes');
        return {
          term: document.querySelector('[data-testid=term]')?.getAttribute('data-value'),
          count: Array.isArray(changes) ? changes.length : -1,
        };
      });
    const laps = async () => {
      const times = /(\d+) such messages/.exec((await tab.log()).at(-1)?.text ?? '')?.[1];
      return Number(times ?? 0);
    };
    // Repeated where there was an election meanwhile: that must be read out.
    await until(async () => {
      const first = await look();
      const before = await laps();
      await until(async () => {
        expect(await laps()).toBeGreaterThan(before + 4);
      });
      expect(await look()).toEqual(first);
    });
    const before = await look();
    await tab.click('Start election');
    await until(async () => {
      const { term, count } = await look();
      expect(term).not.toBe(before.term);
      expect(count).toBeGreaterThan(before.count);
    });
  });

  test('the picture has the neighbours in their places', async () => {
    const [tab] = tabs;
    if (tab === undefined) throw new Error('no tab');
    await tab.page.waitForSelector('[data-testid=ring-picture]', { timeout: PATIENCE });
    const values = await tab.values();
    await until(async () => {
      expect((await drawn(tab.page)).order).toEqual([
        values['own-id'],
        values['successor-id'],
        values['predecessor-id'],
      ]);
    });
  });
});
