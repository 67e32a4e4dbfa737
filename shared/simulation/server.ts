/** The simulated signaling server: the real broker, behind connections that may break. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { JoinReply, Refusal } from '../protocol/signaling.ts';
import { Broker, PROBE_PATIENCE } from '../ring/broker.ts';
import type { Signaling, SignalingHandlers } from '../ring/ports.ts';
import type { Delivery } from '../ring/room.ts';
import type { Device } from './device.ts';
import type { SimulatedNetwork } from './network.ts';

/** A member's way to the server: at most one connection at a time, until it leaves. */
export interface Route {
  readonly device: Device;
  isLeft: boolean;
  connection: Connection | null;
}

/** A connection to the server. Each reconnection is another one. */
interface Connection {
  readonly route: Route;
  readonly handlers: SignalingHandlers;
  /** As its peer sees it, and as the server does. */
  isOpen: boolean;
  isOpenAtServer: boolean;
  /** To be called once it has asked for its place, or will not. */
  readonly arrived: () => void;
  /** Whose place it asked for. */
  seat: PeerId | null;
  /** When the last message arrives, to the peer and to the server: both ways keep the order. */
  lastDown: number;
  lastUp: number;
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

/** How long the server takes to see that the other end of a connection sleeps. */
const PING_PATIENCE = 15_000;

export class SimulatedServer {
  readonly #network: SimulatedNetwork;
  readonly #room: RoomName;
  #broker: Broker;
  #memories = 0;
  #isUp = true;
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
        up((connection) => {
          if (this.#refusesSecond(connection, onReply)) return;
          connection.seat = request.id;
          this.#broker.join(request, (reply) => {
            // What a dead server had yet to do stays undone.
            if (!connection.isOpenAtServer) return;
            if (reply.ok) this.#seat(connection, request.id);
            else connection.seat = null;
            this.#toPeer(connection, () => {
              onReply(reply);
            });
          });
          connection.arrived();
        });
      },
      resume: (request, onReply) => {
        up((connection) => {
          if (this.#refusesSecond(connection, onReply)) return;
          const reply = this.#broker.resume(request);
          if (reply.ok) this.#seat(connection, request.id);
          connection.arrived();
          this.#toPeer(connection, () => {
            onReply(reply);
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
        const { connection } = route;
        if (connection === null) return;
        up(() => {
          connection.arrived();
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
        date: () => Math.floor(this.#network.clock.now()),
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
      if (!this.#isUp) {
        this.#connect(route, handlers, RETRY / 2 + this.#network.upTo(RETRY));
        return;
      }
      const connection = {
        route,
        handlers,
        isOpen: true,
        isOpenAtServer: true,
        arrived: this.#broker.expect(this.#room),
        seat: null,
        lastDown: 0,
        lastUp: 0,
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
    connection.arrived();
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

  #toPeer(connection: Connection, call: () => void): void {
    const { clock } = this.#network;
    connection.lastDown = Math.max(clock.now() + this.#network.delay(), connection.lastDown);
    clock.after(connection.lastDown - clock.now(), () => {
      if (!connection.isOpenAtServer) return;
      connection.route.device.run(() => {
        if (connection.isOpen) call();
      });
    });
  }

  #toServer(connection: Connection, call: (connection: Connection) => void): void {
    const { clock } = this.#network;
    connection.lastUp = Math.max(clock.now() + this.#network.delay(), connection.lastUp);
    clock.after(connection.lastUp - clock.now(), () => {
      if (connection.isOpenAtServer && this.#isUp) call(connection);
    });
  }
}
