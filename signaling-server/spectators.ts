/** The spectators of the rooms that this server owns, wherever they are connected. */
import { orderOf } from '../shared/broker/broker.ts';
import { factsOf, refusalOfKey, TURNED_OUT } from '../shared/broker/facts.ts';
import type { Broker, SessionId } from '../shared/broker/state.ts';
import { refusal } from '../shared/broker/turn.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { HostInput, ToHost } from '../shared/instances/state.ts';
import type { RoomName } from '../shared/protocol/ids.ts';
import type { Facts, Refusal } from '../shared/protocol/signaling.ts';
import type { Order, Traces, WatchReply } from '../shared/protocol/watch.ts';
import { tooMuch, type Limit } from './rate-limits.ts';
import { Watching, type WatchLimits } from './watch.ts';

interface SpectatorsPorts {
  readonly clock: Clock;
  /** Of the rooms; another one where they are lost. */
  broker(): Broker;
  give(input: HostInput): void;
  onLimit(limit: Limit): void;
}

type WatchWish = Extract<ToHost, { readonly type: 'host watch' }>;

/** What this server knows of one, by its session. */
interface Spectator {
  readonly wish: WatchWish;
  readonly remove: () => void;
  /** By number: what it is to say that it has taken. */
  readonly untaken: Map<number, () => void>;
}

export class Spectators {
  readonly #ports: SpectatorsPorts;
  readonly #watching: Watching;
  readonly #here = new Map<SessionId, Spectator>();
  /** By room: the one connection of its host that no limit counts. */
  readonly #hosts = new Map<RoomName, SessionId>();
  /** What was sent so far. */
  #sent = 0;

  constructor(limits: WatchLimits, ports: SpectatorsPorts) {
    this.#ports = ports;
    this.#watching = new Watching(
      {
        order: (room) => orderOf(ports.broker(), room),
        tell: (room, isWatched) => ports.give({ type: 'host watched', room, isWatched }),
        clock: ports.clock,
        date: Date.now,
      },
      limits,
    );
  }

  get size(): number {
    return this.#watching.size;
  }

  hear(told: ToHost): void {
    switch (told.type) {
      case 'host watch': {
        const { session, number } = told;
        this.#ports.give({ type: 'host reply', session, number, reply: this.#add(told) });
        return;
      }
      case 'host trace': {
        const { session, number, room, id, trace } = told;
        this.#watching.take(room, id, trace);
        this.#ports.give({ type: 'host reply', session, number, reply: { ok: true } });
        return;
      }
      case 'host taken': {
        const untaken = this.#here.get(told.session)?.untaken;
        untaken?.get(told.number)?.();
        untaken?.delete(told.number);
        return;
      }
      case 'host closed':
        this.#remove(told.session);
        return;
    }
  }

  stop(): void {
    this.#watching.stop();
  }

  #add(wish: WatchWish): WatchReply {
    const { session, room, address } = wish;
    const refused = this.#refusalOf(wish);
    if (refused !== null) return refused;
    // A host is never one spectator too many.
    const isCounted = !this.#isHost(wish) || this.#hosts.has(room);
    const limit = isCounted ? this.#limitOf(wish) : null;
    if (limit !== null) return limit;
    const untaken = new Map<number, () => void>();
    const sending = (onTaken: () => void) => {
      this.#sent += 1;
      untaken.set(this.#sent, onTaken);
      return { session, number: this.#sent };
    };
    const port = {
      order: (order: Order, onTaken: () => void) => {
        if (this.#mayGoOn(wish))
          this.#ports.give({ type: 'host order', ...sending(onTaken), order });
      },
      traces: (traces: Traces, onTaken: () => void) => {
        if (this.#mayGoOn(wish))
          this.#ports.give({ type: 'host traces', ...sending(onTaken), traces });
      },
    };
    const { order, remove } = this.#watching.add(room, address, port, isCounted);
    if (!isCounted) this.#hosts.set(room, session);
    this.#here.set(session, { wish, remove, untaken });
    return { ok: true, order };
  }

  #remove(session: SessionId): void {
    const known = this.#here.get(session);
    if (known === undefined) return;
    const { room } = known.wish;
    if (this.#hosts.get(room) === session) this.#hosts.delete(room);
    this.#here.delete(session);
    known.remove();
  }

  /** The room may have a secret since, or its host may have turned this one out. */
  #mayGoOn(wish: WatchWish): boolean {
    if (this.#refusalOf(wish) === null) return true;
    this.#ports.give({ type: 'host end', session: wish.session });
    return false;
  }

  #factsOf({ room }: WatchWish): Facts | null {
    return factsOf({ state: this.#ports.broker(), now: this.#ports.clock.now() }, room);
  }

  #isHost(wish: WatchWish): boolean {
    const { host, isHost } = wish.watch;
    const facts = this.#factsOf(wish);
    return isHost || (facts !== null && facts.host !== null && facts.host === host);
  }

  /** Why one may not watch that knows what this one knows. */
  #refusalOf(wish: WatchWish): Refusal | null {
    const facts = this.#factsOf(wish);
    if (facts === null || this.#isHost(wish)) return null;
    const { grant, watch } = wish;
    if (grant !== null && facts.turnedOut.includes(grant)) return TURNED_OUT;
    return refusalOfKey(facts, watch.key);
  }

  #limitOf({ room, address }: WatchWish): Refusal | null {
    const problem = this.#watching.problem(room);
    if (problem !== null) return refusal('room-full', problem);
    if (!this.#watching.hasMost(room, address)) return null;
    this.#ports.onLimit('too-many-spectators');
    return tooMuch('too-many-spectators');
  }
}
