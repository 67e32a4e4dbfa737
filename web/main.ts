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
import { untilQuiet } from './until-quiet.ts';

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
      const pause = Math.min(attempt * RETRY, LAST_RETRY);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
}

/** The server may be away for long, or have another page by now. */
function sayUnfinished(): void {
  const words = document.createElement('p');
  words.role = 'alert';
  words.textContent =
    'The rest of this page cannot be loaded. This page keeps trying; if nothing comes of it, reload the page.';
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
