/**
 * The two edges of a ring member. The predecessor of an edge speaks on it and decides which link it
 * uses; the successor listens on every link its predecessor has not yet said goodbye on.
 */
import type { LinkId, PeerId } from '../protocol/ids.ts';
import type { Edge, Neighbour } from '../protocol/signaling.ts';
import type { DirectLinks } from './direct-links.ts';
import type { NeighbourLinkState } from './events.ts';
import type { LinkKind, NeighbourLink } from './neighbour-link.ts';
import type { Clock } from './ports.ts';
import {
  FIRST_ATTEMPT,
  FIRST_RELAY_RETRY,
  LAST_ATTEMPT,
  LAST_RELAY_RETRY,
  LASTING,
  MAX_ATTEMPTS,
} from './timing.ts';

/** What an edge asks of the ring member it belongs to. */
export interface EdgeOwner {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly directLinks: DirectLinks;
  /** Whether an offer made now could reach the neighbour. */
  canSignal(): boolean;
  /** Makes and binds a link that this end offers; null where links cannot be made. */
  offer(edge: Edge, peer: PeerId, kind: LinkKind): NeighbourLink | null;
  /**
   * From now on messages to the successor take another way. Nothing is called where they only go over
   * another link to the same peer, after all that was sent on the one before.
   */
  onSwitched(): void;
  /** Links of no kind can be made to the successor, or none that lasts. */
  onUnreachable(peer: PeerId): void;
  /** A link came into use or went out of it. */
  onLink(edge: Edge, link: NeighbourLink, state: 'in use' | 'closed', reason: string): void;
}

/** Where messages to the successor go: a link, straight back in a ring of one, or nowhere. */
export type Outlet = NeighbourLink | 'loopback' | null;

/** After so many relayed links that did not come up, nothing will. */
const RELAYS_IN_VAIN = 2;

/** After so many links that came into use and did not last, the neighbour is complained about. */
const MOST_SHORT_LIVED = 6;

/** How soon after a lost link the next attempt is made, in milliseconds. */
const AFTER_A_LOSS = 500;

export class SuccessorEdge {
  readonly #owner: EdgeOwner;
  #target: PeerId | null = null;
  #outlet: Outlet = null;
  readonly #attempts = new Map<LinkId, NeighbourLink>();
  /** Attempts at a direct link, and at a relayed one, to this target that came to nothing. */
  #failures = 0;
  #relayFailures = 0;
  /** Links to this target, one after the other, that came into use and did not last. */
  #shortLived = 0;
  /** When the target was reached by the link in use. */
  #reachedAt = 0;
  #cancelRetry: (() => void) | null = null;
  #cancelRelay: (() => void) | null = null;

  constructor(owner: EdgeOwner) {
    this.#owner = owner;
  }

  /** The successor of the current view; may differ from the one still in use. */
  get target(): PeerId | null {
    return this.#target;
  }

  get outlet(): Outlet {
    return this.#outlet;
  }

