/** A fixed ring in memory: every message goes through step(), every link keeps its order. */
import { decisionOf, initialElection, type ElectionState } from '../../shared/election/state.ts';
import { step, type ElectionEffect, type ElectionInput } from '../../shared/election/step.ts';
import type { Claim, ElectionMessage } from '../../shared/protocol/messages.ts';
import { defined, peerId } from '../support.ts';

/** A claim that compares with others of the same priority like its number. */
export function claimOf(number: number, priority = 1): Claim {
  return { priority, id: peerId(number) };
}

interface OnItsWay {
  readonly message: ElectionMessage;
  /** One more than the hop count of the longest chain of messages that led to this one. */
  readonly hop: number;
}

/** A message as it was sent, and by which place in the ring. */
interface Sent {
  readonly by: number;
  readonly message: ElectionMessage;
}

/** What a peer decided, and how many hops in time after the start of everything. */
interface Decided {
  readonly by: number;
  readonly term: number;
  readonly leader: Claim;
  readonly hop: number;
}

export class TestRing {
  readonly states: ElectionState[];
  readonly sent: Sent[] = [];
  readonly decided: Decided[] = [];
  readonly effects: ElectionEffect[] = [];
  /** `#links[i]` leads from place i to its successor. */
  readonly #links: OnItsWay[][];
  /** Places whose link holds a message, in the order of sending. */
  readonly #order: number[] = [];

  /** @param states in ring order, each followed by its successor */
  constructor(states: readonly ElectionState[]) {
    this.states = [...states];
    this.#links = states.map(() => []);
  }

  static of(claims: readonly Claim[]): TestRing {
    return new TestRing(claims.map((claim) => initialElection(claim, 'highest')));
  }

  get size(): number {
    return this.states.length;
  }

  get isQuiet(): boolean {
    return this.#order.length === 0;
  }

  state(at: number): ElectionState {
    return defined(this.states[at]);
  }

  /** Lets something happen to one peer. */
  apply(at: number, input: ElectionInput, hop = 0): void {
    const { state, effects } = step(this.state(at), input);
    this.states[at] = state;
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.type === 'send') this.#send(at, effect.message, hop);
      if (effect.type === 'decide')
        this.decided.push({ by: at, term: effect.term, leader: effect.decision.leader, hop });
    }
  }

  /** Delivers the oldest message of one of the links that hold any; `pick` chooses the link. */
  deliverAny(pick: number): void {
    const from = this.#order[pick % this.#order.length];
    if (from === undefined) return;
    this.#deliverFrom(from);
  }

  /** Delivers everything, in the order of sending. */
  drain(limit = 100_000): void {
    for (let left = limit; !this.isQuiet; left -= 1) {
      if (left === 0) throw new Error('the messages do not come to an end');
      this.#deliverFrom(defined(this.#order[0]));
    }
  }

  /** Number of messages of one type sent so far. */
  count(type: ElectionMessage['type']): number {
    return this.sent.filter(({ message }) => message.type === type).length;
  }

  /** Each peer's leader, in ring order. */
  get leaders(): readonly (Claim | null)[] {
    return this.states.map((state) => decisionOf(state)?.leader ?? null);
  }

  #send(at: number, message: ElectionMessage, hop: number): void {
    this.sent.push({ by: at, message });
    defined(this.#links[at]).push({ message, hop: hop + 1 });
    this.#order.push(at);
  }

  #deliverFrom(from: number): void {
    this.#order.splice(this.#order.indexOf(from), 1);
    const { message, hop } = defined(defined(this.#links[from]).shift());
    this.apply((from + 1) % this.size, { type: 'receive', message }, hop);
  }
}

/** All orders of the numbers 1 to n. */
export function orders(n: number): number[][] {
  if (n === 0) return [[]];
  return orders(n - 1).flatMap((order) =>
    Array.from({ length: n }, (_, at) => [...order.slice(0, at), n, ...order.slice(at)]),
  );
}
