/** Servers that share a simulated Redis, and clients whose connections the test plays. */
import type { Question } from '../../shared/instances/directory.ts';
import type { Envelope } from '../../shared/instances/envelope.ts';
import type { LocalAsk, Output } from '../../shared/instances/state.ts';
import type { JoinRequest, ReplyTo, View } from '../../shared/protocol/signaling.ts';
import type { WatchReply } from '../../shared/protocol/watch.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { SimulatedInstance } from '../../shared/simulation/instance.ts';
import { SimulatedNetwork } from '../../shared/simulation/network.ts';
import { seededRandom } from '../../shared/simulation/random.ts';
import { SimulatedRedis } from '../../shared/simulation/redis.ts';
import { requestOf } from '../broker/test-broker.ts';
import { defined } from '../support.ts';

/** When time begins, in milliseconds since 1970. */
const BEGAN = 1e12;

/** What a client was told, and may ask. */
export interface TestClient {
  readonly told: Output[];
  readonly isCut: () => boolean;
  /** Returns what looks for the reply. */
  ask(ask: LocalAsk, grant?: string): () => ReplyTo | WatchReply | undefined;
  close(): void;
}

export class Servers {
  readonly clock = new SimulatedClock();
  readonly redis: SimulatedRedis;
  readonly instances: SimulatedInstance[] = [];
  readonly outputs: Output[] = [];
  readonly envelopes: Envelope[] = [];
  readonly #network = new SimulatedNetwork(this.clock, seededRandom(1), { least: 1, most: 2 });
  readonly #clients = new Map<number, { readonly told: Output[] }>();
  #dateError = 0;
  #sessions = 0;
  #asks = 0;

  constructor(count: number) {
    const date = () => Math.floor(BEGAN + this.clock.now() + this.#dateError);
    this.redis = new SimulatedRedis(this.#network, date);
    const publish = this.redis.publish.bind(this.redis);
    this.redis.publish = (envelope, onUndelivered) => {
      this.envelopes.push(envelope);
      publish(envelope, onUndelivered);
    };
    for (let each = 0; each < count; each += 1) this.start();
    this.pass(2_000);
  }

  /** Starts one more. */
  start(): SimulatedInstance {
    const instance = new SimulatedInstance(this.instances.length + 1, 1, {
      network: this.#network,
      redis: this.redis,
      date: () => BEGAN + this.clock.now(),
      onActing: () => undefined,
      perform: (output) => {
        this.outputs.push(output);
        if ('session' in output) this.#clients.get(output.session)?.told.push(output);
      },
    });
    this.instances.push(instance);
    return instance;
  }

  at(number: number): SimulatedInstance {
    return defined(this.instances[number - 1]);
  }

  /** What another server asks. */
  ask(question: Question): void {
    this.redis.ask('server 1', question, () => undefined);
    this.pass(50);
  }

  /** Sets the clock of Redis. */
  setClock(error: number): void {
    this.#dateError = error;
  }

  /** A client connects to a server. */
  connect(number: number, address = '192.0.2.1'): TestClient {
    const instance = this.at(number);
    this.#sessions += 1;
    const session = this.#sessions;
    const told: Output[] = [];
    this.#clients.set(session, { told });
    instance.give({ type: 'opened', session, address });
    return {
      told,
      isCut: () => told.some(({ type }) => type === 'cut'),
      ask: (ask, grant) => {
        this.#asks += 1;
        const number = this.#asks;
        instance.give({ type: 'ask', session, number, ask, grant: grant ?? null });
        this.pass(100);
        return () =>
          told.flatMap((output) =>
            output.type === 'reply' && output.number === number ? [output.reply] : [],
          )[0];
      },
      close: () => instance.give({ type: 'closed', session }),
    };
  }

  /** A client joins at a server. Returns it and its view. */
  join(number: number, peer: number, part: Partial<JoinRequest> = {}) {
    const client = this.connect(number);
    const reply = client.ask({ type: 'join', body: requestOf(peer, part) });
    return { ...client, reply };
  }

  pass(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }
}

/** The last view that a client was told, by a reply or later. */
export function lastView({ told }: Pick<TestClient, 'told'>): View {
  const views = told.flatMap((output) => {
    if (output.type === 'push' && output.told.type === 'view') return [output.told.view];
    return output.type === 'reply' && output.reply.ok && 'view' in output.reply
      ? [output.reply.view]
      : [];
  });
  return defined(views.at(-1));
}
