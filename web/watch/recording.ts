/**
 * What a watcher has been told of a room, kept within bounds: the peers, what they are, and what has
 * happened in the last elections. Pure: it takes in reports and is asked; see election.ts for what
 * is made of it.
 */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Reports, TraceEntry } from '../../shared/protocol/watch.ts';

/** Something that happened, and to whom. `at` is by the clock of the peer. */
export type Happening = TraceEntry & { readonly peer: PeerId };

/** What a peer is since its last report. */
export type Standing = Pick<
  Extract<TraceEntry, { type: 'state' }>,
  'role' | 'term' | 'leader' | 'link'
>;

export interface Leader {
  readonly id: PeerId;
  readonly term: number;
}

/** An election that can be looked at. */
export interface Known {
  readonly term: number;
  /** Who was announced, if anybody was. */
  readonly leader: PeerId | null;
}

/** All that was reported of one term, each peer's in order. Another one as soon as there is more. */
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
  /** What is known of the clocks of those it tells of, as they were then. */
  readonly clocks: Map<PeerId, Clock>;
  /** Those who sent or got a message of it. */
  readonly peers: Set<PeerId>;
  leader: PeerId | null;
  /** What was made of it last, while that is all. */
  script: Script | null;
}

/** By how much the server's clock was ahead of a peer's at most, and when by the server's. */
interface Clock {
  readonly offset: number;
  readonly at: number;
}

interface Reporting {
  readonly clock: Clock;
  /** The number of the entry that comes next, if none is missing. */
  readonly next: number;
}

/** Elections that are kept, and what is kept of each. */
export const MAX_ELECTIONS = 10;
export const MAX_HAPPENINGS = 20_000;

/** Terms of which too few have told yet: a liar's cost the ring none of its elections. */
const MAX_UNPROVEN = 8;

/** Peers whose clocks and numbers are kept, members aside. */
const MAX_REPORTING = 4_096;

/** By how much two clocks part at most: 0.1 ms a second. */
const DRIFT = 1e-4;

export class Recording {
  #order: readonly PeerId[] | null = null;
  /** The last order in which there was anybody. */
  #ring: readonly PeerId[] = [];
  readonly #reporting = new Map<PeerId, Reporting>();
  readonly #standings = new Map<PeerId, Standing>();
  /** Oldest first. */
  #terms: Term[] = [];
  /** The last of the leader's laps that was told of. */
  #lap: (Term & { readonly lap: number }) | null = null;
  #missed = 0;

  /** The peers in ring order; null until it is told. */
  get order(): readonly PeerId[] | null {
    return this.#order;
  }

  /** As they are now: not changed later. */
  get standings(): ReadonlyMap<PeerId, Standing> {
    return new Map(this.#standings);
  }

  /** Entries that there were and that are not here. */
  get missed(): number {
    return this.#missed;
  }

  /**
   * Takes the peers in ring order. When all of them are others, it is another ring; when there are none,
   * the server may have been started anew, and they come back.
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
    if (this.#reporting.size > MAX_REPORTING)
      for (const id of this.#reporting.keys()) if (!members.has(id)) this.#reporting.delete(id);
    const term = this.#terms.at(-1);
    if (term === undefined || isOver(term.happenings)) return;
    term.order = order;
    term.script = null;
  }

  /**
   * Takes what peers have reported. What the server had no room for is missing from the peer's numbers,
   * as is all else that got lost: those are counted, or it would count twice.
   */
  add({ reports }: Reports): void {
    for (const { peer, at, trace } of reports) {
      const clock = this.#noteClock(peer, { offset: at - trace.at, at });
      const next = this.#reporting.get(peer)?.next ?? trace.first;
      // One that begins to report anew counts from 0.
      this.#missed += Math.max(0, trace.first - next) + trace.lost;
      this.#reporting.set(peer, { clock, next: trace.first + trace.entries.length });
      for (const entry of trace.entries) this.#addEntry({ ...entry, peer }, clock);
    }
  }

  /**
   * The elections that there is something of, in the order in which they began to be reported: the last
   * is not that of the highest term, which a liar could set for good.
   */
  get elections(): readonly Known[] {
    return this.#proven().map(({ number: term, leader }) => ({ term, leader }));
  }

  /** What there is of an election; of the last one where there is none of that term. */
  election(number: number | null = null): Script | null {
    const proven = this.#proven();
    const term = proven.find((each) => each.number === number) ?? proven.at(-1);
    return term === undefined ? null : this.#scriptOf(term);
  }

  /** What there is of the last lap that was told of. */
  get lap(): Script | null {
    return this.#lap === null ? null : this.#scriptOf(this.#lap);
  }

  /** The same for as long as nothing is added. */
  #scriptOf(term: Term): Script {
    if (term.script === null) {
      const { number, order, happenings, clocks } = term;
      const offsets = new Map(Array.from(clocks, ([id, { offset }]) => [id, offset]));
      term.script = { term: number, order, happenings, offsets };
    }
    return term.script;
  }

  /**
   * A report has been on its way for some time, never less than none: so the peer's clock is off by
   * what remains of the quickest (F. Cristian, "Probabilistic clock synchronization", Distributed
   * Computing 3, 1989, has the same of round trips). The older that is, the less it says.
   * @param told as this report has it
   * @returns what is known now; elections before may have other times for it, too
   */
  #noteClock(peer: PeerId, told: Clock): Clock {
    for (const term of [...this.#terms, ...(this.#lap === null ? [] : [this.#lap])]) {
      const known = term.clocks.get(peer);
      if (known === undefined || offsetAt(told, known.at) >= known.offset) continue;
      term.clocks.set(peer, { offset: offsetAt(told, known.at), at: known.at });
      term.script = null;
    }
    const kept = this.#reporting.get(peer)?.clock;
    const offset = Math.min(told.offset, kept === undefined ? Infinity : offsetAt(kept, told.at));
    return { offset, at: told.at };
  }

  #addEntry(entry: Happening, clock: Clock): void {
    if (entry.type === 'state') {
      const { role, term: number, leader, link } = entry;
      this.#standings.set(entry.peer, { role, term: number, leader, link });
      // That of an election which was not watched begins no record of it.
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

  /** Whether there was room for it. */
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

/** By how much the server's clock was ahead at most, at another moment. */
function offsetAt({ offset, at }: Clock, moment: number): number {
  return offset + DRIFT * Math.abs(moment - at);
}

/** Whether the announcement has come home: who comes or goes now has no part in it. */
export function isOver(happenings: readonly Happening[]): boolean {
  return happenings.some((each) => each.type === 'received' && each.outcome === 'completed');
}

/** Of a ring, two peers at least must have told of an election. */
function isProven({ order, peers }: Term): boolean {
  return peers.size >= Math.max(1, Math.min(2, order.length));
}

/** Whom more than half of a ring hold for their leader, of the same term. */
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
