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
  /** Those who sent or got a message of it. */
  readonly peers: Set<PeerId>;
  leader: PeerId | null;
  /** What was made of it last, while that is all. */
  script: Script | null;
}

interface Clocked {
  offset: number;
  /** The number of the entry that comes next, if none is missing. */
  next: number;
}

/** Elections that are kept, and what is kept of each. */
export const MAX_ELECTIONS = 10;
export const MAX_HAPPENINGS = 20_000;

/** Terms of which too few have told yet: a liar's cost the ring none of its elections. */
const MAX_UNPROVEN = 8;

/** Clocks that are kept, those of members aside. */
const MAX_CLOCKS = 4_096;

export class Recording {
  #order: readonly PeerId[] = [];
  readonly #clocks = new Map<PeerId, Clocked>();
  readonly #standings = new Map<PeerId, Standing>();
  /** Oldest first. */
  #terms: Term[] = [];
  /** The last of the leader's laps that was told of. */
  #lap: (Term & { readonly lap: number }) | null = null;
  #missed = 0;

  get order(): readonly PeerId[] {
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

  /** Takes the peers in ring order. When all of them are others, it is another ring. */
  setOrder(order: readonly PeerId[]): void {
    const before = new Set(this.#order);
    if (!order.some((id) => before.has(id))) {
      this.#terms = [];
      this.#lap = null;
      this.#missed = 0;
    }
    this.#order = order;
    const members = new Set(order);
    for (const id of this.#standings.keys()) if (!members.has(id)) this.#standings.delete(id);
    // The clocks of those who are gone serve the elections they were in.
    if (this.#clocks.size > MAX_CLOCKS)
      for (const id of this.#clocks.keys()) if (!members.has(id)) this.#clocks.delete(id);
    const term = this.#terms.at(-1);
    if (term === undefined || isOver(term.happenings)) return;
    term.order = order;
    term.script = null;
  }

  /** Takes what peers have reported. */
  add({ reports, missed }: Reports): void {
    this.#missed += missed;
    for (const { peer, at, trace } of reports) {
      this.#noteClock(peer, at - trace.at, trace.first, trace.entries.length);
      this.#missed += trace.lost;
      for (const entry of trace.entries) this.#addEntry({ ...entry, peer });
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
      const { number, order, happenings } = term;
      const offsets = new Map(Array.from(this.#clocks, ([id, { offset }]) => [id, offset]));
      term.script = { term: number, order, happenings, offsets };
    }
    return term.script;
  }

  /**
   * A report has been on its way for some time, never less than none: so the peer's clock is off by
   * what remains of the quickest (F. Cristian, "Probabilistic clock synchronization", Distributed
   * Computing 3, 1989, has the same of round trips).
   * @param offset by which the server's clock was ahead, as this report has it
   */
  #noteClock(peer: PeerId, offset: number, first: number, length: number): void {
    const clock = this.#clocks.get(peer);
    const least = Math.min(offset, clock?.offset ?? Infinity);
    if (least !== clock?.offset) this.#forgetScripts();
    // One that begins to report anew counts from 0.
    if (clock !== undefined && first > clock.next) this.#missed += first - clock.next;
    this.#clocks.set(peer, {
      offset: least,
      next: first + length,
    });
  }

  /** A clock that is known better gives other times. */
  #forgetScripts(): void {
    for (const term of this.#terms) term.script = null;
    if (this.#lap !== null) this.#lap.script = null;
  }

  #addEntry(entry: Happening): void {
    if (entry.type === 'state') {
      const { role, term: number, leader, link } = entry;
      this.#standings.set(entry.peer, { role, term: number, leader, link });
      // That of an election which was not watched begins no record of it.
      const term = this.#terms.find((each) => each.number === number);
      if (term !== undefined) this.#append(term, entry);
      return;
    }
    const { type, term: number, lap, origin } = entry.message;
    // The leader's laps are no part of the election.
    const term = lap > 0 ? this.#lapOf(number, lap) : this.#termOf(number);
    if (!this.#append(term, entry)) return;
    term.peers.add(entry.peer);
    if (type === 'elected') term.leader = origin;
  }

  /** Whether there was room for it. */
  #append(term: Term, entry: Happening): boolean {
    if (term.happenings.length >= MAX_HAPPENINGS) {
      this.#missed += 1;
      return false;
    }
    term.happenings.push(entry);
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
    const order = this.#order;
    return { number, order, happenings: [], peers: new Set(), leader: null, script: null };
  }
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
