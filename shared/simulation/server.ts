/** The simulated signaling server: the real broker, behind connections that may break. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { JoinReply, LeaveRequest, Refusal } from '../protocol/signaling.ts';
import { Broker, PROBE_PATIENCE } from '../ring/broker.ts';
import type { Signaling, SignalingHandlers } from '../driver/ports.ts';
import type { Delivery } from '../ring/room.ts';
import { PLACE_PATIENCE, REPLY_PATIENCE } from '../protocol/timeouts.ts';
import type { Device } from './device.ts';
import type { SimulatedNetwork } from './network.ts';

/** A member's way to the server: at most one connection at a time, until it leaves. */
export interface Route {
  readonly device: Device;
  isLeft: boolean;
  connection: Connection | null;
  /** Whose place it is, once it has one. */
  holder: LeaveRequest | null;
}

/** A connection to the server. Each reconnection is another one. */
interface Connection {
  readonly route: Route;
  readonly handlers: SignalingHandlers;
  /** As its peer sees it, and as the server does. */
  isOpen: boolean;
  isOpenAtServer: boolean;
  /** Whose place it asked for. */
  seat: PeerId | null;
  /** When the last message arrives, to the peer and to the server: both ways keep the order. */
  lastDown: number;
  lastUp: number;
  /** What each way takes more than the least, in milliseconds. */
  readonly lagDown: number;
  readonly lagUp: number;
}

/** Milliseconds between attempts to reach a server that is down. */
const RETRY = 500;

/** How long the server takes to see that a socket is closed, in milliseconds. */
export const SOCKET_CLOSE = 50;

/** As the real server refuses what only a member may ask, and a second place. */
const NOT_JOINED: Refusal = { ok: false, code: 'not-joined', message: 'join a room first' };
const ALREADY_JOINED: Refusal = {
  ok: false,
  code: 'already-joined',
  message: 'this connection has joined a room already',
};

/** The share of goodbyes over HTTP that never arrive: not everything that leaves has a way to say them. */
const LOST_GOODBYES = 0.5;

/** How long both ends take to see that the other sleeps or is cut off, in milliseconds. */
const PING_PATIENCE = 15_000;

/** When simulated time begins by the server's clock, in milliseconds since 1970: in 2026. */
const FIRST_DATE = 1_767_225_600_000;

export class SimulatedServer {
  readonly #network: SimulatedNetwork;
  readonly #room: RoomName;
  #broker: Broker;
  #memories = 0;
  #isUp = true;
  /** By how much the server's clock is ahead, in milliseconds. */
  #clockError = 0;
  readonly #connections = new Set<Connection>();
  /** Whom the server talks to, by the id that has the seat. */
  readonly #seats = new Map<PeerId, Connection>();

  constructor(network: SimulatedNetwork, room: RoomName) {
    this.#network = network;
    this.#room = room;
    this.#broker = this.#newBroker();
  }

