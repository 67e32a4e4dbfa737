/** What is done with each event of a client: it is parsed, limited, and put to the rooms. */
import type { Logger } from 'pino';
import { ALREADY_JOINED } from '../shared/broker/broker.ts';
import type { Membership } from '../shared/broker/state.ts';
import { NOT_JOINED, refusal } from '../shared/broker/turn.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { RoomName } from '../shared/protocol/ids.ts';
import {
  claimOf,
  isRequestType,
  parseLinkWay,
  parseRequest,
  type Refusal,
  type Reply,
  type Request,
  type RequestType,
} from '../shared/protocol/signaling.ts';
import { parseTrace, parseWatchRequest, type WatchReply } from '../shared/protocol/watch.ts';
import type { Call, Client, Handler } from './clients.ts';
import type { Connections } from './connections.ts';
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
    if (isForPlace) client.busyAt = this.#ports.clock.now();
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
    const claim = claimOf(request.value);
    if (claim !== null) return this.#admit(call, request.value, claim.room);
    this.#putToBroker(call, request.value);
    return null;
  }

  /**
   * Puts a request for a place to the broker, unless the client's network has had too many. Where the client
   * has gone meanwhile the broker knows.
   */
  async #admit(call: Call, request: Request, room: RoomName): Promise<void> {
    const limit = await this.#limitOf(call.client.network, room);
    if (limit === null) this.#putToBroker(call, request);
    else call.reply(this.#refuse(limit));
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

  #putToBroker({ client, reply }: Call, request: Request): void {
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
    rooms.give({ type: 'request', session, number, request });
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

  #watch({ client, input, reply }: Call): null {
    client.busyAt = this.#ports.clock.now();
    reply(this.#refusalOfSecond(client) ?? this.#addSpectator(client, input));
    return null;
  }

  #addSpectator(client: Client, input: unknown): WatchReply {
    const request = parseWatchRequest(input);
    if (!request.ok) return refusal(codeFor(input), request.error);
    const { room } = request.value;
    const { network, socket } = client;
    const { rooms, connections, logger } = this.#ports;
    const problem = rooms.watching.problem(room);
    if (problem !== null) return refusal('room-full', problem);
    if (rooms.watching.hasMost(room, network)) return this.#refuse('too-many-spectators');
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
