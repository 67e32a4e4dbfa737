/**
 * The page's entry: joins the ring as soon as it runs and shows the answer in the little there is of
 * the page so far. All the rest comes once the ring is quiet, since making links and electing a leader has
 * better use for the processor, above all where many tabs share one.
 */
import { parseRoomName } from '../shared/protocol/ids.ts';
import { BriefPage } from './brief-page.ts';
import { takeFirstConnection } from './first-connection.ts';
import type * as Page from './page.ts';
import { RingMember } from './ring-member.ts';

/**
 * For how long nothing is to happen before the whole page is shown, in milliseconds. To a member with a
 * leader and its links: half of what it took to get them, within bounds, since where that took long many
 * tabs do it at once, and this page would make it longer still for the others. To one that does not get
 * them: counted from the last event, for the same reason.
 */
const QUIET = { share: 0.5, least: 300, most: 2_000 };
const STUCK = 10_000;

/** The longest that the whole page is waited for, in milliseconds, whatever happens. */
const LONGEST = 20_000;

/**
 * After so many milliseconds of its program a page that has nothing else to show yet says what it is
 * doing: to draw words takes a tab as long as an election does.
 */
const WORDLESS = 4_000;

/** Milliseconds after the first attempt to load the rest of the page; longer after each, up to a limit. */
const RETRY = 1_000;
const LAST_RETRY = 10_000;

/** After so many attempts the page says that it is not whole. */
const HOPEFUL = 3;

const target = document.getElementById('page');
if (target === null) throw new Error('index.html has no #page');

const name = new URLSearchParams(location.search).get('room') ?? 'lobby';
const room = parseRoomName(name);
if (room.ok) {
  const member = new RingMember(room.value);
  await untilQuiet(member, new BriefPage(target));
  const { showMember } = await loadPage();
  showMember(target, member);
} else {
  takeFirstConnection()?.close();
  const { showBadRoom } = await loadPage();
  showBadRoom(target, name, room.error);
}

/** The rest of the page, as soon as the server gives it: it may have gone just now. */
async function loadPage(): Promise<typeof Page> {
  for (let attempt = 1; ; attempt += 1)
    try {
      // Away from the other import: made one expression of by the build, both lose the style sheet.
      if (attempt === 1) return await import('./page.ts');
      await Promise.all(
        Array.from(document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]'), loadAgain),
      );
      return await importAgain(attempt);
    } catch (error) {
      console.warn('the rest of the page could not be loaded', error);
      if (attempt === HOPEFUL) sayUnfinished();
      await new Promise((resolve) => setTimeout(resolve, Math.min(attempt * RETRY, LAST_RETRY)));
    }
}

/** The server may be away for long, or have another page by now. */
function sayUnfinished(): void {
  const words = document.createElement('p');
  words.role = 'alert';
  words.textContent = 'The rest of this page cannot be loaded. Reload it once the server is back.';
  target?.append(words);
}

/** A style sheet that could not be loaded is not asked for again by itself. */
function loadAgain(link: HTMLLinkElement): Promise<void> {
  return new Promise((resolve, reject) => {
    const { rel, href } = link;
    const again = Object.assign(document.createElement('link'), { rel, href });
    again.addEventListener('load', () => {
      resolve();
    });
    again.addEventListener('error', () => {
      reject(new Error(`no style sheet at ${href}`));
    });
    link.replaceWith(again);
  });
}

/** Under another address: a browser may hold on to what came of the first attempt at one. */
function importAgain(attempt: number): Promise<typeof Page> {
  const hint = 'link[rel=modulepreload], link[rel=preload][as=script]';
  const address = document.querySelector<HTMLLinkElement>(hint)?.href;
  if (address === undefined) return import('./page.ts');
  return import(/* @vite-ignore */ `${address}?attempt=${attempt}`);
}

/** Shows briefly how the member fares until it has its place and its leader, or some trouble. */
function untilQuiet(member: RingMember, page: BriefPage): Promise<void> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let dueAt = Infinity;
    /** Each change puts it off; a timer that comes too soon is set again, since to do so costs more. */
    let quietAt = 0;
    let settledAt: number | null = null;
    let isAsked = false;
    let isWordless = true;
    const look = () => {
      isAsked = false;
      const { ring, isInTrouble, log } = member;
      page.show(ring);
      if (!isWordless) page.tell(ring);
      if (isInTrouble || ring.role === 'offline') resolve();
      // Laps go on for ever.
      if (settledAt !== null && log.at(-1)?.isLap === true) return;
      const isLinking = [ring.successorLink, ring.predecessorLink].includes('connecting');
      const isSettled = ring.leader !== null && !isLinking;
      settledAt = isSettled ? (settledAt ?? performance.now()) : null;
      quietAt = performance.now() + (settledAt === null ? STUCK : quietAfter(settledAt));
      if (quietAt < dueAt) awaitQuiet();
    };
    const awaitQuiet = () => {
      clearTimeout(timer);
      dueAt = quietAt;
      timer = setTimeout(() => {
        dueAt = Infinity;
        if (performance.now() < quietAt) awaitQuiet();
        else resolve();
      }, quietAt - performance.now());
    };
    setTimeout(() => {
      isWordless = false;
      page.tell(member.ring);
    }, WORDLESS);
    setTimeout(resolve, LONGEST);
    // One message is several changes.
    member.onChange = () => {
      if (isAsked) return;
      isAsked = true;
      queueMicrotask(look);
    };
    look();
  });
}

/** @param milliseconds it took to have a place and a leader, since the page was asked for */
function quietAfter(milliseconds: number): number {
  return Math.min(Math.max(QUIET.share * milliseconds, QUIET.least), QUIET.most);
}
