/** A broker with its timer. */
import { Loop, type Machine, type Times } from '../driver/loop.ts';
import { firstTime } from '../machine/due-times.ts';
import { handle } from './broker.ts';
import type { Broker, Delivery, Input } from './state.ts';
import type { BrokerPorts } from './turn.ts';

/** What gives a broker its inputs, one after another. */
export type BrokerLoop = Loop<Input, Delivery>;

type Perform = (delivery: Delivery) => void;

export function run(
  broker: Broker,
  perform: Perform,
  times: Times,
  ports: BrokerPorts,
): BrokerLoop {
  const machine: Machine<Input, Delivery> = {
    handle: (input, moment) => handle(broker, input, moment, ports),
    perform,
    nextDue: () => firstTime(broker),
  };
  return new Loop(machine, times);
}
