/** A real server on a free port, its log, and real clients; everything is closed after the test. */
import { request as httpRequest, type Server } from 'node:http';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { io, type Socket } from 'socket.io-client';
import * as v from 'valibot';
import { expect, onTestFinished, vi } from 'vitest';
import type { LinkId, PeerId } from '../../shared/protocol/ids.ts';
import {
  isRequestType,
  parseReplyTo,
  parseSignalDelivery,
  parseView,
  SIGNALING_VERSION,
  type Edge,
  type Fault,
  type JoinReply,
  type JoinRequest,
  type MembershipReply,
  type PeerToServer,
  type Reply,
  type ReplyTo,
  type ResumeRequest,
  type ServerToPeer,
  type SettleReply,
  type Signal,
  type SignalDelivery,
  type SignalRequest,
  type View,
} from '../../shared/protocol/signaling.ts';
import { assembleServer } from '../../signaling-server/server.ts';
import type { SignalingOptions, SignalingServer } from '../../signaling-server/signaling.ts';
import type { SiteOptions } from '../../signaling-server/http.ts';
import { answerTo } from '../broker/test-broker.ts';
import { defined, linkId, peerId, roomName, valueOf } from '../support.ts';

const LogLineSchema = v.looseObject({ level: v.number(), msg: v.string() });
type LogLine = v.InferOutput<typeof LogLineSchema>;

/** Milliseconds to wait for an acknowledgement; a test that waits for it in vain fails. */
const PATIENCE = 3_000;

export const ROOM = roomName('lobby');

export interface TestServer {
  readonly port: number;
  readonly metricsPort: number | null;
  readonly url: string;
  readonly httpServer: Server;
  readonly signaling: SignalingServer;
  /** The log's lines at warn and above, and those of which nobody has to see to anything. */
  warnings(): readonly LogLine[];
  notices(): readonly LogLine[];
}

