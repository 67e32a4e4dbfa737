/** Runs a broker. */
import { Loop, type Times } from '../driver/loop.ts';
import { handle, nextDue } from './broker.ts';
import type { Broker, Delivery, Input } from './state.ts';

export interface DriverPorts extends Times {
  readonly perform: (delivery: Delivery) => void;
}

export class BrokerDriver {
  readonly broker: Broker;
  readonly #loop: Loop<Input, Delivery>;

  constructor(broker: Broker, ports: DriverPorts) {
    this.broker = broker;
    const machine = {
      handle: (input: Input, moment: Loop<Input, Delivery>['moment']) =>
        handle(broker, input, moment),
      perform: ports.perform,
      nextDue: () => nextDue(broker),
    };
    this.#loop = new Loop<Input, Delivery>(machine, ports);
  }

  give(input: Input): void {
    this.#loop.give(input);
  }

  /** From now on nothing happens any more. */
  stop(): void {
    this.#loop.stop();
  }
}
