/** Whether the page was asleep: frozen by its browser, or with the device that it runs on. */

/** How often the clock is looked at, in milliseconds. */
const LOOK = 1_000;

/**
 * How much later than asked for a look has to come, in milliseconds: the timers of a page in the
 * background may come once a minute.
 */
const OVERSLEPT = { seen: 8_000, hidden: 90_000 };

/** A page that its browser froze for less is not worth a word. */
const NAP = 1_000;

/**
 * Watches for as long as the page lives.
 * @param onWake told how long it slept, in milliseconds
 */
export function watchSleep(onWake: (milliseconds: number) => void): void {
  // By the date: the other clock stands still while the device sleeps.
  let looked = Date.now();
  let wasHidden = document.hidden;
  let frozen: number | null = null;
  setInterval(() => {
    const now = Date.now();
    const late = now - looked - LOOK;
    const allowed = wasHidden && document.hidden ? OVERSLEPT.hidden : OVERSLEPT.seen;
    looked = now;
    wasHidden = document.hidden;
    if (late > allowed) onWake(late);
  }, LOOK);
  document.addEventListener('freeze', () => {
    frozen = Date.now();
  });
  document.addEventListener('resume', () => {
    const slept = frozen === null ? 0 : Date.now() - frozen;
    frozen = null;
    looked = Date.now();
    if (slept > NAP) onWake(slept);
  });
}
