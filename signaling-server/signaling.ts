/**
 * The signaling server: the broker of shared/ring on Socket.IO. It knows places and offers, and
 * nothing of elections.
 */
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import { Server, type Socket } from 'socket.io';
import { v4 as uuid } from 'uuid';
import * as v from 'valibot';
import { parsePeerId, type Parsed, type PeerId, type RoomName } from '../shared/protocol/ids.ts';
import {
  MAX_SIGNALING_MESSAGE_BYTES,
  parseJoinRequest,
  parseLeaveRequest,
  parseReport,
  parseResumeRequest,
  parseSignalRequest,
  SIGNALING_VERSION,
  type JoinReply,
  type MembershipReply,
  type PeerToServer,
  type Refusal,
  type RefusalCode,
  type Reply,
  type ServerToPeer,
  type SettleReply,
} from '../shared/protocol/signaling.ts';
import {
  parseTrace,
  parseWatchRequest,
  type ReporterToServer,
  type ServerToReporter,
  type ServerToWatcher,
  type WatcherToServer,
} from '../shared/protocol/watch.ts';
import { Allowance } from '../shared/ring/allowance.ts';
import { Broker, PROBE_PATIENCE } from '../shared/ring/broker.ts';
import type { Delivery } from '../shared/ring/room.ts';
import { clockOf } from '../shared/driver/clock.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { Warnings } from './warnings.ts';
import { Watching, type WatchLimits } from './watch.ts';
import { BoundedWebSocketServer } from './websockets.ts';

export interface SignalingOptions extends WatchLimits {
  readonly logger: Logger;
  /** Shared with the HTTP server; its maker closes it. */
  readonly warnings: Warnings;
  /** Below which the sockets are: `/`, or a path that begins and ends with a slash. */
  readonly basePath: string;
  readonly peersPerRoom: number;
  readonly rooms: number;
  /** Origins whose pages may connect, besides the page this server serves; `*` for any. */
  readonly allowedOrigins: readonly string[];
}

export interface SignalingServer {
  readonly metrics: Metrics;
  /** Rooms and peers at this moment. */
  readonly size: { readonly rooms: number; readonly peers: number };
  /** Connections that watch a room, in all rooms. */
  readonly watchers: number;
  /** Whether pages of an origin may connect, given the request's Host header. */
  allowsOrigin(origin: string, host: string | undefined): boolean;
  /** A room's peers in ring order. */
  peers(room: RoomName): readonly PeerId[];
  /**
   * Removes a member that leaves over HTTP.
   * @param input a LeaveRequest, if the client is an honest one
   */
  leave(input: unknown): Reply;
  /** Disconnects everyone and closes the HTTP server. */
  close(): Promise<void>;
}

/** The place that a socket has joined. */
interface Membership {
  readonly room: RoomName;
  readonly id: PeerId;
}

interface SocketData {
  membership: Membership | null;
  /** Ends its watching, if it watches a room. */
  unwatch: (() => void) | null;
  faults: number;
  /** How many requests it may make, and how many of those that move places. */
  readonly requests: Allowance;
  readonly moves: Allowance;
}

type FromClient = PeerToServer & ReporterToServer & WatcherToServer;
type ToClient = ServerToPeer & ServerToReporter & ServerToWatcher;
type PeerSocket = Socket<FromClient, ToClient, Record<string, never>, SocketData>;

type OrderReply = Parameters<Parameters<WatcherToServer['watch']>[1]>[0];
type Acknowledge = (reply: Reply | JoinReply | SettleReply | MembershipReply | OrderReply) => void;

/** What engine.io is about to send; there are none of an event's data in a ping. */
interface Packet {
  readonly data?: string | Uint8Array;
}

/** The connection beneath a socket; there is one, too, before there is a socket. */
type Connection = PeerSocket['conn'];

/** A handshake that engine.io has turned down. */
interface RefusedHandshake {
  readonly req: IncomingMessage;
  readonly message: string;
  readonly context?: { readonly message?: string };
}

