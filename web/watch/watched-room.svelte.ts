/** What a projector page knows of its room, as components read it. */
import { flushSync } from 'svelte';
import type { PeerId, RoomName } from '../../shared/protocol/ids.ts';
import type { Policy } from '../../shared/protocol/messages.ts';
import { claimsIn } from '../fragment.ts';
import { watchRoom, type Access, type WatchHandlers } from './connection.ts';
import { electionOf, type Election } from './election.ts';
import { Hosting } from './hosting.svelte.ts';
import {
  leaderOf,
  Recording,
  type Known,
  type Leader,
  type Script,
  type Standing,
} from './recording.ts';

/** The least milliseconds for which changes are gathered before they are evaluated. */
const CALM = 50;

/**
 * The pause, as a multiple of the time that evaluating and drawing the last changes took: a fifth of all
 * time at most.
 */
const REST = 4;

const NO_ACCESS = { key: null, token: null, host: null };

export class WatchedRoom {
  readonly room: RoomName;
  readonly hosting: Hosting;
  readonly #recording = new Recording();
  /** Evaluations of records: only what is new is evaluated. */
  readonly #made = new WeakMap<Script, Election>();
  #isAsked = false;
  #took = 0;
  #order: readonly PeerId[] | null = $state.raw(null);
  #standings: ReadonlyMap<PeerId, Standing> = $state.raw(this.#recording.standings);
  #elections: readonly Known[] = $state.raw([]);
  #chosen: number | null = $state(null);
  #election: Election | null = $state.raw(null);
  #lap: Election | null = $state.raw(null);
  #missed = $state(0);
  #policy: Policy | null = $state(null);
  #problem: string | null = $state(null);
  #isReloadOffered = $state(false);
  #isConnected = $state(false);

  /** @param connect receives what is known of the room */
  constructor(
    room: RoomName,
    connect: typeof watchRoom = watchRoom,
    access: Omit<Access, 'host'> & { readonly host: string | null } = NO_ACCESS,
  ) {
    this.room = room;
    const { key, token } = access;
    const { isHost } = claimsIn(token);
    const hosting = new Hosting(room, access.host, isHost, (as, order, onReply) => {
      watch.govern(as, order, onReply);
    });
    this.hosting = hosting;
    const handlers: WatchHandlers = {
      onWatching: () => {
        hosting.connected();
      },
      onOrder: ({ peers, policy }) => {
        this.#recording.setOrder(peers);
        this.#policy = policy;
        this.#later();
      },
      onTraces: (traces) => {
        this.#recording.add(traces);
        this.#later();
      },
      onProblem: (problem, helps) => {
        this.#problem = problem;
        this.#isReloadOffered = helps === 'reload';
        this.#isConnected = problem === null;
      },
    };
    const watch = connect(room, handlers, { key, token, host: () => hosting.key });
  }

  /** The peers in ring order; null until the server has told. */
  get order(): readonly PeerId[] | null {
    return this.#order;
  }

  get standings(): ReadonlyMap<PeerId, Standing> {
    return this.#standings;
  }

  /** The last few elections, oldest first. */
  get elections(): readonly Known[] {
    return this.#elections;
  }

  /** The term of the election shown; null where that is the last. */
  get chosen(): number | null {
    return this.#chosen;
  }

  /** The election shown: from its beginning, or in progress. */
  get election(): Election | null {
    return this.#election;
  }

  /** The leader's last lap, in the form of an election. */
  get lap(): Election | null {
    return this.#lap;
  }

  get missed(): number {
    return this.#missed;
  }

  /** The room's policy; null where the room is empty. */
  get policy(): Policy | null {
    return this.#policy;
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** Whether reloading the page helps. */
  get isReloadOffered(): boolean {
    return this.#isReloadOffered;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** The leader that more than half of the ring name. */
  get leader(): Leader | null {
    return leaderOf([...this.#standings.values()], this.#order?.length ?? 0);
  }

  /** Shows the election of a term for as long as it is known; the last one where that is null. */
  choose(term: number | null): void {
    this.#chosen = term;
    this.#update();
  }

  #later(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    setTimeout(
      () => {
        this.#isAsked = false;
        const begin = performance.now();
        flushSync(() => {
          this.#update();
        });
        this.#took = performance.now() - begin;
      },
      Math.max(CALM, this.#took * REST),
    );
  }

  #update(): void {
    const recording = this.#recording;
    this.#order = recording.order;
    this.#standings = recording.standings;
    this.#elections = recording.elections;
    if (!this.#elections.some(({ term }) => term === this.#chosen)) this.#chosen = null;
    this.#election = this.#electionOf(recording.election(this.#chosen));
    this.#lap = this.#electionOf(recording.lap);
    this.#missed = recording.missed;
  }

  #electionOf(script: Script | null): Election | null {
    if (script === null) return null;
    const made = this.#made.get(script) ?? electionOf(script);
    this.#made.set(script, made);
    return made;
  }
}
