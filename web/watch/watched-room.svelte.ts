/** What a watch page knows of its room, as components read it. */
import type { PeerId, RoomName } from '../../shared/protocol/ids.ts';
import { watchRoom } from './connection.ts';
import { electionOf, type Election } from './election.ts';
import { leaderOf, Recording, type Leader, type Standing } from './recording.ts';

/** Milliseconds for which changes are gathered before they are worked out. */
const CALM = 50;

export class WatchedRoom {
  readonly room: RoomName;
  readonly #recording = new Recording();
  #isAsked = false;
  #order: readonly PeerId[] = $state.raw([]);
  #standings: ReadonlyMap<PeerId, Standing> = $state.raw(this.#recording.standings);
  #election: Election | null = $state.raw(null);
  #lap: Election | null = $state.raw(null);
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

  /** The last lap of the leader that was told of, as if it were an election. */
  get lap(): Election | null {
    return this.#lap;
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

  /** Who leads, as more than half of the ring have it. */
  get leader(): Leader | null {
    return leaderOf([...this.#standings.values()], this.#order.length);
  }

  #later(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    setTimeout(() => {
      this.#isAsked = false;
      const { order, standings, last, lap, missed } = this.#recording;
      this.#order = order;
      this.#standings = standings;
      this.#election = last === null ? null : electionOf(last);
      this.#lap = lap === null ? null : electionOf(lap);
      this.#missed = missed;
    }, CALM);
  }
}
