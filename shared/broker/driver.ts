/** Runs a broker: gives it its inputs one by one, performs what it delivers, and holds its one timer. */
import type { Clock } from '../driver/ports.ts';
import { handle, nextDue } from './broker.ts';
import type { Broker, Delivery, Input } from './state.ts';

export interface DriverPorts {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  readonly perform: (delivery: Delivery) => void;
}

export class BrokerDriver {
  readonly broker: Broker;
  readonly #ports: DriverPorts;
  /** What came while something was being performed. */
  readonly #inputs: Input[] = [];
  #isBusy = false;
  #isStopped = false;
  /** For when the timer is set; Infinity where it is not. */
  #wakesAt = Infinity;
  #cancel: () => void = () => undefined;

  constructor(broker: Broker, ports: DriverPorts) {
    this.broker = broker;
    this.#ports = ports;
  }

  /** Takes an input, after those that are being worked on. */
  give(input: Input): void {
    this.#inputs.push(input);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
      this.#take(next);
    this.#isBusy = false;
    this.#setTimer();
  }

  /** From now on nothing happens any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #take(input: Input): void {
    if (this.#isStopped) return;
    const moment = { now: this.#ports.clock.now(), date: this.#ports.date() };
    for (const delivery of handle(this.broker, input, moment)) this.#ports.perform(delivery);
  }

  #setTimer(): void {
    const due = nextDue(this.broker) ?? Infinity;
    if (this.#isStopped || due >= this.#wakesAt) return;
    this.#cancel();
    this.#wakesAt = due;
    this.#cancel = this.#ports.clock.after(due - this.#ports.clock.now(), () => {
      this.#wakesAt = Infinity;
      this.give({ type: 'time' });
    });
  }
}
