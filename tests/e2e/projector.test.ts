/** The projector page without a server, given rings that no small machine could run. */
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Order, PeerTrace, TraceEntry } from '../../shared/protocol/watch.ts';
import { nameOf } from '../../shared/narration/names.ts';
import { defined, peerId } from '../support.ts';
import { announcement, claim, traceOf, sent, standing, threeTraces } from '../watch/traces.ts';
import { TracedRing } from '../watch/simulated.ts';
import { showWatched, openShowcase } from './showcase.ts';
import { launchChromium, until } from './support.ts';

let browser: Browser;
let page: Page;
let errors: string[];

beforeAll(async () => {
  browser = await launchChromium();
  page = await openShowcase(browser);
  page.on('pageerror', (error) => errors.push(String(error)));
});

afterAll(async () => {
  await browser.close();
});

afterEach(() => {
  expect(errors).toEqual([]);
});

beforeEach(async () => {
  errors = [];
  await page.setViewport({ width: 1280, height: 800 });
  // Everything is shown at once.
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
  await showWatched(page);
});

function tellOrder(order: Order): Promise<void> {
  return page.evaluate((given) => {
    watched.onProblem(null);
    watched.onOrder(given);
  }, order);
}

function tell(traces: PeerTrace[]): Promise<void> {
  return page.evaluate(
    (given) => {
      watched.onTraces(given);
    },
    { traces, missed: 0 },
  );
}

function valueOf(name: string): Promise<string | null> {
  return page.$eval(`[data-testid=${name}]`, (element) => element.getAttribute('data-value'));
}

function textOf(name: string): Promise<string> {
  return page.$eval(`[data-testid=${name}]`, (element) => element.textContent.trim());
}

async function press(name: string): Promise<void> {
  await page.locator(`::-p-aria([name="${name}"][role="button"])`).click();
}

const THREE: Order = { peers: [1, 2, 3].map(peerId), policy: 'highest' };

/** A later election, which 3 wins again. */
function electionOf(term: number): PeerTrace[] {
  return [
    traceOf(
      3,
      [
        sent(term * 100, 1, claim(3, 1, term)),
        sent(term * 100 + 9, 1, announcement(3, 1, 0, term)),
      ],
      { first: term * 10 },
    ),
    traceOf(
      1,
      [sent(term * 100 + 5, 2, claim(3, 2, term)), standing(term * 100 + 8, 'follower', 3, term)],
      { first: term * 10 },
    ),
  ];
}

test('a token that is held stands at its peer, and its time there is on the peer’s line', async () => {
  const ring = new TracedRing(8);
  ring.setHopDelay(1_000);
  await tellOrder(ring.order);
  await tell(ring.takeTraces());
  ring.campaign(false);
  ring.run(1_500);
  await tell(ring.takeTraces());
  const starter = defined(ring.world.peers[0]).ring.state.id;
  const at = ring.order.peers.indexOf(starter);
  const next = defined(ring.order.peers[(at + 1) % 8]);
  await until(async () => {
    // It has gone one hop, and is held again.
    expect(
      await page.$$eval('[data-testid=held-token]', (all) =>
        all.map((each) => each.getAttribute('data-value')),
      ),
    ).toEqual([next]);
  });
  expect(
    await page.$$eval('[data-testid=hold]', (all) =>
      all.map((each) => each.getAttribute('data-value')),
    ),
  ).toEqual([starter, next]);
  // Each begins where the message comes, and is as long as the delay; the two do not overlap.
  const [first, second] = await page.$$eval('[data-testid=hold]', (all) =>
    all.map((each) => ({
      x: Number(each.getAttribute('x')),
      width: Number(each.getAttribute('width')),
    })),
  );
  expect(defined(second).x).toBeGreaterThanOrEqual(defined(first).x + defined(first).width);
  expect(defined(second).width / defined(first).width).toBeCloseTo(1, 1);
  const titles = await page.$$eval('[data-testid=hold] title', (all) =>
    all.map((each) => each.textContent),
  );
  expect(titles[0]).toMatch(`${nameOf(starter)} holds the claim of ${nameOf(starter)}`);
  // Nothing is awaited any more once it is over.
  ring.run(25_000);
  await tell(ring.takeTraces());
  await until(async () => {
    expect(await page.$$('[data-testid=held-token]')).toHaveLength(0);
    expect(await valueOf('watch-leader')).toBe(ring.order.peers[0]);
    // Each message was.
    const messages = Number(await valueOf('space-time'));
    expect(messages).toBeGreaterThanOrEqual(16);
    expect(await page.$$('[data-testid=hold]')).toHaveLength(messages);
  });
});

