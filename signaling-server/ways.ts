/** By which way the links of all members go, as they say. */
import { LINK_WAYS, type LinkWay } from '../shared/protocol/signaling.ts';

export class Ways {
  /** What each client said last. */
  readonly #said = new Map<object, LinkWay>();
  readonly #counts: Record<LinkWay, number> = { none: 0, direct: 0, turn: 0, relayed: 0 };

  /** Links there are, by their ways. */
  get counts(): Readonly<Record<string, number>> {
    const ways = LINK_WAYS.filter((way) => way !== 'none');
    return Object.fromEntries(ways.map((way) => [way, this.#counts[way]]));
  }

  set(client: object, way: LinkWay): void {
    this.forget(client);
    this.#said.set(client, way);
    this.#counts[way] += 1;
  }

  /** A client has gone. */
  forget(client: object): void {
    const before = this.#said.get(client);
    if (before === undefined) return;
    this.#said.delete(client);
    this.#counts[before] -= 1;
  }
}
