/** Attempts to connect that go on for long without an answer: a proxy may hold them, or the network is slow. */

/** How long an attempt goes on before it is told of, in milliseconds. */
const SLOW = 2_500;

/** What is told of it. */
export const UNANSWERED = 'no answer for 2.5 s';

/** What Socket.IO says of one that it has given up for want of an answer. */
export const TIMED_OUT = 'timeout';

interface Attempts {
  readonly begin: () => void;
  /** It has succeeded or failed. */
  readonly end: () => void;
}

/** @param onSlow called once for each attempt that is slow; it may still succeed */
export function timeAttempts(onSlow: () => void): Attempts {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    clearTimeout(timer);
  };
  const begin = () => {
    end();
    timer = setTimeout(onSlow, SLOW);
  };
  return { begin, end };
}
