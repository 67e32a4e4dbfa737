/** The spectators of the rooms that this server owns, wherever they are connected. */
import { orderOf } from '../shared/broker/broker.ts';
import { factsOf, refusalOfKey } from '../shared/broker/facts.ts';
import type { Broker, SessionId } from '../shared/broker/state.ts';
import { refusal } from '../shared/broker/turn.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { HostInput, ToHost } from '../shared/instances/state.ts';
import type { Facts } from '../shared/protocol/signaling.ts';
import type { WatchReply } from '../shared/protocol/watch.ts';
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
  readonly remove: () => void;
  /** By number: what it is to say that it has taken. */
  readonly untaken: Map<number, () => void>;
}

export class Spectators {
  readonly #ports: SpectatorsPorts;
  readonly #watching: Watching;
  readonly #here = new Map<SessionId, Spectator>();
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
        this.#here.get(told.session)?.remove();
        this.#here.delete(told.session);
        return;
    }
  }

  stop(): void {
    this.#watching.stop();
  }

  #add({ session, room, address, watch: { key, host, isHost } }: WatchWish): WatchReply {
    const { clock } = this.#ports;
    const facts = factsOf({ state: this.#ports.broker(), now: clock.now() }, room);
    if (!isHost && !isKeyOf(facts, host)) {
      const refused = facts !== null && refusalOfKey(facts, key);
      if (refused) return refused;
      // A host is never one spectator too many.
      const problem = this.#watching.problem(room);
      if (problem !== null) return refusal('room-full', problem);
      if (this.#watching.hasMost(room, address)) {
        this.#ports.onLimit('too-many-spectators');
        return tooMuch('too-many-spectators');
      }
    }
    const untaken = new Map<number, () => void>();
    const sending = (onTaken: () => void) => {
      this.#sent += 1;
      untaken.set(this.#sent, onTaken);
      return { session, number: this.#sent };
    };
    const { order, remove } = this.#watching.add(room, address, {
      order: (order, onTaken) =>
        this.#ports.give({ type: 'host order', ...sending(onTaken), order }),
      traces: (traces, onTaken) =>
        this.#ports.give({ type: 'host traces', ...sending(onTaken), traces }),
    });
    this.#here.set(session, { remove, untaken });
    return { ok: true, order };
  }
}

/** Whether a key is that of a room's host. */
function isKeyOf(facts: Facts | null, host: string | null): boolean {
  return facts !== null && facts.host !== null && facts.host === host;
}
