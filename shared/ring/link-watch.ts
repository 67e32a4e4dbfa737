/**
 * Failure detection on links: heartbeats, silence, and this peer's own sleep. A link is asked for a
 * sign of life when nothing else was heard on it, and now and then for its round trip. It answers from
 * where it takes frames in: the timers of a page in the background are too slow for that.
 */
import type { NeighbourLink } from './neighbour-link.ts';
import type { Clock } from './ports.ts';
import { HEARTBEAT_INTERVAL, HIDDEN_LATE, LATE, OVERSLEPT } from './timing.ts';

/** How often a probe is made again where this peer was late. */
const PROBE_ROUNDS = 3;

export interface WatchOwner {
  readonly clock: Clock;
  /** Every link that is kept. */
  links(): Iterable<NeighbourLink>;
  /** How long a neighbour may say nothing of an election, in milliseconds. */
  muteAfter(): number;
  /** Nothing was heard on the link for longer than its patience; told at each heartbeat. */
  onSilent(link: NeighbourLink): void;
  /** There is life on the link, and nothing of an election for longer than anyone honest takes. */
  onMute(link: NeighbourLink): void;
}

export class LinkWatch {
  readonly #owner: WatchOwner;
  #cancel: (() => void) | null = null;
  /** What cancels the probes under way. */
  readonly #probes = new Set<() => void>();

  constructor(owner: WatchOwner) {
    this.#owner = owner;
  }

  start(): void {
    this.stop();
    this.#awaitNext();
  }

  /** Probes under way go on. */
  #awaitNext(): void {
    const slept = this.#owner.clock.now();
    this.#cancel = this.#owner.clock.after(HEARTBEAT_INTERVAL, () => {
      const hasOverslept = this.#owner.clock.now() - slept > OVERSLEPT;
      this.#awaitNext();
      // A copy: what is done about silence changes the links.
      for (const link of [...this.#owner.links()]) this.#look(link, hasOverslept);
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    for (const cancel of this.#probes) cancel();
    this.#probes.clear();
  }

  /**
   * Asks on some links at once.
   * @param onSilent called with the milliseconds waited if there is no answer on one of them
   */
  probe(
    links: readonly NeighbourLink[],
    onSilent: (waited: number) => void,
    rounds = PROBE_ROUNDS,
  ): void {
    const { clock } = this.#owner;
    const asked = clock.now();
    const wait = Math.max(...links.map(({ probePatience }) => probePatience));
    for (const link of links) link.beat();
    const judge = () => {
      const waited = clock.now() - asked;
      if (links.some((link) => link.isClosed || link.silence >= waited)) onSilent(waited);
    };
    this.#later(wait, (late) => {
      // Answers may be there already, and only this peer was too busy to take them in.
      const again = () => {
        this.probe(links, onSilent, rounds - 1);
      };
      if (late <= LATE || rounds === 1) judge();
      else if (late > HIDDEN_LATE) again();
      // They are taken in before what is set now: by a page that is not stalled, and in time.
      else
        this.#later(0, (later) => {
          if (later <= HIDDEN_LATE) judge();
          else again();
        });
    });
  }

  /** Calls back after so many milliseconds with those it was late by, unless all is stopped before. */
  #later(wait: number, call: (late: number) => void): void {
    const { clock } = this.#owner;
    const due = clock.now() + wait;
    const cancel = clock.after(wait, () => {
      this.#probes.delete(cancel);
      call(clock.now() - due);
    });
    this.#probes.add(cancel);
  }

  #look(link: NeighbourLink, hasOverslept: boolean): void {
    if (link.isClosed) return;
    // Whoever was asleep asks first, and accuses nobody.
    if (hasOverslept) link.forgive();
    else if (link.silence >= link.patience) this.#owner.onSilent(link);
    else if (link.muteness >= this.#owner.muteAfter()) this.#owner.onMute(link);
    if (hasOverslept || link.silence >= HEARTBEAT_INTERVAL || link.isRoundTripOld) link.beat();
  }
}
