/** Real time, from whatever platform has the usual timers. */
import type { Clock } from './ports.ts';

/** What browsers and Node have in common here; `globalThis` is one. */
export interface TimerHost<Timer> {
  readonly performance: { now(): number };
  readonly MessageChannel: new () => MessagePorts;
  setTimeout(call: () => void, milliseconds: number): Timer;
  clearTimeout(timer: Timer): void;
}

interface MessagePorts {
  readonly port1: {
    addEventListener(type: 'message', listener: () => void): void;
    start(): void;
    close(): void;
  };
  readonly port2: { postMessage(message: unknown): void };
}

/** @param host to take the time from: `globalThis` */
export function clockOf<Timer>(host: TimerHost<Timer>): Clock {
  return {
    now: () => host.performance.now(),
    after: (milliseconds, call) => {
      if (milliseconds <= 0) return soon(host, call);
      const timer = host.setTimeout(call, milliseconds);
      return () => host.clearTimeout(timer);
    },
  };
}

/** After what waits already, by a message: a hidden page's timers come once a second at most. */
function soon<Timer>(host: TimerHost<Timer>, call: () => void): () => void {
  const { port1, port2 } = new host.MessageChannel();
  port1.addEventListener('message', () => {
    port1.close();
    call();
  });
  port1.start();
  port2.postMessage(null);
  return () => port1.close();
}
