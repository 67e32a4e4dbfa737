/**
 * Who may come in: anybody by default, or those whom `authorize` lets in. Tokens that are signed with
 * JOIN_SECRET are one way to do that.
 */
import * as v from 'valibot';
import {
  PeerIdSchema,
  RoomNameSchema,
  type PeerId,
  type RoomName,
} from '../shared/protocol/ids.ts';

export const ROLES = ['member', 'watcher', 'host'] as const;
export type Role = (typeof ROLES)[number];

/** What the holder of a token may do. */
export interface Grant {
  /** null for any room. */
  readonly room: RoomName | null;
  /** The one id to join under; null for any. */
  readonly id: PeerId | null;
  /** For people. */
  readonly name: string | null;
  /** A member joins, a watcher watches, a host does both and governs the room. */
  readonly role: Role;
  /** Milliseconds since 1970; null for ever. */
  readonly expires: number | null;
  /** Names this grant, so that its holder can be kept out of a room; null where it has no name. */
  readonly key: string | null;
}

/** A connection that asks to be let in. */
export interface AuthorizationRequest {
  /** What the client brings; null where it brings none. */
  readonly token: string | null;
  /** Where the client is, such as `192.0.2.1`. */
  readonly address: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Decides on a connection.
 * @returns a grant, or why there is none, in a few words for people
 * @throws Error where it cannot decide; the client is refused, and the error is logged
 */
export type Authorize = (request: AuthorizationRequest) => Promise<Grant | string>;

/** The one algorithm that is accepted: a token names its own, and is not believed. */
const ALGORITHM = 'HS256';

const ClaimsSchema = v.object({
  room: RoomNameSchema,
  id: v.optional(PeerIdSchema),
  name: v.optional(v.pipe(v.string(), v.maxLength(100))),
  role: v.optional(v.picklist(ROLES), 'member'),
  exp: v.number(),
  jti: v.optional(v.pipe(v.string(), v.maxLength(40))),
});

/** What a token is made of. */
export interface TokenContent {
  readonly room: RoomName;
  readonly id?: PeerId | undefined;
  readonly name?: string | undefined;
  readonly role: Role;
  /** Milliseconds since 1970. */
  readonly expires: number;
  /** Unlike that of any other token. */
  readonly key: string;
}

const keyOf = (secret: string) => new TextEncoder().encode(secret);

/** Makes a token (RFC 7519) that a server with the same secret accepts. */
export async function tokenOf(secret: string, content: TokenContent): Promise<string> {
  const { SignJWT } = await import('jose');
  const { room, id, name, role, expires, key } = content;
  const claims = {
    ...{ room, role },
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setExpirationTime(Math.floor(expires / 1_000))
    .setJti(key)
    .sign(keyOf(secret));
}

/** Lets in those who have a token that is signed with a secret. */
export function byTokens(secret: string): Authorize {
  const signedWith = keyOf(secret);
  return async ({ token }) => {
    // Only here: most servers need none of it.
    const { errors, jwtVerify } = await import('jose');
    if (token === null) return 'this server lets in only those who have a link with a token';
    try {
      const { payload } = await jwtVerify(token, signedWith, { algorithms: [ALGORITHM] });
      const claims = v.safeParse(ClaimsSchema, payload);
      if (!claims.success) return 'the token in the link says nothing that this server understands';
      const { room, id = null, name = null, role, exp, jti = null } = claims.output;
      return { room, id, name, role, expires: exp * 1_000, key: jti };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return EXPIRED;
      if (error instanceof errors.JOSEError) return 'the token in the link is not of this server';
      throw error;
    }
  };
}

const EXPIRED = 'the token in the link has expired';

/** What a client wants to do with its grant. */
export interface Wish {
  readonly room: RoomName;
  /** null for one that only watches. */
  readonly id: PeerId | null;
}

/** Why a grant is not one for what a client wants, in words for people; null where it is. */
export function shortfallOf(grant: Grant, { room, id }: Wish, date: number): string | null {
  if (grant.expires !== null && grant.expires <= date) return EXPIRED;
  if (grant.room !== null && grant.room !== room)
    return `the token in the link is for room ${grant.room}`;
  if (grant.role === 'watcher' && id !== null) return 'the token in the link is for watching';
  if (id !== null && grant.id !== null && grant.id !== id)
    return 'the token in the link is for another peer';
  return null;
}
