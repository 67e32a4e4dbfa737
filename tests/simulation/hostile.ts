/** A ring with hostile peers, which do anything to their links, and checks of the other peers. */
import { encodeFrame, parseFrame } from '../../shared/protocol/frame.ts';
import type { LinkId, PeerId } from '../../shared/protocol/ids.ts';
import type { PeerMessage } from '../../shared/protocol/messages.ts';
import type { RingState } from '../../shared/member/events.ts';
import type { OpenLink } from '../../shared/driver/ports.ts';
import { World, type SimulatedPeer } from '../../shared/simulation/world.ts';

/** One end of a link that the hostile peer holds. */
export interface HostileLink {
  /** The last hundred frames that came on it. */
  readonly heard: readonly Uint8Array[];
  readonly id: LinkId | null;
  readonly isClosed: boolean;
  /** Whether the honest half of it has sent messages of the election on it. */
  readonly leadsOn: boolean;
  send(bytes: Uint8Array): void;
  say(message: PeerMessage): void;
}

/** The actions of a hostile peer. */
export interface Hostility {
  /** The fate of a frame that its honest half sends; undefined: it is sent. */
  readonly instead?: (frame: Uint8Array, link: HostileLink) => void;
  /** What it also does every 100 ms. */
  readonly also?: (links: readonly HostileLink[], peer: SimulatedPeer) => void;
}

class Held implements HostileLink {
  readonly heard: Uint8Array[] = [];
  id: LinkId | null = null;
  isClosed = false;
  isOpen = false;
  leadsOn = false;
  transmit: (bytes: Uint8Array) => void = () => undefined;

  send(bytes: Uint8Array): void {
    if (this.isOpen && !this.isClosed) this.transmit(bytes);
  }

  say(message: PeerMessage): void {
    this.send(encodeFrame(message));
  }
}

/** A hostile peer, with its ends of links. */
interface Liar {
  readonly peer: SimulatedPeer;
  readonly links: readonly Held[];
  readonly hostility: Hostility;
}

export class HostileRing {
  readonly world: World;
  readonly #liars: Liar[] = [];
  #isHostile = false;
  /** The leaders of honest peers, as seen every 20 ms. */
  readonly #followed = new Set<PeerId>();
  /** Every peer that ever was a member. */
  readonly #members = new Set<PeerId>();

  /** @param hostilities one per hostile peer; these join as the third, the fourth and so on */
  constructor(seed: number, honest: number, ...hostilities: readonly Hostility[]) {
    this.world = new World(seed);
    for (let joined = 0; joined < honest; joined += 1) {
      this.world.join();
      if (joined === 1) for (const hostility of hostilities) this.#comes(hostility);
    }
    const unsettled = this.world.settle(60_000);
    if (unsettled.length > 0) throw new Error(unsettled.join('\n'));
  }

  /** Honest peers at this moment. */
  get honest(): readonly RingState[] {
    return this.honestPeers.map(({ ring }) => ring.state);
  }

  get honestPeers(): readonly SimulatedPeer[] {
    const liars = new Set(this.#liars.map(({ peer }) => peer));
    return this.world.peers.filter((peer) => !liars.has(peer));
  }

  /** All hostile peers act for so long. */
  rage(milliseconds: number): void {
    this.#isHostile = true;
    this.#run(milliseconds);
    this.#isHostile = false;
  }

  /**
   * They vanish; the others go on. Returns what is wrong with them afterwards.
   * @param milliseconds that they may take
   */
  banish(milliseconds = 60_000): readonly string[] {
    for (const { peer } of this.#liars) this.world.crash(peer);
    return this.world.settle(milliseconds);
  }

  /** Whether any peer has followed a peer that never was a member. */
  get phantomsFollowed(): boolean {
    return [...this.#followed].some((leader) => !this.#members.has(leader));
  }

  /** Honest peers that other honest peers have accused. */
  get accusedHonest(): readonly PeerId[] {
    const wasHostile = this.#hostileIds;
    return this.world.trace.flatMap(({ peer, event }) =>
      event.type === 'complained' &&
      event.fault === 'misbehaves' &&
      !wasHostile.has(peer) &&
      !wasHostile.has(event.about)
        ? [event.about]
        : [],
    );
  }

  /** How often honest peers have accused it. */
  get accusedHostile(): number {
    return this.world.trace.filter(
      ({ peer, event }) =>
        event.type === 'complained' &&
        event.fault === 'misbehaves' &&
        !this.#hostileIds.has(peer) &&
        this.#hostileIds.has(event.about),
    ).length;
  }

  readonly #hostileIds = new Set<PeerId>();

  #comes(hostility: Hostility): void {
    const links: Held[] = [];
    const peer = this.world.join({ tap: (openLink) => this.#tap(openLink, links, hostility) });
    this.#liars.push({ peer, links, hostility });
  }

  #run(milliseconds: number): void {
    for (let passed = 0; passed < milliseconds; passed += 20) {
      if (passed % 100 === 0)
        for (const { peer, links, hostility } of this.#liars)
          hostility.also?.(
            links.filter(({ isOpen, isClosed }) => isOpen && !isClosed),
            peer,
          );
      this.world.run(20);
      for (const { peer } of this.#liars) this.#hostileIds.add(peer.ring.state.id);
      for (const { ring } of this.world.peers) this.#members.add(ring.state.id);
      for (const { leader } of this.honest) if (leader !== null) this.#followed.add(leader);
    }
  }

  #tap(openLink: OpenLink, links: Held[], { instead }: Hostility): OpenLink {
    return (initiator, handlers) => {
      const held = new Held();
      links.push(held);
      const link = openLink(initiator, {
        ...handlers,
        onOpen: () => {
          held.isOpen = true;
          handlers.onOpen();
        },
        onFrame: (frame) => {
          held.isOpen = true;
          held.heard.push(frame);
          if (held.heard.length > 100) held.heard.shift();
          handlers.onFrame(frame);
        },
        onClose: (reason) => {
          held.isClosed = true;
          handlers.onClose(reason);
        },
      });
      held.transmit = (bytes) => {
        link.send(bytes);
      };
      return {
        signal: (signal) => {
          link.signal(signal);
        },
        send: (frame) => {
          const parsed = parseFrame(frame);
          if (!parsed.ok) throw new Error(parsed.error);
          const { message } = parsed.value;
          if (message.type === 'hello') held.id = message.link;
          held.leadsOn ||= message.type === 'claim' || message.type === 'elected';
          if (this.#isHostile && instead !== undefined) instead(frame, held);
          else link.send(frame);
        },
        close: () => {
          held.isClosed = true;
          link.close();
        },
      };
    };
  }
}
