/**
 * How long a silent neighbour is waited for (SPEC.md, L12, L13), by how long it took to answer lately.
 * Twice the longest of a few round trips stands for what is likely, not the smoothed mean and deviations of
 * RFC 6298: that takes some thirty measurements to forget the first ones, which a page makes while it is
 * being put together, and a neighbour that dies within that time would be waited for that much longer.
 * There is a measurement every second or two.
 */
import { RELAYED_PROBE_SILENCE } from '../protocol/timeouts.ts';
import { aliveOf } from './queries.ts';
import type { Link } from './state.ts';

/** How many round trips are remembered. */
const REMEMBERED = 4;

/** A round trip that takes so many times the longest remembered one is hardly ever seen. */
const ALLOWED = 2;

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
  return Math.max(LINK_SILENCE, likelyOn(link) + SILENCE_MARGIN);
}

/** The same where there is another reason to think so. */
export function probePatienceOf(link: Link): number {
  return link.kind === 'relayed'
    ? RELAYED_PROBE_SILENCE
    : Math.max(PROBE_SILENCE, likelyOn(link) + PROBE_MARGIN);
}

function likelyOn(link: Link): number {
  return likelyRoundTrip(aliveOf(link)?.roundTrips ?? []);
}

/** What hardly any round trip exceeds, in milliseconds; 0 before the first measurement. */
export function likelyRoundTrip(roundTrips: readonly number[]): number {
  return ALLOWED * Math.max(0, ...roundTrips);
}

/** Adds a measured round trip. Returns those that are remembered from now on, the newest last. */
export function withRoundTrip(before: readonly number[], milliseconds: number): readonly number[] {
  return [...before, milliseconds].slice(-REMEMBERED);
}
