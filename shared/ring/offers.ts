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

  /** Makes those that are missing. Returns whether there are all. */
  prepare(): boolean {
    return this.#prepareFor('successor') && this.#prepareFor('predecessor');
  }

  #prepareFor(edge: Edge): boolean {
    if (this.#links.get(edge)?.isClosed === false) return true;
    const link = this.#make(edge);
    if (link === null) return false;
    this.#links.set(edge, link);
    return true;
  }

  /** Calls back once all have something to send, unless others have taken their place by then. */
  whenReady(call: () => void): void {
    const links = [...this.#links];
    let awaited = links.length;
    const isCurrent = () => links.every(([edge, link]) => this.#links.get(edge) === link);
    for (const [, link] of links)
      link.whenOffered(() => {
        awaited -= 1;
        if (awaited === 0 && isCurrent()) call();
      });
  }

  /** What they have gathered to go with the join; null where one has come to nothing. */
  take(): JoinRequest['offers'] | null {
    const successor = this.#bring('successor');
    const predecessor = this.#bring('predecessor');
    if (successor === undefined || predecessor === undefined) return null;
    return { successor, predecessor };
  }

  /** What an unbound offer has gathered to go with the join, if it has. */
  #bring(edge: Edge): Offer | undefined {
    const link = this.#links.get(edge);
    const signals = link?.takeSignals() ?? [];
    return link === undefined || signals.length === 0 ? undefined : { link: link.id, signals };
  }

  /** Gives an offer its addressee where the view has chosen it; null where it has not. */
  use(edge: Edge, { id, link }: Neighbour): NeighbourLink | null {
    const offer = this.#links.get(edge);
    if (offer === undefined || offer.isClosed || offer.id !== link) return null;
    this.#links.delete(edge);
    offer.bind(id);
    return offer;
  }

  discard(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}
