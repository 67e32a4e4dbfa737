/** Plain HTTP: the built page, the server's health and its metrics, and goodbyes of closing pages. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { isFromHere, type Reach } from './addresses.ts';
import { PageFiles } from './page-files.ts';
import type { SignalingServer } from './signaling.ts';
import type { Warnings } from './warnings.ts';

/** The largest body of a request that is read, in characters. */
const LARGEST_BODY = 1_024;

/**
 * How long a client may take, in milliseconds: to send a request's headers, and all of it; and to read
 * anything of an answer, or to ask for anything.
 */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 20_000;
const IDLE_TIMEOUT = 30_000;

/** How often the first two are looked at, in milliseconds. */
const TIMEOUT_CHECKS = 5_000;

/** Requests of one connection that may wait for their answers. Browsers and proxies send one at a time. */
const MAX_WAITING_REQUESTS = 4;

export interface HttpPorts {
  /** Asked for its state; set once it exists. */
  readonly signaling: () => SignalingServer;
  /** The built page. */
  readonly pageFolder: string;
  /** The path below which everything is served: `/`, or a path that begins and ends with a slash. */
  readonly basePath: string;
  /** Where browsers reach the server, for a page that invites others. */
  readonly reach: () => Promise<Reach>;
  readonly warnings: Warnings;
}

/**
 * Makes the HTTP server. It goes on after an error in a request, and when it cannot accept a connection
 * because there are no file descriptors left. Call {@link limitRequests} once all who listen to its
 * requests do so.
 */
export function createHttpServer(ports: HttpPorts): Server {
  const { warnings } = ports;
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: TIMEOUT_CHECKS,
    },
    createRequestListener(ports),
  );
  server.timeout = IDLE_TIMEOUT;
  server.on('error', (error) => {
    // Until it listens, the caller handles the error.
    if (server.listening) warnings.warn('http', { error: error.message }, 'cannot accept', 1);
  });
  server.on('upgrade', (request, socket) => {
    if (targetOf(request).path.startsWith(`${ports.basePath}socket.io/`)) return;
    // Socket.IO leaves one half of the connection open, for which no time-out counts any more.
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n', () => socket.destroy());
  });
  return server;
}

/**
 * Ends connections on which too many requests wait for their answers. A client that reads none is not
 * read from either, but what it had sent until then may be hundreds of requests.
 */
export function limitRequests(server: Server, warnings: Warnings): void {
  const waiting = new WeakMap<Socket, number>();
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    // Requests that came in the same read as the one too many.
    if (socket.destroyed) return;
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    response.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
    if (count <= MAX_WAITING_REQUESTS) return;
    warnings.warn('waiting requests', { from: socket.remoteAddress }, 'asks faster than it reads');
    socket.destroy();
  });
}

/** Answers everything that is not Socket.IO's. */
function createRequestListener(ports: HttpPorts): RequestListener {
  const site = new Site(ports);
  return (request, response) => {
    // Its connection was ended by a request before it.
    if (request.socket.destroyed) return;
    site.answer(request, response).catch((error: unknown) => {
      // Where the client is gone, nothing has failed.
      if (request.socket.destroyed) return;
      ports.warnings.warn('answer', { error: String(error) }, 'a request cannot be answered');
      if (response.headersSent) response.destroy();
      else plain(response, 500, 'the server cannot answer this\n');
    });
  };
}

class Site {
  readonly #ports: HttpPorts;
  readonly #page: PageFiles;
  readonly #startedAt = Date.now();

  constructor(ports: HttpPorts) {
    this.#ports = ports;
    this.#page = new PageFiles(ports.pageFolder, (error) => {
      ports.warnings.warn('page', { error: String(error) }, 'the page cannot be read', 1);
    });
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { basePath } = this.#ports;
    const { path: asked, query } = targetOf(request);
    if (`${asked}/` === basePath) {
      response.writeHead(307, { location: basePath + query }).end();
      return;
    }
    if (!asked.startsWith(basePath)) {
      plain(response, 404, 'there is nothing here\n');
      return;
    }
    const path = asked.slice(basePath.length - 1);
    if (path === '/leave' && request.method === 'POST') {
      await this.#leave(request, response);
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      plain(response, 405, 'only GET is answered here\n');
      return;
    }
    await this.#get(path, query, request, response);
  }

  async #get(
    path: string,
    query: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    switch (path) {
      case '/healthz':
        await this.#health(request, query, response);
        return;
      case '/addresses':
        await this.#addresses(request, response);
        return;
      case '/metrics':
        await this.#metrics(response);
        return;
      default:
        this.#file(path, request, response);
    }
  }

  async #metrics(response: ServerResponse): Promise<void> {
    const { contentType, text } = await this.#ports.signaling().metrics.scrape();
    response.setHeader('content-type', contentType).end(text);
  }

  async #health(request: IncomingMessage, query: string, response: ServerResponse): Promise<void> {
    const signaling = this.#ports.signaling();
    const uptime = Math.round((Date.now() - this.#startedAt) / 1_000);
    const origin = new URLSearchParams(query).get('origin');
    // A page whose WebSocket fails asks why: the browser does not tell it that the server refused.
    const { host } = request.headers;
    const more =
      origin === null
        ? {}
        : {
            host,
            allowsOrigin: signaling.allowsOrigin(origin, host),
            full: await signaling.fullFor(request),
          };
    json(response, { status: 'ok', uptime, ...signaling.size, ...more });
  }

  async #addresses(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isAllowed = isFromHere(request);
    json(response, { addresses: isAllowed ? (await this.#ports.reach()).others : [] });
  }

  async #leave(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    if (body === null) {
      plain(response, 413, `more than ${LARGEST_BODY} characters are not read here\n`);
      return;
    }
    const reply = this.#ports.signaling().leave(fromJson(body));
    if (reply.ok) response.writeHead(204).end();
    else plain(response, reply.code === 'malformed' ? 400 : 403, `${reply.message}\n`);
  }

  #file(path: string, request: IncomingMessage, response: ServerResponse): void {
    if (this.#page.answer(path, request, response)) return;
    if (path === '/')
      plain(response, 503, 'the page is not built; build it with "npm run build"\n');
    else plain(response, 404, 'there is nothing here\n');
  }
}

/** What a request asks for; the query has its question mark, if there is one. */
function targetOf({ url = '' }: IncomingMessage): { path: string; query: string } {
  const [path = ''] = url.split('?');
  return { path, query: url.slice(path.length) };
}

/** A request's body; null where it is too large. */
async function textOf(request: IncomingMessage): Promise<string | null> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > LARGEST_BODY) return null;
  }
  return text;
}

/** undefined where it is not JSON. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function json(response: ServerResponse, body: object): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8').end(text);
}
