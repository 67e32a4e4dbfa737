/**
 * The shipped `step()` as a checker calls it: every state and message has a number, so that worlds are
 * short to write down and each step is computed and judged once.
 */
import { compareClaims } from '../../../election/claim.ts';
import { decisionOf, type ElectionState } from '../../../election/state.ts';
import type { ElectionInput, Step, Wait } from '../../../election/step.ts';
import type { PeerId } from '../../../protocol/ids.ts';
import { numberedId } from '../ids.ts';
import type { ByeMessage, Claim, Decision, ElectionMessage } from '../../../protocol/messages.ts';

/** A message on a link. */
export type Parcel = ElectionMessage | ByeMessage;

/** A value and its number; equal values of one space are the same object. */
export interface Known<T> {
  readonly id: number;
  readonly value: T;
}

export type StepFunction = (state: ElectionState, input: ElectionInput) => Step;

/** The result of a step, for the driver and for the judge. */
export interface Outcome {
  readonly next: Known<ElectionState>;
  readonly sends: readonly Known<Parcel>[];
  readonly wait: Wait | null;
  readonly judged: string;
  /** What is wrong with this step alone, in words. */
  readonly fault: string | null;
}

/** An input to a peer, by numbers. */
export type Happening =
  | { readonly type: 'start' | 'timeout' | 'new-successor' }
  | { readonly type: 'receive'; readonly parcel: Known<Parcel> }
  | { readonly type: 'removed'; readonly peers: number };

/** Numbers values by their text. */
class Pool<T> {
  readonly #known = new Map<string, Known<T>>();

  get(key: string, value: T): Known<T> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const fresh = { id: this.#known.size, value };
    this.#known.set(key, fresh);
    return fresh;
  }
}

export class Space {
  readonly #step: StepFunction;
  readonly #states = new Pool<ElectionState>();
  readonly #parcels = new Pool<Parcel>();
  readonly #outcomes: Map<number, Outcome>[] = [];
  readonly #numbers = new Map<PeerId, number>();
  readonly #ids: PeerId[];

  constructor(step: StepFunction, peers: number) {
    this.#step = step;
    this.#ids = Array.from({ length: peers }, (_, number) => numberedId(number));
    for (const [number, id] of this.#ids.entries()) this.#numbers.set(id, number);
  }

  /** The number of a peer by its id. */
  numberOf(id: PeerId): number {
    return this.#numbers.get(id) ?? -1;
  }

  /** Hops and sizes do not tell states apart: no rule looks at them. */
  state(value: ElectionState): Known<ElectionState> {
    const { role } = value;
    if (!('decision' in role)) return this.#states.get(this.#stateKey(value), value);
    const state = { ...value, role: { ...role, decision: unmeasured(role.decision) } };
    return this.#states.get(this.#stateKey(state), state);
  }

  parcel(value: Parcel): Known<Parcel> {
    const parcel = unmeasuredParcel(value);
    return this.#parcels.get(this.#parcelKey(parcel), parcel);
  }

  /** What happens to a peer in this state; step() is called once for each question. */
  outcome(state: Known<ElectionState>, happening: Happening): Outcome {
    const code = codeOf(happening);
    const outcomes = (this.#outcomes[state.id] ??= new Map<number, Outcome>());
    const known = outcomes.get(code);
    if (known !== undefined) return known;
    const fresh = this.#ask(state.value, this.#inputOf(happening));
    outcomes.set(code, fresh);
    return fresh;
  }

  /** Those peers whose bits are set. */
  idsOf(mask: number): PeerId[] {
    return this.#ids.filter((_, number) => (mask & (1 << number)) !== 0);
  }

  #ask(before: ElectionState, input: ElectionInput): Outcome {
    const step = this.#step(before, input);
    const sends: Known<Parcel>[] = [];
    let wait: Wait | null = null;
    let judged = '';
    for (const effect of step.effects) {
      if (effect.type === 'send') sends.push(this.parcel(effect.message));
      if (effect.type === 'wait') wait = effect.until;
      if (effect.type !== 'judge') continue;
      judged = `${effect.judgement.outcome}: ${effect.judgement.reason}`;
    }
    return {
      next: this.state(step.state),
      sends,
      wait,
      judged,
      fault: faultOf(before, step),
    };
  }

  #inputOf(happening: Happening): ElectionInput {
    switch (happening.type) {
      case 'start':
      case 'timeout':
      case 'new-successor':
        return { type: happening.type };
      case 'removed':
        return { type: 'removed', peers: this.idsOf(happening.peers) };
      case 'receive':
        return receiveOf(happening.parcel.value);
    }
  }

