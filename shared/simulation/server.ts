/** The servers of a simulation, and what carries to them and back: connections that are slow and may break. */
import type { Told } from '../broker/room.ts';
import type { SessionId } from '../broker/state.ts';
import type { Output } from '../instances/state.ts';
import { claimOf, type LeaveRequest, type ReplyTo, type Request } from '../protocol/signaling.ts';
import type { Signaling } from '../driver/ports.ts';
import type { WatchReply } from '../protocol/watch.ts';
import type { ServerNews } from '../member/turn.ts';
import { PLACE_PATIENCE, REPLY_PATIENCE } from '../protocol/timeouts.ts';
import type { Device } from './device.ts';
import { SimulatedInstance } from './instance.ts';
import type { SimulatedNetwork } from './network.ts';
import { SimulatedRedis, type Kept } from './redis.ts';

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
  /** Where it ends. */
  readonly instance: SimulatedInstance;
  readonly route: Route;
  readonly onNews: (news: ServerNews) => void;
  /** Whether its peer has heard that it is there: before that it asks nothing. */
  isTold: boolean;
  /** What brings each reply to the peer that asked, by the number of its request. */
  readonly replies: Map<number, (reply: ReplyTo | WatchReply) => void>;
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
  /** What they share; null for a server alone. */
  readonly #redis: SimulatedRedis | null;
  #instances: SimulatedInstance[] = [];
  #started = 0;
  /** Those that cannot be reached, or have not started yet. */
  readonly #down = new Set<SimulatedInstance>();
  /** Of goodbyes over HTTP, which wait for their replies: where they are. */
  readonly #goodbyes = new Map<SessionId, SimulatedInstance>();
  /** By how much the server's clock is ahead, in milliseconds. */
  #clockError = 0;
  /** Those that were not lost, by their sessions. */
  readonly #connections = new Map<SessionId, Connection>();
  #sessions = 0;
  #requests = 0;
  readonly #problems: string[] = [];

  /** @param count of instances that share rooms; 1 for a server alone */
  constructor(network: SimulatedNetwork, count = 1) {
    this.#network = network;
    this.#redis = count === 1 ? null : new SimulatedRedis(network, () => this.#date());
    for (let each = 0; each < count; each += 1) this.#instances.push(this.#newInstance());
  }

  /** What went wrong among the instances so far, in words. */
  get problems(): readonly string[] {
    return this.#problems;
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
    this.#redis?.unsettle(0);
  }

  /**
   * All servers die, or the network before them does.
   * @param downFor milliseconds until they are back
   * @param keepsMemory whether they know their rooms then
   */
  crash(downFor: number, keepsMemory: boolean): void {
    for (const instance of this.#instances)
      if (!this.#down.has(instance)) this.#takeDown(instance, downFor, keepsMemory);
  }

  /**
   * One of the servers dies.
   * @param downFor milliseconds until another one has started in its place
   * @param isStopped whether it is asked to end, and can say so to the others
   */
  kill(downFor: number, isStopped: boolean): void {
    const instance = this.#anyUp();
    if (instance === undefined) return;
    if (isStopped) instance.stop();
    this.#takeDown(instance, downFor, false);
  }

  /** The process of one of the servers is stopped for a while; see `pause` of instance.ts. */
  pause(milliseconds: number, atOutput: boolean): void {
    const instance = this.#anyUp();
    instance?.pause(milliseconds, atOutput);
    if (instance === undefined) return;
    const { naps } = instance.device;
    for (const connection of this.#connections.values())
      if (connection.instance === instance)
        this.#network.clock.after(PING_PATIENCE, () => {
          if (instance.device.isAsleep && instance.device.naps === naps + (atOutput ? 1 : 0))
            this.#lost(connection, 'ping timeout');
        });
  }

  /** One of the servers cannot reach Redis for a while. */
  cutFromRedis(milliseconds: number): void {
    const instance = this.#anyUp();
    if (instance !== undefined) this.#redis?.cut(instance.name, milliseconds);
  }

  /** What one of the servers says to Redis, and hears from there, comes late. */
  stallRedis(milliseconds: number): void {
    const instance = this.#anyUp();
    if (instance !== undefined) this.#redis?.stall(instance.name, milliseconds);
  }

  saveRedis(): void {
    this.#redis?.save();
  }

  restartRedis(downFor: number, kept: Kept): void {
    this.#redis?.restart(downFor, kept);
  }

  #date(): number {
    return FIRST_DATE + Math.floor(this.#network.clock.now() + this.#clockError);
  }

  #newInstance(): SimulatedInstance {
    this.#started += 1;
    // A computer's clock is wrong by less than this.
    const rate = this.#redis === null ? 1 : 0.9 + this.#network.upTo(0.2);
    const instance: SimulatedInstance = new SimulatedInstance(this.#started, rate, {
      network: this.#network,
      redis: this.#redis,
      // Alone it is the directory, too.
      date: () => this.#date() - (this.#redis === null ? 0 : this.#clockError),
      perform: (output) => this.#perform(instance, output),
      onActing: (acting) => this.#judge(acting),
    });
    return instance;
  }

  #anyUp(): SimulatedInstance | undefined {
    const up = this.#instances.filter((instance) => !this.#down.has(instance));
    return up.length <= 1 ? up[0] : up[Math.floor(this.#network.upTo(up.length))];
  }

  #takeDown(instance: SimulatedInstance, downFor: number, keepsMemory: boolean): void {
    let next = instance;
    if (!keepsMemory) {
      instance.die();
      next = this.#newInstance();
      this.#instances = this.#instances.map((each) => (each === instance ? next : each));
    }
    this.#down.add(next);
    for (const connection of this.#connections.values())
      if (connection.instance === instance) this.#lost(connection, 'the server is gone');
    this.#network.clock.after(downFor, () => this.#down.delete(next));
  }

  /** Both ends of a connection know that it is lost; the peer connects again. */
  #lost(connection: Connection, reason: string): void {
    this.#drop(connection);
    this.#notice(connection, reason, this.#network.upTo(RETRY));
  }

  /** One that speaks for a room which was given to another, while leases hold what they promise. */
  #judge(instance: SimulatedInstance): void {
    if (this.#redis?.isSound !== true) return;
    for (const room of instance.rooms) {
      const owner = this.#redis.ownerOf(room);
      if (owner !== null && owner !== instance.id)
        this.#problems.push(`${instance.id} speaks for ${room}, which is ${owner}’s`);
    }
  }

  #perform(instance: SimulatedInstance, output: Output): void {
    if (output.type === 'reply') {
      this.#reply(output);
      return;
    }
    if (output.type !== 'push' && output.type !== 'end' && output.type !== 'cut') return;
    const connection = this.#connections.get(output.session);
    // What a dead server had yet to do stays undone.
    if (connection === undefined || this.#down.has(instance)) return;
    switch (output.type) {
      case 'push': {
        const { told } = output;
        this.#toPeer(connection, () => connection.onNews(newsOf(told)));
        return;
      }
      case 'end':
        this.#drop(connection);
        this.#notice(connection, 'io server disconnect', RETRY);
        return;
      case 'cut':
        this.#lost(connection, 'transport close');
        return;
    }
  }

  #reply({ session, number, reply }: Extract<Output, { readonly type: 'reply' }>): void {
    this.#goodbyes.get(session)?.give({ type: 'closed', session });
    this.#goodbyes.delete(session);
    const replies = this.#connections.get(session)?.replies;
    replies?.get(number)?.(reply);
    replies?.delete(number);
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
  #ask(route: Route, request: Request, onReply: (reply: unknown) => void): void {
    const { connection, device } = route;
    if (connection?.isTold !== true) return;
    const { session, instance } = connection;
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
      const number = this.#requests;
      instance.give({ type: 'ask', session, number, ask: request, grant: null });
    });
  }

  #connect(route: Route, onNews: Connection['onNews'], wait: number): void {
    route.device.after(wait, () => {
      if (route.isLeft) return;
      const isCutOff = this.#network.separatedUntil(route.device, null) > this.#network.clock.now();
      const instance = this.#anyUp();
      if (instance === undefined || isCutOff) {
        this.#connect(route, onNews, RETRY / 2 + this.#network.upTo(RETRY));
        return;
      }
      this.#sessions += 1;
      const connection: Connection = {
        session: this.#sessions,
        instance,
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
      instance.give({ type: 'opened', session: connection.session, address });
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
    connection.instance.give({ type: 'closed', session: connection.session });
  }

  /** A member says goodbye, and ends its connection. */
  #leave(route: Route): void {
    const { connection } = route;
    route.isLeft = true;
    this.#leaveByHttp(route);
    if (connection === null) return;
    const { session, instance } = connection;
    this.#toServer(connection, () => {
      // Nobody waits for the reply. The connection stays among the others until the server dies.
      instance.give({ type: 'ask', session, number: 0, ask: GOODBYE, grant: null });
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
      const instance = this.#anyUp();
      if (instance === undefined) return;
      this.#sessions += 1;
      const session = this.#sessions;
      this.#goodbyes.set(session, instance);
      instance.give({ type: 'opened', session, address: '' });
      const ask = { type: 'goodbye', body: holder } as const;
      instance.give({ type: 'ask', session, number: 0, ask, grant: null });
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
      if (connection.isOpenAtServer && !this.#down.has(connection.instance)) call();
    });
  }
}

/** What the server tells, as the peer hears it. */
function newsOf(told: Told): ServerNews {
  return told.type === 'signal' ? { type: 'signal', delivery: told.signal } : told;
}
