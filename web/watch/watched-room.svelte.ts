/** What a watch page knows of its room, as components read it. */
import type { PeerId, RoomName } from '../../shared/protocol/ids.ts';
import { watchRoom } from './connection.ts';
import { electionOf, type Election } from './election.ts';
import { Recording, type Standing } from './recording.ts';

/** Milliseconds for which changes are gathered before they are worked out. */
const CALM = 50;

export class WatchedRoom {
  readonly room: RoomName;
  readonly #recording = new Recording();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #order: readonly PeerId[] = $state.raw([]);
  #standings: ReadonlyMap<PeerId, Standing> = $state.raw(new Map());
  #election: Election | null = $state.raw(null);
  #missed = $state(0);
  #problem: string | null = $state(null);
  #isConnected = $state(false);

  constructor(room: RoomName) {
    this.room = room;
    watchRoom(room, {
      onOrder: (order) => {
        this.#recording.setOrder(order);
        this.#later();
      },
      onReports: (reports) => {
        this.#recording.add(reports);
        this.#later();
      },
      onProblem: (problem) => {
        this.#problem = problem;
        this.#isConnected = problem === null;
      },
    });
  }

  get order(): readonly PeerId[] {
    return this.#order;
  }

  get standings(): ReadonlyMap<PeerId, Standing> {
    return this.#standings;
  }

  /** The last that was seen from its beginning, or is going on. */
  get election(): Election | null {
    return this.#election;
  }

  get missed(): number {
    return this.#missed;
  }

  get problem(): string | null {
    return this.#problem;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Who leads, as most of those who say so have it in the highest term that more than one tells of. */
  get leader(): { readonly id: PeerId; readonly term: number } | null {
    const votes = new Map<string, { id: PeerId; term: number; count: number }>();
    for (const { leader, term } of this.#standings.values()) {
      if (leader === null) continue;
      const key = `${term} ${leader}`;
      const count = (votes.get(key)?.count ?? 0) + 1;
      votes.set(key, { id: leader, term, count });
    }
    const [most] = [...votes.values()].sort((a, b) => b.count - a.count || b.term - a.term);
    // While an election goes on, the few who still hold to the last leader do not count.
    return most !== undefined && most.count * 2 > this.#order.length ? most : null;
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const { order, standings, last, missed } = this.#recording;
      this.#order = order;
      this.#standings = new Map(standings);
      this.#election = last === null ? null : electionOf(last);
      this.#missed = missed;
    }, CALM);
  }
}