test('says what it waits for: the server, then the ring, then its election', async () => {
  expect(await textOf('watch-leader')).toMatch('Connecting');
  expect(await page.$$('[data-testid=watch-peers]')).toHaveLength(0);
  const says = (text: string) =>
    until(async () => {
      expect(await textOf('watch-leader')).toMatch(text);
    });
  await tellOrder({ peers: [], policy: null });
  await says('Nobody is in this ring yet');
  await tellOrder(THREE);
  await says('Asking the ring');
  await tell([traceOf(1, [standing(1, 'follower', 3)])]);
  await tell([traceOf(2, [standing(1, 'candidate', null)])]);
  await says('Electing a leader');
  await tell([traceOf(3, [standing(1, 'leader', 3)])]);
  await says('leads');
});

test('the moment is read aloud while it stands still, not with each picture of one that moves', async () => {
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'no-preference' }]);
  await tellOrder(THREE);
  await tell(threeTraces());
  await page.waitForSelector('[data-testid=watch-moment]');
  const valueText = () =>
    page.$eval('[data-testid=watch-moment]', (element) => element.getAttribute('aria-valuetext'));
  // From the beginning to the end: everything that it says on its way.
  await press('Live');
  await page.evaluate(() => {
    const moment = document.querySelector('[data-testid=watch-moment]');
    if (moment === null) throw new Error('no moment');
    const said: (string | null)[] = [];
    Object.assign(globalThis, { said });
    new MutationObserver(() => said.push(moment.getAttribute('aria-valuetext'))).observe(moment, {
      attributeFilter: ['aria-valuetext'],
    });
  });
  const atEnd = await valueText();
  expect(atEnd).toMatch(' sends ');
  await press('Replay');
  await until(async () => {
    const said = await page.evaluate((): unknown => Reflect.get(globalThis, 'said'));
    expect(said).toEqual(['playing', atEnd]);
  });
});

test('links are drawn by their kind, as members tell it', async () => {
  const order: Order = { peers: [1, 2, 3, 4].map(peerId), policy: 'highest' };
  await tellOrder(order);
  const links = ['direct', 'relayed', 'connecting', 'none'] as const;
  const entry = (link: (typeof links)[number]): TraceEntry => ({
    ...{ type: 'state', at: 1, role: 'follower', term: 1, leader: peerId(4), link },
  });
  const edges = () =>
    page.$$eval('[data-edge]', (all) => all.map((each) => each.getAttribute('data-link')));
  await until(async () => {
    expect(await edges()).toEqual(Array(4).fill('unknown'));
  });
  await tell(links.map((link, at) => traceOf(at + 1, [entry(link)])));
  await until(async () => {
    expect(await edges()).toEqual(['direct', 'relayed', 'connecting', 'broken']);
  });
  expect(
    await page.$$eval('[aria-label=Legend] li', (all) =>
      all.map((each) => each.textContent.trim()),
    ),
  ).toEqual(expect.arrayContaining(['direct', 'relayed', 'connecting', 'broken']));
  await tell([traceOf(2, [entry('direct')], { first: 1 })]);
  await until(async () => {
    expect(await edges()).toEqual(['direct', 'direct', 'connecting', 'broken']);
  });
});

