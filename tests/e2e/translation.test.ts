/**
 * Pages that the browser translates: what a person reads there must be true. The simulated translator
 * changes no word, so that a translated page reads like an untranslated one.
 */
import type { Page } from 'puppeteer-core';
import { expect, test } from 'vitest';
import { parsePeerId, type PeerId } from '../../shared/protocol/ids.ts';
import type { Order, PeerTrace } from '../../shared/protocol/watch.ts';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import { nameOf } from '../../shared/narration/names.ts';
import { defined, peerId, valueOf } from '../support.ts';
import { announcement, claim, traceOf, sent, standing, threeTraces } from '../watch/traces.ts';
import { ringState } from '../web/ring-state.ts';
import { DIRECT_LINK_PATIENCE } from '../../web/troubles.ts';
import { openShowcase, passTime, showMember, showWatched, tellMember } from './showcase.ts';
import { byRole, openTabs, setStage, Tab, until, untilOneRing } from './support.ts';

const stage = setStage();

/** Chromium's translator wraps its replacement of a text node, Firefox's inserts another text node. */
type Manner = 'elements' | 'text nodes';

/** Runs in a page: translates everything there is and, as translators do, everything that comes. */
function translate(manner: Manner): void {
  const done = new WeakSet<Node>();
  const HTML = 'http://www.w3.org/1999/xhtml';
  const put = (node: Text) => {
    const text = new Text(node.data);
    done.add(text);
    document.documentElement.dataset['translated'] = manner;
    if (manner === 'text nodes') {
      node.replaceWith(text);
      return;
    }
    const outer = document.createElementNS(HTML, 'font');
    const inner = document.createElementNS(HTML, 'font');
    inner.append(text);
    outer.append(inner);
    node.replaceWith(outer);
  };
  const look = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found: Text[] = [];
    while (walker.nextNode() !== null) {
      const { currentNode } = walker;
      const isKept = currentNode.parentElement?.closest(
        '[translate=no], .notranslate, script, style',
      );
      if (!(currentNode instanceof Text) || done.has(currentNode) || isKept) continue;
      if (currentNode.data.trim() !== '') found.push(currentNode);
    }
    for (const node of found) put(node);
  };
  addEventListener('DOMContentLoaded', () => {
    look();
    const options = { childList: true, characterData: true, subtree: true };
    new MutationObserver(look).observe(document.body, options);
  });
}

/** The text that a person reads, line by line. */
function read(page: Page): Promise<string> {
  return page.evaluate(() => document.body.innerText.replaceAll(/\s+/g, ' '));
}

/** Showcases at a stopped clock: one without a translator, and one for each kind of translator. */
async function openTwins(): Promise<readonly Page[]> {
  const open = async (manner: Manner | null) =>
    openShowcase(await stage.browser.createBrowserContext(), async (page) => {
      await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
      await page.evaluateOnNewDocument(() => {
        Date.now = () => 1_700_000_000_000;
      });
      if (manner !== null) await page.evaluateOnNewDocument(translate, manner);
    });
  return Promise.all([null, 'elements' as const, 'text nodes' as const].map(open));
}

/** Waits until all say the same, and each of the sentences. */
async function expectSame(twins: readonly Page[], ...sentences: string[]): Promise<void> {
  await until(async () => {
    const [plain, ...translated] = await Promise.all(twins.map(read));
    for (const sentence of sentences) expect(plain).toContain(sentence);
    for (const each of translated) expect(each).toBe(plain);
  });
}

const IDS = [1, 2, 3, 4].map(peerId);
const [A, B, C, D] = [defined(IDS[0]), defined(IDS[1]), defined(IDS[2]), defined(IDS[3])];

test('a member’s page that is translated says in each state what is so', async () => {
  const twins = await openTwins();
  const show = (ring: RingState) => Promise.all(twins.map((page) => showMember(page, ring)));
  const tell = (event: RingEvent, ring: RingState) =>
    Promise.all(twins.map((page) => tellMember(page, event, ring)));
  const click = (selector: string) =>
    Promise.all(
      twins.map((page) =>
        page.$eval(selector, (it) => {
          (it as HTMLElement).click();
        }),
      ),
    );
  const same = (...sentences: string[]) => expectSame(twins, ...sentences);
  const count: RingEvent = { type: 'ring' };

  const nowhere = { successor: null, predecessor: null, leader: null, size: null, term: null };
  await show(
    ringState([A], A, { ...nowhere, role: 'joining', server: 'reconnecting', ring: null }),
  );
  await same('Joining the ring');
  await tell({ type: 'server', state: 'reconnecting', reason: 'lost' }, ringState([A], A, nowhere));
  await same('This page cannot reach its signaling server');
  await tell({ type: 'server', state: 'connected', reason: '' }, ringState([A], A));
  await same('This tab leads', 'It is alone in its ring');
  await tell(count, ringState([A, B, C], A, { role: 'candidate', leader: null }));
  await same('Electing a leader');
  const led: RingEvent = { type: 'leader', leader: C, term: 3, size: 3, isSelf: false };
  await tell(led, ringState([A, B, C], A));
  await same(`${nameOf(C)} leads`, 'term 3', 'after 41 messages', 'the leader of term 3');
  await tell({ ...led, leader: B, term: 4 }, ringState([A, B], A, { term: 4 }));
  await same(`${nameOf(B)} leads`, 'term 4', 'the leader of term 4');
  // A link that is relayed, then direct; slow motion; a ring of many.
  const relayed = ringState([A, B, D], A, { successorLink: 'relayed' });
  await tell(count, relayed);
  for (const page of twins) await passTime(page, DIRECT_LINK_PATIENCE);
  await tell(count, relayed);
  await same('No direct connection');
  await tell(count, ringState([A, B, D], A, { hopDelay: 500 }));
  await same('is direct now', '0.5 s');
  await tell(
    count,
    ringState(
      Array.from({ length: 30 }, (_, at) => peerId(at + 1)),
      A,
    ),
  );
  await same('30 peers');
  // The log: paused, with new entries, filtered, and resumed.
  await click('[aria-pressed=false].tools button, .tools button[aria-pressed=false]');
  await tell({ type: 'pace', hopDelay: 100, by: B }, ringState([A, B], A));
  await same('Paused.', '1 new');
  await click('.kinds input');
  await same('entries.');
  await click('.all');
  await click('.fresh');
  await click('.tools button[aria-pressed=true]');
  await same('hop delay of the room is 100 ms');
  for (const times of [1, 2])
    await tell({ type: 'error', message: `fault ${times}` }, ringState([A, B], A));
  await same('fault 2', 'Something went wrong');
  await click('[data-testid=connections] summary');
  await same('No link to a neighbour');
  await tell(
    { type: 'left' },
    ringState([A, B], A, { ...nowhere, role: 'offline', server: 'offline' }),
  );
  await same('Not in the ring', 'left the ring', 'unknown');
  const manners = twins.map((page) =>
    page.evaluate(() => document.documentElement.dataset['translated']),
  );
  expect(await Promise.all(manners)).toEqual([undefined, 'elements', 'text nodes']);
  await tell({ type: 'joined', id: D, room: ringState([D], D).room }, ringState([D, A], D));
  await same('This tab leads', nameOf(A));
});

