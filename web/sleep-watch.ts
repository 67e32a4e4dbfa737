/** Whether the page did not run for a while: frozen by its browser, or with the device that it runs on. */

/** How often the clocks are looked at, in milliseconds. */
const LOOK = 1_000;

/**
 * How much later than asked for a look has to come, in milliseconds: the timers of a page in the
 * background may come once a minute.
 */
const OVERSLEPT = { seen: 8_000, hidden: 90_000 };

/** A page that its browser froze for less is not worth a word. */
const NAP = 1_000;

/** What two clocks may differ by in such a time, in milliseconds: clocks are adjusted a little. */
const SKEW = 2_000;

/**
 * A time that the page knows nothing of. `clock`: by the date alone, as the other clock stands still
 * while the device sleeps; but so it is where somebody sets the date. `page`: by both.
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

/** What is known of the time since, of which some was to pass. */
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
 * @param onWake told of each gap once it is over
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