export async function startTestServer(
  options: Partial<SignalingOptions & SiteOptions> & {
    readonly pageFolder?: string;
    /** The addresses at which other devices reach it. */
    readonly addresses?: readonly string[];
  } = {},
): Promise<TestServer> {
  const lines: LogLine[] = [];
  const logger = pino(
    { level: 'debug' },
    {
      write(line: string) {
        lines.push(v.parse(LogLineSchema, JSON.parse(line)));
      },
    },
  );
  const { pageFolder = import.meta.dirname, addresses = [], ...limits } = options;
  const { httpServer, metricsServer, signaling } = assembleServer(
    {
      peersPerRoom: 1_000,
      rooms: 100,
      secret: 'the secret of all test servers, of some length',
      spectatorsPerRoom: 16,
      spectators: 64,
      connections: 5_000,
      connectionsPerAddress: 500,
      stunUrls: [],
      turnUrls: [],
      relays: true,
      relayedBytes: 2_000_000,
      trustedProxies: '',
      allowedOrigins: [],
      publicUrl: null,
      basePath: '/',
      frameAncestors: [],
      metricsPort: null,
      ...limits,
    },
    {
      pageFolder,
      logger,
      reach: () => Promise.resolve({ here: null, others: addresses, problem: null }),
    },
  );
  for (const server of [httpServer, metricsServer]) {
    if (server === null) continue;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  onTestFinished(async () => {
    metricsServer?.close();
    metricsServer?.closeAllConnections();
    const closed = signaling.close();
    // The connections that fetch keeps for later.
    httpServer.closeAllConnections();
    await closed;
  });
  const port = portOf(httpServer);
  return {
    port,
    metricsPort: metricsServer && portOf(metricsServer),
    url: `http://127.0.0.1:${port}`,
    httpServer,
    signaling,
    warnings: () => lines.filter(({ level }) => level >= 40),
    notices: () => lines.filter(({ level }) => level === 30),
  };
}

export interface ConnectOptions {
  /** One of this computer's own addresses. */
  readonly localAddress?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A client that may send anything at all. */
export async function connect(server: TestServer, options: ConnectOptions = {}): Promise<Socket> {
  const socket = io(server.url, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    extraHeaders: { ...options.headers },
    // Passed on to the WebSocket, though the types do not know it.
    ...{ localAddress: options.localAddress },
  });
  onTestFinished(() => {
    socket.disconnect();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

/** Sends an event and returns the acknowledgement: the reply to a request, or a plain one. */
export async function ask(
  socket: Socket,
  event: string,
  ...parameters: readonly unknown[]
): Promise<ReplyTo> {
  const reply: unknown = await socket.timeout(PATIENCE).emitWithAck(event, ...parameters);
  return valueOf(parseReplyTo(isRequestType(event) ? event : 'signal', reply));
}

/** The reason for which the connection ends, now or later. */
export function disconnected(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('disconnect', resolve);
  });
}

const offerOf = (sdp: string) => ({ type: 'offer' as const, sdp });

/** A valid request. Link ids follow from the number, so that all are different. */
export function joinRequest(number: number, changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    version: SIGNALING_VERSION,
    room: ROOM,
    policy: 'highest',
    id: peerId(number),
    secret: `the secret of ${number.toString().padStart(4, '0')}`,
    offers: {
      successor: { link: linkId(number * 10 + 1), signals: [offerOf(`successor of ${number}`)] },
      predecessor: {
        link: linkId(number * 10 + 2),
        signals: [offerOf(`predecessor of ${number}`)],
      },
    },
    ...changes,
  };
}

interface KnownEdge {
  readonly id: PeerId;
  readonly link: LinkId | null;
}

/** A client that keeps to the protocol, and what it was told. */
export class TestPeer {
  readonly id: PeerId;
  readonly request: JoinRequest;
  readonly views: View[] = [];
  readonly signals: SignalDelivery[] = [];
  /** Neighbours that the server has asked about. */
  readonly checks: PeerId[] = [];
  /** Whether it hears from its neighbours on links, and whether it answers what is offered to it. */
  hasLinks = false;
  isAwake = true;
  readonly disconnected: Promise<string>;
  readonly #socket: Socket<ServerToPeer, PeerToServer>;

  constructor(socket: Socket<ServerToPeer, PeerToServer>, request: JoinRequest) {
    this.#socket = socket;
    this.id = request.id;
    this.request = request;
    this.disconnected = new Promise((resolve) => {
      socket.once('disconnect', resolve);
    });
    socket.on('view', (view) => this.views.push(valueOf(parseView(view))));
    socket.on('signal', (signal) => {
      const delivery = valueOf(parseSignalDelivery(signal));
      this.signals.push(delivery);
      if (this.isAwake && delivery.signals[0]?.type === 'relay')
        socket.emit('signal', answerTo(delivery, this.id), () => undefined);
    });
    // It has no links, so for it a peer that is not at the server is gone.
    socket.on('check', (about) => {
      this.checks.push(about);
      if (!this.hasLinks) socket.emit('complain', { about, fault: 'silent' }, () => undefined);
    });
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  /** Its last view. */
  get view(): View {
    return defined(this.views.at(-1));
  }

  /** Its neighbour on an edge, and the link last offered between the two. */
  edge(edge: Edge): KnownEdge {
    let known: KnownEdge | undefined;
    for (const { [edge]: told } of this.views)
      if (told.id !== known?.id || told.link !== null) known = told;
    return defined(known);
  }

  async join(): Promise<JoinReply> {
    const input: unknown = await this.#socket.timeout(PATIENCE).emitWithAck('join', this.request);
    const reply = valueOf(parseReplyTo('join', input));
    if (reply.ok) this.views.push(reply.view);
    return reply;
  }

  /** Asks for the place of a connection that was lost. */
  async resume(): Promise<JoinReply> {
    const { version, room, id, secret } = this.request;
    const ticket = this.views.at(-1)?.ticket ?? 'none';
    const request: ResumeRequest = { version, room, id, secret, ticket, removed: [] };
    const input: unknown = await this.#socket.timeout(PATIENCE).emitWithAck('resume', request);
    const reply = valueOf(parseReplyTo('resume', input));
    if (reply.ok) this.views.push(reply.view);
    return reply;
  }

  /** Says that it knows the ring's term, and asks for the era. */
  async askEra(): Promise<SettleReply> {
    return valueOf(
      parseReplyTo('settle', await this.#socket.timeout(PATIENCE).emitWithAck('settle')),
    );
  }

  signal(to: PeerId, edge: Edge, text = 'hello'): Promise<Reply> {
    return this.#signal(to, edge, { type: 'answer', sdp: text });
  }

  /** Sends a frame of a link through the server. */
  relay(to: PeerId, edge: Edge, frame: Uint8Array): Promise<Reply> {
    return this.#signal(to, edge, { type: 'frame', frame });
  }

  async #signal(to: PeerId, edge: Edge, signal: Signal): Promise<Reply> {
    const request: SignalRequest = { to, edge, link: linkId(7), signals: [signal] };
    return valueOf(
      parseReplyTo('signal', await this.#socket.timeout(PATIENCE).emitWithAck('signal', request)),
    );
  }

  /** Complains about another. */
  async complain(about: PeerId, fault: Fault): Promise<MembershipReply> {
    const input: unknown = await this.#socket
      .timeout(2 * PATIENCE)
      .emitWithAck('complain', { about, fault });
    return valueOf(parseReplyTo('complain', input));
  }

  async leave(): Promise<Reply> {
    return valueOf(
      parseReplyTo('leave', await this.#socket.timeout(PATIENCE).emitWithAck('leave')),
    );
  }

  /** Ends the connection without a goodbye. */
  drop(): void {
    this.#socket.disconnect();
  }

  /**
   * Waits until everything that the server has sent it is here: a peer is never its own neighbour, so the
   * refusal is an acknowledgement that comes after everything else.
   */
  async settle(): Promise<void> {
    expect(await this.signal(this.id, 'successor')).toMatchObject({ code: 'not-a-neighbour' });
  }
}

/** A connected peer that has not joined yet. */
export async function peer(
  server: TestServer,
  number: number,
  changes: Partial<JoinRequest> = {},
  options: ConnectOptions = {},
): Promise<TestPeer> {
  const socket: Socket<ServerToPeer, PeerToServer> = await connect(server, options);
  return new TestPeer(socket, joinRequest(number, changes));
}

/** A peer that has joined. */
export async function member(
  server: TestServer,
  number: number,
  changes: Partial<JoinRequest> = {},
  options: ConnectOptions = {},
): Promise<TestPeer> {
  const newcomer = await peer(server, number, changes, options);
  expect(await newcomer.join()).toMatchObject({ ok: true });
  return newcomer;
}

/** Peers that join one after the other; all of them know the ring when it returns. */
export async function ringOf(server: TestServer, size: number): Promise<readonly TestPeer[]> {
  const peers: TestPeer[] = [];
  for (let number = 1; number <= size; number += 1) peers.push(await member(server, number));
  await Promise.all(peers.map((each) => each.settle()));
  return peers;
}

/** All the peers, and no others, form one ring, and each one's last view says so. */
export function expectRing(server: TestServer, peers: readonly TestPeer[], room = ROOM): void {
  const order = server.signaling.peers(room);
  expect([...order].sort()).toEqual(peers.map(({ id }) => id).sort());
  for (const each of peers) {
    const at = order.indexOf(each.id);
    expect(each.view.successor.id).toBe(order[(at + 1) % order.length]);
    expect(each.view.predecessor.id).toBe(order.at(at - 1));
  }
}

/** The peer with an id. */
export function find(peers: readonly TestPeer[], id: PeerId): TestPeer {
  return defined(peers.find((each) => each.id === id));
}

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
};

/** What a client without a library can do with a WebSocket. */
export interface RawWebSocket {
  sendText(text: string): void;
  sendBinary(bytes: Uint8Array): void;
  /** Writes to the connection as it is, framed or not. */
  write(bytes: Uint8Array): void;
  /** The same, and ends the connection without a word. */
  end(bytes: Uint8Array): void;
  /**
   * A ping of WebSocket itself, which the server answers. Resolves when the system has taken it, or never
   * will.
   */
  ping(bytes: Uint8Array): Promise<void>;
  /** Reads nothing any more. */
  pause(): void;
  /** Waits until the server has sent this text. */
  receive(text: string): Promise<void>;
  /** Resolves when the server has ended the WebSocket, or the connection under it. */
  readonly closed: Promise<void>;
}

/** A frame of RFC 6455 as a client may send it: masked, the length in full except of a ping. */
export function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const mask = randomBytes(4);
  const isPing = opcode === 9;
  const header = Buffer.alloc(isPing ? 2 : 10);
  header.set([0x80 | opcode, isPing ? 0x80 | payload.length : 0xff]);
  if (!isPing) header.writeBigUInt64BE(BigInt(payload.length), 2);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([header, mask, masked]);
}

/** Whether the server's answer and the frames after it contain a closing frame. */
function hasClosingFrame(received: string): boolean {
  const head = received.indexOf('\r\n\r\n');
  if (head < 0) return false;
  const frames = Buffer.from(received.slice(head + 4), 'latin1');
  for (let at = 0; at + 2 <= frames.length;) {
    if (frames[at] === 0x88) return true;
    const short = frames.readUInt8(at + 1);
    at += short < 126 ? 2 + short : 4 + frames.readUInt16BE(at + 2);
  }
  return false;
}

/** Opens a WebSocket by hand. It never answers the server's closing frame. */
export async function rawWebSocket(
  server: TestServer,
  { query = 'EIO=4&transport=websocket' } = {},
): Promise<RawWebSocket> {
  const socket = createConnection(server.port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  let received = '';
  // The server may cut the connection off in the middle of a write.
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once('end', resolve).once('close', resolve);
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      if (hasClosingFrame(received)) resolve();
    });
  });
  const head = { ...UPGRADE, host: 'localhost', 'sec-websocket-key': 'A'.repeat(22) + '==' };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /socket.io/?${query} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const receive = (text: string) =>
    vi.waitFor(
      () => {
        expect(received).toContain(text);
      },
      { timeout: PATIENCE, interval: 2 },
    );
  await receive('101 Switching Protocols');
  return {
    sendText: (text) => socket.write(frame(1, Buffer.from(text))),
    sendBinary: (bytes) => socket.write(frame(2, bytes)),
    write: (bytes) => socket.write(bytes),
    end: (bytes) => socket.end(bytes),
    ping: (bytes) =>
      new Promise((resolve) => {
        socket.write(frame(9, bytes), () => {
          resolve();
        });
      }),
    pause: () => socket.pause(),
    receive,
    closed,
  };
}

/** How many requests were refused for a reason. */
export async function refusals({ signaling }: TestServer, reason: string): Promise<number> {
  const { values } = await signaling.metrics.refusals.get();
  return values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
}

/** Asks for a WebSocket; resolves with the status of the answer and its text. */
export function handshake(
  server: TestServer,
  headers: Readonly<Record<string, string>>,
  query = 'EIO=4&transport=websocket',
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${server.url}/socket.io/?${query}`, {
      headers: { ...UPGRADE, 'sec-websocket-key': 'A'.repeat(22) + '==', ...headers },
    });
    request.on('upgrade', ({ statusCode: status }, socket) => {
      socket.destroy();
      resolve({ status, text: '' });
    });
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => {
        resolve({ status: response.statusCode, text });
      });
    });
    request.on('error', reject);
    request.end();
  });
}
