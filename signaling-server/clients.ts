/**
 * Clients of the signaling server, each with its Socket.IO connection: what it may ask, how often, and what
 * becomes of one whose events are faulty, or that wants nothing.
 */
import type { Logger } from 'pino';
import type { Server, Socket } from 'socket.io';
import { refusal } from '../shared/broker/turn.ts';
import type { SessionId } from '../shared/broker/state.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { Binding } from '../shared/instances/state.ts';
import { fullBucket, takeOne, type TokenBucket } from '../shared/machine/token-bucket.ts';
import type {
  IceServers,
  PeerToServer,
  Refusal,
  RefusalCode,
  ReplyTo,
  ServerToPeer,
} from '../shared/protocol/signaling.ts';
import type {
  ServerToSpectator,
  ServerToTracer,
  SpectatorToServer,
  TracerToServer,
  WatchReply,
} from '../shared/protocol/watch.ts';
import { CallQueue } from './call-queue.ts';
import { networkOf } from './client-address.ts';
import type { Connections } from './connections.ts';
import type { Metrics } from './metrics.ts';
import { BARE, MOVES, REMEDIES } from './requests.ts';
import type { Warnings } from './warnings.ts';

type FromClient = PeerToServer & TracerToServer & SpectatorToServer;
type ToClient = ServerToPeer & ServerToTracer & ServerToSpectator;
export type SocketServer = Server<FromClient, ToClient>;
type ClientSocket = Socket<FromClient, ToClient>;

type SendReply = (reply: ReplyTo | WatchReply) => void;

export interface Client {
  readonly session: SessionId;
  readonly socket: ClientSocket;
  /** Where it is, and what limits count together with it. */
  readonly address: string;
  readonly network: string;
  readonly calls: CallQueue;
  /** By number: what sends the reply to each request that waits for the broker. */
  readonly replies: Map<number, SendReply>;
  faults: number;
  /** Whether it was told of TURN servers, or there are none. */
  isIceTold: boolean;
  /** When it last had something, or asked for it. */
  busyAt: number;
  /** How many requests it may make, and how many of those that move places. */
  readonly requests: TokenBucket;
  readonly moves: TokenBucket;
  readonly traces: TokenBucket;
}

/** An event of a client. */
export interface Call {
  readonly client: Client;
  readonly input: unknown;
  readonly reply: SendReply;
}

/** Does what a client asks; returns a promise where that takes until later. */
export type Handler = (call: Call) => Promise<void> | null;

export interface ClientPorts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly warnings: Warnings;
  readonly logger: Logger;
  readonly connections: Connections;
  /** What is done with an event; null for one that there is not. */
  handlerOf(event: string): Handler | null;
  /** A number that no other client has. */
  newSession(): SessionId;
  bindingOf(session: SessionId): Binding | null;
  /** STUN and TURN servers for a client that is told now. */
  iceServersOf(client: Client): IceServers | Promise<IceServers>;
  onOpened(client: Client): void;
  onClosed(client: Client): void;
}

/** Faulty events that a client may send; with one more it is disconnected. */
const MAX_FAULTS = 20;

/**
 * Requests that a client may make at once, and in each second after that: as many as a link may carry
 * frames, since on a relayed one each frame is a request.
 */
const ALL = { burst: 4_000, perSecond: 1_000 };

/** The same for requests that move places. An honest client makes one, and seldom complains. */
const MOVING = { burst: 30, perSecond: 2 };

/**
 * The traces that a peer may send at once, and in each second after that. One that keeps to the protocol
 * sends ten a second, each after the last was acknowledged.
 */
export const MAX_TRACES_AT_ONCE = 20;
export const TRACES = { burst: MAX_TRACES_AT_ONCE, perSecond: 15 };

/** The longest name of an event that is looked at. */
const MAX_EVENT = 64;

/**
 * A neighbour may have left a moment before a signal for it arrives, and a place may be lost with its connection;
 * and a client finds out by asking that nothing is relayed.
 */
const NO_FAULTS: ReadonlySet<RefusalCode> = new Set(['not-a-neighbour', 'place-lost', 'no-relay']);

export class Clients {
  readonly #ports: ClientPorts;
  readonly #idlePatience: number;
  readonly #idleChecks: ReturnType<typeof setInterval>;
  readonly #open = new Map<SessionId, Client>();

