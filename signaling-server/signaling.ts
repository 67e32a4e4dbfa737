/**
 * The signaling server: the broker of shared/broker on Socket.IO. It knows places and offers, and
 * nothing of elections. Here what clients send is limited, parsed and given to the broker, and what the
 * broker delivers is sent.
 */
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import { Server, type Socket } from 'socket.io';
import { ALREADY_JOINED, orderOf, placeOf, sessionsIn, sizeOf } from '../shared/broker/broker.ts';
import type { Told } from '../shared/broker/room.ts';
import { run, type BrokerLoop } from '../shared/broker/run.ts';
import { NOT_JOINED, refusal } from '../shared/broker/turn.ts';
import { mayLeave } from '../shared/broker/sessions.ts';
import {
  newBroker,
  type Broker,
  type Delivery,
  type Membership,
  type Note,
  type SessionId,
} from '../shared/broker/state.ts';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import {
  MAX_SIGNALING_MESSAGE_BYTES,
  claimOf,
  isRequestType,
  parseLeaveRequest,
  parseRequest,
  type PeerToServer,
  type Refusal,
  type Reply,
  type ReplyTo,
  type Request,
  type RequestType,
  type ServerToPeer,
  type Signal,
} from '../shared/protocol/signaling.ts';
import {
  parseTrace,
  parseWatchRequest,
  type TracerToServer,
  type ServerToTracer,
  type ServerToSpectator,
  type SpectatorToServer,
  type WatchReply,
} from '../shared/protocol/watch.ts';
import { fullBucket, takeOne, type TokenBucket } from '../shared/machine/token-bucket.ts';
import { clockOf } from '../shared/driver/clock.ts';
import {
  accessRefusal,
  hostRefusal,
  isAllowedOrigin,
  type AccessOptions,
  type AccessRefusal,
} from './access.ts';
import { CallQueue } from './call-queue.ts';
import { addressReader, networkOf } from './client-address.ts';
import { Connections } from './connections.ts';
import { Handshakes, type HandshakeLimits } from './handshakes.ts';
import { Memories } from './memories.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { BARE, codeFor, FOR_A_PLACE, MOVES, REMEDIES } from './requests.ts';
import { limitsInMemory, tooMuch, type Limit, type RateLimits } from './rate-limits.ts';
import type { Warnings } from './warnings.ts';
import { signedTickets } from './tickets.ts';
import { Watching, type WatchLimits } from './watch.ts';
import { BoundedWebSocketServer } from './websockets.ts';

export interface SignalingOptions extends WatchLimits, AccessOptions, HandshakeLimits {
  readonly logger: Logger;
  /** Shared with the HTTP server; its maker closes it. */
  readonly warnings: Warnings;
  /** Below which the sockets are: `/`, or a path that begins and ends with a slash. */
  readonly basePath: string;
  readonly peersPerRoom: number;
  readonly rooms: number;
  /** What it signs tickets with. */
  readonly secret: string;
  /** From which memories members may come back; by default from any. */
  readonly memories?: Memories;
  /** Proxies whose word is believed on where a client is, as {@link addressReader} takes them. */
  readonly trustedProxies: string;
  /** What may come from one address in a minute; counted in memory by default. */
  readonly rateLimits?: RateLimits;
  /** How long a socket may stay that neither has a place nor watches nor asks for either, in milliseconds. */
  readonly idlePatience?: number;
}

interface SocketData {
  readonly session: SessionId;
  /** Where its client is, and what limits count together with it. */
  readonly address: string;
  readonly network: string;
  readonly calls: CallQueue;
  /** By number: what sends the reply to each request that waits for the broker. */
  readonly replies: Map<number, SendReply>;
  /** Ends its watching, if it watches a room. */
  unwatch: (() => void) | null;
  faults: number;
  /** When it last had something, or asked for it. */
  busyAt: number;
  /** How many requests it may make, and how many of those that move places. */
  readonly requests: TokenBucket;
  readonly moves: TokenBucket;
}

type FromClient = PeerToServer & TracerToServer & SpectatorToServer;
type ToClient = ServerToPeer & ServerToTracer & ServerToSpectator;
type PeerServer = Server<FromClient, ToClient, Record<string, never>, SocketData>;
type PeerSocket = Socket<FromClient, ToClient, Record<string, never>, SocketData>;

type SendReply = (reply: ReplyTo | WatchReply) => void;

/** An event of a client. */
interface Call {
  readonly socket: PeerSocket;
  readonly event: string;
  readonly input: unknown;
  readonly reply: SendReply;
}

