/** The messages of elections as tokens that move visibly, one after another on each edge. */
import { isLap, originOf, type ElectionMessage } from '../shared/protocol/messages.ts';
import type { Edge } from '../shared/protocol/signaling.ts';
import type { RingEvent } from '../shared/member/events.ts';
import type { PeerId } from '../shared/protocol/ids.ts';

/** A message on its way along one of this tab's edges, for the picture. */
export interface Token {
  readonly key: number;
  readonly edge: Edge;
  readonly kind: ElectionMessage['type'];
  /** The peer that claims, or is announced. */
  readonly origin: PeerId;
}

/**
 * How long a token is shown, in milliseconds: far longer than the message takes, so that it is seen, and
 * longer than the page ever waits before it draws.
 */
export const SHOWN = 500;

/** The most tokens of one edge that wait to be shown. */
const MAX_WAITING = 6;

export class Tokens {
  readonly #onChange: () => void;
  #shown: readonly Token[] = [];
  #keys = 0;
  /** The messages of each edge: the one that is shown, then those that wait. */
  readonly #waiting: Record<Edge, ElectionMessage[]> = { successor: [], predecessor: [] };

  /** @param onChange called when other tokens become visible */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get shown(): readonly Token[] {
    return this.#shown;
  }

  /** Records a message that was sent to another peer or received from one. */
  add(event: RingEvent, self: PeerId): void {
    if (event.type === 'sent' && event.to !== self) this.#show('successor', event.message);
    if (event.type === 'received' && event.from !== self) this.#show('predecessor', event.message);
  }

  /** Shows a token on an edge, after those before it. There are too many laps to show them. */
  #show(edge: Edge, message: ElectionMessage): void {
    if (isLap(message)) return;
    const waiting = this.#waiting[edge];
    waiting.push(message);
    if (waiting.length === 1) this.#showNext(edge);
    // Far behind during many messages, the last few are enough.
    else if (waiting.length > MAX_WAITING) waiting.splice(1, 1);
  }

  #showNext(edge: Edge): void {
    const waiting = this.#waiting[edge];
    const others = this.#shown.filter((token) => token.edge !== edge);
    const [message] = waiting;
    this.#keys += 1;
    this.#shown =
      message === undefined
        ? others
        : [...others, { key: this.#keys, edge, kind: message.type, origin: originOf(message) }];
    this.#onChange();
    if (message === undefined) return;
    setTimeout(() => {
      waiting.shift();
      this.#showNext(edge);
    }, SHOWN);
  }
}
