/** A ring with a peer in it that does to its links what it likes, and a watch over the others. */
import { encodeFrame, parseFrame } from '../../shared/protocol/frame.ts';
import type { LinkId, PeerId } from '../../shared/protocol/ids.ts';
import type { PeerMessage } from '../../shared/protocol/messages.ts';
import type { RingState } from '../../shared/ring/events.ts';
import type { OpenLink } from '../../shared/ring/ports.ts';
import { World, type SimulatedPeer } from '../../shared/simulation/world.ts';

/** One end of a link that the hostile peer holds. */
export interface HostileLink {
  /** Frames that came on it, the last hundred. */
  readonly heard: readonly Uint8Array[];
  readonly id: LinkId | null;
  readonly isClosed: boolean;
  send(bytes: Uint8Array): void;
  say(message: PeerMessage): void;
}

/** What a hostile peer does in place of sending a frame of its own. */
export interface Hostility {
  /** What becomes of a frame that the honest half of it sends; undefined: it goes out. */
  readonly instead?: (frame: Uint8Array, link: HostileLink) => void;
  /** What it does every 100 ms beside that. */
  readonly also?: (links: readonly HostileLink[], peer: SimulatedPeer) => void;
}

class Held implements HostileLink {
  readonly heard: Uint8Array[] = [];
  id: LinkId | null = null;
  isClosed = false;
  isOpen = false;
  transmit: (bytes: Uint8Array) => void = () => undefined;

  send(bytes: Uint8Array): void {
    if (this.isOpen && !this.isClosed) this.transmit(bytes);
  }

  say(message: PeerMessage): void {
    this.send(encodeFrame(message));
  }
}

export class HostileRing {
  readonly world: World;
  #hostile: SimulatedPeer | null = null;
  readonly #links: Held[] = [];
  readonly #hostility: Hostility;
  #isHostile = false;
  /** Whom honest peers have followed, as seen every 20 ms. */
  readonly #followed = new Set<PeerId>();
  /** Everybody who ever was a member. */
  readonly #members = new Set<PeerId>();

  constructor(seed: number, honest: number, hostility: Hostility) {
    this.world = new World(seed);
    this.#hostility = hostility;
    for (let joined = 0; joined < honest; joined += 1) {
      this.world.join();
      if (joined === 1) this.#hostile = this.world.join({ tap: (openLink) => this.#tap(openLink) });
    }
    const unsettled = this.world.settle(60_000);
    if (unsettled.length > 0) throw new Error(unsettled.join('\n'));
  }

  get hostile(): SimulatedPeer {
    if (this.#hostile === null) throw new Error('nobody is hostile');
    return this.#hostile;
  }

  /** Honest peers at this moment. */
  get honest(): readonly RingState[] {
    return this.world.peers.filter((peer) => peer !== this.hostile).map(({ ring }) => ring.state);
  }

  /** It does its worst for so long. */
  rage(milliseconds: number): void {
    this.#isHostile = true;
    this.#run(milliseconds);
    this.#isHostile = false;
  }

  /** It vanishes; the others go on. Returns what is wrong with them after a minute at most. */
  banish(): readonly string[] {
    this.world.crash(this.hostile);
    return this.world.settle(60_000);
  }

  /** Whether anybody has followed somebody who never was a member. */
  get phantomsFollowed(): boolean {
    return [...this.#followed].some((leader) => !this.#members.has(leader));
  }

  /** Honest peers that other honest ones have accused. */
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

  #run(milliseconds: number): void {
    for (let passed = 0; passed < milliseconds; passed += 20) {
      if (passed % 100 === 0)
        this.#hostility.also?.(
          this.#links.filter(({ isOpen, isClosed }) => isOpen && !isClosed),
          this.hostile,
        );
      this.world.run(20);
      this.#hostileIds.add(this.hostile.ring.state.id);
      for (const { ring } of this.world.peers) this.#members.add(ring.state.id);
      for (const { leader } of this.honest) if (leader !== null) this.#followed.add(leader);
    }
  }

  #tap(openLink: OpenLink): OpenLink {
    return (initiator, handlers) => {
      const held = new Held();
      this.#links.push(held);
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
          if (parsed.ok && parsed.value.message.type === 'hello')
            held.id = parsed.value.message.link;
          const { instead } = this.#hostility;
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
