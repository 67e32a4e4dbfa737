/** Whose pages may connect, and by which names the server may be called. */
import type { IncomingMessage } from 'node:http';
import { printable } from '../shared/narration/printable.ts';
import { isFromHere } from './addresses.ts';

export interface AccessOptions {
  /** Origins whose pages may connect, besides the page this server serves; `*` for any. */
  readonly allowedOrigins: readonly string[];
  /** The address at which browsers reach this server; null where that may be any. */
  readonly publicUrl: string | null;
}

/** Why a request is refused; the message says what was compared, and what helps. */
export interface AccessRefusal {
  readonly reason: 'host' | 'origin';
  readonly message: string;
}

/** Characters of a header that a refusal quotes. */
const MAX_QUOTED = 200;

/**
 * Where PUBLIC_URL is set, the server goes by its name alone: else a page elsewhere could have its own name
 * mean this server, and so be its page (DNS rebinding). The port does not matter for that; proxies change it.
 */
export function hostRefusal(
  request: IncomingMessage,
  { publicUrl }: AccessOptions,
): AccessRefusal | null {
  const { host = '' } = request.headers;
  const name = host.toLowerCase().replace(/:\d*$/, '');
  if (publicUrl === null || name === new URL(publicUrl).hostname || isFromHere(request))
    return null;
  const message = `this server is at ${publicUrl}, but the Host header of the request was ${quote(host)}: use that address, have the proxy pass on the Host header, or correct PUBLIC_URL`;
  return { reason: 'host', message };
}

/** Whether a page may connect: one that came from here may. Programs that are no browsers send no origin. */
export function isAllowedOrigin(
  origin: string | undefined,
  host: string | undefined,
  { allowedOrigins, publicUrl }: AccessOptions,
): boolean {
  if (origin === undefined || allowedOrigins.includes('*') || allowedOrigins.includes(origin))
    return true;
  if (publicUrl !== null && origin === new URL(publicUrl).origin) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** Why a WebSocket is refused; null where it is not. */
export function accessRefusal(
  request: IncomingMessage,
  options: AccessOptions,
): AccessRefusal | null {
  const { origin, host = '' } = request.headers;
  const refused = hostRefusal(request, options);
  if (refused !== null || isAllowedOrigin(origin, host, options)) return refused;
  const message = `pages of origin ${quote(origin)} may not connect; the Host header of the request was ${quote(host)}: add the origin to ALLOWED_ORIGINS, or have the proxy pass on the Host header`;
  return { reason: 'origin', message };
}

function quote(header = ''): string {
  return `"${printable(header.slice(0, MAX_QUOTED))}"`;
}
