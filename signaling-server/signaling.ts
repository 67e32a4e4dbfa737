/**
 * The signaling server: the brokers of shared/instances on Socket.IO. It knows places and offers, and
 * nothing of elections. Clients are clients.ts's, what they ask is call-handlers.ts's, and the rooms are
 * room-host.ts's; here they are put together, and what clients are told is sent.
 */
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import { Server } from 'socket.io';
import type { Told } from '../shared/broker/room.ts';
import type { Note, SessionId } from '../shared/broker/state.ts';
import { refusal } from '../shared/broker/turn.ts';
import { clockOf } from '../shared/driver/clock.ts';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import {
  MAX_SIGNALING_MESSAGE_BYTES,
  parseLeaveRequest,
  type Refusal,
  type ReplyTo,
  type Signal,
} from '../shared/protocol/signaling.ts';
import {
  accessRefusal,
  hostRefusal,
  isAllowedOrigin,
  type AccessOptions,
  type AccessRefusal,
} from './access.ts';
import { Admissions } from './admissions.ts';
import { CallHandlers } from './call-handlers.ts';
import { Attempts } from './attempts.ts';
import { addressReader } from './client-address.ts';
import { Clients, type Client, type SocketServer } from './clients.ts';
import { Alone, type Cluster, type Share } from './cluster.ts';
import { Connections } from './connections.ts';
import type { Authorize } from './grants.ts';
import { Handshakes, type HandshakeLimits } from './handshakes.ts';
import { Memories } from './memories.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { Ice, type IceOptions } from './ice.ts';
import { limitsInMemory, type RateLimits } from './rate-limits.ts';
import { RoomHost, type HostLimits, type Performed } from './room-host.ts';
import { signedTickets } from './tickets.ts';
import type { Warnings } from './warnings.ts';
import { Ways } from './ways.ts';
import { BoundedWebSocketServer } from './websockets.ts';

export interface SignalingOptions extends HostLimits, AccessOptions, HandshakeLimits, IceOptions {
  readonly logger: Logger;
  /** Shared with the HTTP server; its maker closes it. */
  readonly warnings: Warnings;
  /** Below which the sockets are: `/`, or a path that begins and ends with a slash. */
  readonly basePath: string;
  /** What it signs tickets with. */
  readonly secret: string;
  /** From which memories members may come back; by default from any. */
  readonly memories?: Memories;
  /** Proxies whose word is believed on where a client is, as {@link addressReader} takes them. */
  readonly trustedProxies: string;
  /** What it shares with other servers; nothing by default. */
  readonly share?: Share | undefined;
  /** What may come from one address in a minute; counted in memory by default. */
  readonly rateLimits?: RateLimits;
  /** Decides who may come in; by default all. */
  readonly authorize?: Authorize | undefined;
  /** How long a client may stay that neither has a place nor watches nor asks for either, in milliseconds. */
  readonly idlePatience?: number;
}

/** What a client is told, or is done to it. */
type ToClient = Extract<Performed, { readonly session: SessionId }>;

/** A socket is found dead after the two together, in milliseconds. */
const PING_INTERVAL = 10_000;
const PING_TIMEOUT = 5_000;

/** A page asks for a place at once, unless it has to wait for WebRTC. */
const IDLE_PATIENCE = 30_000;

/** How long clients may take to answer that the server closes, in milliseconds. */
const CLOSING = 1_000;

export class SignalingServer {
  readonly metrics: Metrics;
  readonly #httpServer: HttpServer;
  readonly #options: SignalingOptions;
  readonly #clock = clockOf(globalThis);
  readonly #rooms: RoomHost;
  readonly #ways = new Ways();
  readonly #io: SocketServer;
  readonly #connections: Connections;
  readonly #attempts: Attempts;
  readonly #handshakes: Handshakes;
  readonly #clients: Clients;
  /** Where the client of a request is. */
  readonly #addressOf: (request: IncomingMessage) => string;
  #renewals: ReturnType<typeof setInterval> | undefined;
  #isClosing = false;