  /** The port for a member. */
  port(route: Route): Signaling {
    const up = (call: (connection: Connection) => void) => {
      if (route.connection !== null) this.#toServer(route.connection, call);
    };
    return {
      connect: (handlers) => {
        this.#connect(route, handlers, 0);
      },
      join: (request, onReply) => {
        const placed = this.#awaitPlace(route, request, PLACE_PATIENCE, onReply);
        up((connection) => {
          if (this.#refusesSecond(connection, placed)) return;
          connection.seat = request.id;
          this.#broker.join(request, (reply) => {
            // What a dead server had yet to do stays undone.
            if (!connection.isOpenAtServer) return;
            if (reply.ok) this.#seat(connection, request.id);
            else connection.seat = null;
            this.#toPeer(connection, () => {
              placed(reply);
            });
          });
        });
      },
      resume: (request, onReply) => {
        const placed = this.#awaitPlace(route, request, REPLY_PATIENCE, onReply);
        up((connection) => {
          if (this.#refusesSecond(connection, placed)) return;
          const reply = this.#broker.resume(request);
          if (reply.ok) this.#seat(connection, request.id);
          this.#toPeer(connection, () => {
            placed(reply);
          });
        });
      },
      signal: (request, onReply) => {
        up((connection) => {
          const reply =
            connection.seat === null
              ? NOT_JOINED
              : this.#broker.signal(this.#room, connection.seat, request);
          this.#toPeer(connection, () => {
            onReply(reply);
          });
        });
      },
      settle: (onReply) => {
        up((connection) => {
          const reply =
            connection.seat === null
              ? NOT_JOINED
              : this.#broker.settle(this.#room, connection.seat);
          this.#toPeer(connection, () => {
            onReply(reply);
          });
        });
      },
      report: (report, onReply) => {
        up((connection) => {
          const answer = this.#answer(connection, onReply);
          if (connection.seat === null) answer(NOT_JOINED);
          else this.#broker.report(this.#room, connection.seat, report, answer);
        });
      },
      lookup: (peer, onReply) => {
        up((connection) => {
          const answer = this.#answer(connection, onReply);
          if (connection.seat === null) answer(NOT_JOINED);
          else this.#broker.lookup(this.#room, peer, answer);
        });
      },
      leave: () => {
        route.isLeft = true;
        this.#leaveByHttp(route);
        const { connection } = route;
        if (connection === null) return;
        up(() => {
          this.#unseat(connection, (id) => {
            this.#broker.leave(this.#room, id);
          });
          connection.isOpenAtServer = false;
        });
        connection.isOpen = false;
        route.connection = null;
      },
      drop: () => {
        route.isLeft = true;
        this.lose(route, SOCKET_CLOSE, Infinity);
        if (route.connection !== null) route.connection.isOpen = false;
        route.connection = null;
      },
    };
  }

  /**
   * A connection is lost.
   * @param noticed milliseconds until the server knows, if another has not taken its place by then
   * @param back milliseconds until the peer tries again; Infinity for one that does not know
   */
  lose(route: Route, noticed: number, back: number): void {
    const { connection } = route;
    if (connection === null) return;
    this.#network.clock.after(noticed, () => {
      this.#drop(connection);
    });
    if (back < Infinity) this.#notice(connection, 'lost', back);
  }

  /**
   * What is said on a connection arrives, both ways, so many milliseconds later: after what a next one
   * brings, if this one is lost meanwhile.
   */
  stall({ connection }: Route, milliseconds: number): void {
    if (connection === null) return;
    const until = this.#network.clock.now() + milliseconds;
    connection.lastDown = Math.max(connection.lastDown, until);
    connection.lastUp = Math.max(connection.lastUp, until);
  }

  /** A device that the server cannot reach does not answer its pings, either. */
  cutOff(route: Route): void {
    const { connection } = route;
    this.#network.clock.after(PING_PATIENCE, () => {
      const isCutOff = this.#network.separatedUntil(route.device, null) > this.#network.clock.now();
      if (connection === null || !isCutOff) return;
      this.#drop(connection);
      this.#notice(connection, 'ping timeout', RETRY);
    });
  }

  /** The server's clock is so many milliseconds ahead of true time from now on. */
  setClock(error: number): void {
    this.#clockError = error;
  }

  /** A sleeping device does not answer the server's pings. */
  sleep(route: Route): void {
    const { connection } = route;
    const { naps } = route.device;
    this.#network.clock.after(PING_PATIENCE, () => {
      const isStillAsleep = route.device.isAsleep && route.device.naps === naps;
      if (connection === null || !isStillAsleep) return;
      this.#drop(connection);
      this.#notice(connection, 'ping timeout', RETRY);
    });
  }

  /**
   * The server dies, or the network before it does.
   * @param downFor milliseconds until it is back
   * @param keepsMemory whether it knows its rooms then
   */
  crash(downFor: number, keepsMemory: boolean): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    if (!keepsMemory) {
      this.#seats.clear();
      this.#broker = this.#newBroker();
    }
    for (const connection of this.#connections) {
      this.#drop(connection);
      this.#notice(connection, 'the server is gone', this.#network.upTo(RETRY));
    }
    this.#network.clock.after(downFor, () => {
      this.#isUp = true;
    });
  }

  #newBroker(): Broker {
    this.#memories += 1;
    const memory = this.#memories;
    // What a dead server had yet to do stays undone.
    const isAlive = () => memory === this.#memories && this.#isUp;
    return new Broker(
      `memory ${memory}`,
      {
        clock: {
          now: () => this.#network.clock.now(),
          after: (milliseconds, call) =>
            this.#network.clock.after(milliseconds, () => {
              if (memory === this.#memories) call();
            }),
        },
        date: () => FIRST_DATE + Math.floor(this.#network.clock.now() + this.#clockError),
        deliver: (_room, delivery) => {
          if (isAlive()) this.#deliver(delivery);
        },
        probe: (_room, id, onAnswer) => {
          this.#probe(id, (isAwake) => {
            if (memory === this.#memories) onAnswer(isAwake);
          });
        },
        disconnect: (_room, id) => {
          const connection = isAlive() ? this.#seats.get(id) : undefined;
          if (connection !== undefined) this.#end(connection);
        },
      },
      { peersPerRoom: 1_000, rooms: 1, burstWindow: 50 },
    );
  }

  #connect(route: Route, handlers: SignalingHandlers, wait: number): void {
    route.device.after(wait, () => {
      if (route.isLeft) return;
      const isCutOff = this.#network.separatedUntil(route.device, null) > this.#network.clock.now();
      if (!this.#isUp || isCutOff) {
        this.#connect(route, handlers, RETRY / 2 + this.#network.upTo(RETRY));
        return;
      }
      const connection = {
        route,
        handlers,
        isOpen: true,
        isOpenAtServer: true,
        seat: null,
        lastDown: 0,
        lastUp: 0,
        lagDown: this.#network.lag(),
        lagUp: this.#network.lag(),
      };
      route.connection = connection;
      this.#connections.add(connection);
      this.#toPeer(connection, handlers.onConnect);
    });
  }

  /** The peer learns that its connection is lost, and tries again. */
  #notice(connection: Connection, reason: string, back: number): void {
    const { route, handlers } = connection;
    route.device.run(() => {
      if (!connection.isOpen) return;
      connection.isOpen = false;
      route.connection = null;
      handlers.onDisconnect(reason);
      this.#connect(route, handlers, back);
    });
  }

  /** The server learns that a connection is lost. */
  #drop(connection: Connection): void {
    if (!connection.isOpenAtServer) return;
    this.#unseat(connection, (id) => {
      this.#broker.lose(this.#room, id);
    });
    connection.isOpenAtServer = false;
    this.#connections.delete(connection);
  }

  /**
   * From now on what is for the member goes over this connection; an earlier one is ended. What was
   * sent over a connection that is lost may arrive after what is sent over the next one.
   */
  #seat(connection: Connection, id: PeerId): void {
    const earlier = this.#seats.get(id);
    if (earlier !== undefined && earlier !== connection) this.#end(earlier);
    connection.seat = id;
    this.#seats.set(id, connection);
  }

  /** The server ends a connection. */
  #end(connection: Connection): void {
    this.#unseat(connection, () => undefined);
    connection.isOpenAtServer = false;
    this.#connections.delete(connection);
    this.#notice(connection, 'io server disconnect', RETRY);
  }

  /** A peer that gets no answer to a request for a place lets go of its connection, and asks again. */
  #awaitPlace(
    route: Route,
    { room, id, secret }: LeaveRequest,
    patience: number,
    onReply: (reply: JoinReply) => void,
  ): (reply: JoinReply) => void {
    const { connection } = route;
    const cancel = route.device.after(patience, () => {
      if (connection !== null) this.#giveUp(connection);
    });
    return (reply) => {
      cancel();
      if (reply.ok) route.holder = { room, id, secret };
      onReply(reply);
    };
  }

  /** The peer ends a connection, and tries another later. */
  #giveUp(connection: Connection): void {
    if (!connection.isOpen) return;
    this.#toServer(connection, () => {
      this.#drop(connection);
    });
    this.#notice(connection, 'io client disconnect', RETRY);
  }

  /**
   * A page that leaves says so over HTTP besides, on a way of its own: that may arrive before what it
   * has sent on its connection, or long after, or not at all.
   */
  #leaveByHttp({ device, holder }: Route): void {
    if (holder === null || this.#network.upTo(1) < LOST_GOODBYES) return;
    const arrival = this.#arrival({ device }, this.#network.lag());
    this.#network.clock.after(arrival - this.#network.clock.now(), () => {
      if (!this.#isUp || !this.#broker.mayLeave(holder)) return;
      const connection = this.#seats.get(holder.id);
      if (connection !== undefined) this.#unseat(connection, () => undefined);
      this.#broker.leave(this.#room, holder.id);
    });
  }

  #refusesSecond(connection: Connection, onReply: (reply: JoinReply) => void): boolean {
    if (connection.seat === null) return false;
    this.#answer(connection, onReply)(ALREADY_JOINED);
    return true;
  }

  /** What brings the server's reply to whoever asked. */
  #answer<R>(connection: Connection, onReply: (reply: R) => void): (reply: R) => void {
    return (reply) => {
      this.#toPeer(connection, () => {
        onReply(reply);
      });
    };
  }

  #unseat(connection: Connection, then: (id: PeerId) => void): void {
    const { seat } = connection;
    if (seat === null || (this.#seats.get(seat) ?? connection) !== connection) return;
    connection.seat = null;
    this.#seats.delete(seat);
    then(seat);
  }

  #probe(id: PeerId, onAnswer: (isAwake: boolean) => void): void {
    const connection = this.#seats.get(id);
    let isAnswered = connection === undefined;
    if (connection === undefined) {
      onAnswer(false);
      return;
    }
    const answer = (isAwake: boolean) => {
      if (isAnswered) return;
      isAnswered = true;
      onAnswer(isAwake);
    };
    this.#toPeer(connection, () => {
      this.#toServer(connection, () => {
        answer(true);
      });
    });
    this.#network.clock.after(PROBE_PATIENCE, () => {
      answer(false);
    });
  }

  #deliver(delivery: Delivery): void {
    const connection = this.#seats.get(delivery.to);
    if (connection === undefined) return;
    const { handlers } = connection;
    this.#toPeer(connection, () => {
      switch (delivery.type) {
        case 'view':
          handlers.onView(delivery.view);
          return;
        case 'signal':
          handlers.onSignal(delivery.signal);
          return;
        case 'check':
          handlers.onCheck(delivery.peer);
          return;
      }
    });
  }

  /** When what is sent now arrives at the other end of a connection, if nothing was before it. */
  #arrival({ device }: Pick<Route, 'device'>, lag: number): number {
    const { clock } = this.#network;
    const sent = Math.max(clock.now(), this.#network.separatedUntil(device, null));
    return sent + lag + this.#network.delay();
  }

  #toPeer(connection: Connection, call: () => void): void {
    const { clock } = this.#network;
    const arrival = this.#arrival(connection.route, connection.lagDown);
    connection.lastDown = Math.max(arrival, connection.lastDown);
    clock.after(connection.lastDown - clock.now(), () => {
      if (!connection.isOpenAtServer) return;
      connection.route.device.run(() => {
        if (connection.isOpen) call();
      });
    });
  }

  #toServer(connection: Connection, call: (connection: Connection) => void): void {
    const { clock } = this.#network;
    const arrival = this.#arrival(connection.route, connection.lagUp);
    connection.lastUp = Math.max(arrival, connection.lastUp);
    clock.after(connection.lastUp - clock.now(), () => {
      if (connection.isOpenAtServer && this.#isUp) call(connection);
    });
  }
}
