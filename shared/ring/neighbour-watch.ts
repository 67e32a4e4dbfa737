/**
 * Finds out which neighbours are silent or violate the protocol, lets go of links that are of no use,
 * and tells the server (SPEC.md, L12, L13, L16 and L19).
 */
import type { PeerId } from '../protocol/ids.ts';
import type { MembershipReply, Report } from '../protocol/signaling.ts';
import type { Edges } from './edges.ts';
import type { RingEvent } from './events.ts';
import { LinkWatch } from './link-watch.ts';
import type { NeighbourLink } from './neighbour-link.ts';
import type { Clock } from './ports.ts';
import { RecentPeers } from './recent-peers.ts';
import {
  COMPLAINT_INTERVAL,
  HELLO_SILENCE,
  MUTE,
  REPLY_PATIENCE,
  UNREPORTED_INTERVAL,
} from './timing.ts';

/** What it asks of the ring member it belongs to. */
export interface NeighbourWatchOwner {
  readonly clock: Clock;
  readonly edges: Edges;
  /** The longest that an honest neighbour may have nothing of an election to send, in milliseconds. */
  longestSilence(): number;
  isMember(): boolean;
  /** Whether a report made now could reach the server. */
  canReport(): boolean;
  report(report: Report, onReply: (reply: MembershipReply) => void): void;
  tell(event: RingEvent): void;
}

export class NeighbourWatch {
  readonly #owner: NeighbourWatchOwner;
  readonly #edges: Edges;
  readonly #links: LinkWatch;
  /** With whom a direct link broke or ended with its goodbye, and none of any kind has come up since. */
  readonly #broken = new Set<PeerId>();
  /** Neighbours that were complained about, while no answer has come. */
  readonly #complaints: RecentPeers;
  /** Those that would have been, had there been a connection to the server. */
  readonly #unreported: RecentPeers;

