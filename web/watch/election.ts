/** One election as it was recorded: its messages on one time, and what every peer was when. Pure. */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { TracedMessage, TraceEntry } from '../../shared/protocol/watch.ts';
import { timesOf } from './times.ts';
import type { Happening, Script } from './recording.ts';

/** `idle`: not in this election yet. `beaten`: has passed a greater claim on. */
export type PeerState = 'idle' | 'candidate' | 'beaten' | 'follower' | 'leader';

type Received = Extract<TraceEntry, { type: 'received' }>;

/** A message on its way from one peer to another; times in milliseconds from the beginning. */
export interface Arrow {
  readonly key: string;
  readonly from: PeerId;
  readonly to: PeerId;
  readonly message: TracedMessage;
  /** null where only the other end was told of. */
  readonly sentAt: number | null;
  readonly receivedAt: number | null;
  /** What became of it; null where nobody told. */
  readonly outcome: Received['outcome'] | null;
  readonly reason: string;
}

interface Change {
  readonly at: number;
  readonly peer: PeerId;
  readonly state: PeerState;
}

export interface Election {
  readonly term: number;
  /** In ring order. */
  readonly peers: readonly PeerId[];
  /** In the order in which they were sent. */
  readonly arrows: readonly Arrow[];
  /** In order. */
  readonly changes: readonly Change[];
  /** From a moment before anything happened, which is 0, to the last that did. */
  readonly duration: number;
  /** All moments at which something happened, in order. */
  readonly moments: readonly number[];
}

/** How an election stands at a moment. */
export interface Scene {
  readonly states: ReadonlyMap<PeerId, PeerState>;
  /** Messages between two peers, with how much of the way they have gone, from 0 to 1. */
  readonly tokens: readonly { readonly arrow: Arrow; readonly progress: number }[];
  /** Messages sent so far. */
  readonly messages: number;
  readonly leader: PeerId | null;
}

/** What comes before the first event: this share of the whole, and so many milliseconds at least. */
const LEAD_IN = { share: 0.02, least: 0.5 };

/** For how much of the whole a message is seen at least, however quick it was. */
const LEAST_SEEN = 0.012;

/** Makes an election of what was recorded of a term. */
export function electionOf(script: Script): Election {
  const { happenings, order, term } = script;
  const matches = match(happenings);
  const times = timesOf(script, matches);
  const messages = happenings.filter(({ type }) => type !== 'state');
  const moments = messages.map((each) => times.get(each) ?? 0);
  const first = moments.reduce((least, at) => Math.min(least, at), Infinity);
  const last = moments.reduce((most, at) => Math.max(most, at), -Infinity);
  const span = moments.length === 0 ? 0 : last - first;
  const leadIn = Math.max(LEAD_IN.least, span * LEAD_IN.share);
  const timeOf = (happening: Happening) => (times.get(happening) ?? first) - first + leadIn;
  const duration = span + leadIn;
  const arrows = arrowsOf(happenings, matches, timeOf);
  return {
    term,
    peers: [...order, ...strangers(arrows, order)],
    arrows,
    changes: changesOf(happenings, timeOf).filter(({ at }) => at <= duration),
    duration,
    moments: [...new Set([0, ...messages.map(timeOf)])].sort((a, b) => a - b),
  };
}

/** Time travel: how an election stood at a moment. */
export function stateAt({ peers, changes, arrows, duration }: Election, time: number): Scene {
  const states = new Map<PeerId, PeerState>(peers.map((id) => [id, 'idle']));
  let leader: PeerId | null = null;
  for (const { at, peer, state } of changes) {
    if (at > time) break;
    states.set(peer, state);
    if (state === 'leader') leader = peer;
  }
  const tokens: { arrow: Arrow; progress: number }[] = [];
  let messages = 0;
  for (const arrow of arrows) {
    const begin = beginOf(arrow);
    if (begin > time) break;
    messages += 1;
    if (arrow.sentAt === null || arrow.receivedAt === null) continue;
    const length = Math.max(arrow.receivedAt - begin, duration * LEAST_SEEN);
    const progress = (time - begin) / length;
    if (progress < 1 && time < duration) tokens.push({ arrow, progress });
  }
  return { states, tokens, messages, leader };
}