/** What a join request of another version of the protocol has, whatever else it holds. */
const OtherVersionSchema = v.looseObject({
  version: v.pipe(v.number(), v.notValue(SIGNALING_VERSION)),
});

function codeFor(request: unknown): RefusalCode {
  return v.is(OtherVersionSchema, request) ? 'version' : 'malformed';
}

/** What a client may send. */
const EVENTS: ReadonlySet<string> = new Set<keyof FromClient>([
  'join',
  'resume',
  'signal',
  'settle',
  'report',
  'lookup',
  'leave',
  'trace',
  'watch',
]);

/** Requests that may change who is whose neighbour, which costs more than to answer one. */
const MOVES: ReadonlySet<string> = new Set<keyof FromClient>(['join', 'resume', 'report']);

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
const MAX_REQUESTS_AT_ONCE = 4_000;
const REQUESTS_PER_SECOND = 1_000;

/** The same for requests that move places. An honest client makes one, and seldom reports a neighbour. */
const MAX_MOVES_AT_ONCE = 30;
const MOVES_PER_SECOND = 2;

/**
 * Bytes that may wait for a client to read them; with more it is cut off. An honest watcher may have to
 * catch up with MAX_UNTAKEN entries, of some 800 bytes at most.
 */
const MAX_UNREAD_BYTES = 1_048_576;
const MAX_UNREAD_BY_WATCHER = 4_194_304;

/** What keeping a packet takes besides its data, in bytes. */
const PACKET_OVERHEAD = 256;

/** Characters of a refusal's sentence, which may quote what came. */
const MAX_MESSAGE_LENGTH = 200;

/** How long clients may take to answer that the server closes, in milliseconds. */
const CLOSING = 1_000;

/** Ends of a connection by which a client has broken the protocols beneath the events. */
const BREACHES = new Set(['parse error', 'transport error', 'forced close', 'forced server close']);

/**
 * Adds the signaling server to an HTTP server.
 * @param httpServer may listen already or later; requests outside socket.io below the base path are left
 *   to others
 */
