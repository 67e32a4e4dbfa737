/** How what clients send becomes requests to the broker. */
import * as v from 'valibot';
import {
  SIGNALING_VERSION,
  type RefusalCode,
  type RequestType,
} from '../shared/protocol/signaling.ts';

/** Events that have nothing but an acknowledgement. */
export const BARE: ReadonlySet<string> = new Set<RequestType>(['settle', 'leave']);

/** Those that ask for a place. */
export type PlaceRequest = 'join' | 'resume';

export function isForPlace(event: string): event is PlaceRequest {
  return event === 'join' || event === 'resume';
}

/** Requests that may change who is whose neighbour, which costs more than to answer one. */
export const MOVES: ReadonlySet<string> = new Set<RequestType>([
  'join',
  'resume',
  'complain',
  'govern',
]);

/** What a request of another version of the protocol has, whatever else it holds. */
const OtherVersionSchema = v.looseObject({
  version: v.pipe(v.number(), v.notValue(SIGNALING_VERSION)),
});

/** What those who run the server can do about a refusal; for the log. */
export const REMEDIES: Partial<Readonly<Record<RefusalCode, string>>> = {
  version: 'the page has to be reloaded',
  token: 'tokens are made with JOIN_SECRET, by the command: ringleader token',
  'room-full':
    'the limits are MAX_PEERS_PER_ROOM, MAX_ROOMS, MAX_WATCHERS_PER_ROOM and MAX_WATCHERS',
};

/** Why a request that names its version cannot be parsed. */
export function codeFor(input: unknown): RefusalCode {
  return v.is(OtherVersionSchema, input) ? 'version' : 'malformed';
}
