/** A broker with its timer, without instances. */
import { Loop, type Machine, type Times } from '../../shared/driver/loop.ts';
import { firstTime } from '../../shared/machine/due-times.ts';
import { handle } from '../../shared/broker/broker.ts';
import type { Broker, Delivery, Input } from '../../shared/broker/state.ts';
import type { BrokerPorts } from '../../shared/broker/turn.ts';

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
