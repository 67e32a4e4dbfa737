/** A ring member for a page or a program: a RingNode on real links, which takes a new id when it must. */
import { v4 as uuid } from 'uuid';
import { parsePeerId, type PeerId, type RoomName } from '../shared/protocol/ids.ts';
import type { RingEvent, RingState } from '../shared/ring/events.ts';
import type { OpenLink, Signaling } from '../shared/ring/ports.ts';
import { RingNode } from '../shared/ring/ring-node.ts';
import { clockOf } from '../shared/ring/clock.ts';

/** All the same: the highest uuid wins. */
const PRIORITY = 1;

export interface RingPeerOptions {
  readonly room: RoomName;
  readonly openLink: OpenLink;
  /** Makes a connection to the signaling server; called once for each membership. */
  readonly signaling: () => Signaling;
  /** Told of each event with the member's state after it. */
  onEvent(event: RingEvent, state: RingState): void;
}

export class RingPeer {
  readonly #options: RingPeerOptions;
  #node: RingNode;

  /** Makes a peer with an id of its own; `join` makes it a member. */
  constructor(options: RingPeerOptions) {
    this.#options = options;
    this.#node = this.#newNode();
  }

  get state(): RingState {
    return this.#node.state;
  }

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
    const node: RingNode = new RingNode(
      { id: newPeerId(), room: this.#options.room, secret: uuid(), priority: PRIORITY },
      {
        clock: clockOf(globalThis),
        random: Math.random,
        openLink: this.#options.openLink,
        signaling: this.#options.signaling(),
        onEvent: (event) => {
          this.#onEvent(node, event);
        },
      },
    );
    return node;
  }

  #onEvent(node: RingNode, event: RingEvent): void {
    this.#options.onEvent(event, node.state);
    // Gone from the server's memory while it was away: whoever comes back comes as a new peer.
    if (event.type === 'refused' && event.code === 'id-taken') this.join();
  }
}

function newPeerId(): PeerId {
  const id = parsePeerId(uuid());
  if (!id.ok) throw new Error(id.error);
  return id.value;
}
