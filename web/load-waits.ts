/**
 * How the page waits for what it loads, in milliseconds: its program, which index.html asks for (see
 * vite.config.ts), and the rest of the page, which the program asks for (see main.ts).
 */
export const LOAD_WAITS = {
  /** Until the page says that it still loads. */
  words: 4_000,
  /** Until an attempt counts as failed. */
  attempt: 60_000,
  /** Between attempts: so much after the first, twice that after the second, up to the last. */
  retry: 1_000,
  lastRetry: 10_000,
  /** After so many failures the page says that it cannot be loaded. */
  hopeful: 3,
} as const;