  /**
   * @param io whose connections become clients
   * @param idlePatience how long a client may stay that neither has a place nor watches nor asks for either,
   *   in milliseconds
   */
  constructor(io: SocketServer, idlePatience: number, ports: ClientPorts) {
    this.#ports = ports;
    this.#idlePatience = idlePatience;
    this.#idleChecks = setInterval(() => this.#endIdle(), idlePatience / 3);
    io.on('connection', (socket) => this.#add(socket));
  }

  get(session: SessionId): Client | undefined {
    return this.#open.get(session);
  }

  /** Tells all of STUN and TURN servers anew: credentials expire. */
  renewIce(): void {
    for (const client of this.#open.values()) void this.#tellIce(client);
  }

  async #tellIce(client: Client): Promise<void> {
    const servers = await this.#ports.iceServersOf(client);
    client.isIceTold = servers.some(({ credential }) => credential !== undefined);
    if (client.socket.connected) client.socket.emit('ice', servers);
  }

  /** It was not known before whether the client may come in. */
  tellIceAtLast(client: Client): void {
    if (!client.isIceTold) void this.#tellIce(client);
  }

  /** The server closes: from now on no client ends because it wants nothing. */
  stop(): void {
    clearInterval(this.#idleChecks);
  }

  #add(socket: ClientSocket): void {
    const { connections, clock } = this.#ports;
    connections.becomeSocket(socket.conn);
    const address = connections.addressOf(socket.conn);
    const client: Client = {
      session: this.#ports.newSession(),
      socket,
      address,
      network: networkOf(address),
      calls: new CallQueue(),
      replies: new Map(),
      faults: 0,
      isIceTold: false,
      busyAt: clock.now(),
      requests: fullBucket(ALL, clock.now()),
      moves: fullBucket(MOVING, clock.now()),
      traces: fullBucket(TRACES, clock.now()),
    };
    this.#open.set(client.session, client);
    this.#ports.onOpened(client);
    void this.#tellIce(client);
    // Over the wire an event's name may be a number too. Some may be left of one that was disconnected.
    socket.onAny((event: string | number, ...parameters: unknown[]) => {
      if (socket.connected) this.#hear(client, String(event).slice(0, MAX_EVENT), parameters);
    });
    socket.on('disconnect', (reason, cause) => {
      connections.noteEnd(socket, reason, cause);
      this.#open.delete(client.session);
      this.#ports.onClosed(client);
    });
  }

  /** Ends those that have nothing here and want nothing. */
  #endIdle(): void {
    const now = this.#ports.clock.now();
    for (const client of this.#open.values()) {
      const isBusy = this.#ports.bindingOf(client.session) !== null;
      if (isBusy) client.busyAt = now;
      else if (now - client.busyAt >= this.#idlePatience) {
        this.#ports.metrics.refusals.inc({ reason: 'idle' });
        client.socket.disconnect(true);
      }
    }
  }

  /** Runs the handler of an event with a way to reply; a client that takes no reply is disconnected. */
  #hear(client: Client, event: string, parameters: readonly unknown[]): void {
    const { socket, calls } = client;
    const handler = this.#ports.handlerOf(event);
    const input = BARE.has(event) ? null : parameters[0];
    const acknowledge = handler === null ? parameters.at(-1) : parameters[BARE.has(event) ? 0 : 1];
    if (!isSendReply(acknowledge)) {
      const fault = refusal('malformed', 'sent without asking for an acknowledgement');
      this.#noteFault(client, event, fault);
      socket.disconnect(true);
      return;
    }
    const reply: SendReply = (said) => {
      // First the reply: after the disconnection there would be none.
      acknowledge(said);
      if (!said.ok) this.#noteFault(client, event, said);
    };
    const isTooMuch = this.#isTooMuch(client, event);
    calls.run(() => {
      if (!socket.connected) return null;
      if (!isTooMuch && handler !== null) return handler({ client, input, reply });
      const what = isTooMuch
        ? 'more requests than a peer has to make'
        : `there is no event "${event}"`;
      reply(refusal('malformed', what));
      return null;
    });
  }

  /** Counts an event. Returns whether it is beyond the limits. */
  #isTooMuch({ requests, moves }: Client, event: string): boolean {
    const now = this.#ports.clock.now();
    return !takeOne(requests, ALL, now) || (MOVES.has(event) && !takeOne(moves, MOVING, now));
  }

  /** Notes a refusal in the log and the metrics; too many end the connection. */
  #noteFault(client: Client, event: string, { code, message }: Refusal): void {
    const { metrics, logger, warnings } = this.#ports;
    const { socket, session, address } = client;
    const place = placeIn(this.#ports.bindingOf(session));
    // A limit counts under its own name.
    if (code !== 'try-again') metrics.refusals.inc({ reason: code });
    if (NO_FAULTS.has(code)) {
      logger.debug({ event, ...place }, message);
      return;
    }
    const { origin, host } = socket.handshake.headers;
    warnings.warn(
      `${this.#ports.handlerOf(event) === null ? 'another event' : event}: ${code}`,
      { event, code, from: address, origin, host, ...place, remedy: REMEDIES[code] },
      message,
    );
    // No fault of the client, either, which has to ask again.
    if (code === 'try-again') return;
    client.faults += 1;
    if (client.faults > MAX_FAULTS) socket.disconnect(true);
  }
}

/** For the log. */
function placeIn(binding: Binding | null) {
  return binding && (binding.type === 'member' ? { room: binding.room, id: binding.id } : null);
}

function isSendReply(input: unknown): input is SendReply {
  return typeof input === 'function';
}
