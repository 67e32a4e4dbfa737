/** HTTP servers that strangers cannot keep busy for long. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { targetOf } from './http.ts';
import type { Warnings } from './warnings.ts';

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

/**
 * Makes an HTTP server. It goes on when it cannot accept a connection because there are no file
 * descriptors left. Call {@link limitRequests} once all who listen to its requests do so.
 */
export function createHttpServer(listener: RequestListener, warnings: Warnings): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: TIMEOUT_CHECKS,
    },
    listener,
  );
  server.timeout = IDLE_TIMEOUT;
  server.on('error', (error) => {
    // Until it listens, the caller handles the error.
    if (server.listening) warnings.warn('accept', { error: error.message }, 'cannot accept');
  });
  return server;
}

/** Refuses what wants to be another protocol anywhere but at Socket.IO's path. */
export function refuseOtherUpgrades(server: Server, basePath: string): void {
  server.on('upgrade', (request, socket) => {
    if (targetOf(request).path.startsWith(`${basePath}socket.io/`)) return;
    // Socket.IO leaves one half of the connection open, for which no time-out counts any more.
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n', () => socket.destroy());
  });
}

/**
 * Ends connections on which too many requests wait for their answers. A client that reads none is not
 * read from either, but what it had sent until then may be hundreds of requests.
 */
export function limitRequests(
  server: Server,
  warnings: Warnings,
  addressOf: (request: IncomingMessage) => string,
): void {
  const waiting = new WeakMap<Socket, number>();
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    // Requests that came in the same read as the one too many.
    if (socket.destroyed) return;
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    response.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
    if (count <= MAX_WAITING_REQUESTS) return;
    warnings.warn('waiting requests', { from: addressOf(request) }, 'asks faster than it reads');
    socket.destroy();
  });
}
