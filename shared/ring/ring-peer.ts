/** A ring member for a page or a program: a RingNode, and a new one under a new id when it must. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import type { LinkSight, RingEvent, RingState } from './events.ts';
import { DirectLinks } from './direct-links.ts';
import { LinkBudget } from './link-budget.ts';
import type { Clock, OpenLink, Random, Signaling } from './ports.ts';
import { RingNode } from './ring-node.ts';

/** What a peer asks for beside a room; all are optional. */
export interface RingPeerOptions {
  /** Whom a new room is to prefer; `highest` by default. */
  readonly policy?: Policy;
  /** 0 to 255, 1 by default: greater ones win over smaller ones, 0 never leads. */
  readonly priority?: number;
}

/** Milliseconds before a peer that had to come back twice in a row comes back again; doubled. */
const FIRST_PAUSE = 500;
const LAST_PAUSE = 8_000;

/** A membership that lasted so many milliseconds was no failure. */
const SETTLED = 10_000;

export interface RingPeerPorts {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  readonly random: Random;
  readonly openLink: OpenLink;
  /** Makes a way to the server; called once for each membership. */
  readonly newSignaling: () => Signaling;
  /** Makes an id that nobody had before. */
  readonly newId: () => PeerId;
  /** Makes a secret of 16 to 64 characters that nobody can guess. */
  readonly newSecret: () => string;
  /** Told of each event with the member's state after it. */
  readonly onEvent: (event: RingEvent, state: RingState) => void;
}

export class RingPeer {
  readonly #room: RoomName;
  readonly #options: RingPeerOptions;
  readonly #budget: LinkBudget;
  readonly #directLinks = new DirectLinks();
  readonly #ports: RingPeerPorts;
  #node: RingNode;
  /** When the present node became a member, and how often one had to be made anew just before. */
  #joinedAt: number | null = null;
  #returns = 0;
  #cancelReturn: (() => void) | null = null;

  /** Makes a peer with an id of its own; `join` makes it a member. */
  constructor(room: RoomName, ports: RingPeerPorts, options: RingPeerOptions = {}) {
    this.#room = room;
    this.#options = options;
    this.#ports = ports;
    this.#budget = new LinkBudget(ports.clock);
    this.#node = this.#newNode();
  }

  get state(): RingState {
    return this.#node.state;
  }

  /** Joins, as a new peer if this one has left before. */
  join(): void {
    this.#forgetReturn();
    if (this.#node.state.role === 'offline') this.#node = this.#newNode();
    this.#node.start();
  }

  /** Starts an election. */
  campaign(): void {
    this.#node.campaign();
  }

  /**
   * Has every peer of the ring hold each message of an election for so long.
   * @param milliseconds a whole number from 0 to 2,000
   * @throws RangeError for any other
   */
  setHopDelay(milliseconds: number): void {
    this.#node.setHopDelay(milliseconds);
  }

  leave(): void {
    this.#forgetReturn();
    this.#node.leave();
  }

  /** Is gone without a goodbye, so that the others have to find out. */
  vanish(): void {
    this.#forgetReturn();
    this.#node.vanish();
  }

  /** Every link to a neighbour at this moment. */
  get links(): readonly LinkSight[] {
    return this.#node.links;
  }

  /** Does not come back by itself any more. */
  #forgetReturn(): void {
    this.#cancelReturn?.();
    this.#cancelReturn = null;
  }

  #newNode(): RingNode {
    const { clock, date, random, openLink, newSignaling, newId, newSecret } = this.#ports;
    const { policy = 'highest', priority = 1 } = this.#options;
    const node: RingNode = new RingNode(
      { id: newId(), room: this.#room, secret: newSecret(), policy, priority },
      {
        clock,
        date,
        random,
        openLink,
        budget: this.#budget,
        directLinks: this.#directLinks,
        signaling: newSignaling(),
        onEvent: (event) => {
          this.#onEvent(node, event);
        },
      },
    );
    return node;
  }

  #onEvent(node: RingNode, event: RingEvent): void {
    try {
      this.#ports.onEvent(event, node.state);
    } catch (error) {
      // A fault of those who look on must not stop a change of the ring half way.
      this.#ports.clock.after(0, () => {
        throw error;
      });
    }
    if (event.type === 'joined') this.#joinedAt = this.#ports.clock.now();
    // The ring has closed over it while it was away. An id that others hold for gone must not come
    // back, or its claims would be taken for those of the dead: whoever returns is a new peer.
    const mustBeNew =
      event.type === 'refused' && (event.code === 'place-lost' || event.code === 'id-taken');
    if (mustBeNew) this.#return();
  }

  /** At once, unless it has come to this again and again. */
  #return(): void {
    const now = this.#ports.clock.now();
    const wasMember = this.#joinedAt !== null && now - this.#joinedAt > SETTLED;
    this.#joinedAt = null;
    this.#returns = wasMember ? 0 : this.#returns + 1;
    if (this.#returns <= 1) {
      this.join();
      return;
    }
    const wait = Math.min(FIRST_PAUSE * 2 ** (this.#returns - 2), LAST_PAUSE);
    this.#cancelReturn = this.#ports.clock.after(wait * (0.5 + this.#ports.random()), () => {
      this.join();
    });
  }
}
