/** The offers that a newcomer makes for both edges before it knows its neighbours (SPEC.md, L2). */
import type { Edge, JoinRequest, Neighbour, Offer } from '../protocol/signaling.ts';
import type { NeighbourLink } from './neighbour-link.ts';

export class Offers {
  readonly #make: (edge: Edge) => NeighbourLink | null;
  readonly #links = new Map<Edge, NeighbourLink>();

  /** @param make makes this end of a link to nobody yet; null where that is impossible */
  constructor(make: (edge: Edge) => NeighbourLink | null) {
    this.#make = make;
  }

  /** Makes those that are missing. Returns whether there are both. */
  prepare(): boolean {
    for (const edge of ['successor', 'predecessor'] as const) {
      if (this.#links.get(edge)?.isClosed === false) continue;
      const link = this.#make(edge);
      if (link === null) return false;
      this.#links.set(edge, link);
    }
    return true;
  }

  /** Calls back once both have something to send, unless others have taken their place by then. */
  whenReady(call: () => void): void {
    const successor = this.#links.get('successor');
    const predecessor = this.#links.get('predecessor');
    if (successor === undefined || predecessor === undefined) return;
    successor.whenOffered(() => {
      predecessor.whenOffered(() => {
        const isCurrent =
          this.#links.get('successor') === successor &&
          this.#links.get('predecessor') === predecessor;
        if (isCurrent) call();
      });
    });
  }

  /** What they have gathered to go with the join; null where there are none. */
  take(): JoinRequest['offers'] | null {
    const successor = this.#links.get('successor');
    const predecessor = this.#links.get('predecessor');
    if (successor === undefined || predecessor === undefined) return null;
    return { successor: bring(successor), predecessor: bring(predecessor) };
  }

  /** Gives an offer its addressee where the view has chosen it; null where it has not. */
  use(edge: Edge, { id, link }: Neighbour): NeighbourLink | null {
    const offer = this.#links.get(edge);
    if (offer === undefined) return null;
    if (offer.id !== link || offer.isClosed) return null;
    this.#links.delete(edge);
    offer.bind(id);
    return offer;
  }

  discard(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}

/** What an unbound offer has gathered to go with the join. */
function bring(link: NeighbourLink): Offer {
  return { link: link.id, signals: link.takeSignals() };
}
