/** Keys of rooms and hosts as the server remembers them: their digests alone. */
import { createHash } from 'node:crypto';
import type { Request } from '../shared/protocol/signaling.ts';

/** SHA-256, in base64url; null for no key. */
export function digestOf(key: string | null): string | null {
  return key === null ? null : createHash('sha256').update(key).digest('base64url');
}

/** A request with digests in place of the keys that came with it. */
export function digested(request: Request): Request {
  switch (request.type) {
    case 'join':
      return { ...request, body: { ...request.body, key: digestOf(request.body.key) } };
    case 'govern': {
      const { key, host } = request.body;
      return { ...request, body: { ...request.body, key: digestOf(key), host: digestOf(host) } };
    }
    default:
      return request;
  }
}
