/** What carries to the broker and back in a simulation: connections that are slow and may break. */
import { run, type BrokerLoop } from '../broker/run.ts';
import { PLAIN_TICKETS } from './plain-tickets.ts';
import type { Told } from '../broker/room.ts';
import { newBroker, type Delivery, type SessionId } from '../broker/state.ts';
import { claimOf, type LeaveRequest, type ReplyTo, type Request } from '../protocol/signaling.ts';
import type { Signaling } from '../driver/ports.ts';
import type { ServerNews } from '../member/turn.ts';
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
  readonly session: SessionId;
  readonly route: Route;
  readonly onNews: (news: ServerNews) => void;
  /** Whether its peer has heard that it is there: before that it asks nothing. */
  isTold: boolean;
  /** What brings each reply to the peer that asked, by the number of its request. */
  readonly replies: Map<number, (reply: ReplyTo) => void>;
  /** As its peer sees it, and as the server does. */
  isOpen: boolean;
  isOpenAtServer: boolean;
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

/** The share of goodbyes over HTTP that never arrive: not everything that leaves has a way to say them. */
const LOST_GOODBYES = 0.5;

/** How long both ends take to see that the other sleeps or is cut off, in milliseconds. */
const PING_PATIENCE = 15_000;

/** When simulated time begins by the server's clock, in milliseconds since 1970: in 2026. */
const FIRST_DATE = 1_767_225_600_000;

const GOODBYE: Request = { type: 'leave', body: null };

export class SimulatedServer {
  readonly #network: SimulatedNetwork;
  #loop: BrokerLoop;
  #memories = 0;
  #isUp = true;
  /** By how much the server's clock is ahead, in milliseconds. */
  #clockError = 0;
  /** Those that were not lost, by their sessions. */
  readonly #connections = new Map<SessionId, Connection>();
  #sessions = 0;
  #requests = 0;

  constructor(network: SimulatedNetwork) {
    this.#network = network;
    this.#loop = this.#newLoop();
  }

