/** What is done with each event of a client: it is parsed, limited, and put to the rooms. */
import type { Logger } from 'pino';
import type { Membership } from '../shared/broker/state.ts';
import { refusal } from '../shared/broker/turn.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { LocalAsk } from '../shared/instances/state.ts';
import { takeOne } from '../shared/machine/token-bucket.ts';
import type { RoomName } from '../shared/protocol/ids.ts';
import {
  claimOf,
  isRequestType,
  parseLinkWay,
  parseRequest,
  type Refusal,
  type Request,
  type RequestType,
} from '../shared/protocol/signaling.ts';
import { parseTrace, parseWatchRequest } from '../shared/protocol/watch.ts';
import type { Admissions } from './admissions.ts';
import { TRACES, type Call, type Client, type Handler } from './clients.ts';
import type { Connections } from './connections.ts';
import { digested, digestOf } from './digests.ts';
import type { Grant, Wish } from './grants.ts';
import type { Metrics } from './metrics.ts';
import { tooMuch, type Limit, type RateLimits } from './rate-limits.ts';
import { codeFor, isForPlace, type PlaceRequest } from './requests.ts';
import type { RoomHost } from './room-host.ts';
import type { Ways } from './ways.ts';

export interface CallPorts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly connections: Connections;
  readonly rateLimits: RateLimits;
  readonly rooms: RoomHost;
  readonly ways: Ways;
  /** null where everybody may come in. */
  readonly admissions: Admissions | null;
  /** A client was let in. */
  onAdmitted(client: Client): void;
}

/** As rooms remember what somebody was let in by: short, whatever it is. */
function nameOf(grant: Grant | null): string | null {
  return digestOf(grant?.key ?? null)?.slice(0, 22) ?? null;
}

export class CallHandlers {
  readonly #ports: CallPorts;
  /** Requests so far. */
  #requests = 0;

  constructor(ports: CallPorts) {
    this.#ports = ports;
  }

  /** What is done with an event; null for one that there is not. */
  of(event: string): Handler | null {
    if (isRequestType(event)) return (call) => this.#ask(call, event);
    if (event === 'way') return (call) => this.#noteWay(call);
    if (event === 'trace') return (call) => this.#trace(call);
    return event === 'watch' ? (call) => this.#watch(call) : null;
  }

