/** Detects that the page did not run for a while: frozen by its browser, or asleep with its device. */

/** How often the clocks are compared, in milliseconds. */
const LOOK = 1_000;

/**
 * How late a check must be to count, in milliseconds: the timers of a page in the background may fire only
 * once a minute.
 */
const OVERSLEPT = { seen: 8_000, hidden: 90_000 };

/** A shorter freeze by the browser is not reported. */
const NAP = 1_000;

/** How far two clocks may differ over such a time, in milliseconds: clocks are adjusted a little. */
const SKEW = 2_000;

/**
 * A time in which the page did not run. `clock`: by the date alone, because the other clock stands still
 * while the device sleeps; setting the date looks the same. `page`: by both clocks.
 */
export interface Gap {
  readonly by: 'page' | 'clock';
  readonly milliseconds: number;
}

/** Both clocks at one moment, in milliseconds. */
interface Moment {
  readonly date: number;
  readonly running: number;
}

function now(): Moment {
  return { date: Date.now(), running: performance.now() };
}

/** What the clocks say of the time since then, part of which was expected. */
function gapSince(then: Moment, expected = 0): Gap {
  const { date, running } = now();
  const byDate = date - then.date - expected;
  const byRunning = running - then.running - expected;
  return byDate - byRunning > SKEW
    ? { by: 'clock', milliseconds: byDate }
    : { by: 'page', milliseconds: byRunning };
}

/**
 * Watches for as long as the page lives.
 * @param onWake called with each gap once it is over
 */
export function watchSleep(onWake: (gap: Gap) => void): void {
  let looked = now();
  let wasHidden = document.hidden;
  let frozen: Moment | null = null;
  setInterval(() => {
    const gap = gapSince(looked, LOOK);
    const allowed = wasHidden && document.hidden ? OVERSLEPT.hidden : OVERSLEPT.seen;
    looked = now();
    wasHidden = document.hidden;
    if (gap.milliseconds > allowed) onWake(gap);
  }, LOOK);
  document.addEventListener('freeze', () => {
    frozen = now();
  });
  document.addEventListener('resume', () => {
    const gap = frozen === null ? null : gapSince(frozen);
    frozen = null;
    looked = now();
    if (gap !== null && gap.milliseconds > NAP) onWake(gap);
  });
}