  constructor(owner: NeighbourWatchOwner) {
    this.#owner = owner;
    this.#edges = owner.edges;
    this.#complaints = new RecentPeers(owner.clock, COMPLAINT_INTERVAL);
    this.#unreported = new RecentPeers(owner.clock, UNREPORTED_INTERVAL);
    this.#links = new LinkWatch({
      clock: owner.clock,
      links: () => owner.edges.links,
      muteAfter: () => this.#muteAfter,
      onSilent: (link) => {
        this.#silent(link);
      },
      onMute: (link) => {
        this.#mute(link);
      },
    });
  }

  start(): void {
    this.#links.start();
  }

  stop(): void {
    this.#links.stop();
  }

  /** To be called with the first HELLO on a link. */
  greeted(peer: PeerId): void {
    this.#broken.delete(peer);
  }

  /** To be called when the neighbours may be others than before. */
  placed(): void {
    for (const peer of this.#broken) if (!this.#edges.isNeighbour(peer)) this.#broken.delete(peer);
  }

  /** To be called when a link has closed by itself, or with a goodbye of who leaves the ring. */
  broke(link: NeighbourLink): void {
    if (link.peer !== null && isDirect(link)) this.#broken.add(link.peer);
  }

  /** Lets go of a link that is of no use; its edge makes another where one is needed. */
  drop(link: NeighbourLink, reason: string): void {
    const edge = this.#edges.edgeOf(link);
    link.close();
    this.broke(link);
    this.#edges.at(edge).onClosed(link, reason, 'self');
  }

  /** Ends a link with a neighbour that violates the protocol, and has the ring close over it. */
  cutOff(link: NeighbourLink, reason: string): void {
    const { peer } = link;
    this.drop(link, reason);
    if (peer !== null && this.#edges.isNeighbour(peer)) this.complain(peer, 'misbehaves');
  }

  /** The server has lost a neighbour: without life on the links with it, it is gone. */
  check(peer: PeerId): void {
    if (!this.#owner.isMember() || !this.#edges.isNeighbour(peer)) return;
    // A relayed link cannot live while the other end has lost the server: a direct one tells more.
    const telling = () => {
      const links = this.#greetedLinks(peer);
      const direct = links.filter(({ kind }) => kind === 'direct');
      return direct.length > 0 ? direct : links;
    };
    const links = telling();
    if (links.length === 0) this.complain(peer, 'silent');
    else
      this.#links.probe(links, (waited) => {
        if (!this.#owner.isMember() || !this.#edges.isNeighbour(peer)) return;
        // Links may have been replaced meanwhile.
        const left = telling();
        if (left.every((link) => link.silence >= waited)) this.complain(peer, 'silent');
      });
  }

  /** The server decides whether the neighbour is gone; if not, links with it are made anew. */
  complain(about: PeerId, found: 'silent' | 'misbehaves'): void {
    const fault = found === 'silent' && !this.#canTell(about) ? 'unlinked' : found;
    if (!this.#owner.canReport()) {
      if (this.#unreported.has(about)) return;
      this.#unreported.add(about);
      this.#owner.tell({ type: 'unreported', about, fault, reason: 'no connection' });
      return;
    }
    if (this.#complaints.has(about)) return;
    this.#complaints.add(about);
    this.#owner.tell({ type: 'complained', about, fault });
    const cancel = this.#owner.clock.after(REPLY_PATIENCE, () => {
      if (this.#owner.isMember())
        this.#owner.tell({ type: 'unreported', about, fault, reason: 'no answer' });
    });
    this.#owner.report({ about, fault }, (reply) => {
      cancel();
      this.#complaints.delete(about);
      if (reply.ok && reply.isMember) this.#giveLastChance(about);
    });
  }

  /** It is awake, perhaps only just: a last chance for the link before another is made. */
  #giveLastChance(peer: PeerId): void {
    for (const link of this.#greetedLinks(peer))
      if (link.silence >= link.patience)
        this.#links.probe([link], () => {
          if (!link.isClosed && this.#owner.isMember()) this.drop(link, 'silent');
        });
  }

  /** Nothing was heard on a link for too long. */
  #silent(link: NeighbourLink): void {
    const { peer } = link;
    const isNeighbours = peer !== null && this.#edges.isNeighbour(peer);
    if (link.hello === null) {
      if (link.silence >= HELLO_SILENCE) this.drop(link, 'silent from the start');
    } else if (peer === null || !isNeighbours || this.#isHeardElsewhere(link))
      this.drop(link, 'silent');
    else this.complain(peer, 'silent');
  }

  /**
   * A predecessor that shows life passes nothing on, and starts nothing either, as it would if it
   * heard nothing itself. That it uses another link, or not yet this one, is for it to show.
   */
  #mute(link: NeighbourLink): void {
    const { target, links } = this.#edges.predecessor;
    if (link.hello === null || link.peer !== target || target === null) return;
    const its = links.filter(({ peer }) => peer === target);
    if (its.every(({ muteness }) => muteness >= this.#muteAfter))
      this.cutOff(link, 'passes nothing on');
  }

  get #muteAfter(): number {
    return MUTE + this.#owner.longestSilence();
  }

  /** Whether there is life on another link with the same neighbour: of two peers, on either edge. */
  #isHeardElsewhere(link: NeighbourLink): boolean {
    return this.#edges.links.some(
      (other) =>
        other !== link &&
        other.peer === link.peer &&
        other.hello !== null &&
        other.silence < other.patience,
    );
  }

  #greetedLinks(peer: PeerId): readonly NeighbourLink[] {
    return this.#edges.links.filter((link) => link.peer === peer && link.hello !== null);
  }

  /** Who has no direct link with a peer, and lost none, cannot tell whether it is there. */
  #canTell(peer: PeerId): boolean {
    return this.#broken.has(peer) || this.#greetedLinks(peer).some(isDirect);
  }
}

/** Whether it is a direct link that has been of use. */
function isDirect({ kind, hello }: NeighbourLink): boolean {
  return kind === 'direct' && hello !== null;
}