  /** The order of departures does not matter: far fewer happen than a peer remembers. */
  #stateKey({ self, claim, term, role, removed }: ElectionState): string {
    const gone = removed.map((id) => this.numberOf(id)).sort();
    const part =
      role.name === 'deferring'
        ? this.#claimKey(role.best)
        : 'decision' in role
          ? this.#decisionKey(role.decision)
          : '';
    return `${this.#claimKey(self)} ${claim.priority} ${term} ${role.name} ${part} ${gone.join()}`;
  }

  #parcelKey(parcel: Parcel): string {
    switch (parcel.type) {
      case 'claim':
        return `c${parcel.term} ${this.#claimKey(parcel.claim)} ${parcel.hops}`;
      case 'elected':
        return `e${parcel.term} ${this.#decisionKey(parcel.decision)}`;
      case 'bye':
        return `b${parcel.reason}`;
    }
  }

  #claimKey({ priority, id }: Claim): string {
    return `${priority}:${this.numberOf(id)}`;
  }

  #decisionKey({ leader, lap, size, hops }: Decision): string {
    return `${this.#claimKey(leader)},${lap},${size},${hops}`;
  }
}

function unmeasured(decision: Decision): Decision {
  return { ...decision, size: 1, hops: 1 };
}

function unmeasuredParcel(parcel: Parcel): Parcel {
  if (parcel.type === 'claim') return { ...parcel, hops: 1 };
  return parcel.type === 'elected' ? { ...parcel, decision: unmeasured(parcel.decision) } : parcel;
}

function codeOf(happening: Happening): number {
  switch (happening.type) {
    case 'start':
      return 0;
    case 'timeout':
      return 1;
    case 'new-successor':
      return 2;
    case 'receive':
      return 4 + happening.parcel.id * 4;
    case 'removed':
      return 7 + happening.peers * 4;
  }
}

function receiveOf(parcel: Parcel): ElectionInput {
  if (parcel.type !== 'claim' && parcel.type !== 'elected')
    throw new Error(`${parcel.type} is no election message`);
  return { type: 'receive', message: parcel };
}

// --- invariants of a step -----------------------------------------------------------------------

/** The invariant of one peer that a step violates, or null. */
function faultOf(before: ElectionState, { state: after, effects }: Step): string | null {
  if (after.term < before.term) return `the term falls from ${before.term} to ${after.term}`;
  const fault = decisionFault(before, after);
  if (fault !== null) return fault;
  let sent = 0;
  for (const effect of effects) {
    if (effect.type !== 'send') continue;
    sent += 1;
    const wrong = sendFault(before, after, effect.message);
    if (wrong !== null) return wrong;
  }
  return sent > 1 ? 'one input causes two messages' : null;
}

function decisionFault(before: ElectionState, after: ElectionState): string | null {
  const known = decisionOf(before);
  const decided = decisionOf(after);
  if (decided?.leader.priority === 0) return 'a peer of priority 0 leads';
  if (decided !== null && known?.leader.id !== decided.leader.id)
    if (after.removed.includes(decided.leader.id)) return 'a leader known to be gone is taken on';
  if (known === null || after.term !== before.term) return null;
  if (decided === null) return 'a decided term is undecided again';
  return decided.leader.id === known.leader.id ? null : 'a second leader is decided in one term';
}

/**
 * The claims of one term grow: compared by what the role before says was sent, and what the role after will
 * say of this message the next time.
 */
function sendFault(
  before: ElectionState,
  after: ElectionState,
  message: ElectionMessage,
): string | null {
  if (message.term !== after.term) return `a message of term ${message.term} is sent`;
  const origin = message.type === 'claim' ? message.claim.id : message.decision.leader.id;
  if (after.removed.includes(origin)) return 'a message of a peer known to be gone is sent';
  if (message.type === 'elected') return null;
  const noted = lastClaim(after);
  if (noted === null || compareClaims(noted, message.claim) !== 'same')
    return 'the claim sent is not the one noted';
  if (before.term !== after.term || before.role.name === 'idle') return null;
  const last = lastClaim(before);
  if (last === null) return 'a claim is sent in a decided term';
  return compareClaims(message.claim, last) === 'greater' ? null : 'the claims sent do not grow';
}

function lastClaim({ role, claim }: ElectionState): Claim | null {
  if (role.name === 'candidate') return claim;
  return role.name === 'deferring' ? role.best : null;
}