/** How long a newcomer of a burst waits for the next one, in milliseconds. */
const BURST_WINDOW = 50;

/** A socket is found dead after the two together, in milliseconds. */
const PING_INTERVAL = 10_000;
const PING_TIMEOUT = 5_000;

/** Faulty events that a client may send; with one more it is disconnected. */
const MAX_FAULTS = 20;

/**
 * Requests that a client may make at once, and in each second after that: as many as a link may carry
 * frames, since on a relayed one each frame is a request.
 */
const ALL = { burst: 4_000, perSecond: 1_000 };

/** The same for requests that move places. An honest client makes one, and seldom complains. */
const MOVING = { burst: 30, perSecond: 2 };

/** A page asks for a place at once, unless it has to wait for WebRTC. */
const IDLE_PATIENCE = 30_000;

/** How long clients may take to answer that the server closes, in milliseconds. */
const CLOSING = 1_000;

export class SignalingServer {
  readonly metrics: Metrics;
  readonly #httpServer: HttpServer;
  readonly #options: SignalingOptions;
  readonly #clock = clockOf(globalThis);
  readonly #broker: Broker;
  /** Runs the broker. */
  readonly #loop: BrokerLoop;
  readonly #watching: Watching;
  readonly #io: PeerServer;
  readonly #connections: Connections;
  readonly #handshakes: Handshakes;
  readonly #rateLimits: RateLimits;
  readonly #idlePatience: number;
  readonly #idleChecks: ReturnType<typeof setInterval>;
  readonly #sockets = new Map<SessionId, PeerSocket>();
  /** Of all sockets and requests so far. */
  #sessions = 0;
  #requests = 0;
  /** Where the client of a request is. */
  readonly #addressOf: (request: IncomingMessage) => string;
  #isClosing = false;

