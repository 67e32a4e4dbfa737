/**
 * The page's entry: joins the ring at once and shows the answer in the little there is of the page
 * so far. All the rest comes once the ring is quiet, since making links and electing a leader has
 * better use for the processor, above all where many tabs share one.
 */
import { parseRoomName } from '../shared/protocol/ids.ts';
import { showBriefly } from './brief-page.ts';
import { RingMember } from './ring-member.ts';

/** For how long nothing is to happen before the whole page is shown, in milliseconds. */
const QUIET = 400;

/** The whole page comes after this time in any case, in milliseconds. */
const LONGEST_WAIT = 3_000;

const target = document.getElementById('page');
if (target === null) throw new Error('index.html has no #page');

const name = new URLSearchParams(location.search).get('room') ?? 'lobby';
const room = parseRoomName(name);
if (room.ok) {
  const member = new RingMember(room.value);
  await untilQuiet(member);
  const { showMember } = await import('./page.ts');
  showMember(target, member);
} else {
  const { showBadRoom } = await import('./page.ts');
  showBadRoom(target, name, room.error);
}

/** Shows briefly how the member fares until it has its place and its leader, or some trouble. */
function untilQuiet(member: RingMember): Promise<void> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = setTimeout(resolve, LONGEST_WAIT);
    const done = () => {
      clearTimeout(deadline);
      resolve();
    };
    const look = () => {
      const { ring, trouble } = member.sight;
      showBriefly(ring);
      clearTimeout(timer);
      const isLinking = [ring.successorLink, ring.predecessorLink].includes('connecting');
      if (trouble !== null || ring.role === 'offline') done();
      else if (ring.leader !== null && !isLinking) timer = setTimeout(done, QUIET);
    };
    member.onChange = look;
    look();
  });
}
