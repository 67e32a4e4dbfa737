/**
 * What has come here of attempts to open a WebSocket. Browsers do not tell a page why its own fails, so the
 * page gives each a name in its address, and asks over HTTP what is known of it.
 */
import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { Clock } from '../shared/driver/ports.ts';
import type { Metrics } from './metrics.ts';
import type { Warnings } from './warnings.ts';

/**
 * `without-upgrade`: it came as an ordinary request. `came`: it has not been accepted, or not yet.
 * `accepted`: the answer is on its way.
 */
export type Attempt = 'without-upgrade' | 'came' | 'accepted';

/** How long one is remembered, in milliseconds: until there is another, or the page is connected. */
const REMEMBERED = 10_000;

/** How many are remembered, and the longest name of one. */
const MOST = 1_000;
const LONGEST_NAME = 64;

const NO_UPGRADE = 'only WebSockets are answered here\n';

interface AttemptPorts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly warnings: Warnings;
  /** Where the client is that has made a request. */
  readonly addressOf: (request: IncomingMessage) => string;
}

export class Attempts {
  readonly #ports: AttemptPorts;
  /** Those that did not become sockets, by name; the oldest first. */
  readonly #known = new Map<string, { readonly attempt: Attempt; readonly at: number }>();

  /** @param io whose connections pages attempt */
  constructor(io: Server, ports: AttemptPorts) {
    this.#ports = ports;
    io.engine.use((request: IncomingMessage, response: unknown, next: () => void) => {
      if (!isOrdinary(response)) this.#note(request, 'came');
      else if (this.#answer(request, response)) return;
      next();
    });
    io.engine.on('connection', ({ request }: { readonly request: IncomingMessage }) => {
      this.#note(request, 'accepted');
    });
    io.on('connection', ({ conn }) => this.#known.delete(nameOf(conn.request)));
  }

  /** What has come of an attempt; null where nothing has, of late. */
  of(name: string): Attempt | null {
    const known = this.#known.get(name);
    return known === undefined || this.#isOver(known.at) ? null : known.attempt;
  }

  /** Answers an ordinary request for a WebSocket, or by one who looks what is here; other requests it leaves. */
  #answer(request: IncomingMessage, response: ServerResponse): boolean {
    const transport = parametersOf(request).get('transport');
    if (transport !== null && transport !== 'websocket') return false;
    if (transport !== null) this.#noteOrdinary(request);
    response.writeHead(426, { upgrade: 'websocket', 'content-type': 'text/plain' }).end(NO_UPGRADE);
    return true;
  }

  #noteOrdinary(request: IncomingMessage): void {
    const { metrics, warnings, addressOf } = this.#ports;
    const { origin, host } = request.headers;
    this.#note(request, 'without-upgrade');
    metrics.refusals.inc({ reason: 'no-upgrade' });
    const message =
      'a WebSocket came as an ordinary request: have the proxy pass on the headers Upgrade and Connection';
    warnings.warn('no upgrade', { from: addressOf(request), origin, host }, message);
  }

  #note(request: IncomingMessage, attempt: Attempt): void {
    const name = nameOf(request);
    if (name === '' || name.length > LONGEST_NAME) return;
    // The last that was noted stands last.
    this.#known.delete(name);
    this.#known.set(name, { attempt, at: this.#ports.clock.now() });
    for (const [other, { at }] of this.#known)
      if (this.#known.size > MOST || this.#isOver(at)) this.#known.delete(other);
      else return;
  }

  #isOver(at: number): boolean {
    return this.#ports.clock.now() - at > REMEMBERED;
  }
}

/** Whether a request is none for another protocol. */
function isOrdinary(response: unknown): response is ServerResponse {
  return response instanceof ServerResponse;
}

const nameOf = (request: IncomingMessage) => parametersOf(request).get('attempt') ?? '';

function parametersOf({ url = '' }: IncomingMessage): URLSearchParams {
  return new URLSearchParams(url.split('?')[1]);
}
