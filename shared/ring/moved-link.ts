/**
 * A predecessor that moves from a relayed link to a direct one says goodbye on the first and goes on
 * on the second, where what it sends may arrive earlier. It waits here for the goodbye, so that the
 * messages of the election stay in order (SPEC.md, L6).
 */
import type { NeighbourLink } from './neighbour-link.ts';
import type { Clock } from './ports.ts';
import { FAREWELL } from './timing.ts';

export interface MovedLinkOwner {
  readonly clock: Clock;
  /** The link on which the peer at the other end of this one may have spoken before, until its goodbye. */
  linkBefore(link: NeighbourLink): NeighbourLink | null;
  /** No goodbye has come on the link, though its other end has long closed it. */
  onOverdue(link: NeighbourLink): void;
}

/** A message that has come on a link, and what takes it in. */
interface Arrival {
  readonly link: NeighbourLink;
  readonly take: () => void;
}

/** Messages that wait at most; a neighbour that sends more within a goodbye's time is not waited for. */
const MAX_WAITING = 64;

export class MovedLink {
  readonly #owner: MovedLinkOwner;
  #waiting: readonly Arrival[] = [];
  #cancelTimer: (() => void) | null = null;

  constructor(owner: MovedLinkOwner) {
    this.#owner = owner;
  }

  /**
   * A message has come: one of the election, or the goodbye on its link.
   * @param take takes it in; called at once, or when the goodbye that it waits for has come
   */
  receive(link: NeighbourLink, take: () => void): void {
    if (this.#owner.linkBefore(link) === null) {
      take();
      return;
    }
    this.#waiting = [...this.#waiting, { link, take }];
    this.#cancelTimer ??= this.#owner.clock.after(FAREWELL, () => {
      this.#giveUp();
    });
    if (this.#waiting.length > MAX_WAITING) this.#giveUp();
  }

  /** To be called when a link of a predecessor has closed. What waits on one that has broken is lost. */
  closed(): void {
    const waiting = this.#waiting.filter(({ link }) => !link.isClosed);
    const due = waiting.filter(({ link }) => this.#owner.linkBefore(link) === null);
    this.#waiting = waiting.filter((arrival) => !due.includes(arrival));
    if (this.#waiting.length === 0) this.#cancel();
    for (const { link, take } of due) if (!link.isClosed) take();
  }

  /** What waits is dropped. */
  stop(): void {
    this.#cancel();
    this.#waiting = [];
  }

  #giveUp(): void {
    this.#cancel();
    for (const { link } of this.#waiting) {
      const before = this.#owner.linkBefore(link);
      if (before !== null && !link.isClosed) this.#owner.onOverdue(before);
    }
    this.closed();
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
