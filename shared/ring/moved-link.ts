/**
 * A predecessor that moves from a relayed link to a direct one says goodbye on the first and goes on
 * on the second, where what it sends may arrive earlier. It waits here for the goodbye, so that the
 * messages of the election stay in order (SPEC.md, L6).
 */
import type { Extension } from '../protocol/frame.ts';
import type { ElectionMessage } from '../protocol/messages.ts';
import type { NeighbourLink } from './neighbour-link.ts';
import type { Clock } from './ports.ts';
import { FAREWELL } from './timing.ts';

export interface Arrival {
  readonly link: NeighbourLink;
  readonly message: ElectionMessage;
  readonly extensions: readonly Extension[];
}

export interface MovedLinkOwner {
  readonly clock: Clock;
  /** The link on which the peer at the other end of this one spoke before, until its goodbye. */
  linkBefore(link: NeighbourLink): NeighbourLink | null;
  /** Takes in a message whose turn it is. */
  deliver(arrival: Arrival): void;
  /** No goodbye has come on the link, though its other end has long closed it. */
  onOverdue(link: NeighbourLink): void;
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

  /** Takes in a message at once, or when the goodbye that it waits for has come. */
  receive(arrival: Arrival): void {
    if (this.#owner.linkBefore(arrival.link) === null) {
      this.#owner.deliver(arrival);
      return;
    }
    this.#waiting = [...this.#waiting, arrival];
    this.#cancelTimer ??= this.#owner.clock.after(FAREWELL, () => {
      this.#giveUp();
    });
    if (this.#waiting.length > MAX_WAITING) this.#giveUp();
  }

  /** To be called when a link of a predecessor has closed. */
  closed(): void {
    const isDue = (arrival: Arrival) => this.#owner.linkBefore(arrival.link) === null;
    const due = this.#waiting.filter(isDue);
    this.#waiting = this.#waiting.filter((arrival) => !due.includes(arrival));
    if (this.#waiting.length === 0) this.#cancel();
    for (const arrival of due) if (!arrival.link.isClosed) this.#owner.deliver(arrival);
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
      if (before !== null) this.#owner.onOverdue(before);
    }
    this.closed();
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
