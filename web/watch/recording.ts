/**
 * What a spectator has been told of a room, within bounds: the peers, their states, and the events of the
 * last elections. Pure: it takes traces and answers questions; election.ts evaluates them.
 */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Traces, TraceEntry } from '../../shared/protocol/watch.ts';

/** Something that happened, and the peer it happened to. `at` is by the clock of the peer. */
export type Happening = TraceEntry & { readonly peer: PeerId };

/** A peer's state since its last trace. */
export type Standing = Pick<
  Extract<TraceEntry, { type: 'state' }>,
  'role' | 'term' | 'leader' | 'link'
>;

export interface Leader {
  readonly id: PeerId;
  readonly term: number;
}

/** An election that can be shown. */
export interface Known {
  readonly term: number;
  /** The announced leader, if there was one. */
  readonly leader: PeerId | null;
}

/** All entries of one term, each peer's in order. A new object as soon as there are more. */
export interface Script {
  readonly term: number;
  /** The peers in ring order. */
  readonly order: readonly PeerId[];
  readonly happenings: readonly Happening[];
  /** What to add to each peer's clock to get the server's, in milliseconds. */
  readonly offsets: ReadonlyMap<PeerId, number>;
}

interface Term {
  readonly number: number;
  order: readonly PeerId[];
  readonly happenings: Happening[];
  /** What was known of the clocks of its peers at the time. */
  readonly clocks: Map<PeerId, Clock>;
  /** The peers that sent or received a message of it. */
  readonly peers: Set<PeerId>;
  leader: PeerId | null;
  /** The last evaluation, valid until more entries come. */
  script: Script | null;
}

/** The most by which the server's clock was ahead of a peer's, and when, by the server's clock. */
interface Clock {
  readonly offset: number;
  readonly at: number;
}

interface Sender {
  readonly clock: Clock;
  /** The number of the next entry, if none is missing. */
  readonly next: number;
}

/** The most elections that are kept, and the limits of each. */
export const MAX_ELECTIONS = 10;
export const MAX_HAPPENINGS = 20_000;

/**
 * The most terms kept of which too few peers have told yet: a liar's terms displace none of the ring's
 * elections.
 */
const MAX_UNPROVEN = 8;

/** The most peers whose clocks and numbers are kept, besides the members. */
const MAX_SENDERS = 4_096;

/** The most by which two clocks drift apart: 0.1 ms a second. */
const DRIFT = 1e-4;

export class Recording {
  #order: readonly PeerId[] | null = null;
  /** The last order that was not empty. */
  #ring: readonly PeerId[] = [];
  readonly #senders = new Map<PeerId, Sender>();
  readonly #standings = new Map<PeerId, Standing>();
  /** Oldest first. */
  #terms: Term[] = [];
  /** The leader's last lap in the traces. */
  #lap: (Term & { readonly lap: number }) | null = null;
  #missed = 0;

  /** The peers in ring order; null until it is told. */
  get order(): readonly PeerId[] | null {
    return this.#order;
  }

