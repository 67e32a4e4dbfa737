/**
 * How many WebRTC connections a page may make. Chromium lets a page have 500 that it has not forgotten,
 * closed ones included. A page with little else to do has closed ones forgotten within half a minute, one
 * that makes four a second without end after minutes only.
 */
import type { PeerId } from '../protocol/ids.ts';
import { Allowance } from './allowance.ts';
import type { Clock } from './ports.ts';
import type { LinkKind } from './neighbour-link.ts';
import {
  LINK_BURST,
  LINK_RATE,
  PAGE_BURST,
  PAGE_RATE,
  RELAYED_BURST,
  RELAYED_RATE,
} from './timing.ts';

/** What may still be made: so much at once, and so much more with time, as what is closed is forgotten. */
export class LinkBudget {
  readonly #allowance: Allowance;

  /** @param connections that may be made at once */
  constructor(clock: Clock, connections = PAGE_BURST) {
    this.#allowance = new Allowance(clock, connections, PAGE_RATE);
  }

  get isSpent(): boolean {
    return !this.#allowance.hasOne;
  }

  /** Takes one, if there is one left. */
  spend(): boolean {
    return this.#allowance.takeOne();
  }
}

/** Neighbours that are kept in mind, the newest. */
const MAX_NEIGHBOURS = 64;

/** What one neighbour may have made with it. */
type Share = Readonly<Record<LinkKind, Allowance>>;

/**
 * What a member takes of it, so much for each neighbour: any one of them could use all of it up. Of
 * relayed links there may be any number in the end, but so many at a time.
 */
export class LinkShares {
  readonly #clock: Clock;
  readonly #budget: LinkBudget;
  readonly #shares = new Map<PeerId, Share>();

  constructor(clock: Clock, budget: LinkBudget) {
    this.#clock = clock;
    this.#budget = budget;
  }

  /**
   * Takes one link, if there is one left.
   * @param peer null for an offer made before the neighbour is known
   */
  spend(peer: PeerId | null, kind: LinkKind): boolean {
    const isGranted = peer === null || this.#shareOf(peer)[kind].takeOne();
    return isGranted && (kind === 'relayed' || this.#budget.spend());
  }

  /** The server has made it a neighbour: the link that this takes is none of its doing. */
  grant(peer: PeerId): void {
    this.#shareOf(peer).direct.give();
  }

  #shareOf(peer: PeerId): Share {
    const share = this.#shares.get(peer) ?? {
      direct: new Allowance(this.#clock, LINK_BURST, LINK_RATE),
      relayed: new Allowance(this.#clock, RELAYED_BURST, RELAYED_RATE),
    };
    this.#shares.set(peer, share);
    const [oldest] = this.#shares.keys();
    if (oldest !== undefined && this.#shares.size > MAX_NEIGHBOURS) this.#shares.delete(oldest);
    return share;
  }
}
