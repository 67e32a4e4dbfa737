/**
 * What this page's link says behind its `#`, which browsers send to no server: the secret of the room (`key`), the
 * key of its host (`host`), and the token that lets this page in (`token`).
 */
import { parsePeerId, type PeerId } from '../shared/protocol/ids.ts';

type Name = 'key' | 'host' | 'token';

/** null where the link does not say it. */
export function inFragment(name: Name): string | null {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  return value === '' ? null : value;
}

/** The address of this page, saying one thing more or otherwise. */
export function withFragment(name: Name, value: string): string {
  const url = new URL(location.href);
  const fragment = new URLSearchParams(url.hash.slice(1));
  fragment.set(name, value);
  url.hash = fragment.toString();
  return url.href;
}

/** What a token says of its holder. The server checks it; nothing is believed here. */
export function claimsIn(token: string | null): {
  /** The id that it is for, if it is for one alone. */
  readonly id: PeerId | null;
  readonly isHost: boolean;
} {
  const claims = payloadOf(token);
  const id = parsePeerId(claims['id']);
  return { id: id.ok ? id.value : null, isHost: claims['role'] === 'host' };
}

function payloadOf(token: string | null): Readonly<Record<string, unknown>> {
  const [, payload = ''] = token?.split('.') ?? [];
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}
