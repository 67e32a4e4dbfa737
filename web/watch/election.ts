/**
 * One election as it was recorded: its messages on one time axis, and every peer's state at each time.
 * Pure.
 */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { TracedMessage, TraceEntry } from '../../shared/protocol/watch.ts';
import { timesOf } from './times.ts';
import { isOver, type Happening, type Script } from './recording.ts';

/** `idle`: not in this election yet. `beaten`: has forwarded a greater claim. */
export type PeerState = 'idle' | 'candidate' | 'beaten' | 'follower' | 'leader';

type Received = Extract<TraceEntry, { type: 'received' }>;

/** A message on its way from one peer to another; times in milliseconds from the beginning. */
export interface Arrow {
  readonly key: string;
  readonly from: PeerId;
  readonly to: PeerId;
  readonly message: TracedMessage;
  /** null where only the other end is known. */
  readonly sentAt: number | null;
  readonly receivedAt: number | null;
  /** What happened to it; null where that is not known. */
  readonly outcome: Received['outcome'] | null;
  readonly reason: string;
}

/** A message that a peer holds for the hop delay before it sends it. */
export interface Hold {
  readonly key: string;
  readonly peer: PeerId;
  readonly message: TracedMessage;
  readonly from: number;
  /** When it was sent; or when it was due, where its sending is not known. */
  readonly until: number;
  readonly isSent: boolean;
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
  /** In the order in which they began. */
  readonly holds: readonly Hold[];
  /** When the last known event happened; 0 is a moment before the first one. */
  readonly last: number;
  /** {@link last}, or when the last held message is due. */
  readonly duration: number;
  /** Whether its announcement has completed its circuit. */
  readonly isOver: boolean;
  /** All moments at which something happened, in order. */
  readonly moments: readonly number[];
}

/** The state of an election at a moment. */
export interface Scene {
  readonly states: ReadonlyMap<PeerId, PeerState>;
  /** Messages between two peers, with the fraction of the way they have gone, from 0 to 1. */
  readonly tokens: readonly { readonly arrow: Arrow; readonly progress: number }[];
  /** Messages that are held. */
  readonly holds: readonly Hold[];
  /** Messages sent so far. */
  readonly messages: number;
  readonly leader: PeerId | null;
}

/** The time before the first event: this share of the whole, and at least this many milliseconds. */
const LEAD_IN = { share: 0.02, least: 0.5 };

/** The share of the whole for which a message is shown at least, however quick it was. */
const LEAST_SEEN = 0.012;

/** Makes an election from the records of one term. */
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
  const arrows = arrowsOf(happenings, matches, timeOf);
  const holds = holdsOf(happenings, timeOf);
  const duration = holds.reduce((most, { until }) => Math.max(most, until), span + leadIn);
  return {
    term,
    peers: [...order, ...strangers(arrows, order)],
    arrows,
    holds,
    // A peer that starts an election knows it before it sends; a slow one, long before.
    changes: changesOf(happenings, (each) => Math.max(timeOf(each), leadIn)).filter(
      ({ at }) => at <= duration,
    ),
    last: span + leadIn,
    duration,
    isOver: isOver(happenings),
    moments: [...new Set([0, ...messages.map(timeOf)])].sort((a, b) => a - b),
  };
}

/** Time travel: the state of an election at a moment. */
export function stateAt(election: Election, time: number): Scene {
  const { peers, changes, arrows, duration } = election;
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
  return { states, tokens, holds: heldAt(election, time, tokens), messages, leader };
}

/** A message that is still shown arriving is not yet shown as held. */
function heldAt(
  { holds, duration }: Election,
  time: number,
  tokens: Scene['tokens'],
): readonly Hold[] {
  const arriving = new Set(
    tokens.map(({ arrow: { to, message } }) => `${to} ${message.type} ${message.origin}`),
  );
  return holds.filter(({ peer, message, from, until, isSent }) => {
    // A held message that is overdue, and the last thing known, is still shown.
    const isHere = from <= time && (time < until || (!isSent && time >= duration));
    return isHere && !arriving.has(`${peer} ${message.type} ${message.origin}`);
  });
}

/** When a message is first known of. */
export function beginOf({ sentAt, receivedAt }: Arrow): number {
  return sentAt ?? receivedAt ?? 0;
}

/**
 * The messages of an election in a ring of so many peers, by Chang and Roberts, with the announcement: on
 * average over all orders of ids n·Hₙ claims, at worst n(n+1)/2.
 */
export function theoryOf(size: number): { readonly mean: number; readonly worst: number } {
  let harmonic = 0;
  for (let count = 1; count <= size; count += 1) harmonic += 1 / count;
  return { mean: size * harmonic + size, worst: (size * (size + 1)) / 2 + size };
}

/** For each receipt its sending, where both are known. Equal messages are matched in order. */
function match(happenings: readonly Happening[]): ReadonlyMap<Happening, Happening> {
  const sendings = new Map<string, Happening[]>();
  for (const each of happenings) {
    if (each.type !== 'sent') continue;
    enqueue(sendings, keyOf(each.peer, each.to, each.message), each);
  }
  const matches = new Map<Happening, Happening>();
  for (const each of happenings) {
    if (each.type !== 'received') continue;
    const sending = sendings.get(keyOf(each.from, each.peer, each.message))?.shift();
    if (sending !== undefined) matches.set(each, sending);
  }
  return matches;
}

function enqueue<T>(queues: Map<string, T[]>, key: string, one: T): void {
  const queue = queues.get(key);
  if (queue === undefined) queues.set(key, [one]);
  else queue.push(one);
}

function keyOf(from: PeerId, to: PeerId, { type, term, origin, hops, lap }: TracedMessage): string {
  return `${from} ${to} ${type} ${term} ${origin} ${hops} ${lap}`;
}

/** The messages that each peer held until it sent them. */
function holdsOf(
  happenings: readonly Happening[],
  timeOf: (happening: Happening) => number,
): Hold[] {
  const holds: Hold[] = [];
  const open = new Map<string, number[]>();
  for (const each of happenings) {
    if (each.type !== 'holding' && each.type !== 'sent') continue;
    const { peer, message } = each;
    const key = keyOf(peer, peer, message);
    if (each.type === 'holding') {
      enqueue(open, key, holds.length);
      const from = timeOf(each);
      const until = from + each.milliseconds;
      holds.push({ key: `${key} ${holds.length}`, peer, message, from, until, isSent: false });
    } else {
      const at = open.get(key)?.shift();
      const hold = at === undefined ? undefined : holds[at];
      if (at !== undefined && hold !== undefined)
        holds[at] = { ...hold, until: timeOf(each), isSent: true };
    }
  }
  return holds.sort((a, b) => a.from - b.from);
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

/** The state changes of peers and their times, from their messages and from their own traces. */
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
    case 'holding':
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

/** The peers that took part and are no longer in the ring. */
function strangers(arrows: readonly Arrow[], order: readonly PeerId[]): PeerId[] {
  const known = new Set(order);
  const found = new Set(arrows.flatMap(({ from, to }) => [from, to]));
  return [...found].filter((id) => !known.has(id));
}