test('the last ten elections can be looked at again, and the last is shown unless another is chosen', async () => {
  await tellOrder(THREE);
  await tell(threeTraces());
  const shows = (term: number) =>
    until(async () => {
      expect(await valueOf('watch-term')).toBe(String(term));
    });
  await shows(1);
  expect(await textOf('watch-why')).toMatch(/^The highest uuid leads: .* > .*\(.*\)\.$/);
  for (let term = 2; term <= 12; term += 1) {
    await tell(electionOf(term));
    await shows(term);
  }
  const options = () =>
    page.$$eval('[data-testid=watch-term] option', (all) => all.map((each) => each.textContent));
  expect(await options()).toEqual(
    Array.from({ length: 10 }, (_, at) => `Term ${at + 3}: ${nameOf(peerId(3))}`),
  );
  await press('Previous election');
  await shows(11);
  await press('Previous election');
  await shows(10);
  expect(await valueOf('watch-messages')).toBe('3');
  expect(await textOf('watch-won')).toMatch(/won\. /);
  await page.select('[data-testid=watch-term]', '5');
  await shows(5);
  // Another one begins; a viewer of this one stays with it.
  await tell(electionOf(13));
  await until(async () => {
    expect((await options()).at(-1)).toMatch(/^Term 13/);
  });
  await shows(5);
  await press('Next election');
  await shows(6);
  await press('Live');
  await shows(13);
  await tell(electionOf(14));
  await shows(14);
  // A viewer that goes back in the last one stays with that, too.
  await page.focus('[data-testid=watch-moment]');
  await page.keyboard.press('Home');
  await tell(electionOf(15));
  await until(async () => {
    expect((await options()).at(-1)).toMatch(/^Term 15/);
  });
  await shows(14);
  expect(await valueOf('watch-moment')).toBe('0');
  // To choose the last one is to follow.
  await page.select('[data-testid=watch-term]', '15');
  await shows(15);
  await tell(electionOf(16));
  await shows(16);
});

/** Names that touch each other in the picture and in the diagram. */
function overlaps(): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    for (const selector of [
      '[data-testid=watched-ring] text:not(.crown)',
      '[data-testid=space-time] text',
    ]) {
      const boxes = [...document.querySelectorAll(selector)].map((element) => ({
        words: element.textContent,
        box: element.getBoundingClientRect(),
      }));
      for (const [at, one] of boxes.entries())
        for (const other of boxes.slice(at + 1)) {
          const across =
            Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
          const down =
            Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
          // A line of text is higher than its letters.
          if (across > 1 && down > Math.min(one.box.height, other.box.height) * 0.35)
            found.push(`${one.words} / ${other.words}`);
        }
    }
    return found;
  });
}

test.each([3, 12, 16, 60, 100])(
  '%i peers: no names touch, and a projector needs no scrolling',
  async (size) => {
    const ring = new TracedRing(size);
    await tellOrder(ring.order);
    await tell(ring.takeTraces());
    ring.campaign(true);
    ring.run(4_000);
    await tell(ring.takeTraces());
    await until(async () => {
      expect(await valueOf('watch-leader')).toBe(ring.order.peers[0]);
      expect(Number(await valueOf('space-time'))).toBeGreaterThanOrEqual(2 * size);
    });
    for (const [width, height] of [
      [1920, 1080],
      [1280, 800],
      [390, 844],
    ] as const) {
      await page.setViewport({ width, height });
      await until(async () => {
        const sight = await page.evaluate(() => {
          const svg = document.querySelector('[data-testid=space-time]');
          const { scrollWidth, scrollHeight } = document.documentElement;
          const area = svg?.parentElement?.getBoundingClientRect();
          const ring = document.querySelector('[data-testid=watched-ring]');
          const frame = ring?.getBoundingClientRect() ?? new DOMRect();
          const cut = [...(ring?.querySelectorAll('text') ?? [])].filter((text) => {
            const { top, bottom, left, right } = text.getBoundingClientRect();
            const isInside = top >= frame.top - 1 && bottom <= frame.bottom + 1;
            return !isInside || left < frame.left || right > frame.right;
          });
          return {
            cut: cut.map(({ textContent }) => textContent),
            isWide: scrollWidth > innerWidth,
            isLong: scrollHeight > innerHeight,
            isCut: (svg?.getBoundingClientRect().bottom ?? 0) > (area?.bottom ?? 0) + 1,
            names: document.querySelectorAll('[data-testid=space-time] .name').length,
          };
        });
        expect(sight).toMatchObject({ cut: [], isWide: false, isCut: false });
        expect(sight.names).toBeGreaterThanOrEqual(Math.min(size, 10));
        if (width > 390) expect(sight.isLong).toBe(false);
        expect(await overlaps()).toEqual([]);
      });
    }
  },
);
