/** Where other devices on the local network reach this server. */
import type { IncomingMessage } from 'node:http';
import { networkInterfaces } from 'node:os';

/**
 * The origins by which others reach it; none where it listens for this computer alone.
 * @param host that it listens on
 */
export function lanOrigins(host: string, port: number): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [];
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => `http://${address}:${port}`);
}

const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
const LOCAL_HOST = /^(?:localhost|[\w-]+\.localhost|127\.[\d.]+|\[::1\])(?::\d+)?$/i;

/** Whether somebody at this computer asks, by its own name for itself: no one else need be told. */
export function isFromHere({ headers, socket }: IncomingMessage): boolean {
  return LOOPBACK.test(socket.remoteAddress ?? '') && LOCAL_HOST.test(headers.host ?? '');
}
