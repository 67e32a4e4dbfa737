/** How many connections there may be, and how fast they may come: in all, and from one address. */
import type { IncomingMessage } from 'node:http';
import type { Connections } from './connections.ts';
import { networkOf } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import type { RateLimit } from './rate-limits.ts';
import type { Warnings } from './warnings.ts';

export interface HandshakeLimits {
  /** Connections at a time, in all and from one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
}

/** Whose connections are too many: all together, or those of the client's network. */
export type Full = 'server' | 'network';

interface HandshakePorts {
  readonly connections: Connections;
  /** Handshakes of one address. */
  readonly rate: RateLimit;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly metrics: Metrics;
  readonly warnings: Warnings;
}

const SENTENCES: Readonly<Record<Full, string>> = {
  server: 'this server takes no more connections at the moment',
  network: 'too many connections from your network at the moment',
};

/** Seconds after which a client may ask again. */
const RETRY_AFTER = 10;

export class Handshakes {
  readonly #limits: HandshakeLimits;
  readonly #ports: HandshakePorts;

  constructor(limits: HandshakeLimits, ports: HandshakePorts) {
    this.#limits = limits;
    this.#ports = ports;
  }

  /** Counts a handshake. Returns whether it may go on; one that may not has been answered. */
  async admit(request: IncomingMessage): Promise<boolean> {
    const { rate, addressOf, connections } = this.#ports;
    // Until a connection has been made of it nobody else listens.
    request.socket.on('error', () => undefined);
    const network = networkOf(addressOf(request));
    const full = this.#full(network);
    if (full !== null) {
      this.#refuse(request, full);
      return false;
    }
    connections.expect(request, network);
    if (await rate.take(network)) return !request.socket.destroyed;
    connections.forget(request);
    this.#refuse(request, 'network');
    return false;
  }

  /** What would keep a handshake of the same client from going on now. */
  async fullFor(request: IncomingMessage): Promise<Full | null> {
    const { rate, addressOf } = this.#ports;
    const network = networkOf(addressOf(request));
    return this.#full(network) ?? ((await rate.isReached(network)) ? 'network' : null);
  }

  #full(network: string): Full | null {
    const { connections } = this.#ports;
    if (connections.size >= this.#limits.connections) return 'server';
    return connections.countOf(network) >= this.#limits.connectionsPerAddress ? 'network' : null;
  }

  #refuse(request: IncomingMessage, full: Full): void {
    const { metrics, warnings, addressOf } = this.#ports;
    const { socket, headers } = request;
    metrics.refusals.inc({ reason: `full-${full}` });
    const details = { from: addressOf(request), origin: headers.origin };
    warnings.warn(`full ${full}`, details, `${SENTENCES[full]}${this.#hint(request)}`);
    const body = `${SENTENCES[full]}\n`;
    const head = [
      'HTTP/1.1 503 Service Unavailable',
      'Connection: close',
      `Retry-After: ${RETRY_AFTER}`,
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${body.length}`,
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  }

  /** Where a proxy is not trusted, all who come through it count as one. */
  #hint({ socket, headers }: IncomingMessage): string {
    if (headers['x-forwarded-for'] === undefined) return '';
    return `; the request came through a proxy at ${socket.remoteAddress ?? 'unknown'}: is it named in TRUST_PROXY?`;
  }
}
