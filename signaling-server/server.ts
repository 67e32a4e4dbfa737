/** The whole server: signaling, page, health and metrics. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { everywhere, reachOf, type Reach } from './addresses.ts';
import { isBlockedByBrowsers } from './browser-ports.ts';
import { addressReader, proxyTest } from './client-address.ts';
import { watchDescriptors } from './descriptors.ts';
import { byTokens } from './grants.ts';
import { createHttpServer, limitRequests, refuseOtherUpgrades } from './http-server.ts';
import { createLogger } from './log.ts';
import type { ServerOptions } from './options.ts';
import { Memories } from './memories.ts';
import { newSecret, secretIn, stateFolder } from './secret.ts';
import { SignalingServer, type SignalingOptions } from './signaling.ts';
import { createMetricsSite, createSite, type SiteOptions } from './http.ts';
import { VERSION } from './version.ts';
import { limitTcpConnections } from './tcp-connections.ts';
import { Warnings } from './warnings.ts';

/** TCP connections that an address may have for each that may be a socket: a browser makes six for a page. */
const TCP_CONNECTIONS = 4;

export interface RunningServer {
  /** The port it listens on, also where 0 was asked for. */
  readonly port: number;
  /** The one for the metrics; null where they are at the other. */
  readonly metricsPort: number | null;
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

/** The server, which does not listen yet. */
interface Assembled {
  readonly httpServer: Server;
  /** null where the other one has the metrics. */
  readonly metricsServer: Server | null;
  readonly signaling: SignalingServer;
}

/** Puts the server together. */
export function assembleServer(
  options: Omit<SignalingOptions, 'logger' | 'warnings'> & SiteOptions,
  { pageFolder, logger, reach }: Parts,
): Assembled {
  const warnings = new Warnings(logger);
  const ports = { signaling: () => signaling, pageFolder, reach, warnings };
  const httpServer: Server = createHttpServer(createSite(options, ports), warnings);
  refuseOtherUpgrades(httpServer, options.basePath);
  httpServer.once('close', () => warnings.close());
  const signaling = new SignalingServer(httpServer, { ...options, logger, warnings });
  const addressOf = addressReader(options.trustedProxies);
  // After Socket.IO's own listener, before which this one is put.
  limitRequests(httpServer, warnings, addressOf);
  watchDescriptors(httpServer, warnings);
  limitTcpConnections(httpServer, {
    perAddress: TCP_CONNECTIONS * options.connectionsPerAddress,
    isProxy: proxyTest(options.trustedProxies),
    onExcess: (from) => {
      signaling.metrics.refusals.inc({ reason: 'too-many-tcp' });
      warnings.warn('tcp', { from }, 'has too many TCP connections');
    },
  });
  if (options.metricsPort === null) return { httpServer, metricsServer: null, signaling };
  const metricsServer = createHttpServer(createMetricsSite(ports), warnings);
  limitRequests(metricsServer, warnings, addressOf);
  return { httpServer, metricsServer, signaling };
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
  async function reach(): Promise<Reach> {
    const { address, port } = listeningAt(httpServer);
    const found = await reachOf(address, port, options.basePath);
    const { publicUrl } = options;
    return publicUrl === null ? found : { ...found, others: [publicUrl], problem: null };
  }
  const parts = { pageFolder, logger, reach };
  const secret = options.secret ?? keptSecret(logger);
  const memories = new Memories();
  const { joinSecret, redisUrl } = options;
  // Loaded where it is used.
  const share = redisUrl === undefined ? undefined : (await import('./redis.ts')).byRedis(redisUrl);
  const authorize = joinSecret === undefined ? undefined : byTokens(joinSecret);
  const { httpServer, metricsServer, signaling } = assembleServer(
    { ...options, secret, memories, authorize, share },
    parts,
  );
  const host = options.host ?? everywhere();
  const port = await listen(httpServer, options.port, host);
  if (options.port === 0 && isBlockedByBrowsers(port)) {
    // Another, while this one is taken.
    const other = await startServer(options, pageFolder);
    await signaling.close();
    return other;
  }
  // A secret of the host's own may outlive this computer's files.
  if (options.secret === undefined) beginMemory(memories, port, logger);
  const metricsPort =
    metricsServer && (await listen(metricsServer, options.metricsPort ?? 0, host));
  const { here, others } = await reach();
  logger.info({ version: VERSION, port, metricsPort, here, others }, 'started');

  async function close(): Promise<void> {
    logger.info('ending');
    metricsServer?.close();
    metricsServer?.closeAllConnections();
    await signaling.close();
    logger.info('ended');
  }
  return { port, metricsPort, reach, signaling, close };
}

/**
 * Has a server listen. Returns its port.
 * @throws Error as of node:net
 */
async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  return listeningAt(server).port;
}

/** Where the memories before cannot be known, a ticket of any is accepted. */
function beginMemory(memories: Memories, port: number, logger: Logger): void {
  try {
    memories.begin(stateFolder(process.env), port);
  } catch (error) {
    const details = { error: error instanceof Error ? error.message : String(error) };
    logger.info(details, 'members of any server with this secret get their places here');
  }
}

/** A secret of this process alone where it cannot be kept. */
function keptSecret(logger: Logger): string {
  try {
    return secretIn(stateFolder(process.env));
  } catch (error) {
    const details = { error: error instanceof Error ? error.message : String(error) };
    logger.warn(details, 'members lose their places when this server is started again: set SECRET');
    return newSecret();
  }
}

function listeningAt(httpServer: Server): AddressInfo {
  const address = httpServer.address();
  if (address === null || typeof address === 'string') throw new Error('no port to listen on');
  return address;
}
