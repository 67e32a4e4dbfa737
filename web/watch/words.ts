/** What the projector page says of peers and messages. */
import { nameOf } from '../../shared/narration/names.ts';
import type { TracedMessage } from '../../shared/protocol/watch.ts';
import type { Arrow, Hold, PeerState } from './election.ts';

export const STATE_NAMES: Readonly<Record<PeerState, string>> = {
  idle: 'not started yet',
  candidate: 'candidate',
  beaten: 'forwards a greater claim',
  follower: 'follower',
  leader: 'leader',
};

/** A message, its way and what happened to it. */
export function sentenceOf({ message, from, to, outcome, reason, sentAt }: Arrow): string {
  const fate = outcome === null ? 'nobody saw it arrive' : `${outcome}: ${reason}`;
  const unseen = sentAt === null ? ' (nobody saw it sent)' : '';
  return `${nameOf(from)} sends ${nameOf(to)} ${contentOf(message)}${unseen}; ${fate}`;
}

/** A message that is held, where and for how long. */
export function holdText({ peer, message, from, until }: Hold): string {
  return `${nameOf(peer)} holds ${contentOf(message)} for ${durationText(until - from)}`;
}

function contentOf({ type, origin }: TracedMessage): string {
  return type === 'claim'
    ? `the claim of ${nameOf(origin)}`
    : `the announcement of ${nameOf(origin)}`;
}

/** A length of time, in readable digits. */
export function durationText(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  return milliseconds >= 100 ? `${Math.round(milliseconds)} ms` : `${milliseconds.toFixed(1)} ms`;
}

/** How much slower than the original something is shown; empty where it is not. */
export function slownessText(speed: number): string {
  const times = 1 / speed;
  if (times < 1.15) return '';
  return `${times < 10 ? times.toFixed(1) : Math.round(times)} × slower than real time`;
}
