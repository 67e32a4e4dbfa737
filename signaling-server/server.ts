/** The whole server on one port: signaling, page, health and metrics. */
import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { lanOrigins } from './addresses.ts';
import { createHttpServer, limitRequests } from './http.ts';
import { createLogger } from './log.ts';
import type { ServerOptions } from './options.ts';
import { createSignalingServer, type SignalingOptions, type SignalingServer } from './signaling.ts';
import { Warnings } from './warnings.ts';

export interface RunningServer {
  /** The port it listens on, also where 0 was asked for. */
  readonly port: number;
  readonly signaling: SignalingServer;
  close(): Promise<void>;
}

interface Parts {
  /** The built page. */
  readonly pageFolder: string;
  readonly logger: Logger;
  /** By which other devices reach it, once it listens. */
  readonly origins: (port: number) => readonly string[];
}

/** Puts the server together, which does not listen yet. */
export function assembleServer(
  options: Omit<SignalingOptions, 'logger'>,
  { pageFolder, logger, origins }: Parts,
): { readonly httpServer: Server; readonly signaling: SignalingServer } {
  const warnings = new Warnings(logger);
  const httpServer: Server = createHttpServer({
    signaling: () => signaling,
    pageFolder,
    origins: () => origins(portOf(httpServer)),
    warnings,
  });
  httpServer.once('close', () => {
    warnings.close();
  });
  const signaling = createSignalingServer(httpServer, { ...options, logger });
  // After Socket.IO's own listener, before which this one is put.
  limitRequests(httpServer, warnings);
  return { httpServer, signaling };
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
  const logger = createLogger(options.logLevel);
  const { httpServer, signaling } = assembleServer(options, {
    pageFolder,
    logger,
    origins: (port) => lanOrigins(options.host, port),
  });
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
