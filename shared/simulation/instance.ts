/** A server of a simulation, alone or among several: an instance on a computer that may sleep or be slow. */
import { run, type InstanceLoop } from '../instances/run.ts';
import { idOf, newInstance, type Input, type Instance, type Output } from '../instances/state.ts';
import { answer, newDirectory, type InstanceId } from '../instances/directory.ts';
import type { RoomName } from '../protocol/ids.ts';
import { Device } from './device.ts';
import type { SimulatedNetwork } from './network.ts';
import { PLAIN_TICKETS } from './plain-tickets.ts';
import type { SimulatedRedis } from './redis.ts';

interface InstancePorts {
  readonly network: SimulatedNetwork;
  /** null for a server alone. */
  readonly redis: SimulatedRedis | null;
  /** Milliseconds since 1970, by its clock. */
  readonly date: () => number;
  perform(output: Output): void;
  /** It is about to do something. */
  onActing(instance: SimulatedInstance): void;
}

/** What a simulated server may do. */
const LIMITS = {
  peersPerRoom: 1_000,
  rooms: 1,
  burstWindow: 50,
  relays: true,
  relayedBytes: 2_000_000,
};

export class SimulatedInstance {
  readonly name: string;
  readonly device: Device;
  readonly #state: Instance;
  readonly #loop: InstanceLoop;
  readonly #ports: InstancePorts;
  /** Of a server alone. */
  readonly #alone = newDirectory(Infinity);
  /** How fast its clock is. */
  readonly #rate: number;
  /** For so many milliseconds it stops before the next thing that it does; null for not at all. */
  #pause: number | null = null;

  /** @param rate of its clock, where 1 is right */
  constructor(number: number, rate: number, ports: InstancePorts) {
    const { network, redis, date } = ports;
    this.#ports = ports;
    this.#rate = rate;
    this.name = `server ${number}`;
    this.device = new Device(network.clock, -number);
    this.#state = newInstance(this.name, LIMITS, this.#now());
    this.#loop = run(
      this.#state,
      (output) => this.#perform(output),
      {
        clock: {
          now: () => this.#now(),
          after: (milliseconds, call) => this.device.after(milliseconds / rate, call),
        },
        date,
      },
      { tickets: PLAIN_TICKETS, random: () => network.upTo(1) },
    );
    if (redis === null) this.give({ type: 'directory', uptime: 0 });
    else
      redis.connect({
        name: this.name,
        onDirectory: (uptime) => this.give({ type: 'directory', uptime }),
        onEnvelope: (envelope) => this.give({ type: 'envelope', envelope }),
      });
  }

  /** Names it among others, until it begins anew. */
  get id(): InstanceId {
    return idOf(this.#state);
  }

  /** The rooms that it takes for its own. */
  get rooms(): readonly RoomName[] {
    return [...this.#state.owned.keys()];
  }

  give(input: Input): void {
    this.device.run(() => this.#loop.give(input));
  }

  /**
   * The process is stopped for a while.
   * @param atOutput whether just before it does something, rather than now
   */
  pause(milliseconds: number, atOutput: boolean): void {
    if (atOutput) this.#pause = milliseconds;
    else this.#freeze(milliseconds);
  }

  /** Others take over. */
  stop(): void {
    this.give({ type: 'stop' });
  }

  /** It does nothing any more. */
  die(): void {
    this.device.die();
    this.#loop.stop();
    this.#ports.redis?.disconnect(this);
  }

  #now(): number {
    return this.#ports.network.clock.now() * this.#rate;
  }

  #freeze(milliseconds: number): void {
    this.device.freeze();
    this.#ports.network.clock.after(milliseconds, () => this.device.thaw());
  }

  #perform(output: Output): void {
    this.#ports.onActing(this);
    if (this.#pause !== null) {
      this.#freeze(this.#pause);
      this.#pause = null;
    }
    this.device.run(() => this.#act(output));
  }

  #act(output: Output): void {
    const { redis, date } = this.#ports;
    if (output.type === 'question') {
      const { asked } = output;
      const hear = (said: ReturnType<typeof answer> | null) =>
        this.give({ type: 'answer', asked, answer: said });
      if (redis === null) hear(answer(this.#alone, asked.question, date()));
      else redis.ask(this.name, asked.question, hear);
    } else if (output.type === 'publish') {
      const { envelope } = output;
      redis?.publish(envelope, () => this.give({ type: 'undelivered', envelope }));
    } else this.#ports.perform(output);
  }
}
