/** The whole server on one port: signaling, page, health and metrics. */
import { createServer, type Server } from 'node:http';
import { pino } from 'pino';
import { lanOrigins } from './addresses.ts';
import { createRequestListener } from './http.ts';
import type { ServerOptions } from './options.ts';
import { createSignalingServer, type SignalingServer } from './signaling.ts';

export interface RunningServer {
  /** The port it listens on, also where 0 was asked for. */
  readonly port: number;
  readonly signaling: SignalingServer;
  close(): Promise<void>;
}

/**
 * Starts the server.
 * @param pageFolder the built page
 * @throws Error as of node:net, with code EADDRINUSE where the port is busy
 */
export async function startServer(
  options: ServerOptions,
  pageFolder: string,
): Promise<RunningServer> {
  // Logs go to stderr; stdout is for the addresses.
  const logger = pino({ level: options.logLevel, base: null }, pino.destination(2));
  const httpServer: Server = createServer(
    createRequestListener(
      () => signaling,
      pageFolder,
      () => lanOrigins(options.host, portOf(httpServer)),
    ),
  );
  const signaling = createSignalingServer(httpServer, { ...options, logger });
  await new Promise<void>((resolve, reject) => {
    httpServer.once('error', reject);
    httpServer.listen(options.port, options.host, () => {
      httpServer.off('error', reject);
      resolve();
    });
  });
  const port = portOf(httpServer);
  logger.info({ port }, 'listening');
  return { port, signaling, close: () => signaling.close() };
}

function portOf(httpServer: Server): number {
  const address = httpServer.address();
  if (address === null || typeof address === 'string') throw new Error('no port to listen on');
  return address.port;
}