test('a projector page that is translated says in each state what is so', async () => {
  const twins = await openTwins();
  const inEach = <T>(use: (given: T) => void, given: T) =>
    Promise.all(twins.map((page) => page.evaluate(use as (given: unknown) => void, given)));
  const problem = (text: string | null) =>
    inEach((given: string | null) => {
      watched.onProblem(given);
    }, text);
  const order = (peers: readonly PeerId[]) =>
    inEach(
      (given: Order) => {
        watched.onOrder(given);
      },
      { peers, policy: peers.length === 0 ? null : 'highest' },
    );
  const traces = (...all: PeerTrace[]) =>
    inEach((given: PeerTrace[]) => {
      watched.onTraces({ traces: given, missed: 0 });
    }, all);
  const same = (...sentences: string[]) => expectSame(twins, ...sentences);
  await Promise.all(twins.map((page) => showWatched(page)));
  await same('Connecting', 'not watching');
  await problem('The server cannot be reached.');
  await same('The server cannot be reached.');
  await problem(null);
  await order([]);
  await same('Nobody is in this ring yet', 'Scan the code');
  await order([A, B, C]);
  await same('Asking the ring', '3 peers');
  await traces(...threeTraces());
  await same(`${nameOf(C)} leads`, 'elected in term 1', 'The last election', 'Theory for 3 peers');
  // The leader leaves, and another is elected.
  await order([A, B]);
  await traces(
    traceOf(
      2,
      [
        sent(200, 1, claim(2, 1, 2)),
        sent(209, 1, announcement(2, 1, 0, 2)),
        standing(210, 'leader', 2, 2),
      ],
      { first: 7 },
    ),
    traceOf(1, [sent(205, 2, claim(2, 2, 2)), standing(208, 'follower', 2, 2)], { first: 7 }),
  );
  await same(`${nameOf(B)} leads`, 'elected in term 2', '2 peers', 'Theory for 2 peers');
  await Promise.all(
    twins.map((page) =>
      page.$eval('[aria-label="Previous election"]', (it) => {
        (it as HTMLElement).click();
      }),
    ),
  );
  await same('An earlier election', 'in the election of term 1');
  await traces(traceOf(1, [standing(300, 'follower', 2, 2)], { first: 9, lost: 7 }));
  await same('7 events could not be shown');
});

test('translated pages of a real ring name the new leader once the old one has left', async () => {
  const tabs = await openTabs(stage.browser, 2, stage.url);
  const open = async (path: string) => {
    const tab = await Tab.make(stage.browser);
    await tab.page.evaluateOnNewDocument(translate, 'elements' as const);
    await tab.page.goto(`${stage.url}${path}`);
    return tab;
  };
  const translated = await open('');
  const watching = await open('watch');
  tabs.push(translated);
  // The leader's page is translated, too: it must say that it leads, and then see another lead.
  for (;;) {
    const values = await untilOneRing(tabs);
    const { leader } = byRole(tabs, values);
    const name = nameOf(valueOf(parsePeerId(values[0]?.['leader-id'])));
    await until(async () => {
      const text = await read(translated.page);
      expect(text).toContain(leader === translated ? 'This tab leads' : `${name} leads`);
      expect(text).toContain('the leader of term');
      expect(await read(watching.page)).toContain(`${name} leads`);
    });
    if (tabs.length === 1) break;
    if (leader === translated) {
      await leader.click('Leave ring');
      await until(async () => {
        expect(await read(translated.page)).toContain('Left the ring');
        expect(await read(translated.page)).toContain('Not in the ring');
        expect(await read(translated.page)).not.toContain('This tab leads');
      });
      await leader.click('Rejoin ring');
      const again = await untilOneRing(tabs);
      if (byRole(tabs, again).leader === translated) break;
      continue;
    }
    await leader.close();
    tabs.splice(tabs.indexOf(leader), 1);
  }
});