  /** As they are now: the returned object does not change later. */
  get standings(): ReadonlyMap<PeerId, Standing> {
    return new Map(this.#standings);
  }

  /** The number of entries that are missing here. */
  get missed(): number {
    return this.#missed;
  }

  /**
   * Takes the peers in ring order. When all of them are others, it is another ring; when there are none,
   * the server may have been restarted, and they come back.
   */
  setOrder(order: readonly PeerId[]): void {
    this.#order = order;
    const members = new Set(order);
    for (const id of this.#standings.keys()) if (!members.has(id)) this.#standings.delete(id);
    if (order.length === 0) return;
    if (this.#ring.length > 0 && !this.#ring.some((id) => members.has(id))) {
      this.#terms = [];
      this.#lap = null;
      this.#missed = 0;
    }
    this.#ring = order;
    if (this.#senders.size > MAX_SENDERS)
      for (const id of this.#senders.keys()) if (!members.has(id)) this.#senders.delete(id);
    const term = this.#terms.at(-1);
    if (term === undefined || isOver(term.happenings)) return;
    term.order = order;
    term.script = null;
  }

  /**
   * Takes the peers' traces. What the server dropped is missing from the peers' numbers, like everything
   * else that was lost. Only the gaps in the numbers are counted; otherwise it would count twice.
   */
  add({ traces }: Traces): void {
    for (const { peer, at, trace } of traces) {
      const clock = this.#noteClock(peer, { offset: at - trace.at, at });
      const next = this.#senders.get(peer)?.next ?? trace.first;
      // A peer that begins its trace again counts from 0.
      this.#missed += Math.max(0, trace.first - next) + trace.lost;
      this.#senders.set(peer, { clock, next: trace.first + trace.entries.length });
      for (const entry of trace.entries) this.#addEntry({ ...entry, peer }, clock);
    }
  }

  /**
   * The recorded elections, in the order of their first entries. The last is not that of the highest term,
   * which a liar could fix for good.
   */
  get elections(): readonly Known[] {
    return this.#proven().map(({ number: term, leader }) => ({ term, leader }));
  }

  /** The record of an election; of the last one where there is none of that term. */
  election(number: number | null = null): Script | null {
    const proven = this.#proven();
    const term = proven.find((each) => each.number === number) ?? proven.at(-1);
    return term === undefined ? null : this.#scriptOf(term);
  }

  /** The record of the last lap. */
  get lap(): Script | null {
    return this.#lap === null ? null : this.#scriptOf(this.#lap);
  }

  /** The same object for as long as nothing is added. */
  #scriptOf(term: Term): Script {
    if (term.script === null) {
      const { number, order, happenings, clocks } = term;
      const offsets = new Map(Array.from(clocks, ([id, { offset }]) => [id, offset]));
      term.script = { term: number, order, happenings, offsets };
    }
    return term.script;
  }

  /**
   * A trace has been on its way for some time, never less than zero. So the peer's clock is off by what
   * remains of the quickest trace (F. Cristian, "Probabilistic clock synchronization", Distributed
   * Computing 3, 1989, does the same with round trips). The older that is, the less precise it is.
   * @param told by this trace
   * @returns what is known now; earlier elections may have other offsets for it
   */
  #noteClock(peer: PeerId, told: Clock): Clock {
    for (const term of [...this.#terms, ...(this.#lap === null ? [] : [this.#lap])]) {
      const known = term.clocks.get(peer);
      if (known === undefined || offsetAt(told, known.at) >= known.offset) continue;
      term.clocks.set(peer, { offset: offsetAt(told, known.at), at: known.at });
      term.script = null;
    }
    const kept = this.#senders.get(peer)?.clock;
    const offset = Math.min(told.offset, kept === undefined ? Infinity : offsetAt(kept, told.at));
    return { offset, at: told.at };
  }

  #addEntry(entry: Happening, clock: Clock): void {
    if (entry.type === 'state') {
      const { role, term: number, leader, link } = entry;
      this.#standings.set(entry.peer, { role, term: number, leader, link });
      // A message of an election that was not watched begins no record of it.
      const term = this.#terms.find((each) => each.number === number);
      if (term !== undefined) this.#append(term, entry, clock);
      return;
    }
    const { type, term: number, lap, origin } = entry.message;
    // The leader's laps are no part of the election.
    const term = lap > 0 ? this.#lapOf(number, lap) : this.#termOf(number);
    if (!this.#append(term, entry, clock)) return;
    term.peers.add(entry.peer);
    if (type === 'elected') term.leader = origin;
  }

  /** Returns whether there was room for it. */
  #append(term: Term, entry: Happening, clock: Clock): boolean {
    if (term.happenings.length >= MAX_HAPPENINGS) {
      this.#missed += 1;
      return false;
    }
    term.happenings.push(entry);
    term.clocks.set(entry.peer, clock);
    term.script = null;
    return true;
  }

  #lapOf(number: number, lap: number): Term {
    if (this.#lap?.number !== number || this.#lap.lap !== lap)
      this.#lap = { ...this.#newTerm(number), lap };
    return this.#lap;
  }

  #termOf(number: number): Term {
    const known = this.#terms.find((term) => term.number === number);
    if (known !== undefined) return known;
    const kept = [...this.#terms, this.#newTerm(number)];
    const elections = new Set(kept.filter(isProven).slice(-MAX_ELECTIONS));
    const unproven = new Set(kept.filter((term) => !isProven(term)).slice(-MAX_UNPROVEN));
    this.#terms = kept.filter((term) => elections.has(term) || unproven.has(term));
    const term = this.#terms.at(-1);
    if (term === undefined) throw new Error('the last one is kept');
    return term;
  }

  #proven(): readonly Term[] {
    return this.#terms.filter(isProven).slice(-MAX_ELECTIONS);
  }

  #newTerm(number: number): Term {
    return {
      ...{ number, order: this.#ring, happenings: [], clocks: new Map(), peers: new Set() },
      ...{ leader: null, script: null },
    };
  }
}

/** The most by which the server's clock was ahead, at another moment. */
function offsetAt({ offset, at }: Clock, moment: number): number {
  return offset + DRIFT * Math.abs(moment - at);
}

/** Whether the announcement has completed its circuit: peers that come or go now have no part in it. */
export function isOver(happenings: readonly Happening[]): boolean {
  return happenings.some((each) => each.type === 'received' && each.outcome === 'completed');
}

/** In a ring, at least two peers must have sent entries of an election. */
function isProven({ order, peers }: Term): boolean {
  return peers.size >= Math.max(1, Math.min(2, order.length));
}

/** The leader that more than half of a ring name, in the same term. */
export function leaderOf(standings: readonly Standing[], size: number): Leader | null {
  const votes = new Map<string, number>();
  for (const { leader, term } of standings) {
    if (leader === null) continue;
    const key = `${term} ${leader}`;
    const count = (votes.get(key) ?? 0) + 1;
    if (count * 2 > size) return { id: leader, term };
    votes.set(key, count);
  }
  return null;
}
