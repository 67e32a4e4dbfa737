/** What is refused, in words for people. */
import type { PeerId } from '../protocol/ids.ts';
import type { Refusal, RefusalCode } from '../protocol/signaling.ts';
import type { Membership } from './state.ts';

export const NOT_JOINED = refusal('not-joined', 'join a room first');

export const ALREADY_JOINED = refusal(
  'already-joined',
  'this connection has joined a room already',
);

export function idTaken(id: PeerId): Refusal {
  return refusal('id-taken', `the id ${id} is or was another peer's`);
}

export function placeLost({ room, id }: Membership): Refusal {
  return refusal('place-lost', `the place of ${id} in room ${room} is not kept any more`);
}

export function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message };
}
