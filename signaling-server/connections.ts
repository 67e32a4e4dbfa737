/**
 * The connections beneath the sockets, from the first byte on: whose page may connect, how much may wait
 * for a client to read it, and who violates HTTP, WebSocket or Socket.IO itself.
 */
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'socket.io';
import type { Metrics } from './metrics.ts';
import type { Warnings } from './warnings.ts';

/** One connection; there is one, too, before there is a socket. */
type Connection = Socket['conn'];

/** What engine.io is about to send; there are none of an event's data in a ping. */
interface Packet {
  readonly data?: string | Uint8Array;
}

/** A handshake that engine.io has turned down. */
interface RefusedHandshake {
  readonly req: IncomingMessage;
  readonly code: number;
  readonly message: string;
  readonly context?: { readonly message?: string };
}

/**
 * Bytes that may wait for a client to read them; with more it is cut off. An honest spectator may have to
 * catch up with MAX_UNTAKEN entries, of some 800 bytes at most.
 */
const MAX_UNREAD_BYTES = 1_048_576;
const MAX_UNREAD_BY_SPECTATOR = 4_194_304;

/** What keeping a packet takes besides its data, in bytes. */
const PACKET_OVERHEAD = 256;

/** The code of one that the server's own rules have turned down, which is noted there. */
const FORBIDDEN = 4;

/** Ends of a connection by which a client has broken the protocols beneath the events. */
const BREACHES = new Set(['parse error', 'transport error', 'forced close', 'forced server close']);

/**
 * Whether a connection has ended by such a breach. It has not where something could not be sent any more: the
 * client, or a proxy for it, had ended the connection a moment before, and most clients do not wait.
 */
function isBreach(reason: string, cause: unknown): boolean {
  const isUnsent = cause instanceof Error && cause.message === 'write error';
  return BREACHES.has(reason) && !isUnsent;
}

export class Connections {
  readonly #metrics: Metrics;
  readonly #warnings: Warnings;
  /** Those that are open, each with whether it has become a socket. */
  readonly #open = new Map<Connection, boolean>();
  /** Those that were cut off by the server. */
  readonly #cutOff = new WeakSet<Connection>();
  /** Those that watch a room. */
  readonly #spectators = new WeakSet<Connection>();
  #isClosing = false;

  /** @param engine that makes them */
  constructor(engine: Server['engine'], metrics: Metrics, warnings: Warnings) {
    this.#metrics = metrics;
    this.#warnings = warnings;
    engine.use(refuseMoves);
    engine.on('connection_error', ({ req, code, message, context }: RefusedHandshake) => {
      if (code !== FORBIDDEN) this.#noteBreach(req, context?.message ?? message);
    });
    engine.on('connection', (connection: Connection) => this.#add(connection));
  }

  /** A connection has become a socket. */
  becomeSocket(connection: Connection): void {
    this.#open.set(connection, true);
  }

  /** More may wait for a connection from now on. */
  allowWatching(connection: Connection): void {
    this.#spectators.add(connection);
  }

  /** A socket has ended. */
  noteEnd({ conn, request }: Socket, reason: string, cause: unknown): void {
    if (isBreach(reason, cause) && !this.#cutOff.has(conn)) this.#noteBreach(request, reason);
  }

  /** The server closes. Returns what cuts off all that are open now. */
  close(): () => void {
    this.#isClosing = true;
    const sockets = [...this.#open.keys()].map(({ request }) => request.socket);
    return () => {
      for (const socket of sockets) socket.destroy();
    };
  }

  #add(connection: Connection): void {
    this.#open.set(connection, false);
    this.#limitUnread(connection);
    connection.once('close', (reason: string, cause: unknown) => {
      const hasSocket = this.#open.get(connection) === true;
      this.#open.delete(connection);
      if (this.#isClosing || hasSocket || this.#cutOff.has(connection)) return;
      if (isBreach(reason, cause)) this.#noteBreach(connection.request, reason);
    });
  }

  /**
   * Cuts a client off for which too much waits. Packets wait with engine.io until those before them
   * are sent, which wait with the connection below. Answers to WebSocket's own pings are for ws to limit.
   */
  #limitUnread(connection: Connection): void {
    const { socket } = connection.request;
    let waiting = 0;
    connection.on('packetCreate', ({ data }: Packet) => {
      waiting += PACKET_OVERHEAD + (data?.length ?? 0);
      const most = this.#spectators.has(connection) ? MAX_UNREAD_BY_SPECTATOR : MAX_UNREAD_BYTES;
      if (waiting + socket.writableLength <= most || this.#cutOff.has(connection)) return;
      this.#cutOff.add(connection);
      this.#metrics.refusals.inc({ reason: 'unread' });
      const details = { from: connection.remoteAddress };
      this.#warnings.warn('unread', details, 'does not read what is sent to it');
      // A goodbye would have to wait as well.
      socket.destroy();
    });
    connection.on('flush', () => {
      waiting = 0;
    });
  }

  /** Notes a client that violates HTTP, WebSocket or Socket.IO itself; it is or will be cut off. */
  #noteBreach({ socket, headers }: IncomingMessage, message: string): void {
    this.#metrics.refusals.inc({ reason: 'malformed' });
    const { origin, host } = headers;
    const details = { from: socket.remoteAddress, origin, host };
    this.#warnings.warn('breach', details, message);
  }
}

/** With the id of its session a client could move to another WebSocket, of which nothing is known here. */
function refuseMoves(
  request: IncomingMessage,
  _response: unknown,
  next: (error?: Error) => void,
): void {
  if (request.socket.destroyed) return;
  const { searchParams } = new URL(request.url ?? '', 'http://localhost');
  next(searchParams.has('sid') ? new Error('a session stays with its WebSocket') : undefined);
}
