/** When there is time for the whole page, and what the tab shows until then. */
import type { BriefPage } from './brief-page.ts';
import type { RingMember } from './ring-member.ts';

/**
 * For how long nothing is to happen before the whole page is shown, in milliseconds. To a member with a
 * leader and its links: half of what it took to get them, within bounds, since where that took long many
 * tabs do it at once, and this page would make it longer still for the others. To one that does not get
 * them: counted from the last event, for the same reason.
 */
const QUIET = { share: 0.5, least: 300, most: 2_000 };
const STUCK = 10_000;

/**
 * The longest that the whole page is waited for, in milliseconds, whatever happens; up to twice that by
 * chance. Where so many tabs open at once that they take so long to agree, drawing all of them at the
 * same time would keep them from it.
 */
const LONGEST = 60_000;

/**
 * After so many milliseconds a page that has nothing else to show yet says what it is doing. Counted
 * from the program's start, which is late where many tabs open at once: drawing words would make it
 * later still for the others.
 */
const WORDLESS = 4_000;

/** Shows briefly how the member fares until it has its place and its leader, or some trouble. */
export function untilQuiet(
  member: Pick<RingMember, 'ring' | 'isInTrouble' | 'log' | 'onChange'>,
  page: Pick<BriefPage, 'show' | 'tell'>,
  random: () => number = Math.random,
): Promise<void> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    /** When the timer comes; Infinity while there is none. */
    let dueAt = Infinity;
    /** Each change puts it off, but not the timer: that is set again where it comes too soon. */
    let quietAt = 0;
    let settledAt: number | null = null;
    let isAsked = false;
    let isWordless = true;
    const look = () => {
      isAsked = false;
      const { ring, isInTrouble, log } = member;
      page.show(ring);
      if (!isWordless) page.tell(ring);
      // In slow motion there is time to draw, and something to see.
      if (isInTrouble || ring.role === 'offline' || ring.hopDelay > 0) resolve();
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
      timer = setTimeout(
        () => {
          dueAt = Infinity;
          if (performance.now() < quietAt) awaitQuiet();
          else resolve();
        },
        Math.ceil(quietAt - performance.now()),
      );
    };
    setTimeout(() => {
      isWordless = false;
      page.tell(member.ring);
    }, WORDLESS);
    setTimeout(resolve, LONGEST * (1 + random()));
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
