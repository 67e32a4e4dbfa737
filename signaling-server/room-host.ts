/**
 * The rooms: an instance of shared/instances with its timer and its ways to others, and the spectators of the
 * rooms that it owns.
 */
import { randomInt } from 'node:crypto';
import { orderOf, sizeOf } from '../shared/broker/broker.ts';
import type { Membership, SessionId } from '../shared/broker/state.ts';
import type { Tickets } from '../shared/broker/tickets.ts';
import type { Clock } from '../shared/driver/ports.ts';
import { run, type InstanceLoop } from '../shared/instances/run.ts';
import {
  idOf,
  newInstance,
  type Binding,
  type Instance,
  type LocalAsk,
  type Output,
} from '../shared/instances/state.ts';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import type { LeaveRequest, ReplyTo } from '../shared/protocol/signaling.ts';
import type { Cluster } from './cluster.ts';
import type { Limit } from './rate-limits.ts';
import { Spectators } from './spectators.ts';
import type { WatchLimits } from './watch.ts';

export interface HostLimits extends WatchLimits {
  readonly peersPerRoom: number;
  readonly rooms: number;
  /** Whether frames may go through the server, and how many bytes of them in a second in each room. */
  readonly relays: boolean;
  readonly relayedBytes: number;
}

/** What is to be done for clients, for the log and for the metrics. */
export type Performed = Exclude<
  Output,
  {
    readonly type:
      'question' | 'publish' | 'host watch' | 'host trace' | 'host taken' | 'host closed';
  }
>;

interface HostPorts {
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly tickets: Tickets;
  perform(performed: Performed): void;
  /** A spectator was one too many of its network. */
  onLimit(limit: Limit): void;
}

/** Of the random numbers. */
const RANGE = 2 ** 32;

/** How long a newcomer of a burst waits for the next one, in milliseconds. */
const BURST_WINDOW = 50;

/** How long the others may take to hear that this server ends, in milliseconds. */
const FAREWELL = 1_000;

/** A number from [0, 1) that nobody can foretell. */
function unforeseen(): number {
  return randomInt(RANGE) / RANGE;
}

export class RoomHost {
  readonly #instance: Instance;
  readonly #loop: InstanceLoop;
  readonly #ports: HostPorts;
  readonly #spectators: Spectators;
  /** By session: who waits for the reply to a goodbye. */
  readonly #goodbyes = new Map<SessionId, (reply: ReplyTo) => void>();
  #sessions = 0;
  #wasReady = false;
  #farewell: (() => void) | null = null;

  /** @param name of this server, which no other has */
  constructor(name: string, limits: HostLimits, ports: HostPorts) {
    const { clock, cluster, tickets } = ports;
    this.#ports = ports;
    const instance = newInstance(name, { ...limits, burstWindow: BURST_WINDOW }, clock.now());
    this.#instance = instance;
    this.#loop = run(
      instance,
      (output) => this.#perform(output),
      { clock, date: Date.now },
      { tickets, random: unforeseen },
    );
    this.#spectators = new Spectators(limits, {
      clock,
      broker: () => instance.broker,
      give: (input) => this.#loop.give(input),
      onLimit: (limit) => ports.onLimit(limit),
    });
    cluster.start(name, {
      onDirectory: (uptime) => this.#loop.give({ type: 'directory', uptime }),
      onEnvelope: (envelope) => this.#loop.give({ type: 'envelope', envelope }),
    });
  }

  /** Names this server among others, until it loses its rooms. */
  get id(): string {
    return idOf(this.#instance);
  }

  /** Whether it has ever been able to own rooms: the directory has answered. */
  get isReady(): boolean {
    this.#wasReady ||= this.#instance.lease.type === 'held';
    return this.#wasReady;
  }

  /** Rooms that it owns, and their peers, at this moment. */
  get size(): { readonly rooms: number; readonly peers: number } {
    return sizeOf(this.#instance.broker);
  }

  /** Connections that watch a room that it owns. */
  get spectators(): number {
    return this.#spectators.size;
  }

  /** Whether a room exists, as far as is known here. */
  has(room: RoomName): boolean {
    const { broker, elsewhere } = this.#instance;
    return broker.rooms.has(room) || elsewhere.has(room);
  }

  /** The peers of a room that it owns, in ring order. */
  peers(room: RoomName): readonly PeerId[] {
    return orderOf(this.#instance.broker, room).peers;
  }

  /** A number for a connection, which no other has. */
  newSession(): SessionId {
    this.#sessions += 1;
    return this.#sessions;
  }

  /** What a client is to the room that it has a place in, or watches, or asks for either. */
  bindingOf(session: SessionId): Binding | null {
    return this.#instance.clients.get(session)?.binding ?? null;
  }

  /** The place that a client has, or is about to get. */
  placeOf(session: SessionId): Membership | null {
    const binding = this.bindingOf(session);
    return binding?.type === 'member' ? { room: binding.room, id: binding.id } : null;
  }

  /** @param address as limits count it */
  open(session: SessionId, address: string): void {
    this.#loop.give({ type: 'opened', session, address });
  }

  close(session: SessionId): void {
    this.#loop.give({ type: 'closed', session });
  }

  /** @param grant names what the client was let in by, if that has a name */
  ask(session: SessionId, number: number, ask: LocalAsk, grant: string | null): void {
    this.#loop.give({ type: 'ask', session, number, ask, grant });
  }

  /** A spectator has taken what had this number. */
  take(session: SessionId, number: number): void {
    this.#loop.give({ type: 'taken', session, number });
  }

  /** Removes a member that has no connection. */
  goodbye(request: LeaveRequest): Promise<ReplyTo> {
    const session = this.newSession();
    return new Promise((resolve) => {
      this.#goodbyes.set(session, (reply) => {
        this.#goodbyes.delete(session);
        this.close(session);
        resolve(reply);
      });
      this.open(session, '');
      this.ask(session, 0, { type: 'goodbye', body: request }, null);
    });
  }

  /** Others take over its rooms. Nobody has left: the rings go on. */
  async stop(): Promise<void> {
    const { cluster } = this.#ports;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, FAREWELL);
      this.#farewell = () => {
        clearTimeout(late);
        resolve();
      };
      this.#loop.give({ type: 'stop' });
    });
    this.#loop.stop();
    this.#spectators.stop();
    cluster.close();
  }

  #perform(output: Output): void {
    const { cluster } = this.#ports;
    switch (output.type) {
      case 'question': {
        const { asked } = output;
        cluster.ask(asked.question, (answer) => {
          if (asked.question.type === 'drain') this.#farewell?.();
          this.#loop.give({ type: 'answer', asked, answer });
        });
        return;
      }
      case 'publish': {
        const { envelope } = output;
        cluster.publish(envelope, () => this.#loop.give({ type: 'undelivered', envelope }));
        return;
      }
      case 'host watch':
      case 'host trace':
      case 'host taken':
      case 'host closed':
        return this.#spectators.hear(output);
      case 'reply': {
        const goodbye = this.#goodbyes.get(output.session);
        if (goodbye !== undefined) goodbye(output.reply);
        else this.#ports.perform(output);
        return;
      }
      default:
        this.#ports.perform(output);
    }
  }
}