export function createSignalingServer(
  httpServer: HttpServer,
  options: SignalingOptions,
): SignalingServer {
  const { logger, warnings } = options;
  const clock = clockOf(globalThis);
  const sockets = new Map<string, PeerSocket>();
  let isClosing = false;
  const broker = new Broker(
    uuid(),
    { clock, date: Date.now, deliver, probe, disconnect },
    { peersPerRoom: options.peersPerRoom, rooms: options.rooms, burstWindow: BURST_WINDOW },
  );
  const metrics = createMetrics(() => broker.size);
  const watching = new Watching(
    {
      order: (room) => ({ peers: broker.peers(room), policy: broker.policy(room) }),
      tell: tellWatched,
      clock,
      date: Date.now,
    },
    options,
  );
  const io = new Server<FromClient, ToClient, Record<string, never>, SocketData>(httpServer, {
    path: `${options.basePath}socket.io`,
    transports: ['websocket'],
    serveClient: false,
    wsEngine: BoundedWebSocketServer,
    maxHttpBufferSize: MAX_SIGNALING_MESSAGE_BYTES,
    pingInterval: PING_INTERVAL,
    pingTimeout: PING_TIMEOUT,
    allowRequest: (request, decide) => {
      const { origin, host } = request.headers;
      const isAllowed = isAllowedOrigin(origin, host, options.allowedOrigins);
      decide(isAllowed ? null : originRefusal(origin, host), isAllowed);
    },
  });

  function deliver(room: RoomName, delivery: Delivery): void {
    const socket = sockets.get(`${room}/${delivery.to}`);
    if (socket === undefined) return;
    switch (delivery.type) {
      case 'view':
        metrics.views.inc();
        socket.emit('view', delivery.view);
        return;
      case 'signal':
        metrics.signals.inc();
        socket.emit('signal', delivery.signal);
        return;
      case 'check':
        socket.emit('check', delivery.peer);
        return;
    }
  }

  function probe(room: RoomName, id: PeerId, onAnswer: (isAwake: boolean) => void): void {
    const socket = sockets.get(`${room}/${id}`);
    if (socket === undefined) {
      onAnswer(false);
      return;
    }
    socket
      .timeout(PROBE_PATIENCE)
      .emitWithAck('probe')
      .then(
        () => {
          onAnswer(true);
        },
        () => {
          onAnswer(false);
        },
      );
  }

  function tellWatched(room: RoomName, isWatched: boolean): void {
    for (const id of broker.peers(room)) sockets.get(`${room}/${id}`)?.emit('watched', isWatched);
  }

  /** The peer finds out when it asks for its place again. */
  function disconnect(room: RoomName, id: PeerId): void {
    const key = `${room}/${id}`;
    const socket = sockets.get(key);
    if (socket === undefined) return;
    metrics.evictions.inc();
    sockets.delete(key);
    socket.data.membership = null;
    socket.disconnect(true);
  }

  /** A connection is a member's or a watcher's, and of one room. */
  function refusalOfSecond({ data }: PeerSocket): Refusal | null {
    if (data.membership !== null)
      return refusal('already-joined', 'this connection has joined a room already');
    if (data.unwatch === null) return null;
    return refusal('already-joined', 'this connection watches a room already');
  }

  /** The request for a place of a connection that has none; what is no such request is refused. */
  function placeRequest<Request>(
    socket: PeerSocket,
    input: unknown,
    parse: (input: unknown) => Parsed<Request>,
    refuse: (refusal: Refusal) => void,
  ): Request | null {
    const refused = refusalOfSecond(socket);
    if (refused !== null) {
      refuse(refused);
      return null;
    }
    const request = parse(input);
    if (request.ok) return request.value;
    refuse(refusal(codeFor(input), request.error));
    return null;
  }

  function join(socket: PeerSocket, input: unknown, reply: (reply: JoinReply) => void): void {
    const request = placeRequest(socket, input, parseJoinRequest, reply);
    if (request === null) return;
    const { room, id } = request;
    socket.data.membership = { room, id };
    broker.join(request, (joined) => {
      if (joined.ok) {
        metrics.joins.inc();
        seat(socket, { room, id });
      } else socket.data.membership = null;
      reply(joined);
    });
  }

  function resume(socket: PeerSocket, input: unknown, reply: (reply: JoinReply) => void): void {
    const request = placeRequest(socket, input, parseResumeRequest, reply);
    if (request === null) return;
    const { room, id } = request;
    const resumed = broker.resume(request);
    if (resumed.ok) {
      socket.data.membership = { room, id };
      seat(socket, { room, id });
    }
    reply(resumed);
  }

  /** From now on what is for the member goes to this socket; an earlier one of its is closed. */
  function seat(socket: PeerSocket, { room, id }: Membership): void {
    const key = `${room}/${id}`;
    const earlier = sockets.get(key);
    sockets.set(key, socket);
    if (earlier !== undefined) {
      earlier.data.membership = null;
      earlier.disconnect(true);
    }
    if (watching.isWatched(room)) socket.emit('watched', true);
    logger.debug({ room, id }, 'seated');
  }

  function signal(socket: PeerSocket, input: unknown, reply: (reply: Reply) => void): void {
    const { membership } = socket.data;
    const request = parseSignalRequest(input);
    if (!request.ok) reply(refusal('malformed', request.error));
    else if (membership === null) reply(refusal('not-joined', 'join a room first'));
    else reply(broker.signal(membership.room, membership.id, request.value));
  }

  function settle(socket: PeerSocket, reply: (reply: SettleReply) => void): void {
    const { membership } = socket.data;
    if (membership === null) reply(refusal('not-joined', 'join a room first'));
    else reply(broker.settle(membership.room, membership.id));
  }

  function report(
    socket: PeerSocket,
    input: unknown,
    reply: (reply: MembershipReply) => void,
  ): void {
    const { membership } = socket.data;
    const complaint = parseReport(input);
    if (!complaint.ok) reply(refusal('malformed', complaint.error));
    else if (membership === null) reply(refusal('not-joined', 'join a room first'));
    else broker.report(membership.room, membership.id, complaint.value, reply);
  }

  function lookup(
    socket: PeerSocket,
    input: unknown,
    reply: (reply: MembershipReply) => void,
  ): void {
    const { membership } = socket.data;
    const id = parsePeerId(input);
    if (!id.ok) reply(refusal('malformed', id.error));
    else if (membership === null) reply(refusal('not-joined', 'join a room first'));
    else broker.lookup(membership.room, id.value, reply);
  }

  function trace(socket: PeerSocket, input: unknown, reply: (reply: Reply) => void): void {
    const { membership } = socket.data;
    if (membership === null) {
      reply(refusal('not-joined', 'join a room first'));
      return;
    }
    const { room, id } = membership;
    // It may have been on its way as the last watcher went.
    if (!watching.isWatched(room)) {
      reply({ ok: true });
      return;
    }
    if (!watching.mayReport(room, id)) {
      reply(refusal('malformed', 'more reports than a peer has to make'));
      return;
    }
    const report = parseTrace(input);
    if (report.ok) {
      metrics.reports.inc();
      watching.report(room, id, report.value);
      reply({ ok: true });
    } else reply(refusal('malformed', report.error));
  }

  function watch(socket: PeerSocket, input: unknown, reply: (reply: OrderReply) => void): void {
    const refused = refusalOfSecond(socket);
    const request = parseWatchRequest(input);
    if (refused !== null) reply(refused);
    else if (!request.ok) reply(refusal(codeFor(input), request.error));
    else {
      const { room } = request.value;
      const problem = watching.problem(room);
      if (problem !== null) {
        reply(refusal('room-full', problem));
        return;
      }
      const { order, remove } = watching.add(room, {
        order: (order, onTaken) => socket.emit('order', order, onTaken),
        reports: (reports, onTaken) => socket.emit('reports', reports, onTaken),
      });
      socket.data.unwatch = remove;
      watchers.add(socket.conn);
      reply({ ok: true, order });
      logger.debug({ room }, 'watched');
    }
  }

  /** Takes a socket's place from it. When the server ends, nobody has left: the ring goes on. */
  function unseat(socket: PeerSocket): Membership | null {
    const { membership } = socket.data;
    if (membership === null || isClosing) return null;
    socket.data.membership = null;
    const key = `${membership.room}/${membership.id}`;
    const seated = sockets.get(key);
    // Another connection has the place by now.
    if (seated !== undefined && seated !== socket) return null;
    sockets.delete(key);
    return membership;
  }

  function leave(socket: PeerSocket): void {
    const membership = unseat(socket);
    if (membership === null) return;
    broker.leave(membership.room, membership.id);
    logger.debug(membership, 'left');
  }

  function leaveByHttp(input: unknown): Reply {
    const request = parseLeaveRequest(input);
    if (!request.ok) return noted(refusal('malformed', request.error));
    const { room, id } = request.value;
    if (!broker.mayLeave(request.value))
      return noted(refusal('not-joined', `that is not the secret of ${id}`));
    const socket = sockets.get(`${room}/${id}`);
    if (socket !== undefined) {
      leave(socket);
      return { ok: true };
    }
    // Its connection was the first to end.
    broker.leave(room, id);
    logger.debug({ room, id }, 'left');
    return { ok: true };
  }

  function noted(refused: Refusal): Refusal {
    metrics.refusals.inc({ code: refused.code });
    // Not as a warning: anyone can ask, as often as they like.
    logger.debug({ event: 'leave', code: refused.code }, refused.message);
    return refused;
  }

  function lose(socket: PeerSocket): void {
    const membership = unseat(socket);
    if (membership === null) return;
    broker.lose(membership.room, membership.id);
    logger.debug(membership, 'lost');
  }

  /** Notes a refusal in the log and the metrics; too many end the connection. */
  function noteFault(socket: PeerSocket, event: string, { code, message }: Refusal): void {
    metrics.refusals.inc({ code });
    // A neighbour may have left a moment before a signal for it arrives, and a place may be lost with its
    // connection: neither is a fault of the client.
    if (code === 'not-a-neighbour' || code === 'place-lost') {
      logger.debug({ event, ...socket.data.membership }, message);
      return;
    }
    warnings.warn(
      `${EVENTS.has(event) ? event : 'another event'}: ${code}`,
      { event, code, from: socket.handshake.address, ...socket.data.membership },
      message,
    );
    socket.data.faults += 1;
    if (socket.data.faults > MAX_FAULTS) socket.disconnect(true);
  }

  /** Runs a handler with a way to answer; a client that takes no answer is disconnected. */
  function answer(
    socket: PeerSocket,
    event: string,
    acknowledge: unknown,
    handle: (reply: Acknowledge) => void,
  ): void {
    if (!isAcknowledge(acknowledge)) {
      noteFault(socket, event, refusal('malformed', 'sent without asking for an acknowledgement'));
      socket.disconnect(true);
      return;
    }
    const give = (reply: Parameters<Acknowledge>[0]) => {
      // First the answer: after the disconnection there would be none.
      acknowledge(reply);
      if (!reply.ok) noteFault(socket, event, reply);
    };
    const { requests, moves } = socket.data;
    const isAllowed = requests.takeOne() && (!MOVES.has(event) || moves.takeOne());
    if (isAllowed) handle(give);
    else give(refusal('malformed', 'more requests than a peer has to make'));
  }

  /** Notes a client that violates HTTP, WebSocket or Socket.IO itself; it is or will be cut off. */
  function noteBreach({ socket, headers }: IncomingMessage, message: string): void {
    metrics.refusals.inc({ code: 'malformed' });
    warnings.warn('breach', { from: socket.remoteAddress, origin: headers.origin }, message);
  }

  /** Those that were cut off by the server. */
  const cutOff = new WeakSet<Connection>();

  /** Those that watch a room. */
  const watchers = new WeakSet<Connection>();

  /**
   * Cuts a client off for which too much waits. Packets wait with engine.io until those before them
   * are sent, which wait with the connection below. Answers to WebSocket's own pings are for ws to limit.
   */
  function limitUnread(connection: Connection): void {
    const { socket } = connection.request;
    let waiting = 0;
    connection.on('packetCreate', ({ data }: Packet) => {
      waiting += PACKET_OVERHEAD + (data?.length ?? 0);
      const most = watchers.has(connection) ? MAX_UNREAD_BY_WATCHER : MAX_UNREAD_BYTES;
      if (waiting + socket.writableLength <= most || cutOff.has(connection)) return;
      cutOff.add(connection);
      metrics.unread.inc();
      const details = { from: connection.remoteAddress };
      warnings.warn('unread', details, 'does not read what is sent to it');
      // A goodbye would have to wait as well.
      socket.destroy();
    });
    connection.on('flush', () => {
      waiting = 0;
    });
  }

  /** Connections, each with whether it has become a socket. */
  const connections = new Map<Connection, boolean>();
  // With the id of its session a client could move to another WebSocket, of which nothing is known here.
  io.engine.use((request: IncomingMessage, _response: unknown, next: (error?: Error) => void) => {
    if (request.socket.destroyed) return;
    const { searchParams } = new URL(request.url ?? '', 'http://localhost');
    next(searchParams.has('sid') ? new Error('a session stays with its WebSocket') : undefined);
  });
  io.engine.on('connection_error', ({ req, message, context }: RefusedHandshake) => {
    noteBreach(req, context?.message ?? message);
  });
  io.engine.on('connection', (connection: Connection) => {
    connections.set(connection, false);
    limitUnread(connection);
    connection.once('close', (reason: string) => {
      const hasSocket = connections.get(connection) === true;
      connections.delete(connection);
      if (isClosing || hasSocket || cutOff.has(connection)) return;
      if (BREACHES.has(reason)) noteBreach(connection.request, reason);
    });
  });

  io.on('connection', (socket) => {
    connections.set(socket.conn, true);
    socket.data = {
      membership: null,
      unwatch: null,
      faults: 0,
      requests: new Allowance(clock, MAX_REQUESTS_AT_ONCE, REQUESTS_PER_SECOND),
      moves: new Allowance(clock, MAX_MOVES_AT_ONCE, MOVES_PER_SECOND),
    };
    socket.on('join', (request: unknown, acknowledge: unknown) => {
      answer(socket, 'join', acknowledge, (reply) => {
        join(socket, request, reply);
      });
    });
    socket.on('resume', (request: unknown, acknowledge: unknown) => {
      answer(socket, 'resume', acknowledge, (reply) => {
        resume(socket, request, reply);
      });
    });
    socket.on('signal', (request: unknown, acknowledge: unknown) => {
      answer(socket, 'signal', acknowledge, (reply) => {
        signal(socket, request, reply);
      });
    });
    socket.on('settle', (acknowledge: unknown) => {
      answer(socket, 'settle', acknowledge, (reply) => {
        settle(socket, reply);
      });
    });
    socket.on('report', (complaint: unknown, acknowledge: unknown) => {
      answer(socket, 'report', acknowledge, (reply) => {
        report(socket, complaint, reply);
      });
    });
    socket.on('lookup', (id: unknown, acknowledge: unknown) => {
      answer(socket, 'lookup', acknowledge, (reply) => {
        lookup(socket, id, reply);
      });
    });
    socket.on('trace', (report: unknown, acknowledge: unknown) => {
      answer(socket, 'trace', acknowledge, (reply) => {
        trace(socket, report, reply);
      });
    });
    socket.on('watch', (request: unknown, acknowledge: unknown) => {
      answer(socket, 'watch', acknowledge, (reply) => {
        watch(socket, request, reply);
      });
    });
    socket.on('leave', (acknowledge: unknown) => {
      answer(socket, 'leave', acknowledge, (reply) => {
        leave(socket);
        reply({ ok: true });
      });
    });
    // Over the wire an event's name may be a number too.
    socket.onAny((event: string | number, ...parameters: unknown[]) => {
      const name = String(event).slice(0, 64);
      if (EVENTS.has(name)) return;
      answer(socket, name, parameters.at(-1), (reply) => {
        reply(refusal('malformed', `there is no event "${name}"`));
      });
    });
    socket.on('disconnect', (reason) => {
      if (BREACHES.has(reason) && !cutOff.has(socket.conn)) noteBreach(socket.request, reason);
      socket.data.unwatch?.();
      lose(socket);
    });
  });

  async function close(): Promise<void> {
    isClosing = true;
    watching.stop();
    const open = [...connections.keys()].map(({ request }) => request.socket);
    const cut = setTimeout(() => {
      for (const socket of open) socket.destroy();
      httpServer.closeAllConnections();
    }, CLOSING);
    await io.close();
    clearTimeout(cut);
  }

  return {
    metrics,
    get size() {
      return broker.size;
    },
    get watchers() {
      return watching.size;
    },
    allowsOrigin: (origin, host) => isAllowedOrigin(origin, host, options.allowedOrigins),
    peers: (room) => broker.peers(room),
    leave: leaveByHttp,
    close,
  };
}

function isAcknowledge(input: unknown): input is Acknowledge {
  return typeof input === 'function';
}

/** A page may connect to the server it came from; programs that are no browsers send no origin. */
function isAllowedOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** What was compared, and what helps: for the log. */
function originRefusal(origin = '', host = ''): string {
  const [from, to] = [origin, host].map((each) => each.slice(0, MAX_MESSAGE_LENGTH));
  return `pages of origin "${from}" may not connect; the Host header of the request was "${to}": add the origin to ALLOWED_ORIGINS, or have the proxy pass on the Host header`;
}

function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message: message.slice(0, MAX_MESSAGE_LENGTH) };
}