  /**
   * Adds the signaling server to an HTTP server.
   * @param httpServer may listen already or later; requests outside socket.io below the base path are left
   *   to others
   */
  constructor(httpServer: HttpServer, options: SignalingOptions) {
    this.#httpServer = httpServer;
    this.#options = options;
    const { logger, warnings } = options;
    this.metrics = createMetrics(() => ({
      ...this.size,
      sockets: this.#io.engine.clientsCount,
      spectators: this.spectators,
      links: this.#ways.counts,
    }));
    const shared = options.share?.({ ...options, metrics: this.metrics });
    this.#rooms = this.#newRooms(shared?.cluster ?? new Alone());
    this.#io = this.#newSocketServer();
    const { metrics } = this;
    const clock = this.#clock;
    const addressOf = addressReader(options.trustedProxies);
    this.#addressOf = addressOf;
    const ports = { clock, metrics, warnings, addressOf };
    const connections = new Connections(this.#io.engine, ports);
    this.#connections = connections;
    this.#attempts = new Attempts(this.#io, ports);
    const rateLimits =
      options.rateLimits ?? shared?.rateLimits ?? limitsInMemory(options.connectionsPerAddress);
    const rate = rateLimits.handshakes;
    this.#handshakes = new Handshakes(options, { ...ports, connections, rate });
    const rooms = this.#rooms;
    const ice = new Ice(options);
    const ways = this.#ways;
    const { authorize } = options;
    const admissions = authorize === undefined ? null : new Admissions(authorize, warnings);
    const calls = new CallHandlers({
      ...{ clock, metrics, logger, connections, rateLimits, rooms, ways, admissions },
      onAdmitted: (client) => this.#clients.tellIceAtLast(client),
    });
    this.#clients = new Clients(this.#io, options.idlePatience ?? IDLE_PATIENCE, {
      clock,
      metrics,
      warnings,
      logger,
      connections,
      handlerOf: (event) => calls.of(event),
      newSession: () => rooms.newSession(),
      bindingOf: (session) => rooms.bindingOf(session),
      iceServersOf: (client) => {
        if (admissions === null) return ice.servers(Date.now());
        // TURN is for those who may come in.
        return admissions.grantOf(client).then((grant) => {
          const now = Date.now();
          const until = 'ok' in grant ? 0 : (grant.expires ?? Infinity);
          return until > now ? ice.servers(now, until) : ice.open;
        });
      },
      onOpened: ({ session, network }) => rooms.open(session, network),
      onClosed: (client) => this.#end(client),
    });
    if (ice.renewal !== null)
      this.#renewals = setInterval(() => this.#clients.renewIce(), ice.renewal);
  }

  /** Rooms and peers at this moment. */
  get size(): { readonly rooms: number; readonly peers: number } {
    return this.#rooms.size;
  }

  /** Connections that watch a room, in all rooms. */
  get spectators(): number {
    return this.#rooms.spectators;
  }

  /** Names it among the servers that it shares rooms with. */
  get instance(): string {
    return this.#rooms.id;
  }

  /** Whether it has been able to take rooms: where several share them, it has been told of the others. */
  get isReady(): boolean {
    return this.#rooms.isReady;
  }

  /** Whether it disconnects everyone, or has done so. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Open connections, of whatever use. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * What a WebSocket of a page of this origin would be judged by, if it came as the request did.
   * @param name of an attempt of that page, of which is told what has come here
   */
  async accessOf(request: IncomingMessage, origin: string, name: string): Promise<object> {
    const { host } = request.headers;
    const allowsHost = hostRefusal(request, this.#options) === null;
    const allowsOrigin = isAllowedOrigin(origin, host, this.#options);
    const full = await this.#handshakes.fullFor(request);
    return { host, allowsHost, allowsOrigin, full, attempt: this.#attempts.of(name) };
  }

  /** Notes in the log and the metrics that a request was refused. */
  noteRefusal(request: IncomingMessage, { reason, message }: AccessRefusal): void {
    this.metrics.refusals.inc({ reason });
    const { origin, host } = request.headers;
    this.#options.warnings.warn(reason, { from: this.#addressOf(request), origin, host }, message);
  }

  /** A room's peers in ring order. */
  peers(room: RoomName): readonly PeerId[] {
    return this.#rooms.peers(room);
  }

  /**
   * Removes a member that leaves over HTTP.
   * @param input a LeaveRequest, if the client is an honest one
   */
  async leave(input: unknown): Promise<ReplyTo> {
    const request = parseLeaveRequest(input);
    if (!request.ok) return this.#refuseLeave(refusal('malformed', request.error));
    const reply = await this.#rooms.goodbye(request.value);
    return reply.ok ? reply : this.#refuseLeave(reply);
  }

  /** Disconnects everyone and closes the HTTP server. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#clients.stop();
    clearInterval(this.#renewals);
    await this.#rooms.stop();
    const cutOff = this.#connections.close();
    const cut = setTimeout(() => {
      cutOff();
      this.#httpServer.closeAllConnections();
    }, CLOSING);
    await this.#io.close();
    clearTimeout(cut);
  }

  #newRooms(cluster: Cluster): RoomHost {
    const { secret, memories = new Memories() } = this.#options;
    return new RoomHost(memories.id, this.#options, {
      clock: this.#clock,
      cluster,
      tickets: signedTickets(secret, (incarnation) => memories.accepts(incarnation)),
      perform: (performed) => this.#perform(performed),
      onLimit: (reason) => this.metrics.refusals.inc({ reason }),
    });
  }

  #newSocketServer(): SocketServer {
    return new Server(this.#httpServer, {
      path: `${this.#options.basePath}socket.io`,
      transports: ['websocket'],
      serveClient: false,
      wsEngine: BoundedWebSocketServer,
      maxHttpBufferSize: MAX_SIGNALING_MESSAGE_BYTES,
      pingInterval: PING_INTERVAL,
      pingTimeout: PING_TIMEOUT,
      connectTimeout: IDLE_PATIENCE,
      allowRequest: (request, decide) => {
        const refused = accessRefusal(request, this.#options);
        if (refused !== null) {
          this.noteRefusal(request, refused);
          decide(refused.message, false);
        } else
          void this.#handshakes.admit(request).then((isAdmitted) => {
            if (isAdmitted) decide(null, true);
          });
      },
    });
  }

  #end(client: Client): void {
    const { session } = client;
    this.#ways.forget(client);
    const place = this.#rooms.placeOf(session);
    this.#rooms.close(session);
    if (place !== null && !this.#isClosing) this.#options.logger.debug(place, 'lost');
  }

  #perform(performed: Performed): void {
    switch (performed.type) {
      case 'note':
        return this.#note(performed.room, performed.note);
      case 'lease lost':
        return this.#noteLeaseLost();
      case 'put off':
        this.metrics.refusals.inc({ reason: 'no-directory' });
        return;
      case 'left':
        this.metrics.leaves.inc();
        this.#options.logger.debug({ room: performed.room, id: performed.id }, 'left');
        return;
      default: {
        const client = this.#clients.get(performed.session);
        if (client !== undefined) this.#tell(client, performed);
      }
    }
  }

  #tell(client: Client, told: ToClient): void {
    const { socket, replies, session } = client;
    switch (told.type) {
      case 'reply': {
        const reply = replies.get(told.number);
        replies.delete(told.number);
        reply?.(told.reply);
        return;
      }
      case 'push':
        return this.#push(client, told.told);
      case 'watched':
        socket.emit('watched', told.isWatched);
        return;
      case 'order':
        socket.emit('order', told.order, () => this.#rooms.take(session, told.number));
        return;
      case 'traces':
        socket.emit('traces', told.traces, () => this.#rooms.take(session, told.number));
        return;
      case 'ticket refused':
        return this.#noteUnknownTicket(client);
      case 'end':
        socket.disconnect(true);
        return;
      case 'cut':
        // As a connection that breaks: the client makes another.
        socket.conn.close();
        return;
    }
  }

  #noteLeaseLost(): void {
    this.metrics.leasesLost.inc();
    const message =
      'this server has given up its rooms, as it cannot be sure of Redis: members bring their places again';
    this.#options.warnings.warn('lease', {}, message);
  }

  #note(room: RoomName, { type, ...details }: Note): void {
    if (type === 'recovery begun') this.metrics.recoveries.inc();
    if ('reason' in details) this.metrics.evictions.inc({ reason: details.reason });
    this.#options.warnings.info(type, { room, ...details }, type);
  }

  #push({ socket }: Client, told: Told): void {
    switch (told.type) {
      case 'view':
        socket.emit('view', told.view);
        return;
      case 'signal':
        this.#countFrames(told.signal.signals);
        socket.emit('signal', told.signal);
        return;
      case 'check':
        socket.emit('check', told.peer);
        return;
    }
  }

  #countFrames(signals: readonly Signal[]): void {
    for (const signal of signals)
      if (signal.type === 'frame') {
        this.metrics.relayedFrames.inc();
        this.metrics.relayedBytes.inc(signal.frame.length);
      }
  }

  #noteUnknownTicket({ socket, address }: Client): void {
    const message =
      'a client came with a ticket that this server, or one just before it here, has not signed: is there another server at this address, or did it have another secret?';
    this.metrics.refusals.inc({ reason: 'unknown-ticket' });
    const { origin, host } = socket.handshake.headers;
    this.#options.warnings.warn('ticket', { from: address, origin, host }, message);
  }

  #refuseLeave(refused: Refusal): Refusal {
    this.metrics.refusals.inc({ reason: refused.code });
    // Not as a warning: anyone can ask, as often as they like.
    this.#options.logger.debug({ event: 'leave', code: refused.code }, refused.message);
    return refused;
  }
}
