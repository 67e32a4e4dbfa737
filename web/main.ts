/**
 * The page's entry: joins the ring as soon as it runs, and says in the shell of index.html which peer
 * leads. The rest of the page is loaded once there is a leader, as it would slow down the election, or the
 * server is found lost, or after a moment.
 */
import { parseRoomName } from '../shared/protocol/ids.ts';
import type * as Page from './page.ts';
import { RingMember } from './ring-member.ts';
import { roomName } from './room-name.ts';
import { showInShell, showNoRoom, showRoom } from './shell.ts';

/**
 * How long a leader is waited for, in milliseconds. A slow phone that will lead has made its links and is
 * elected within three seconds; to load the rest during that time would make it half a second later.
 */
const MOMENT = 3_000;

/** Milliseconds after the first attempt to load the rest of the page; longer after each, up to a limit. */
const RETRY = 1_000;
const LAST_RETRY = 10_000;

/** After so many attempts the page says that it is not whole. */
const HOPEFUL = 3;

const name = roomName();
const room = parseRoomName(name);
showRoom(room.ok ? room.value : name);
if (room.ok) {
  const member = new RingMember(room.value);
  await untilLeader(member);
  const { showMember } = await loadPage();
  showMember(member);
} else {
  showNoRoom();
  const { showBadRoom } = await loadPage();
  showBadRoom(name, room.error);
}

/**
 * Shows the member's state in the shell, as long as nothing else is told of its changes. Resolves once
 * there is a leader, or there will be none for now, or a moment has passed.
 */
function untilLeader(member: RingMember): Promise<void> {
  return new Promise((resolve) => {
    let isAsked = false;
    const show = () => {
      isAsked = false;
      const { ring } = member;
      showInShell(ring);
      if (ring.leader !== null || ring.role === 'offline') resolve();
    };
    setTimeout(resolve, MOMENT);
    // One message causes several changes.
    member.onChange = (event) => {
      // The rest says what is wrong.
      if (event?.type === 'server' && event.state === 'reconnecting') resolve();
      if (!isAsked) queueMicrotask(show);
      isAsked = true;
    };
    show();
  });
}

/**
 * The rest of the page, as soon as the server gives it: it may have gone just now. Firefox gives the same
 * error for ever once it has failed to load a module, and asks the server no more; a reload helps there.
 */
async function loadPage(): Promise<typeof Page> {
  for (let attempt = 1; ; attempt += 1)
    try {
      if (attempt > 1)
        await Promise.all(
          Array.from(document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]'), loadAgain),
        );
      return await import('./page.ts');
    } catch (error) {
      console.warn('the rest of the page could not be loaded', error);
      if (attempt === HOPEFUL) sayUnfinished();
      const pause = Math.min(attempt * RETRY, LAST_RETRY);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
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

/** The server may be away for long, or have another page by now. */
function sayUnfinished(): void {
  const words = document.createElement('p');
  words.role = 'alert';
  words.textContent =
    'The rest of this page cannot be loaded. If it does not appear soon, reload the page.';
  document.querySelector('main')?.append(words);
}
