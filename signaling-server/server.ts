/** The whole server on one port: signaling, page, health and metrics. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { everywhere, reachOf, type Reach } from './addresses.ts';
import { isBlockedByBrowsers } from './browser-ports.ts';
import { proxyTest } from './client-address.ts';
import { createHttpServer, limitRequests } from './http.ts';
import { createLogger } from './log.ts';
import type { ServerOptions } from './options.ts';
import { SignalingServer, type SignalingOptions } from './signaling.ts';
import { limitTcpConnections } from './tcp-connections.ts';
import { Warnings } from './warnings.ts';

/** TCP connections that an address may have for each that may be a socket: a browser makes six for a page. */
const TCP_CONNECTIONS = 4;

export interface RunningServer {
  /** The port it listens on, also where 0 was asked for. */
  readonly port: number;
  /** Where browsers reach it now: the network may change. */
  reach(): Promise<Reach>;
  readonly signaling: SignalingServer;
  close(): Promise<void>;
}

interface Parts {
  /** The built page. */
  readonly pageFolder: string;
  readonly logger: Logger;
  /** Where browsers reach it; asked once it listens. */
  readonly reach: () => Promise<Reach>;
}

/** Puts the server together, which does not listen yet. */
export function assembleServer(
  options: Omit<SignalingOptions, 'logger' | 'warnings'>,
  { pageFolder, logger, reach }: Parts,
): { readonly httpServer: Server; readonly signaling: SignalingServer } {
  const warnings = new Warnings(logger);
  const httpServer: Server = createHttpServer({
    signaling: () => signaling,
    pageFolder,
    basePath: options.basePath,
    reach,
    warnings,
  });
  httpServer.once('close', () => warnings.close());
  const signaling = new SignalingServer(httpServer, { ...options, logger, warnings });
  // After Socket.IO's own listener, before which this one is put.
  limitRequests(httpServer, warnings);
  limitTcpConnections(httpServer, {
    perAddress: TCP_CONNECTIONS * options.connectionsPerAddress,
    isProxy: proxyTest(options.trustedProxies),
    onExcess: (from) => {
      signaling.metrics.refusals.inc({ code: 'too-many-tcp' });
      warnings.warn('tcp', { from }, 'has too many TCP connections', 1);
    },
  });
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
  const server = await listen(options, pageFolder);
  if (options.port !== 0 || !isBlockedByBrowsers(server.port)) return server;
  // Another, while this one is taken.
  const other = await startServer(options, pageFolder);
  await server.close();
  return other;
}

async function listen(options: ServerOptions, pageFolder: string): Promise<RunningServer> {
  const logger = createLogger(options.logLevel);
  const reach = () => {
    const { address, port } = addressOf(httpServer);
    return reachOf(address, port, options.basePath);
  };
  const { httpServer, signaling } = assembleServer(options, { pageFolder, logger, reach });
  await new Promise<void>((resolve, reject) => {
    httpServer.once('error', reject);
    httpServer.listen(options.port, options.host ?? everywhere(), () => {
      httpServer.off('error', reject);
      resolve();
    });
  });
  const { port } = addressOf(httpServer);
  logger.info({ port }, 'listening');
  return { port, reach, signaling, close: () => signaling.close() };
}

function addressOf(httpServer: Server): AddressInfo {
  const address = httpServer.address();
  if (address === null || typeof address === 'string') throw new Error('no port to listen on');
  return address;
}
