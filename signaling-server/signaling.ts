/**
 * The signaling server: the broker of shared/ring on Socket.IO. It knows places and offers, and
 * nothing of elections.
 */
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import { Server, type Socket } from 'socket.io';
import { v4 as uuid } from 'uuid';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import {
  MAX_SIGNALING_MESSAGE_BYTES,
  parseJoinRequest,
  parseSignalRequest,
  type JoinReply,
  type PeerToServer,
  type Refusal,
  type RefusalCode,
  type Reply,
  type ServerToPeer,
} from '../shared/protocol/signaling.ts';
import { Broker } from '../shared/ring/broker.ts';
import type { Delivery } from '../shared/ring/room.ts';
import { clockOf } from '../shared/ring/clock.ts';
import { createMetrics, type Metrics } from './metrics.ts';

export interface SignalingOptions {
  readonly logger: Logger;
  readonly peersPerRoom: number;
  readonly rooms: number;
  /** Origins whose pages may connect, besides the page this server serves; `*` for any. */
  readonly allowedOrigins: readonly string[];
}

export interface SignalingServer {
  readonly metrics: Metrics;
  /** Rooms and peers at this moment. */
  readonly size: { readonly rooms: number; readonly peers: number };
  /** A room's peers in ring order. */
  peers(room: RoomName): readonly PeerId[];
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
  faults: number;
}

type PeerSocket = Socket<PeerToServer, ServerToPeer, Record<string, never>, SocketData>;

/** Milliseconds within which arrivals after a first one are placed together. */
const BURST_WINDOW = 30;

/** A socket is found dead after the two together, in milliseconds. */
const PING_INTERVAL = 10_000;
const PING_TIMEOUT = 5_000;

/** Faulty events after which a client is disconnected. */
const MAX_FAULTS = 20;

/**
 * Adds the signaling server to an HTTP server.
 * @param httpServer may listen already or later; requests outside /socket.io are left to others
 */
export function createSignalingServer(
  httpServer: HttpServer,
  options: SignalingOptions,
): SignalingServer {
  const { logger } = options;
  const sockets = new Map<string, PeerSocket>();
  const broker = new Broker(
    uuid(),
    { clock: clockOf(globalThis), deliver },
    { peersPerRoom: options.peersPerRoom, rooms: options.rooms, burstWindow: BURST_WINDOW },
  );
  const metrics = createMetrics(() => broker.size);
  const io = new Server<PeerToServer, ServerToPeer, Record<string, never>, SocketData>(httpServer, {
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: MAX_SIGNALING_MESSAGE_BYTES,
    pingInterval: PING_INTERVAL,
    pingTimeout: PING_TIMEOUT,
    allowRequest: (request, decide) => {
      const isAllowed = isAllowedOrigin(request, options.allowedOrigins);
      if (!isAllowed) logger.warn({ origin: request.headers.origin }, 'refused another origin');
      decide(isAllowed ? null : 'this origin may not connect', isAllowed);
    },
  });

  function deliver(room: RoomName, delivery: Delivery): void {
    const socket = sockets.get(`${room}/${delivery.to}`);
    if (socket === undefined) return;
    if (delivery.type === 'view') {
      metrics.views.inc();
      socket.emit('view', delivery.view);
    } else {
      metrics.signals.inc();
      socket.emit('signal', delivery.signal);
    }
  }

  function join(socket: PeerSocket, input: unknown, reply: (reply: JoinReply) => void): void {
    if (socket.data.membership !== null) {
      reply(refusal('already-joined', 'this connection has joined a room already'));
      return;
    }
    const request = parseJoinRequest(input);
    if (!request.ok) {
      reply(refusal('malformed', request.error));
      return;
    }
    const { room, id } = request.value;
    socket.data.membership = { room, id };
    broker.join(request.value, (joined) => {
      if (joined.ok) seat(socket, { room, id });
      else socket.data.membership = null;
      reply(joined);
    });
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
    metrics.joins.inc();
    logger.debug({ room, id }, 'joined');
  }

  function signal(socket: PeerSocket, input: unknown, reply: (reply: Reply) => void): void {
    const { membership } = socket.data;
    const request = parseSignalRequest(input);
    if (!request.ok) reply(refusal('malformed', request.error));
    else if (membership === null) reply(refusal('not-joined', 'join a room first'));
    else reply(broker.signal(membership.room, membership.id, request.value));
  }

  function leave(socket: PeerSocket): void {
    const { membership } = socket.data;
    if (membership === null) return;
    socket.data.membership = null;
    sockets.delete(`${membership.room}/${membership.id}`);
    broker.leave(membership.room, membership.id);
    logger.debug(membership, 'left');
  }

  /** Notes a refusal in the log and the metrics; too many end the connection. */
  function noteFault(socket: PeerSocket, event: string, { code, message }: Refusal): void {
    metrics.refusals.inc({ code });
    // A neighbour may have left a moment before a signal for it arrives: nobody's fault.
    if (code === 'not-a-neighbour') {
      logger.debug({ event, ...socket.data.membership }, message);
      return;
    }
    logger.warn({ event, code, from: socket.handshake.address, ...socket.data.membership }, message);
    socket.data.faults += 1;
    if (socket.data.faults >= MAX_FAULTS) socket.disconnect(true);
  }

  /** Runs a handler with a way to answer; a client that takes no answer is disconnected. */
  function answer<T extends Reply | JoinReply>(
    socket: PeerSocket,
    event: string,
    acknowledge: unknown,
    handle: (reply: (reply: T | Refusal) => void) => void,
  ): void {
    if (typeof acknowledge !== 'function') {
      noteFault(socket, event, refusal('malformed', 'sent without asking for an acknowledgement'));
      socket.disconnect(true);
      return;
    }
    handle((reply) => {
      if (!reply.ok) noteFault(socket, event, reply);
      acknowledge(reply);
    });
  }

  io.on('connection', (socket) => {
    socket.data.membership = null;
    socket.data.faults = 0;
    socket.on('join', (request: unknown, acknowledge: unknown) => {
      answer<JoinReply>(socket, 'join', acknowledge, (reply) => {
        join(socket, request, reply);
      });
    });
    socket.on('signal', (request: unknown, acknowledge: unknown) => {
      answer<Reply>(socket, 'signal', acknowledge, (reply) => {
        signal(socket, request, reply);
      });
    });
    socket.on('leave', (acknowledge: unknown) => {
      answer<Reply>(socket, 'leave', acknowledge, (reply) => {
        leave(socket);
        reply({ ok: true });
      });
    });
    socket.onAny((event: string, ...parameters: unknown[]) => {
      if (['join', 'signal', 'leave'].includes(event)) return;
      answer<Reply>(socket, event.slice(0, 64), parameters.at(-1), (reply) => {
        reply(refusal('malformed', `there is no event "${event.slice(0, 64)}"`));
      });
    });
    socket.on('disconnect', (reason) => {
      if (reason === 'transport error' || reason === 'parse error')
        logger.warn({ from: socket.handshake.address, ...socket.data.membership }, reason);
      leave(socket);
    });
  });

  return {
    metrics,
    get size() {
      return broker.size;
    },
    peers: (room) => broker.peers(room),
    close: () => io.close(),
  };
}

/** A page may connect to the server it came from; programs that are no browsers send no origin. */
function isAllowedOrigin(request: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message };
}
