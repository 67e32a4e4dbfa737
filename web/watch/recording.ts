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
export type Standing = Pick<Extract<TraceEntry, { type: 'state' }>, 'role' | 'term' | 'leader'>;

/** All that was reported of one term, each peer's in order. */
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
}

interface Clocked {
  offset: number;
  /** The number of the entry that comes next, if none is missing. */
  next: number;
}

/** Terms that are kept, and what is kept of each. */
const MAX_TERMS = 8;
export const MAX_HAPPENINGS = 20_000;

/** Clocks that are kept, those of members aside. */
const MAX_CLOCKS = 4_096;

export class Recording {
  #order: readonly PeerId[] = [];
  readonly #clocks = new Map<PeerId, Clocked>();
  readonly #standings = new Map<PeerId, Standing>();
  /** Oldest first. */
  #terms: Term[] = [];
  #missed = 0;

  get order(): readonly PeerId[] {
    return this.#order;
  }

  get standings(): ReadonlyMap<PeerId, Standing> {
    return this.#standings;
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
      this.#missed = 0;
    }
    this.#order = order;
    const members = new Set(order);
    for (const id of this.#standings.keys()) if (!members.has(id)) this.#standings.delete(id);
    // The clocks of those who are gone serve the elections they were in.
    if (this.#clocks.size > MAX_CLOCKS)
      for (const id of this.#clocks.keys()) if (!members.has(id)) this.#clocks.delete(id);
    const term = this.#terms.at(-1);
    if (term !== undefined && !isOver(term)) term.order = order;
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
   * What there is of the last election: of the term that began to be reported last, not the highest,
   * which a liar could set for good. Of a ring, two peers at least must have told of it.
   */
  get last(): Script | null {
    const enough = Math.min(2, this.#order.length);
    const term = this.#terms.findLast(({ peers }) => peers.size >= enough && peers.size > 0);
    if (term === undefined) return null;
    const { number, order, happenings } = term;
    const offsets = new Map(Array.from(this.#clocks, ([id, { offset }]) => [id, offset]));
    return { term: number, order, happenings, offsets };
  }

  /**
   * A report has been on its way for some time, never less than none: so the peer's clock is off by
   * what remains of the quickest (F. Cristian, "Probabilistic clock synchronization", Distributed
   * Computing 3, 1989, has the same of round trips).
   * @param offset by which the server's clock was ahead, as this report has it
   */
  #noteClock(peer: PeerId, offset: number, first: number, length: number): void {
    const clock = this.#clocks.get(peer);
    // One that begins to report anew counts from 0.
    if (clock !== undefined && first > clock.next) this.#missed += first - clock.next;
    this.#clocks.set(peer, {
      offset: Math.min(offset, clock?.offset ?? Infinity),
      next: first + length,
    });
  }

  #addEntry(entry: Happening): void {
    if (entry.type === 'state') {
      const { role, term, leader } = entry;
      this.#standings.set(entry.peer, { role, term, leader });
      // That of an election which was not watched begins no record of it.
      this.#terms.find(({ number }) => number === term)?.happenings.push(entry);
      return;
    }
    // The leader's laps are no part of the election.
    if (entry.message.lap > 0) return;
    const term = this.#termOf(entry.message.term);
    if (term.happenings.length >= MAX_HAPPENINGS) {
      this.#missed += 1;
      return;
    }
    term.happenings.push(entry);
    term.peers.add(entry.peer);
  }

  #termOf(number: number): Term {
    const known = this.#terms.find((term) => term.number === number);
    if (known !== undefined) return known;
    const term = { number, order: this.#order, happenings: [], peers: new Set<PeerId>() };
    this.#terms = [...this.#terms.slice(1 - MAX_TERMS), term];
    return term;
  }
}

/** Whether the announcement has come home: who comes or goes now has no part in it. */
function isOver({ happenings }: Term): boolean {
  return happenings.some((each) => each.type === 'received' && each.outcome === 'completed');
}
