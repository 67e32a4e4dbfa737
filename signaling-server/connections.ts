/**
 * The connections beneath the sockets, from the first byte on: how many there are, how much each may send,
 * how much may wait for a client to read it, and who violates HTTP, WebSocket or Socket.IO itself.
 */
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'socket.io';
import type { Clock } from '../shared/driver/ports.ts';
import { fullBucket, take } from '../shared/machine/token-bucket.ts';
import { networkOf } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import { Tally } from './tally.ts';
import type { Warnings } from './warnings.ts';

/** One connection; there is one, too, before there is a socket. */
type Connection = Socket['conn'];

/** What engine.io is about to send, or has received; there are none of an event's data in a ping. */
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

/** What a packet costs besides its data, in bytes. */
const PACKET_OVERHEAD = 256;

/** The code of one that the server's own rules have turned down, which is noted there. */
const FORBIDDEN = 4;

/**
 * Bytes that a client may send at once, and in each second after that: as many as the frames that a link may
 * carry at once, were each as large as may be. A frame of a hundred peers has 2 kB.
 */
const RECEIVED = { burst: 16_777_216, perSecond: 2_097_152 };

interface ConnectionPorts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly warnings: Warnings;
  /** Where the client is that has made a request. */
  readonly addressOf: (request: IncomingMessage) => string;
}

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
  readonly #ports: ConnectionPorts;
  /** Those that are open, each with whether it has become a socket. */
  readonly #open = new Map<Connection, boolean>();
  /** Handshakes that are being counted, which become connections, and their networks. */
  readonly #expected = new Map<IncomingMessage, string>();
  /** Both, by their networks. */
  readonly #tally = new Tally();
  /** Where their clients are. */
  readonly #addresses = new WeakMap<Connection, string>();
  /** Those that were cut off by the server. */
  readonly #cutOff = new WeakSet<Connection>();
  /** Those that watch a room. */
  readonly #spectators = new WeakSet<Connection>();
  #isClosing = false;

  /** @param engine that makes them */
  constructor(engine: Server['engine'], ports: ConnectionPorts) {
    this.#ports = ports;
    engine.use(refuseMoves);
    engine.on('connection_error', ({ req, code, message, context }: RefusedHandshake) => {
      if (code !== FORBIDDEN)
        this.#noteBreach(ports.addressOf(req), req, context?.message ?? message);
    });
    engine.on('connection', (connection: Connection) => this.#add(connection));
  }

  /** How many are open, or about to be. */
  get size(): number {
    return this.#open.size + this.#expected.size;
  }

  /** A handshake counts as a connection from now on, until it is one or is forgotten. */
  expect(request: IncomingMessage, network: string): void {
    this.#expected.set(request, network);
    this.#tally.add(network);
    request.socket.once('close', () => this.forget(request));
  }

  /** No connection comes of a handshake. */
  forget(request: IncomingMessage): void {
    const network = this.#expected.get(request);
    if (network === undefined) return;
    this.#expected.delete(request);
    this.#tally.remove(network);
  }

  /** How many of them are of a network. */
  countOf(network: string): number {
    return this.#tally.of(network);
  }

  /** Where the client of a connection is, as it was when it came. */
  addressOf(connection: Connection): string {
    return this.#addresses.get(connection) ?? 'unknown';
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
    if (isBreach(reason, cause) && !this.#cutOff.has(conn))
      this.#noteBreach(this.addressOf(conn), request, reason);
  }

  /** The server closes. Returns what cuts off all that are open now. */
  close(): () => void {
    this.#isClosing = true;
    // None of them can become a connection of a server that has closed.
    for (const { socket } of [...this.#expected.keys()]) socket.destroy();
    const sockets = [...this.#open.keys()].map(({ request }) => request.socket);
    return () => {
      for (const socket of sockets) socket.destroy();
    };
  }

  #add(connection: Connection): void {
    const address = this.#ports.addressOf(connection.request);
    const network = networkOf(address);
    this.#addresses.set(connection, address);
    this.#open.set(connection, false);
    this.forget(connection.request);
    this.#tally.add(network);
    this.#limitUnread(connection, address);
    this.#limitReceived(connection, address);
    connection.once('close', (reason: string, cause: unknown) => {
      const hasSocket = this.#open.get(connection) === true;
      this.#open.delete(connection);
      this.#tally.remove(network);
      if (this.#isClosing || hasSocket || this.#cutOff.has(connection)) return;
      if (isBreach(reason, cause)) this.#noteBreach(address, connection.request, reason);
    });
  }

  /**
   * Cuts a client off for which too much waits. Packets wait with engine.io until those before them
   * are sent, which wait with the connection below. Answers to WebSocket's own pings are for ws to limit.
   */
  #limitUnread(connection: Connection, address: string): void {
    const { socket } = connection.request;
    let waiting = 0;
    connection.on('packetCreate', ({ data }: Packet) => {
      waiting += PACKET_OVERHEAD + (data?.length ?? 0);
      const most = this.#spectators.has(connection) ? MAX_UNREAD_BY_SPECTATOR : MAX_UNREAD_BYTES;
      if (waiting + socket.writableLength <= most || this.#cutOff.has(connection)) return;
      this.#cutOff.add(connection);
      this.#ports.metrics.refusals.inc({ reason: 'unread' });
      this.#ports.warnings.warn('unread', { from: address }, 'does not read what is sent to it');
      // A goodbye would have to wait as well.
      socket.destroy();
    });
    connection.on('flush', () => {
      waiting = 0;
    });
  }

  /** Cuts a client off that sends more bytes than a peer has to. */
  #limitReceived(connection: Connection, address: string): void {
    const { clock, metrics, warnings } = this.#ports;
    const { socket } = connection.request;
    const bucket = fullBucket(RECEIVED, clock.now());
    connection.on('packet', ({ data }: Packet) => {
      const size = PACKET_OVERHEAD + (data?.length ?? 0);
      if (take(bucket, RECEIVED, clock.now(), size) === size) return;
      if (this.#cutOff.has(connection)) return;
      this.#cutOff.add(connection);
      metrics.refusals.inc({ reason: 'too-many-bytes' });
      warnings.warn('bytes', { from: address }, 'sends more bytes than a peer has to');
      socket.destroy();
    });
  }

  /** Notes a client that violates HTTP, WebSocket or Socket.IO itself; it is or will be cut off. */
  #noteBreach(from: string, { headers }: IncomingMessage, message: string): void {
    const { metrics, warnings } = this.#ports;
    metrics.refusals.inc({ reason: 'malformed' });
    const { origin, host } = headers;
    warnings.warn('breach', { from, origin, host }, message);
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
