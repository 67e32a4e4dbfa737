/** Real time, from whatever platform has the usual timers. */
import type { Clock } from './ports.ts';

/** What browsers and Node have in common here; `globalThis` is one. */
export interface TimerHost<Timer> {
  readonly performance: { now(): number };
  setTimeout(call: () => void, milliseconds: number): Timer;
  clearTimeout(timer: Timer): void;
}

/** @param host to take the time from: `globalThis` */
export function clockOf<Timer>(host: TimerHost<Timer>): Clock {
  return {
    now: () => host.performance.now(),
    after: (milliseconds, call) => {
      const timer = host.setTimeout(call, milliseconds);
      return () => host.clearTimeout(timer);
    },
  };
}
