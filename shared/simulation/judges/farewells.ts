/** A message of a peer that has left or died is not sent by a peer that knows it to be gone. */
import type { PeerId } from '../../protocol/ids.ts';
import { originOf } from '../../protocol/messages.ts';
import type { RingEvent } from '../../member/events.ts';
import type { Judge, Sight } from './judge.ts';

export class Farewells implements Judge {
  readonly problems: string[] = [];
  readonly #isThere: (id: PeerId) => boolean;
  /** The peers that each peer knows to be gone. */
  readonly #known = new Map<string, Set<PeerId>>();

  /** @param isThere whether a peer is there: a peer presumed departed by mistake may return */
  constructor(isThere: (id: PeerId) => boolean) {
    this.#isThere = isThere;
  }

  see({ at, name, event }: Sight): void {
    const known = this.#known.get(name) ?? new Set();
    this.#known.set(name, known);
    for (const id of departuresIn(event)) known.add(id);
    // The server may not know yet that it has left.
    if (event.type === 'returned') known.delete(event.peer);
    if (event.type !== 'sent') return;
    const origin = originOf(event.message);
    if (known.has(origin) && !this.#isThere(origin))
      this.problems.push(
        `at ${at.toFixed(0)} ms ${name} sent ${event.message.type} of ${origin}, which it knew to be gone`,
      );
  }
}

/** The peers that are known to be gone according to an event. */
function departuresIn(event: RingEvent): readonly PeerId[] {
  switch (event.type) {
    case 'neighbours':
      return event.removed;
    case 'link':
      return event.reason === 'the peer has left' ? [event.peer] : [];
    case 'received':
      return event.judgement.reason === 'its origin is gone' ? [originOf(event.message)] : [];
    default:
      return [];
  }
}
