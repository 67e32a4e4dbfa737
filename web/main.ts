/**
 * The page's entry: joins the ring at once and shows the answer in the little there is of the page
 * so far. All the rest comes once the ring is quiet, since making links and electing a leader has
 * better use for the processor, above all where many tabs share one.
 */
import { parseRoomName } from '../shared/protocol/ids.ts';
import { BriefPage } from './brief-page.ts';
import { takeFirstConnection } from './first-connection.ts';
import type * as Page from './page.ts';
import { RingMember } from './ring-member.ts';

/**
 * For how long nothing is to happen before the whole page is shown, in milliseconds: to a member with
 * a leader and its links, and to one that does not get them. From the last event, not from the start:
 * where joining takes long, many tabs do it at once, and their pages would make it longer still.
 */
const QUIET = 400;
const STUCK = 4_000;

/** After so many milliseconds a page that has nothing else to show yet says what it is doing. */
const WORDLESS = 2_000;

/** Milliseconds between attempts to load the rest of the page. */
const RETRY = 1_000;

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
  const { showBadRoom } = await import('./page.ts');
  showBadRoom(target, name, room.error);
}

/** The rest of the page, as soon as the server gives it: it may have gone just now. */
async function loadPage(): Promise<typeof Page> {
  for (;;)
    try {
      return await import('./page.ts');
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
}

/** Shows briefly how the member fares until it has its place and its leader, or some trouble. */
function untilQuiet(member: RingMember, page: BriefPage): Promise<void> {
  const opened = performance.now();
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isAsked = false;
    const look = () => {
      isAsked = false;
      const { ring, trouble } = member.sight;
      page.show(ring);
      if (performance.now() - opened > WORDLESS) page.tell(ring);
      clearTimeout(timer);
      const isLinking = [ring.successorLink, ring.predecessorLink].includes('connecting');
      const isSettled = ring.leader !== null && !isLinking;
      if (trouble !== null || ring.role === 'offline') resolve();
      else timer = setTimeout(resolve, isSettled ? QUIET : STUCK);
    };
    setTimeout(() => {
      page.tell(member.sight.ring);
    }, WORDLESS);
    // One message is several changes.
    member.onChange = () => {
      if (isAsked) return;
      isAsked = true;
      queueMicrotask(look);
    };
    look();
  });
}
