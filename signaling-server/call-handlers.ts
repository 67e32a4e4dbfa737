/** What is done with each event of a client: it is parsed, limited, and put to the rooms. */
import type { Logger } from 'pino';
import { ALREADY_JOINED } from '../shared/broker/broker.ts';
import { refusalOfKey } from '../shared/broker/facts.ts';
import type { Membership } from '../shared/broker/state.ts';
import { NOT_JOINED, refusal } from '../shared/broker/turn.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { RoomName } from '../shared/protocol/ids.ts';
import {
  claimOf,
  isRequestType,
  parseLinkWay,
  parseRequest,
  type Facts,
  type Refusal,
  type Reply,
  type Request,
  type RequestType,
} from '../shared/protocol/signaling.ts';
import {
  parseTrace,
  parseWatchRequest,
  type WatchReply,
  type WatchRequest,
} from '../shared/protocol/watch.ts';
import type { Admissions } from './admissions.ts';
import type { Call, Client, Handler } from './clients.ts';
import type { Connections } from './connections.ts';
import { digested, digestOf } from './digests.ts';
import type { Grant, Wish } from './grants.ts';
import type { Metrics } from './metrics.ts';
import { tooMuch, type Limit, type RateLimits } from './rate-limits.ts';
import { codeFor, FOR_A_PLACE } from './requests.ts';
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

  /** Puts a request to the broker, if it is one. */
  #ask(call: Call, type: RequestType): Promise<void> | null {
    const { client, input, reply } = call;
    const isForPlace = FOR_A_PLACE.has(type);
    const refused = isForPlace ? this.#refusalOfSecond(client) : null;
    if (refused !== null) {
      reply(refused);
      return null;
    }
    const request = parseRequest(type, input);
    if (!request.ok) {
      reply(refusal(isForPlace ? codeFor(input) : 'malformed', request.error));
      return null;
    }
    const asked = digested(request.value);
    const claim = claimOf(asked);
    if (claim !== null) return this.#admit(call, asked, claim);
    if (asked.type === 'govern') return this.#govern(call, asked);
    this.#putToBroker(call, asked);
    return null;
  }

  /**
   * Puts a request for a place to the broker, unless the client may not have it, or its network has had too
   * many. Where the client
   * has gone meanwhile the broker knows.
   */
  async #admit(call: Call, request: Request, wish: Wish): Promise<void> {
    const { client, reply } = call;
    const grant = await this.#grantFor(client, wish);
    if (grant !== null && 'ok' in grant) {
      reply(grant);
      return;
    }
    const limit = await this.#limitOf(client.network, wish.room);
    if (limit === null) this.#putToBroker(call, request, grant);
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

  /** Puts to the broker what a host wants: one that has the key, or a token that says so. */
  async #govern(call: Call, request: Request<'govern'>): Promise<void> {
    const { client, reply } = call;
    const { room, host, order } = request.body;
    const grant = await this.#grantFor(client, { room, id: null });
    if (grant !== null && 'ok' in grant) {
      reply(grant);
      return;
    }
    const isGranted = host === null && grant?.role === 'host';
    if (host === null && !isGranted) {
      reply(refusal('not-host', 'only the host of this room may do that'));
      return;
    }
    const isNew = order.do === 'claim' && !this.#ports.rooms.has(room);
    const mayOpen = !isNew || (await this.#ports.rateLimits.rooms.take(client.network));
    if (mayOpen) this.#putToBroker(call, request, grant);
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

  #putToBroker({ client, reply }: Call, request: Request, grant: Grant | null = null): void {
    const { metrics, logger, rooms } = this.#ports;
    const { session, replies } = client;
    const { type } = request;
    const place = this.#placeOf(client);
    this.#requests += 1;
    const number = this.#requests;
    replies.set(number, (said) => {
      if (said.ok && FOR_A_PLACE.has(type)) this.#noteSeat(client, type);
      if (type === 'signal' && !said.ok && said.code === 'try-again')
        metrics.refusals.inc({ reason: 'too-much-relayed' });
      reply(said);
    });
    rooms.give({ type: 'request', session, number, request, grant: grant?.key ?? undefined });
    if (type !== 'leave' || place === null) return;
    metrics.leaves.inc();
    logger.debug(place, 'left');
  }

  #noteSeat(client: Client, type: RequestType): void {
    const { metrics, logger, rooms } = this.#ports;
    const place = this.#placeOf(client);
    if (place === null) return;
    metrics[type === 'join' ? 'joins' : 'resumes'].inc();
    if (rooms.watching.isWatched(place.room)) client.socket.emit('watched', true);
    logger.debug(place, 'seated');
  }

  #placeOf({ session }: Client): Membership | null {
    return this.#ports.rooms.placeOf(session);
  }

  /** A connection is a member's or a spectator's, and of one room. */
  #refusalOfSecond(client: Client): Refusal | null {
    if (this.#placeOf(client) !== null) return ALREADY_JOINED;
    if (client.unwatch === null) return null;
    return refusal('already-joined', 'this connection watches a room already');
  }

  /** Counts by which way a member's link goes. */
  #noteWay({ client, input, reply }: Call): null {
    const way = parseLinkWay(input);
    if (way.ok) this.#ports.ways.set(client, way.value);
    reply(way.ok ? { ok: true } : refusal('malformed', way.error));
    return null;
  }

  #trace({ client, input, reply }: Call): null {
    const place = this.#placeOf(client);
    reply(place === null ? NOT_JOINED : this.#takeTrace(place, input));
    return null;
  }

  /** Takes what a member tells the spectators of its room. */
  #takeTrace({ room, id }: Membership, input: unknown): Reply {
    const { watching } = this.#ports.rooms;
    // It may have been on its way as the last spectator went.
    if (!watching.isWatched(room)) return { ok: true };
    if (!watching.mayTrace(room, id))
      return refusal('malformed', 'more traces than a peer has to send');
    const trace = parseTrace(input);
    if (!trace.ok) return refusal('malformed', trace.error);
    watching.take(room, id, trace.value);
    return { ok: true };
  }

  #watch({ client, input, reply }: Call): Promise<void> | null {
    client.busyAt = this.#ports.clock.now();
    const request = parseWatchRequest(input);
    if (!request.ok) {
      reply(refusal(codeFor(input), request.error));
      return null;
    }
    const watch = (grant: Grant | null) => {
      reply(this.#refusalOfSecond(client) ?? this.#addSpectator(client, request.value, grant));
    };
    if (this.#ports.admissions !== null)
      return this.#grantFor(client, { room: request.value.room, id: null }).then((grant) => {
        if (grant !== null && 'ok' in grant) reply(grant);
        // It may have gone meanwhile.
        else if (client.socket.connected) watch(grant);
      });
    watch(null);
    return null;
  }

  #addSpectator(
    client: Client,
    { room, key, host }: WatchRequest,
    grant: Grant | null,
  ): WatchReply {
    const { network, socket } = client;
    const { rooms, connections, logger } = this.#ports;
    const facts = rooms.factsOf(room);
    const isHost = grant?.role === 'host' || isKeyOf(facts, host);
    if (!isHost) {
      const refused = facts !== null && refusalOfKey(facts, digestOf(key));
      if (refused) return refused;
      // A host is never one spectator too many.
      const problem = rooms.watching.problem(room);
      if (problem !== null) return refusal('room-full', problem);
      if (rooms.watching.hasMost(room, network)) return this.#refuse('too-many-spectators');
    }
    const { order, remove } = rooms.watching.add(room, network, {
      order: (order, onTaken) => socket.emit('order', order, onTaken),
      traces: (traces, onTaken) => socket.emit('traces', traces, onTaken),
    });
    client.unwatch = remove;
    connections.allowWatching(socket.conn);
    logger.debug({ room }, 'watched');
    return { ok: true, order };
  }
}

/** Whether a key is that of a room's host. */
function isKeyOf(facts: Facts | null, host: string | null): boolean {
  return facts !== null && facts.host !== null && facts.host === digestOf(host);
}
