/** An instance with its timer. */
import type { BrokerPorts } from '../broker/turn.ts';
import { Loop, type Times } from '../driver/loop.ts';
import { handle, nextDue } from './instance.ts';
import type { Input, Instance, Output } from './state.ts';

/** What gives an instance its inputs, one after another. */
export type InstanceLoop = Loop<Input, Output>;

export function run(
  instance: Instance,
  perform: (output: Output) => void,
  times: Times,
  ports: BrokerPorts,
): InstanceLoop {
  return new Loop<Input, Output>(
    {
      handle: (input, moment) => handle(instance, input, moment, ports),
      perform,
      nextDue: () => nextDue(instance),
    },
    times,
  );
}
