/**
 * The signaling server's mind: rooms, places and brokering, without its network. The Socket.IO
 * server and the simulated one both run it.
 */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type {
  JoinReply,
  JoinRequest,
  Refusal,
  RefusalCode,
  Reply,
  ResumeRequest,
  SignalRequest,
} from '../protocol/signaling.ts';
import type { Clock } from './ports.ts';
import { Room, type Delivery } from './room.ts';

export interface BrokerPorts {
  readonly clock: Clock;
  /** Brings a view or a signal to a member. */
  deliver(room: RoomName, delivery: Delivery): void;
}

export interface BrokerLimits {
  /** Members of one room. */
  readonly peersPerRoom: number;
  /** Rooms at a time. */
  readonly rooms: number;
  /** Milliseconds within which arrivals after a first one are given their places together. */
  readonly burstWindow: number;
}

type OnJoined = (reply: JoinReply) => void;

interface Pending {
  readonly request: JoinRequest;
  readonly onJoined: OnJoined;
}

interface OpenRoom {
  readonly room: Room;
  readonly secrets: Map<PeerId, string>;
  pending: Pending[];
  assignedAt: number;
  cancelAssign: (() => void) | null;
}

export class Broker {
  readonly #epoch: string;
  readonly #ports: BrokerPorts;
  readonly #limits: BrokerLimits;
  readonly #rooms = new Map<RoomName, OpenRoom>();
  #opened = 0;

  /**
   * @param epoch names this memory of the server; another one at each start
   * @param ports the network and the time
   * @param limits what it takes in
   */
  constructor(epoch: string, ports: BrokerPorts, limits: BrokerLimits) {
    this.#epoch = epoch;
    this.#ports = ports;
    this.#limits = limits;
  }

  /** Rooms and members at this moment. */
  get size(): { readonly rooms: number; readonly peers: number } {
    let peers = 0;
    for (const { room } of this.#rooms.values()) peers += room.size;
    return { rooms: this.#rooms.size, peers };
  }

  /** A room's peers in ring order, each followed by its successor. */
  peers(name: RoomName): readonly PeerId[] {
    return this.#rooms.get(name)?.room.peers ?? [];
  }

  /**
   * Takes a newcomer in: at once where none came just before, else with all others of its burst.
   * @param onJoined called once, unless the newcomer leaves before
   */
  join(request: JoinRequest, onJoined: OnJoined): void {
    const open = this.#rooms.get(request.room);
    const refused = this.#refuse(request, open);
    if (refused !== null) {
      // Its own earlier self, whose reply was lost with the connection: no one is there any more.
      if (open?.secrets.get(request.id) === request.secret) this.leave(request.room, request.id);
      onJoined(refused);
      return;
    }
    const room = open ?? this.#open(request.room);
    room.secrets.set(request.id, request.secret);
    room.pending.push({ request, onJoined });
    this.#schedule(request.room, room);
  }

  /** Gives a member its view again, over another connection; its place is as it was. */
  resume({ room: name, id, secret }: ResumeRequest): JoinReply {
    const open = this.#rooms.get(name);
    const view = open?.secrets.get(id) === secret ? open.room.view(id) : undefined;
    if (view === undefined)
      return refusal('place-lost', `the place of ${id} in room ${name} is not kept any more`);
    return { ok: true, view };
  }

  /** Lets a member, or one about to become it, go. Nothing happens where it was neither. */
  leave(name: RoomName, id: PeerId): void {
    const open = this.#rooms.get(name);
    if (open?.secrets.delete(id) !== true) return;
    open.pending = open.pending.filter(({ request }) => request.id !== id);
    this.#deliver(name, open.room.leave(id));
    if (open.secrets.size === 0) this.#close(name, open);
  }

  /** Passes a signal on to a neighbour, or says why not. */
  signal(name: RoomName, from: PeerId, request: SignalRequest): Reply {
    const delivery = this.#rooms.get(name)?.room.signal(from, request) ?? null;
    if (delivery === null)
      return refusal('not-a-neighbour', `${request.to} is not your ${request.edge}`);
    this.#ports.deliver(name, delivery);
    return { ok: true };
  }

  #refuse({ room: name, id }: JoinRequest, open: OpenRoom | undefined): Refusal | null {
    if (open === undefined)
      return this.#rooms.size < this.#limits.rooms
        ? null
        : refusal('room-full', 'this server has as many rooms as it takes');
    if (open.secrets.has(id) || open.room.hasLeft(id))
      return refusal('id-taken', `the id ${id} is or was another peer's`);
    if (open.secrets.size >= this.#limits.peersPerRoom)
      return refusal('room-full', `room ${name} is full with ${open.secrets.size} peers`);
    return null;
  }

  /** A room that was empty counts its versions anew: that takes another epoch. */
  #open(name: RoomName): OpenRoom {
    this.#opened += 1;
    const open: OpenRoom = {
      room: new Room(`${this.#epoch}.${this.#opened}`),
      secrets: new Map(),
      pending: [],
      assignedAt: -Infinity,
      cancelAssign: null,
    };
    this.#rooms.set(name, open);
    return open;
  }

  #close(name: RoomName, open: OpenRoom): void {
    open.cancelAssign?.();
    this.#rooms.delete(name);
  }

  #schedule(name: RoomName, open: OpenRoom): void {
    if (open.cancelAssign !== null) return;
    const wait = open.assignedAt + this.#limits.burstWindow - this.#ports.clock.now();
    if (wait <= 0) {
      this.#assign(name, open);
      return;
    }
    open.cancelAssign = this.#ports.clock.after(wait, () => {
      open.cancelAssign = null;
      this.#assign(name, open);
    });
  }

  #assign(name: RoomName, open: OpenRoom): void {
    if (open.pending.length === 0) return;
    open.assignedAt = this.#ports.clock.now();
    const arrived = new Map(open.pending.map((pending) => [pending.request.id, pending]));
    open.pending = [];
    for (const delivery of open.room.join([...arrived.values()].map(({ request }) => request))) {
      const newcomer = arrived.get(delivery.to);
      if (delivery.type === 'view' && newcomer !== undefined)
        newcomer.onJoined({ ok: true, view: delivery.view });
      else this.#ports.deliver(name, delivery);
    }
  }

  #deliver(name: RoomName, deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#ports.deliver(name, delivery);
  }
}

function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message };
}
