/** How what clients send becomes requests to the broker. */
import * as v from 'valibot';
import type { Request } from '../shared/broker/state.ts';
import { parsePeerId, type Parsed } from '../shared/protocol/ids.ts';
import {
  parseJoinRequest,
  parseReport,
  parseResumeRequest,
  parseSignalRequest,
  SIGNALING_VERSION,
  type PeerToServer,
  type Refusal,
  type RefusalCode,
} from '../shared/protocol/signaling.ts';

/** Characters of a refusal's sentence, which may quote what came. */
const MAX_MESSAGE_LENGTH = 200;

/** By event: the request, or what is wrong with the input. */
export const REQUESTS: Readonly<Record<keyof PeerToServer, (input: unknown) => Parsed<Request>>> = {
  join: (input) => as(parseJoinRequest(input), (request) => ({ type: 'join', request })),
  resume: (input) => as(parseResumeRequest(input), (request) => ({ type: 'resume', request })),
  signal: (input) => as(parseSignalRequest(input), (request) => ({ type: 'signal', request })),
  settle: () => ({ ok: true, value: { type: 'settle' } }),
  report: (input) => as(parseReport(input), (report) => ({ type: 'report', report })),
  lookup: (input) => as(parsePeerId(input), (peer) => ({ type: 'lookup', peer })),
  leave: () => ({ ok: true, value: { type: 'leave' } }),
};

/** Events that have nothing but an acknowledgement. */
export const BARE: ReadonlySet<string> = new Set<keyof PeerToServer>(['settle', 'leave']);

/** Those that ask for a place. */
export const FOR_A_PLACE: ReadonlySet<string> = new Set<keyof PeerToServer>(['join', 'resume']);

/** Requests that may change who is whose neighbour, which costs more than to answer one. */
export const MOVES: ReadonlySet<string> = new Set<keyof PeerToServer>(['join', 'resume', 'report']);

/** What a request of another version of the protocol has, whatever else it holds. */
const OtherVersionSchema = v.looseObject({
  version: v.pipe(v.number(), v.notValue(SIGNALING_VERSION)),
});

/** Why a request that names its version cannot be parsed. */
export function codeFor(input: unknown): RefusalCode {
  return v.is(OtherVersionSchema, input) ? 'version' : 'malformed';
}

export function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message: message.slice(0, MAX_MESSAGE_LENGTH) };
}

function as<Value>(parsed: Parsed<Value>, request: (value: Value) => Request): Parsed<Request> {
  return parsed.ok ? { ok: true, value: request(parsed.value) } : parsed;
}