  /**
   * Adds the signaling server to an HTTP server.
   * @param httpServer may listen already or later; requests outside socket.io below the base path are left
   *   to others
   */
  constructor(httpServer: HttpServer, options: SignalingOptions) {
    this.#httpServer = httpServer;
    this.#options = options;
    const { peersPerRoom, rooms } = options;
    const limits = { peersPerRoom, rooms, burstWindow: BURST_WINDOW };
    const memories = options.memories ?? new Memories();
    this.#broker = newBroker(memories.id, limits, this.#clock.now());
    this.#loop = run(
      this.#broker,
      (delivery) => this.#perform(delivery),
      { clock: this.#clock, date: Date.now },
      signedTickets(
        options.secret,
        (incarnation) => memories.accepts(incarnation),
        () => this.#noteUnknownTicket(),
      ),
    );
    this.metrics = createMetrics(() => ({
      ...this.size,
      sockets: this.#io.engine.clientsCount,
      spectators: this.spectators,
    }));
    this.#watching = this.#newWatching();
    this.#io = this.#newSocketServer();
    const { metrics } = this;
    this.#addressOf = addressReader(options.trustedProxies);
    const addressOf = this.#addressOf;
    const ports = { clock: this.#clock, metrics, warnings: options.warnings, addressOf };
    this.#connections = new Connections(this.#io.engine, ports);
    this.#rateLimits = options.rateLimits ?? limitsInMemory(options.connectionsPerAddress);
    this.#handshakes = new Handshakes(options, {
      ...ports,
      connections: this.#connections,
      rate: this.#rateLimits.handshakes,
    });
    this.#idlePatience = options.idlePatience ?? IDLE_PATIENCE;
    this.#idleChecks = setInterval(() => this.#endIdle(), this.#idlePatience / 3);
    this.#io.on('connection', (socket) => this.#open(socket));
  }

  /** Rooms and peers at this moment. */
  get size(): { readonly rooms: number; readonly peers: number } {
    return sizeOf(this.#broker);
  }

  /** Connections that watch a room, in all rooms. */
  get spectators(): number {
    return this.#watching.size;
  }

  /** Whether it disconnects everyone, or has done so. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Open connections, of whatever use. */
  get connections(): number {
    return this.#connections.size;
  }

  /** What a WebSocket of a page of this origin would be judged by, if it came as the request did. */
  async accessOf(request: IncomingMessage, origin: string): Promise<object> {
    const { host } = request.headers;
    const allowsHost = hostRefusal(request, this.#options) === null;
    const allowsOrigin = isAllowedOrigin(origin, host, this.#options);
    return { host, allowsHost, allowsOrigin, full: await this.#handshakes.fullFor(request) };
  }

  /** Notes in the log and the metrics that a request was refused. */
  noteRefusal(request: IncomingMessage, { reason, message }: AccessRefusal): void {
    this.metrics.refusals.inc({ reason });
    const { origin, host } = request.headers;
    this.#options.warnings.warn(reason, { from: this.#addressOf(request), origin, host }, message);
  }

  /** A room's peers in ring order. */
  peers(room: RoomName): readonly PeerId[] {
    return orderOf(this.#broker, room).peers;
  }

  /**
   * Removes a member that leaves over HTTP.
   * @param input a LeaveRequest, if the client is an honest one
   */
  leave(input: unknown): Reply {
    const request = parseLeaveRequest(input);
    if (!request.ok) return this.#refuseLeave(refusal('malformed', request.error));
    const { room, id } = request.value;
    if (!mayLeave(this.#broker, request.value))
      return this.#refuseLeave(refusal('not-joined', `that is not the secret of ${id}`));
    if (this.peers(room).includes(id)) this.metrics.leaves.inc();
    this.#loop.give({ type: 'goodbye', request: request.value });
    this.#options.logger.debug({ room, id }, 'left');
    return { ok: true };
  }

  /** Disconnects everyone and closes the HTTP server. */
  async close(): Promise<void> {
    // Nobody has left: the ring goes on.
    this.#isClosing = true;
    this.#loop.stop();
    this.#watching.stop();
    clearInterval(this.#idleChecks);
    const cutOff = this.#connections.close();
    const cut = setTimeout(() => {
      cutOff();
      this.#httpServer.closeAllConnections();
    }, CLOSING);
    await this.#io.close();
    clearTimeout(cut);
  }

  #newWatching(): Watching {
    const broker = this.#broker;
    return new Watching(
      {
        order: (room) => orderOf(broker, room),
        tell: (room, isWatched) => {
          for (const session of sessionsIn(broker, room))
            this.#sockets.get(session)?.emit('watched', isWatched);
        },
        clock: this.#clock,
        date: Date.now,
      },
      this.#options,
    );
  }

  #newSocketServer(): PeerServer {
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

  /** What is done with an event of a client. */
  #handlerOf(event: string): ((call: Call) => Promise<void> | null) | null {
    if (isRequestType(event)) return (call) => this.#ask(call, event);
    if (event === 'trace') return (call) => this.#trace(call);
    return event === 'watch' ? (call) => this.#watch(call) : null;
  }

  #open(socket: PeerSocket): void {
    this.#connections.becomeSocket(socket.conn);
    this.#sessions += 1;
    const session = this.#sessions;
    const address = this.#connections.addressOf(socket.conn);
    const network = networkOf(address);
    socket.data = {
      session,
      address,
      network,
      calls: new CallQueue(),
      replies: new Map(),
      unwatch: null,
      faults: 0,
      busyAt: this.#clock.now(),
      requests: fullBucket(ALL, this.#clock.now()),
      moves: fullBucket(MOVING, this.#clock.now()),
    };
    this.#sockets.set(session, socket);
    this.#loop.give({ type: 'opened', session, address: network });
    // Over the wire an event's name may be a number too. Some may be left of one that was disconnected.
    socket.onAny((event: string | number, ...parameters: unknown[]) => {
      if (socket.connected) this.#hear(socket, String(event).slice(0, 64), parameters);
    });
    socket.on('disconnect', (reason, cause) => this.#end(socket, reason, cause));
  }

  /** Ends sockets that have nothing here and want nothing. */
  #endIdle(): void {
    const now = this.#clock.now();
    for (const socket of this.#sockets.values()) {
      const { data } = socket;
      if (this.#placeOf(socket) !== null || data.unwatch !== null) data.busyAt = now;
      else if (now - data.busyAt >= this.#idlePatience) {
        this.metrics.refusals.inc({ reason: 'idle' });
        socket.disconnect(true);
      }
    }
  }

  #end(socket: PeerSocket, reason: string, cause: unknown): void {
    const { session, unwatch } = socket.data;
    this.#connections.noteEnd(socket, reason, cause);
    unwatch?.();
    const place = this.#placeOf(socket);
    this.#sockets.delete(session);
    this.#loop.give({ type: 'closed', session });
    if (place !== null && !this.#isClosing) this.#options.logger.debug(place, 'lost');
  }

  /** Runs the handler of an event with a way to reply; a client that takes no reply is disconnected. */
  #hear(socket: PeerSocket, event: string, parameters: readonly unknown[]): void {
    const handler = this.#handlerOf(event);
    const input = BARE.has(event) ? null : parameters[0];
    const acknowledge = handler === null ? parameters.at(-1) : parameters[BARE.has(event) ? 0 : 1];
    if (!isSendReply(acknowledge)) {
      const fault = refusal('malformed', 'sent without asking for an acknowledgement');
      this.#noteFault(socket, event, fault);
      socket.disconnect(true);
      return;
    }
    const reply: SendReply = (said) => {
      // First the reply: after the disconnection there would be none.
      acknowledge(said);
      if (!said.ok) this.#noteFault(socket, event, said);
    };
    const { calls, requests, moves } = socket.data;
    const now = this.#clock.now();
    const isTooMuch =
      !takeOne(requests, ALL, now) || (MOVES.has(event) && !takeOne(moves, MOVING, now));
    calls.run(() => {
      if (!socket.connected) return null;
      if (!isTooMuch && handler !== null) return handler({ socket, event, input, reply });
      const what = isTooMuch
        ? 'more requests than a peer has to make'
        : `there is no event "${event}"`;
      reply(refusal('malformed', what));
      return null;
    });
  }

  /** Puts a request to the broker, if it is one. */
  #ask(call: Call, type: RequestType): Promise<void> | null {
    const { socket, input, reply } = call;
    const isForPlace = FOR_A_PLACE.has(type);
    if (isForPlace) socket.data.busyAt = this.#clock.now();
    const refused = isForPlace ? this.#refusalOfSecond(socket) : null;
    if (refused !== null) {
      reply(refused);
      return null;
    }
    const request = parseRequest(type, input);
    if (!request.ok) {
      reply(refusal(isForPlace ? codeFor(input) : 'malformed', request.error));
      return null;
    }
    const claim = claimOf(request.value);
    if (claim !== null) return this.#admit(call, request.value, claim.room);
    this.#putToBroker(call, request.value);
    return null;
  }

  /**
   * Puts a request for a place to the broker, unless the client's network has had too many. Where the client
   * has gone meanwhile the broker knows.
   */
  async #admit(call: Call, request: Request, room: RoomName): Promise<void> {
    const { socket, reply } = call;
    const limit = await this.#limitOf(socket.data.network, room);
    if (limit === null) this.#putToBroker(call, request);
    else reply(this.#refuse(limit));
  }

  /** What a network has had too much of for one more place in a room; null where it has not. */
  async #limitOf(network: string, room: RoomName): Promise<Limit | null> {
    const { places, rooms } = this.#rateLimits;
    if (!(await places.take(network))) return 'too-many-joins';
    if (this.#broker.rooms.has(room) || (await rooms.take(network))) return null;
    return 'too-many-rooms';
  }

  #refuse(limit: Limit): Refusal {
    this.metrics.refusals.inc({ reason: limit });
    return tooMuch(limit);
  }

  #putToBroker({ socket, reply }: Call, request: Request): void {
    const { session, replies } = socket.data;
    const { type } = request;
    const place = this.#placeOf(socket);
    this.#requests += 1;
    const number = this.#requests;
    replies.set(number, (said) => {
      if (said.ok && FOR_A_PLACE.has(type)) this.#noteSeat(socket, type);
      reply(said);
    });
    this.#loop.give({ type: 'request', session, number, request });
    if (type !== 'leave' || place === null) return;
    this.metrics.leaves.inc();
    this.#options.logger.debug(place, 'left');
  }

  #noteSeat(socket: PeerSocket, type: RequestType): void {
    const place = this.#placeOf(socket);
    if (place === null) return;
    this.metrics[type === 'join' ? 'joins' : 'resumes'].inc();
    if (this.#watching.isWatched(place.room)) socket.emit('watched', true);
    this.#options.logger.debug(place, 'seated');
  }

  #perform(delivery: Delivery): void {
    if (delivery.type === 'note') {
      this.#note(delivery.room, delivery.note);
      return;
    }
    const socket = this.#sockets.get(delivery.session);
    if (socket === undefined) return;
    const { session, replies } = socket.data;
    switch (delivery.type) {
      case 'reply': {
        const reply = replies.get(delivery.number);
        replies.delete(delivery.number);
        reply?.(delivery.reply);
        return;
      }
      case 'push':
        return this.#push(socket, delivery.told);
      case 'probe':
        socket.emit('probe', () => this.#loop.give({ type: 'probed', session }));
        return;
      case 'end':
        socket.disconnect(true);
        return;
    }
  }

  #note(room: RoomName, { type, ...details }: Note): void {
    if (type === 'recovery begun') this.metrics.recoveries.inc();
    if ('reason' in details) this.metrics.evictions.inc({ reason: details.reason });
    this.#options.warnings.info(type, { room, ...details }, type);
  }

  #push(socket: PeerSocket, told: Told): void {
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

  #placeOf({ data }: PeerSocket): Membership | null {
    return placeOf(this.#broker, data.session);
  }

  /** A connection is a member's or a spectator's, and of one room. */
  #refusalOfSecond(socket: PeerSocket): Refusal | null {
    if (this.#placeOf(socket) !== null) return ALREADY_JOINED;
    if (socket.data.unwatch === null) return null;
    return refusal('already-joined', 'this connection watches a room already');
  }

  #trace({ socket, input, reply }: Call): null {
    const place = this.#placeOf(socket);
    reply(place === null ? NOT_JOINED : this.#takeTrace(place, input));
    return null;
  }

  /** Takes what a member tells the spectators of its room. */
  #takeTrace({ room, id }: Membership, input: unknown): Reply {
    // It may have been on its way as the last spectator went.
    if (!this.#watching.isWatched(room)) return { ok: true };
    if (!this.#watching.mayTrace(room, id))
      return refusal('malformed', 'more traces than a peer has to send');
    const trace = parseTrace(input);
    if (!trace.ok) return refusal('malformed', trace.error);
    this.#watching.take(room, id, trace.value);
    return { ok: true };
  }

  #watch({ socket, input, reply }: Call): null {
    socket.data.busyAt = this.#clock.now();
    reply(this.#refusalOfSecond(socket) ?? this.#addSpectator(socket, input));
    return null;
  }

  #addSpectator(socket: PeerSocket, input: unknown): WatchReply {
    const request = parseWatchRequest(input);
    if (!request.ok) return refusal(codeFor(input), request.error);
    const { room } = request.value;
    const { network } = socket.data;
    const problem = this.#watching.problem(room);
    if (problem !== null) return refusal('room-full', problem);
    if (this.#watching.hasMost(room, network)) return this.#refuse('too-many-spectators');
    const { order, remove } = this.#watching.add(room, network, {
      order: (order, onTaken) => socket.emit('order', order, onTaken),
      traces: (traces, onTaken) => socket.emit('traces', traces, onTaken),
    });
    socket.data.unwatch = remove;
    this.#connections.allowWatching(socket.conn);
    this.#options.logger.debug({ room }, 'watched');
    return { ok: true, order };
  }

  #noteUnknownTicket(): void {
    const message =
      'a client came with a ticket that this server, or one just before it here, has not signed: is there another server at this address, or did it have another secret?';
    this.metrics.refusals.inc({ reason: 'unknown-ticket' });
    this.#options.warnings.warn('ticket', {}, message);
  }

  #refuseLeave(refused: Refusal): Refusal {
    this.metrics.refusals.inc({ reason: refused.code });
    // Not as a warning: anyone can ask, as often as they like.
    this.#options.logger.debug({ event: 'leave', code: refused.code }, refused.message);
    return refused;
  }

  /** Notes a refusal in the log and the metrics; too many end the connection. */
  #noteFault(socket: PeerSocket, event: string, { code, message }: Refusal): void {
    const place = this.#placeOf(socket);
    // A limit counts under its own name.
    if (code !== 'try-again') this.metrics.refusals.inc({ reason: code });
    // A neighbour may have left a moment before a signal for it arrives, and a place may be lost with its
    // connection: neither is a fault of the client.
    if (code === 'not-a-neighbour' || code === 'place-lost') {
      this.#options.logger.debug({ event, ...place }, message);
      return;
    }
    const { headers } = socket.handshake;
    const { origin, host } = headers;
    this.#options.warnings.warn(
      `${this.#handlerOf(event) === null ? 'another event' : event}: ${code}`,
      { event, code, from: socket.data.address, origin, host, ...place, remedy: REMEDIES[code] },
      message,
    );
    // No fault of the client, either, which has to ask again.
    if (code === 'try-again') return;
    socket.data.faults += 1;
    if (socket.data.faults > MAX_FAULTS) socket.disconnect(true);
  }
}

function isSendReply(input: unknown): input is SendReply {
  return typeof input === 'function';
}