  /** By what messages go on, for the picture of the ring. */
  get kindOnward(): LinkKind | 'connecting' {
    if (this.#outlet === 'loopback') return 'direct';
    return this.#connection ?? 'connecting';
  }

  /** Whether a claim sent now could go round: one that only comes straight back decides nothing. */
  get leadsRound(): boolean {
    if (this.#outlet === 'loopback') return this.#target === this.#owner.self;
    return this.#outlet !== null;
  }

  /** The link in use and those in the making. */
  get links(): readonly NeighbourLink[] {
    const outlet = this.#outlet;
    const used = outlet === null || outlet === 'loopback' ? [] : [outlet];
    return [...used, ...this.#attempts.values()];
  }

  get state(): NeighbourLinkState {
    if (this.#target === null || this.#target === this.#owner.self) return 'none';
    return this.#connection ?? 'connecting';
  }

  /**
   * Takes a new successor. The one in use stays until a link to the new one can replace it.
   * @param neighbour from the view
   * @param offered this peer's own offer, where the view says that it is the one to use
   */
  aim({ id, link }: Neighbour, offered: NeighbourLink | null): void {
    const isNew = id !== this.#target;
    this.#target = id;
    if (isNew) this.#startAfresh();
    if (id === this.#owner.self) {
      // Alone again: a claim was lost meanwhile.
      if (isNew && this.#outlet === 'loopback') this.#owner.onSwitched();
      else this.#switch('loopback');
      return;
    }
    if (offered !== null) this.#attempts.set(offered.id, offered);
    if (this.#connection !== null) {
      this.trySwitch();
      return;
    }
    if (link !== null) {
      this.#retryIn(FIRST_ATTEMPT);
      this.#relayIn(this.#owner.directLinks.patience);
    } else if (this.#attempts.size === 0) this.#attempt();
  }

  /** Gives up what is in the making and begins afresh: its signals were lost with a connection. */
  forgetAttempts(): void {
    this.#failures = 0;
    this.#relayFailures = 0;
    for (const link of this.#attempts.values()) if (!link.isOpen) this.#closeAttempt(link);
  }

  find(id: LinkId): NeighbourLink | undefined {
    if (this.#outlet !== 'loopback' && this.#outlet?.id === id) return this.#outlet;
    return this.#attempts.get(id);
  }

  /** Whether another link offered by the successor may be tried. */
  get hasRoom(): boolean {
    return this.#attempts.size < MAX_ATTEMPTS;
  }

  /** Takes in a link that the successor offers. */
  accept(link: NeighbourLink): void {
    this.#attempts.set(link.id, link);
  }

  /** To be called when a neighbour has said HELLO, and when the link in use was lost. */
  trySwitch(): void {
    const usable = [...this.#attempts.values()].filter((link) => this.#isUsable(link));
    const best = usable.find(({ kind }) => kind === 'direct') ?? usable[0];
    if (best === undefined) return;
    this.#attempts.delete(best.id);
    this.#switch(best);
  }

  /** @param by whether this peer let go of it, or the other end or the network did */
  onClosed(link: NeighbourLink, reason: string, by: 'self' | 'others'): void {
    const wasAttempt = this.#attempts.delete(link.id) && by === 'others' && link.hello === null;
    if (wasAttempt && link.kind === 'direct' && this.#connection === 'relayed')
      this.#owner.directLinks.failed();
    if (this.#outlet === link) {
      this.#outlet = null;
      if (by === 'others' && this.#target !== null && link.peer === this.#target)
        this.#reckon(this.#target);
      this.#owner.onLink('successor', link, 'closed', reason);
      this.trySwitch();
    }
    if (this.#connection !== null || this.#target === null) return;
    // Where nothing but the server has led to this successor, it will again.
    if (link.kind === 'relayed') this.#relayIn(this.#afterLoss(this.#relayFailures));
    if (!this.#isTrying('direct')) this.#retryIn(this.#afterLoss(this.#failures));
  }

  /** Lets go of links to peers that are gone. */
  dropPeers(gone: ReadonlySet<PeerId>): void {
    for (const link of this.#attempts.values())
      if (link.peer !== null && gone.has(link.peer)) this.#closeAttempt(link);
    const outlet = this.#outlet;
    if (outlet === null || outlet === 'loopback') return;
    if (outlet.peer === null || !gone.has(outlet.peer)) return;
    this.#outlet = null;
    outlet.close();
    this.#owner.onLink('successor', outlet, 'closed', 'the peer has left');
    this.trySwitch();
  }

  /** Lets go of every link without a word. */
  fallSilent(): void {
    this.#target = null;
    for (const link of this.links) link.fallSilent();
    this.#outlet = null;
    this.#startAfresh();
  }

  /** Says goodbye on every link. */
  retire(): void {
    this.#target = null;
    this.#startAfresh();
    if (this.#outlet !== 'loopback') this.#outlet?.retire('leaving');
    this.#outlet = null;
  }

  /** How the successor of the view is connected, if it is. */
  get #connection(): LinkKind | null {
    const outlet = this.#outlet;
    if (outlet === null || outlet === 'loopback' || outlet.peer !== this.#target) return null;
    return outlet.kind;
  }

  #isUsable(link: NeighbourLink): boolean {
    if (!link.isOpen || link.hello === null) return false;
    // Better than none, and a direct one better than a relayed one to the same peer.
    if (this.#outlet === null) return true;
    if (this.#connection !== null) return this.#connection === 'relayed' && link.kind === 'direct';
    return link.hello.ready;
  }

  #switch(next: NeighbourLink | 'loopback'): void {
    const previous = this.#outlet;
    if (previous === next) return;
    const isMove = this.#isMove(previous, next);
    this.#outlet = next;
    if (previous !== null && previous !== 'loopback') previous.retire('relinked');
    if (next === 'loopback') this.#startAfresh();
    else if (next.peer === this.#target) this.#settle(next.kind);
    if (next !== 'loopback') this.#owner.onLink('successor', next, 'in use', '');
    if (!isMove) this.#owner.onSwitched();
  }

  /** Whether the same peer is reached by both, and all that was sent on the first arrives. */
  #isMove(previous: Outlet, next: Outlet): boolean {
    if (previous === null || previous === 'loopback' || next === null || next === 'loopback')
      return false;
    return previous.peer === next.peer && previous.isOpen && this.#owner.canSignal();
  }

  /** The target is reached; only a direct link is still worth trying for where this is none. */
  #settle(kind: LinkKind): void {
    this.#reachedAt = this.#owner.clock.now();
    if (kind === 'direct') this.#giveUpTrying();
    else {
      this.#cancelRelay?.();
      this.#cancelRelay = null;
      this.#relayFailures = 0;
      this.#abandon('relayed');
    }
  }

  /** The link in use is lost, and not by this peer's own doing. */
  #reckon(target: PeerId): void {
    const hasLasted = this.#owner.clock.now() - this.#reachedAt >= LASTING;
    this.#shortLived = hasLasted ? 0 : this.#shortLived + 1;
    if (this.#shortLived > MOST_SHORT_LIVED) this.#owner.onUnreachable(target);
  }

  /** How long to wait after a lost link where so many attempts at another have failed, in milliseconds. */
  #afterLoss(failures: number): number {
    const tooMany = Math.max(0, this.#shortLived - MOST_SHORT_LIVED);
    return AFTER_A_LOSS * 2 ** Math.min(failures + tooMany, 5);
  }

  #startAfresh(): void {
    this.#shortLived = 0;
    this.#giveUpTrying();
  }

  /** Nothing is being tried any more. */
  #giveUpTrying(): void {
    this.#failures = 0;
    this.#relayFailures = 0;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#cancelRelay?.();
    this.#cancelRelay = null;
    this.#abandon('direct');
    this.#abandon('relayed');
  }

  #retryIn(milliseconds: number): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#owner.clock.after(milliseconds, () => {
      this.#cancelRetry = null;
      this.#attempt();
    });
  }

  #relayIn(milliseconds: number): void {
    this.#cancelRelay?.();
    this.#cancelRelay = this.#owner.clock.after(milliseconds, () => {
      this.#cancelRelay = null;
      this.#attemptRelay();
    });
  }

  /** Offers a direct link, again and again until one is in use. */
  #attempt(): void {
    const target = this.#target;
    if (target === null || target === this.#owner.self || this.#connection === 'direct') return;
    const wait = Math.min(FIRST_ATTEMPT * 2 ** this.#failures, LAST_ATTEMPT);
    if (this.#cancelRelay === null && this.#connection === null)
      this.#relayIn(this.#owner.directLinks.patience);
    if (this.#owner.canSignal()) {
      if (this.#connection === 'relayed' && this.#isTrying('direct'))
        this.#owner.directLinks.failed();
      this.#abandon('direct');
      this.#failures += 1;
      const link = this.#owner.offer('successor', target, 'direct');
      if (link !== null) this.#attempts.set(link.id, link);
      // No direct one may be made: there is nothing to wait for.
      else if (this.#connection === null && !this.#isTrying('relayed')) this.#relayIn(0);
    }
    this.#retryIn(wait);
  }

  /** Offers a link through the server, again and again until there is one of any kind. */
  #attemptRelay(): void {
    const target = this.#target;
    if (target === null || target === this.#owner.self || this.#connection !== null) return;
    const wait = Math.min(FIRST_RELAY_RETRY * 2 ** this.#relayFailures, LAST_RELAY_RETRY);
    if (this.#owner.canSignal()) {
      this.#abandon('relayed');
      if (this.#relayFailures >= RELAYS_IN_VAIN) this.#owner.onUnreachable(target);
      this.#relayFailures += 1;
      const link = this.#owner.offer('successor', target, 'relayed');
      if (link !== null) this.#attempts.set(link.id, link);
    }
    this.#relayIn(wait);
  }

  #isTrying(kind: LinkKind): boolean {
    return [...this.#attempts.values()].some((link) => link.kind === kind);
  }

  #abandon(kind: LinkKind): void {
    for (const link of this.#attempts.values()) if (link.kind === kind) this.#closeAttempt(link);
  }

  #closeAttempt(link: NeighbourLink): void {
    this.#attempts.delete(link.id);
    link.retire('relinked');
  }
}

export class PredecessorEdge {
  readonly #owner: EdgeOwner;
  #target: PeerId | null = null;
  readonly #links = new Map<LinkId, NeighbourLink>();

  constructor(owner: EdgeOwner) {
    this.#owner = owner;
  }

  /** The predecessor of the current view. */
  get target(): PeerId | null {
    return this.#target;
  }

  /** Every link a predecessor, this one or an earlier one, may still speak on. */
  get links(): readonly NeighbourLink[] {
    return [...this.#links.values()];
  }

  get state(): NeighbourLinkState {
    if (this.#target === null || this.#target === this.#owner.self) return 'none';
    const kinds = [...this.#links.values()]
      .filter(({ peer, isGreeted }) => peer === this.#target && isGreeted)
      .map(({ kind }) => kind);
    return kinds.find((kind) => kind === 'direct') ?? kinds[0] ?? 'connecting';
  }

  /**
   * Takes a new predecessor. What the earlier one has sent is still read until it says goodbye.
   * @param neighbour from the view
   * @param offered this peer's own offer, where the view says that it is the one to use
   */
  aim({ id }: Neighbour, offered: NeighbourLink | null): void {
    this.#target = id;
    for (const link of this.#links.values())
      if (!link.isOpen && link.peer !== id) this.#close(link);
    if (offered !== null) this.#links.set(offered.id, offered);
  }

  find(id: LinkId): NeighbourLink | undefined {
    return this.#links.get(id);
  }

  /**
   * The relayed link on which the peer at the other end of a direct one may have spoken before, until
   * its goodbye; null where there is none.
   */
  relayedBefore({ kind, peer }: NeighbourLink): NeighbourLink | null {
    if (kind === 'relayed') return null;
    const isBefore = (other: NeighbourLink) =>
      other.kind === 'relayed' && other.peer === peer && other.isGreeted;
    return this.links.find(isBefore) ?? null;
  }

  /** Another link offered by the predecessor may always be tried: another has to go for it. */
  readonly hasRoom = true;

  /** Takes in a link that the predecessor offers. Its earlier offers it has given up by then. */
  accept(link: NeighbourLink): void {
    for (const earlier of this.#links.values())
      if (!earlier.isOpen && earlier.peer === link.peer && earlier.kind === link.kind)
        this.#close(earlier);
    const kept = this.links;
    // Whoever holds on to many links must not keep out who comes after it.
    const least = kept.find(({ peer }) => peer !== link.peer) ?? kept[0];
    if (least !== undefined && kept.length >= 2 * MAX_ATTEMPTS) this.#close(least);
    this.#links.set(link.id, link);
  }

  onClosed(link: NeighbourLink, reason: string): void {
    if (this.#links.delete(link.id)) this.#owner.onLink('predecessor', link, 'closed', reason);
  }

  dropPeers(gone: ReadonlySet<PeerId>): void {
    for (const link of this.#links.values())
      if (link.peer !== null && gone.has(link.peer)) this.#close(link);
  }

  /** Lets go of every link without a word. */
  fallSilent(): void {
    for (const link of this.#links.values()) link.fallSilent();
    this.#links.clear();
    this.#target = null;
  }

  retire(): void {
    for (const link of this.#links.values()) link.retire('leaving');
    this.#links.clear();
    this.#target = null;
  }

  #close(link: NeighbourLink): void {
    this.#links.delete(link.id);
    link.close();
  }
}

/** Both of them, for what does not depend on which it is. */
export class Edges {
  readonly successor: SuccessorEdge;
  readonly predecessor: PredecessorEdge;

  constructor(owner: EdgeOwner) {
    this.successor = new SuccessorEdge(owner);
    this.predecessor = new PredecessorEdge(owner);
  }

  at(edge: Edge): SuccessorEdge | PredecessorEdge {
    return edge === 'successor' ? this.successor : this.predecessor;
  }

  /** Every link there is. */
  get links(): readonly NeighbourLink[] {
    return [...this.successor.links, ...this.predecessor.links];
  }

  /** What a hop takes on the slowest link in use, in milliseconds; 0 where none was measured. */
  get latency(): number {
    const { outlet } = this.successor;
    const onward = outlet === null || outlet === 'loopback' ? [] : [outlet];
    const roundTrips = [...onward, ...this.predecessor.links].map(
      ({ roundTrip }) => roundTrip ?? 0,
    );
    return Math.max(0, ...roundTrips) / 2;
  }

  edgeOf(link: NeighbourLink): Edge {
    return this.successor.find(link.id) === link ? 'successor' : 'predecessor';
  }

  /** How far a link has come: the predecessor uses the one that its other end has chosen. */
  stateOf(link: NeighbourLink): 'connecting' | 'open' | 'in use' {
    if (!link.isOpen) return 'connecting';
    return this.successor.outlet === link ? 'in use' : 'open';
  }

  isNeighbour(peer: PeerId): boolean {
    return this.successor.target === peer || this.predecessor.target === peer;
  }

  dropPeers(gone: ReadonlySet<PeerId>): void {
    this.predecessor.dropPeers(gone);
    this.successor.dropPeers(gone);
  }

  /** Lets go of every link without a word. */
  fallSilent(): void {
    this.successor.fallSilent();
    this.predecessor.fallSilent();
  }

  /** Says goodbye on every link. */
  retire(): void {
    this.successor.retire();
    this.predecessor.retire();
  }
}

/** The highest term that the neighbour of the present view has spoken of last on any link. */
export function termSaid({ links, target }: SuccessorEdge | PredecessorEdge): number {
  return Math.max(0, ...links.filter(({ peer }) => peer === target).map(({ term }) => term));
}