/** When a message is first known of. */
export function beginOf({ sentAt, receivedAt }: Arrow): number {
  return sentAt ?? receivedAt ?? 0;
}

/**
 * What Chang and Roberts say an election of so many peers takes, counting the announcement: on average
 * over all orders of ids n·Hₙ claims, at worst n(n+1)/2.
 */
export function theoryOf(size: number): { readonly mean: number; readonly worst: number } {
  let harmonic = 0;
  for (let count = 1; count <= size; count += 1) harmonic += 1 / count;
  return { mean: size * harmonic + size, worst: (size * (size + 1)) / 2 + size };
}

/** Of each receipt the sending, where both were told of. Those alike are matched in order. */
function match(happenings: readonly Happening[]): ReadonlyMap<Happening, Happening> {
  const sendings = new Map<string, Happening[]>();
  for (const each of happenings) {
    if (each.type !== 'sent') continue;
    const key = keyOf(each.peer, each.to, each.message);
    sendings.set(key, [...(sendings.get(key) ?? []), each]);
  }
  const matches = new Map<Happening, Happening>();
  for (const each of happenings) {
    if (each.type !== 'received') continue;
    const sending = sendings.get(keyOf(each.from, each.peer, each.message))?.shift();
    if (sending !== undefined) matches.set(each, sending);
  }
  return matches;
}

function keyOf(from: PeerId, to: PeerId, { type, term, origin, hops, lap }: TracedMessage): string {
  return [from, to, type, term, origin, hops, lap].join(' ');
}

function arrowsOf(
  happenings: readonly Happening[],
  matches: ReadonlyMap<Happening, Happening>,
  timeOf: (happening: Happening) => number,
): Arrow[] {
  const receipts = new Map(Array.from(matches, ([receipt, sending]) => [sending, receipt]));
  const counts = new Map<string, number>();
  const unique = (key: string) => {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count === 1 ? key : `${key} ${count}`;
  };
  const arrows = happenings.flatMap((each): Arrow[] => {
    if (each.type === 'sent') {
      const { peer: from, to, message } = each;
      const receipt = receipts.get(each);
      const got = receipt?.type === 'received' ? receipt : null;
      const receivedAt = got === null ? null : timeOf(got);
      const { outcome = null, reason = '' } = got ?? {};
      const key = unique(keyOf(from, to, message));
      return [{ key, from, to, message, sentAt: timeOf(each), receivedAt, outcome, reason }];
    }
    if (each.type !== 'received' || matches.has(each)) return [];
    const { from, peer: to, message, outcome, reason } = each;
    const key = unique(keyOf(from, to, message));
    return [{ key, from, to, message, sentAt: null, receivedAt: timeOf(each), outcome, reason }];
  });
  return arrows.sort((a, b) => beginOf(a) - beginOf(b));
}

/** What peers became and when, as their messages and they themselves tell it. */
function changesOf(
  happenings: readonly Happening[],
  timeOf: (happening: Happening) => number,
): Change[] {
  const states = new Map<PeerId, PeerState>();
  const changes: Change[] = [];
  for (const each of happenings) {
    const { peer } = each;
    const before = states.get(peer) ?? 'idle';
    const state = stateAfter(each, before);
    if (state === before) continue;
    states.set(peer, state);
    changes.push({ at: timeOf(each), peer, state });
  }
  return changes.sort((a, b) => a.at - b.at);
}

function stateAfter(happening: Happening, before: PeerState): PeerState {
  switch (happening.type) {
    case 'sent': {
      const { type, origin } = happening.message;
      return type === 'claim' && origin === happening.peer ? 'candidate' : before;
    }
    case 'received': {
      const { outcome, message } = happening;
      const isBeaten = message.type === 'claim' && outcome === 'forwarded';
      return isBeaten && (before === 'idle' || before === 'candidate') ? 'beaten' : before;
    }
    case 'state':
      if (happening.role === 'leader' || happening.role === 'follower') return happening.role;
      return happening.role === 'candidate' && before === 'idle' ? 'candidate' : before;
  }
}

/** Those who took part and have no place in the ring any more. */
function strangers(arrows: readonly Arrow[], order: readonly PeerId[]): PeerId[] {
  const known = new Set(order);
  const found = new Set(arrows.flatMap(({ from, to }) => [from, to]));
  return [...found].filter((id) => !known.has(id));
}