  /** Puts a request to its room, if it is one. */
  #ask(call: Call, type: RequestType): Promise<void> | null {
    const { input, reply } = call;
    const request = parseRequest(type, input);
    if (!request.ok) {
      reply(refusal(isForPlace(type) ? codeFor(input) : 'malformed', request.error));
      return null;
    }
    const asked = digested(request.value);
    const claim = claimOf(asked);
    if (claim !== null) return this.#admit(call, asked, claim);
    if (asked.type === 'govern') return this.#govern(call, asked);
    this.#put(call, asked);
    return null;
  }

  /**
   * Puts a request for a place to its room, unless the client may not have it, or its network has had too
   * many.
   */
  async #admit(call: Call, request: Request, wish: Wish): Promise<void> {
    const { client, reply } = call;
    const grant = await this.#grantFor(client, wish);
    if (grant !== null && 'ok' in grant) {
      reply(grant);
      return;
    }
    if (grant !== null) this.#ports.onAdmitted(client);
    const limit = await this.#limitOf(client.network, wish.room);
    if (limit === null) this.#put(call, request, grant);
    else {
      // It asks again, later.
      client.busyAt = this.#ports.clock.now();
      reply(this.#refuse(limit));
    }
  }

  /** What a client was granted, or why it may not have what it wants; null where everybody may. */
  async #grantFor(client: Client, wish: Wish): Promise<Grant | Refusal | null> {
    return (await this.#ports.admissions?.admit(client, wish)) ?? null;
  }

  /** Puts to a room what its host wants: one that has the key, or a token that says so. */
  async #govern(call: Call, request: Request<'govern'>): Promise<void> {
    const { client, reply } = call;
    const { room, host, order } = request.body;
    const grant = await this.#grantFor(client, { room, id: null });
    if (grant !== null && 'ok' in grant) {
      reply(grant);
      return;
    }
    // Where tokens say who is a host, a key alone makes nobody one.
    const mayGovern = this.#ports.admissions === null ? host !== null : grant?.role === 'host';
    if (!mayGovern) {
      reply(refusal('not-host', 'only the host of this room may do that'));
      return;
    }
    const isNew = order.do === 'claim' && !this.#ports.rooms.has(room);
    const mayOpen = !isNew || (await this.#ports.rateLimits.rooms.take(client.network));
    if (mayOpen) this.#put(call, request, grant);
    else reply(this.#refuse('too-many-rooms'));
  }

  /** What a network has had too much of for one more place in a room; null where it has not. */
  async #limitOf(network: string, room: RoomName): Promise<Limit | null> {
    const { rateLimits, rooms } = this.#ports;
    if (!(await rateLimits.places.take(network))) return 'too-many-joins';
    if (rooms.has(room) || (await rateLimits.rooms.take(network))) return null;
    return 'too-many-rooms';
  }

  #refuse(limit: Limit): Refusal {
    this.#ports.metrics.refusals.inc({ reason: limit });
    return tooMuch(limit);
  }

  #put({ client, reply }: Call, ask: LocalAsk, grant: Grant | null = null): void {
    const { metrics, logger, rateLimits, rooms } = this.#ports;
    const { session, replies } = client;
    const { type } = ask;
    const place = this.#placeOf(client);
    this.#requests += 1;
    const number = this.#requests;
    replies.set(number, (said) => {
      if (said.ok && isForPlace(type)) this.#noteSeat(client, type);
      if (said.ok && type === 'watch') this.#noteSpectator(client);
      // The room could not be reached: the client comes again, through no fault of its own.
      if (isForPlace(type) && !said.ok && said.code === 'try-again')
        rateLimits.places.giveBack(client.network);
      if (type === 'signal' && !said.ok && said.code === 'try-again')
        metrics.refusals.inc({ reason: 'too-much-relayed' });
      reply(said);
    });
    rooms.ask(session, number, ask, nameOf(grant));
    if (type !== 'leave' || place === null) return;
    metrics.leaves.inc();
    logger.debug(place, 'left');
  }

  #noteSeat(client: Client, type: PlaceRequest): void {
    const { metrics, logger } = this.#ports;
    const place = this.#placeOf(client);
    if (place === null) return;
    metrics[type === 'join' ? 'joins' : 'resumes'].inc();
    logger.debug(place, 'seated');
  }

  #noteSpectator({ session, socket }: Client): void {
    const { connections, logger, rooms } = this.#ports;
    connections.allowWatching(socket.conn);
    logger.debug({ room: rooms.bindingOf(session)?.room }, 'watched');
  }

  #placeOf({ session }: Client): Membership | null {
    return this.#ports.rooms.placeOf(session);
  }

  /** Counts by which way a member's link goes. */
  #noteWay({ client, input, reply }: Call): null {
    const way = parseLinkWay(input);
    if (way.ok) this.#ports.ways.set(client, way.value);
    reply(way.ok ? { ok: true } : refusal('malformed', way.error));
    return null;
  }

  /** Passes on what a member tells the spectators of its room. */
  #trace(call: Call): null {
    const { client, input, reply } = call;
    if (!takeOne(client.traces, TRACES, this.#ports.clock.now())) {
      reply(refusal('malformed', 'more traces than a peer has to send'));
      return null;
    }
    const trace = parseTrace(input);
    if (trace.ok) this.#put(call, { type: 'trace', body: trace.value });
    else reply(refusal('malformed', trace.error));
    return null;
  }

  #watch(call: Call): Promise<void> | null {
    const { client, input, reply } = call;
    client.busyAt = this.#ports.clock.now();
    const request = parseWatchRequest(input);
    if (!request.ok) {
      reply(refusal(codeFor(input), request.error));
      return null;
    }
    const { room, key, host } = request.value;
    const watch = (grant: Grant | null) => {
      const body = { key: digestOf(key), host: digestOf(host), isHost: grant?.role === 'host' };
      this.#put(call, { type: 'watch', room, body });
    };
    if (this.#ports.admissions !== null)
      return this.#grantFor(client, { room, id: null }).then((grant) => {
        if (grant !== null && 'ok' in grant) reply(grant);
        else watch(grant);
      });
    watch(null);
    return null;
  }
}
