/** A ring member for a page or a program: a RingNode, and a new one under a new id when it must. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { RingEvent, RingState } from './events.ts';
import type { Clock, OpenLink, Random, Signaling } from './ports.ts';
import { RingNode } from './ring-node.ts';

/** All the same: the highest uuid wins. */
const PRIORITY = 1;

export interface RingPeerPorts {
  readonly clock: Clock;
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
  readonly #ports: RingPeerPorts;
  #node: RingNode;

  /** Makes a peer with an id of its own; `join` makes it a member. */
  constructor(room: RoomName, ports: RingPeerPorts) {
    this.#room = room;
    this.#ports = ports;
    this.#node = this.#newNode();
  }

  get state(): RingState {
    return this.#node.state;
  }

  /** Joins, as a new peer if this one has left before. */
  join(): void {
    if (this.#node.state.role === 'offline') this.#node = this.#newNode();
    this.#node.start();
  }

  /** Starts an election. */
  campaign(): void {
    this.#node.campaign();
  }

  leave(): void {
    this.#node.leave();
  }

  #newNode(): RingNode {
    const { clock, random, openLink, newSignaling, newId, newSecret } = this.#ports;
    const node: RingNode = new RingNode(
      { id: newId(), room: this.#room, secret: newSecret(), priority: PRIORITY },
      {
        clock,
        random,
        openLink,
        signaling: newSignaling(),
        onEvent: (event) => {
          this.#onEvent(node, event);
        },
      },
    );
    return node;
  }

  #onEvent(node: RingNode, event: RingEvent): void {
    this.#ports.onEvent(event, node.state);
    // The ring has closed over it while it was away. An id that others hold for gone must not come
    // back, or its claims would be taken for those of the dead: whoever returns is a new peer.
    const mustBeNew =
      event.type === 'refused' && (event.code === 'place-lost' || event.code === 'id-taken');
    if (mustBeNew) this.join();
  }
}
