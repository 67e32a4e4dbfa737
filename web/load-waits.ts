/**
 * How the page waits, in milliseconds, for its program, which index.html asks for (see vite.config.ts),
 * and for the rest, which the program asks for (see main.ts).
 */
export const LOAD_WAITS = {
  /** Until the page says that it still loads its program. */
  words: 4_000,
  /** Until an attempt to load the program counts as failed; one at the rest ends as the browser sees fit. */
  attempt: 60_000,
  /** Between attempts: so much after the first, twice that after the second, up to the last. */
  retry: 1_000,
  lastRetry: 10_000,
  /** After so many failures the page says so. */
  hopeful: 3,
} as const;
