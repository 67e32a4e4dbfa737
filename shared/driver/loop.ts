/**
 * Drives a machine without I/O: gives it inputs one after another, performs its outputs, and holds the one
 * timer that it needs.
 */
import type { Moment } from '../machine/moment.ts';
import type { Clock } from './ports.ts';

export interface Machine<Input, Output> {
  /** Handles one input. Returns what is to be done, in order, before the next one is handled. */
  handle(input: Input | typeof TIME, moment: Moment): readonly Output[];
  perform(output: Output): void;
  /** When time itself is the next input; null where nothing is due. */
  nextDue(): number | null;
}

/** The input by which a due time comes. */
const TIME = { type: 'time' } as const;

export interface Times {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly date: () => number;
}

export class Loop<Input, Output> {
  readonly #machine: Machine<Input, Output>;
  readonly #times: Times;
  /** What came while something was being handled. */
  readonly #inputs: (Input | typeof TIME)[] = [];
  #isBusy = false;
  #isStopped = false;
  #timer: { readonly at: number; readonly cancel: () => void } | null = null;

  constructor(machine: Machine<Input, Output>, times: Times) {
    this.#machine = machine;
    this.#times = times;
  }

  get moment(): Moment {
    return { now: this.#times.clock.now(), date: this.#times.date() };
  }

  /** Has an input handled, after those that came before it. */
  give(input: Input | typeof TIME): void {
    this.#inputs.push(input);
    if (this.#isBusy || this.#isStopped) return;
    this.#isBusy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
        for (const output of this.#machine.handle(next, this.moment)) this.#perform(output);
    } finally {
      this.#isBusy = false;
      this.#setTimer();
    }
  }

  /** From now on nothing happens any more. */
  stop(): void {
    this.#isStopped = true;
    this.#inputs.length = 0;
    this.#timer?.cancel();
  }

  /** An error in one output is told, and keeps no other from being performed. */
  #perform(output: Output): void {
    if (this.#isStopped) return;
    try {
      this.#machine.perform(output);
    } catch (error) {
      this.#times.clock.after(0, () => {
        throw error;
      });
    }
  }

  /** A timer that is early does no harm: nothing is due then, and it is set again. */
  #setTimer(): void {
    const at = this.#machine.nextDue();
    const isSet = this.#timer !== null && at !== null && this.#timer.at <= at;
    if (at === null || isSet || this.#isStopped) return;
    this.#timer?.cancel();
    const cancel = this.#times.clock.after(at - this.#times.clock.now(), () => {
      this.#timer = null;
      this.give(TIME);
    });
    this.#timer = { at, cancel };
  }
}