  /** The port for a member. */
  port(route: Route): Signaling {
    return {
      connect: (onNews) => this.#connect(route, onNews, 0),
      ask: (request, onReply) => this.#ask(route, request, onReply),
      leave: () => this.#leave(route),
      drop: () => this.#vanish(route),
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
    this.#network.clock.after(noticed, () => this.#drop(connection));
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
    const { clock } = this.#network;
    this.#ping(route, () => this.#network.separatedUntil(route.device, null) <= clock.now());
  }

  /** A sleeping device does not answer the server's pings. */
  sleep(route: Route): void {
    const { device } = route;
    const { naps } = device;
    this.#ping(route, () => !device.isAsleep || device.naps !== naps);
  }

  /** The server's clock is so many milliseconds ahead of true time from now on. */
  setClock(error: number): void {
    this.#clockError = error;
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
      this.#loop.stop();
      this.#loop = this.#newLoop();
    }
    for (const connection of this.#connections.values()) {
      this.#drop(connection);
      this.#notice(connection, 'the server is gone', this.#network.upTo(RETRY));
    }
    this.#network.clock.after(downFor, () => {
      this.#isUp = true;
    });
  }

  #newLoop(): BrokerLoop {
    this.#memories += 1;
    const { clock } = this.#network;
    const limits = {
      peersPerRoom: 1_000,
      rooms: 1,
      burstWindow: 50,
      relays: true,
      relayedBytes: 2_000_000,
    };
    const broker = newBroker(`memory ${this.#memories}`, limits, clock.now());
    const date = () => FIRST_DATE + Math.floor(clock.now() + this.#clockError);
    const random = () => this.#network.upTo(1);
    const ports = { tickets: PLAIN_TICKETS, random };
    return run(broker, (delivery) => this.#perform(delivery), { clock, date }, ports);
  }

  #perform(delivery: Delivery): void {
    if (delivery.type === 'note' || delivery.type === 'ticket refused') return;
    if (delivery.type === 'reply') {
      const { number, reply } = delivery;
      const replies = this.#connections.get(delivery.session)?.replies;
      replies?.get(number)?.(reply);
      replies?.delete(number);
      return;
    }
    const connection = this.#connections.get(delivery.session);
    // What a dead server had yet to do stays undone.
    if (connection === undefined || !this.#isUp) return;
    switch (delivery.type) {
      case 'push': {
        const { told } = delivery;
        this.#toPeer(connection, () => connection.onNews(newsOf(told)));
        return;
      }
      case 'end':
        this.#drop(connection);
        this.#notice(connection, 'io server disconnect', RETRY);
        return;
    }
  }

  /** Where a device does not answer in time both ends take their connection for lost. */
  #ping({ connection }: Route, answers: () => boolean): void {
    this.#network.clock.after(PING_PATIENCE, () => {
      if (connection === null || answers()) return;
      this.#drop(connection);
      this.#notice(connection, 'ping timeout', RETRY);
    });
  }

  /**
   * Brings a request to the server, and the reply back. A peer that gets no reply to a request for a place
   * lets go of its connection, and asks again.
   */
  #ask(route: Route, request: Request, onReply: (reply: ReplyTo) => void): void {
    const { connection, device } = route;
    if (connection?.isTold !== true) return;
    const { session } = connection;
    const claim = claimOf(request);
    const patience = request.type === 'join' ? PLACE_PATIENCE : REPLY_PATIENCE;
    const cancel = claim && device.after(patience, () => this.#giveUp(connection));
    this.#toServer(connection, () => {
      this.#requests += 1;
      connection.replies.set(this.#requests, (reply) => {
        this.#toPeer(connection, () => {
          cancel?.();
          if (claim !== null) route.holder = reply.ok ? claim : null;
          onReply(reply);
        });
      });
      this.#loop.give({ type: 'request', session, number: this.#requests, request });
    });
  }

  #connect(route: Route, onNews: Connection['onNews'], wait: number): void {
    route.device.after(wait, () => {
      if (route.isLeft) return;
      const isCutOff = this.#network.separatedUntil(route.device, null) > this.#network.clock.now();
      if (!this.#isUp || isCutOff) {
        this.#connect(route, onNews, RETRY / 2 + this.#network.upTo(RETRY));
        return;
      }
      this.#sessions += 1;
      const connection: Connection = {
        session: this.#sessions,
        route,
        onNews,
        isTold: false,
        replies: new Map(),
        isOpen: true,
        isOpenAtServer: true,
        lastDown: 0,
        lastUp: 0,
        lagDown: this.#network.lag(),
        lagUp: this.#network.lag(),
      };
      route.connection = connection;
      this.#connections.set(connection.session, connection);
      const address = `device ${route.device.number}`;
      this.#loop.give({ type: 'opened', session: connection.session, address });
      this.#toPeer(connection, () => {
        connection.isTold = true;
        onNews({ type: 'connected' });
      });
    });
  }

  /** The peer learns that its connection is lost, and tries again. */
  #notice(connection: Connection, reason: string, back: number): void {
    const { route, onNews } = connection;
    route.device.run(() => {
      if (!connection.isOpen) return;
      connection.isOpen = false;
      route.connection = null;
      onNews({ type: 'disconnected', reason });
      this.#connect(route, onNews, back);
    });
  }

  /** The server learns that a connection is lost, or ends it. */
  #drop(connection: Connection): void {
    if (!connection.isOpenAtServer) return;
    this.#shut(connection);
    this.#connections.delete(connection.session);
  }

  #shut(connection: Connection): void {
    connection.isOpenAtServer = false;
    this.#loop.give({ type: 'closed', session: connection.session });
  }

  /** A member says goodbye, and ends its connection. */
  #leave(route: Route): void {
    const { connection } = route;
    route.isLeft = true;
    this.#leaveByHttp(route);
    if (connection === null) return;
    const { session } = connection;
    this.#toServer(connection, () => {
      // Nobody waits for the reply. The connection stays among the others until the server dies.
      this.#loop.give({ type: 'request', session, number: 0, request: GOODBYE });
      this.#shut(connection);
    });
    connection.isOpen = false;
    route.connection = null;
  }

  /** A member is killed: the server sees its socket close. */
  #vanish(route: Route): void {
    route.isLeft = true;
    this.lose(route, SOCKET_CLOSE, Infinity);
    if (route.connection !== null) route.connection.isOpen = false;
    route.connection = null;
  }

  /** The peer ends a connection, and tries another later. */
  #giveUp(connection: Connection): void {
    if (!connection.isOpen) return;
    this.#toServer(connection, () => this.#drop(connection));
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
      if (this.#isUp) this.#loop.give({ type: 'goodbye', request: holder });
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

  #toServer(connection: Connection, call: () => void): void {
    const { clock } = this.#network;
    const arrival = this.#arrival(connection.route, connection.lagUp);
    connection.lastUp = Math.max(arrival, connection.lastUp);
    clock.after(connection.lastUp - clock.now(), () => {
      if (connection.isOpenAtServer && this.#isUp) call();
    });
  }
}

/** What the server tells, as the peer hears it. */
function newsOf(told: Told): ServerNews {
  return told.type === 'signal' ? { type: 'signal', delivery: told.signal } : told;
}
