/** How long a silent neighbour is waited for (SPEC.md, L12, L13). */
import { RELAYED_PROBE_SILENCE } from '../protocol/timeouts.ts';
import { aliveOf } from './edges.ts';
import { longestLikelyRoundTrip } from './round-trip.ts';
import type { Link } from './state.ts';

/** The least silence that makes a link suspect, in milliseconds; to it comes what the round trips suggest. */
export const LINK_SILENCE = 3_500;

/** What is added to the longest likely round trip before a link is suspect, in milliseconds. */
export const SILENCE_MARGIN = 1_000;

/** The same for a link whose other end has lost the server: then nothing else may be to come. */
const PROBE_SILENCE = 250;
const PROBE_MARGIN = 200;

/** Milliseconds since anything was heard from the other end, HELLO first of all; 0 before it is open. */
export function silenceOf(link: Link, now: number): number {
  const alive = aliveOf(link);
  return alive === null ? 0 : now - alive.heardAt;
}

/** The silence after which something must be wrong, in milliseconds. */
export function patienceOf(link: Link): number {
  return Math.max(LINK_SILENCE, likelyRoundTrip(link) + SILENCE_MARGIN);
}

/** The same where there is another reason to think so. */
export function probePatienceOf(link: Link): number {
  return link.kind === 'relayed'
    ? RELAYED_PROBE_SILENCE
    : Math.max(PROBE_SILENCE, likelyRoundTrip(link) + PROBE_MARGIN);
}

function likelyRoundTrip(link: Link): number {
  return longestLikelyRoundTrip(aliveOf(link)?.roundTrips ?? []);
}
