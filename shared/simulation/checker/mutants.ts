/**
 * The election with one rule removed at a time. The fault that the checker then finds is the reason for the
 * rule.
 */
import { compareClaims } from '../../election/claim.ts';
import { decisionOf, type ElectionState } from '../../election/state.ts';
import { step, type ElectionInput, type Step } from '../../election/step.ts';
import type { ClaimMessage, ElectedMessage } from '../../protocol/messages.ts';
import { TOO_MANY } from './graph.ts';
import {
  explore as rewire,
  SHIPPED,
  type Design,
  type Report as RewiringReport,
} from './rewiring/explore.ts';
import type { StepFunction } from './rewiring/space.ts';
import type { Configuration as Rewiring } from './rewiring/world.ts';
import { explore, type Report } from './system/explore.ts';
import type { Configuration } from './system/opening.ts';

export interface Mutant {
  readonly rule: string;
  readonly without: string;
  readonly design: Design;
  /** The reason for the rule where no explored configuration breaks without it. */
  readonly justification?: string;
}

type Change = (state: ElectionState, input: ElectionInput) => Step | null;
type OnClaim = (state: ElectionState, message: ClaimMessage) => Step | null;
type OnElected = (state: ElectionState, message: ElectedMessage) => Step | null;

/** The step of `change` where it has one, the shipped one elsewhere. */
function changed(rule: string, without: string, change: Change): Mutant {
  const design = {
    ...SHIPPED,
    step: (state: ElectionState, input: ElectionInput) =>
      change(state, input) ?? step(state, input),
  };
  return { rule, without, design };
}

function onClaim(rule: string, without: string, change: OnClaim): Mutant {
  return changed(rule, without, (state, input) =>
    input.type === 'receive' && input.message.type === 'claim'
      ? change(state, input.message)
      : null,
  );
}

function onElected(rule: string, without: string, change: OnElected): Mutant {
  return changed(rule, without, (state, input) =>
    input.type === 'receive' && input.message.type === 'elected'
      ? change(state, input.message)
      : null,
  );
}

function nothing(state: ElectionState): Step {
  return { state, effects: [] };
}

function relayed(state: ElectionState, message: ClaimMessage): Step {
  const { term, claim, hops } = message;
  return {
    state: { ...state, term, role: { name: 'deferring', best: claim } },
    effects: [
      { type: 'send', message: { ...message, hops: hops + 1 } },
      { type: 'wait', until: 'leader' },
    ],
  };
}

/** The leader, this peer or another one. */
function led(state: ElectionState, size: number): Step {
  const decision = { leader: state.self, lap: 0, size, hops: 0 };
  return { state: { ...state, role: { name: 'leader', decision } }, effects: [] };
}

/** The step of a peer that has heard of no departure; its knowledge is kept. */
function unaware(state: ElectionState, input: ElectionInput): Step {
  const result = step({ ...state, removed: [] }, input);
  return { ...result, state: { ...result.state, removed: state.removed } };
}

function isFirst({ term, role }: ElectionState, message: ClaimMessage): boolean {
  return message.term > term || (message.term === term && role.name === 'idle');
}

function isCurrent(state: ElectionState, message: ClaimMessage): boolean {
  return message.term === state.term && !state.removed.includes(message.claim.id);
}

const CLAIMS: readonly Mutant[] = [
  changed('R1', 'a start raises the term', (state, input) => {
    if (input.type !== 'start' && input.type !== 'timeout') return null;
    if (state.term === 0 || state.role.name === 'leader') return null;
    return step({ ...state, term: state.term - 1 }, { type: 'start' });
  }),
  onClaim('R2', 'a claim of a lower term is dropped', (state, message) =>
    message.term < state.term
      ? step(state, { type: 'receive', message: { ...message, term: state.term } })
      : null,
  ),
  onClaim('R2', 'a decided term takes no claims', (state, message) =>
    isCurrent(state, message) && decisionOf(state) !== null
      ? step({ ...state, role: { name: 'candidate' } }, { type: 'receive', message })
      : null,
  ),
  onClaim('R2a', 'a smaller first claim is answered (wake-up)', (state, message) =>
    isFirst(state, message) && compareClaims(message.claim, state.claim) === 'less'
      ? nothing(state)
      : null,
  ),
  onClaim('R2a', 'a smaller first claim is not relayed', (state, message) =>
    isFirst(state, message) && !state.removed.includes(message.claim.id)
      ? relayed(state, message)
      : null,
  ),
  onClaim('R2a', 'a higher term is adopted by those who know a leader', (state, message) =>
    decisionOf(state) !== null && message.term > state.term ? nothing(state) : null,
  ),
  onClaim('R2b', 'a candidate relays a greater claim', (state, message) =>
    isCurrent(state, message) &&
    state.role.name === 'candidate' &&
    compareClaims(message.claim, state.claim) === 'greater'
      ? nothing(state)
      : null,
  ),
  onClaim('R2b', 'a candidate drops a smaller claim', (state, message) =>
    isCurrent(state, message) &&
    state.role.name === 'candidate' &&
    compareClaims(message.claim, state.claim) === 'less'
      ? relayed(state, message)
      : null,
  ),
  onClaim('R2b', 'priority 0 never leads', (state, message) =>
    state.self.priority === 0 &&
    state.role.name === 'candidate' &&
    isCurrent(state, message) &&
    message.claim.id === state.self.id
      ? led(state, message.hops)
      : null,
  ),
  onClaim('R2c', 'a deferring peer drops a claim smaller than the best', (state, message) =>
    isCurrent(state, message) &&
    state.role.name === 'deferring' &&
    compareClaims(message.claim, state.role.best) === 'less'
      ? relayed(state, message)
      : null,
  ),
  onClaim('R2c', 'a deferring peer drops the same claim', (state, message) =>
    isCurrent(state, message) &&
    state.role.name === 'deferring' &&
    compareClaims(message.claim, state.role.best) === 'same'
      ? relayed(state, message)
      : null,
  ),
];

/** R3b of a peer that compares no ranks. */
function adopted(state: ElectionState, message: ElectedMessage): Step {
  const { self } = state;
  const result = step({ ...state, self: { ...self, priority: 0 } }, { type: 'receive', message });
  return { ...result, state: { ...result.state, self, claim: self } };
}

function relayedOn(state: ElectionState, message: ElectedMessage): Step {
  const decision = { ...message.decision, hops: message.decision.hops + 1 };
  return { state, effects: [{ type: 'send', message: { ...message, decision } }] };
}

const isOwn = (state: ElectionState, message: ElectedMessage): boolean =>
  message.decision.leader.id === state.self.id;

const ANNOUNCEMENTS: readonly Mutant[] = [
  onElected('R3', 'an announcement of a lower term is dropped', (state, message) =>
    message.term < state.term
      ? step(state, { type: 'receive', message: { ...message, term: state.term } })
      : null,
  ),
  onElected('R3', 'a known lap is dropped', (state, message) =>
    message.term === state.term && !isOwn(state, message) && decisionOf(state) !== null
      ? relayedOn(state, message)
      : null,
  ),
  onElected('R3', 'a newer lap is relayed', (state, message) =>
    message.term === state.term && !isOwn(state, message) && decisionOf(state) !== null
      ? nothing(state)
      : null,
  ),
  onElected('R3a', "the leader's own announcement is not relayed", (state, message) =>
    isOwn(state, message) && message.term === state.term ? relayedOn(state, message) : null,
  ),
  onElected('R3a', 'the size is that of the last lap', (state, message) => {
    if (!isOwn(state, message) || message.term !== state.term) return null;
    return { state, effects: [{ type: 'wait', until: 'lap' }] };
  }),
  {
    ...onElected('R3a', 'who does not lead starts above its own announcement', (state, message) =>
      isOwn(state, message) && (state.role.name !== 'leader' || message.term !== state.term)
        ? nothing(state)
        : null,
    ),
    justification: 'only a liar says so, or a ring that does not know of this one',
  },
  onElected('R3b', 'who outranks the announced leader starts', (state, message) =>
    compareClaims(message.decision.leader, state.self) === 'less' &&
    !state.removed.includes(message.decision.leader.id) &&
    (message.term > state.term || (message.term === state.term && decisionOf(state) === null))
      ? adopted(state, message)
      : null,
  ),
  {
    ...onElected('R3c', 'a second leader in one term brings a new term', (state, message) => {
      const known = message.term === state.term ? decisionOf(state) : null;
      return known !== null && known.leader.id !== message.decision.leader.id
        ? nothing(state)
        : null;
    }),
    justification:
      'rings that do not know of each other do not meet here; tests/election/rules.test.ts has it',
  },
];

const CHANGES: readonly Mutant[] = [
  changed('R4', 'a new successor is told anything', (state, input) =>
    input.type === 'new-successor' && state.term > 0 ? nothing(state) : null,
  ),
  changed('R4', 'who knows no leader starts', (state, input) =>
    input.type === 'new-successor' && state.term > 0 && decisionOf(state) === null
      ? nothing(state)
      : null,
  ),
  changed('R4', 'a leader that is gone is not passed on', (state, input) =>
    input.type === 'new-successor' ? unaware(state, input) : null,
  ),
  changed('R4', 'a leader one outranks is not passed on', (state, input) =>
    input.type === 'new-successor' &&
    !state.removed.includes(decisionOf(state)?.leader.id ?? state.self.id)
      ? withRank(state, input)
      : null,
  ),
  changed('R4', 'a new successor is welcomed', (state, input) =>
    input.type === 'new-successor' &&
    step(state, input).effects[0]?.type === 'send' &&
    step(state, input).state === state
      ? nothing(state)
      : null,
  ),
  changed('R5', 'HELLO gives a leader to who knows of no term', (state, input) =>
    input.type === 'hello' && state.term === 0 ? step(state, { ...input, decision: null }) : null,
  ),
  changed('R5', 'a leader that is gone is not taken from HELLO', (state, input) =>
    input.type === 'hello' &&
    state.term === 0 &&
    input.decision !== null &&
    [...state.removed, ...input.removed].includes(input.decision.leader.id)
      ? tookAnyway(state, input)
      : null,
  ),
  {
    ...changed('R5', 'only who knows of no term takes a leader from HELLO', (state, input) =>
      input.type === 'hello' && state.term > 0 && input.term > state.term && input.decision !== null
        ? followed(state, input)
        : null,
    ),
    justification:
      'it would follow a leader whose claim has not passed it; tests/election/rules.test.ts has it',
  },
  changed('R5', 'who defers to a peer that is gone starts', (state, input) => {
    if (input.type !== 'removed' && input.type !== 'hello') return null;
    const result = step(state, input);
    if (state.role.name !== 'deferring' || result.state.role.name !== 'candidate') return null;
    return nothing({ ...state, removed: result.state.removed });
  }),
  changed('R5', 'departures are remembered', (state, input) => {
    const result = step({ ...state, removed: [] }, input);
    return { ...result, state: { ...result.state, removed: [] } };
  }),
  {
    ...changed('R5', 'nobody takes itself for the leader from HELLO', (state, input) => {
      if (input.type !== 'hello' || input.decision?.leader.id !== state.self.id || state.term > 0)
        return null;
      const { term, decision } = input;
      return { state: { ...state, term, role: { name: 'follower', decision } }, effects: [] };
    }),
    justification:
      'only a liar says so; passed on, it would be taken for forged by an honest successor (L16)',
  },
  changed('R6', 'what a peer that is gone has sent is not relayed', (state, input) =>
    input.type === 'receive' ? unaware(state, input) : null,
  ),
  {
    ...changed('R6', 'where it may have suppressed something, a start follows', (state, input) => {
      if (input.type !== 'receive') return null;
      return isAbsorbed(state, input) ? nothing(state) : null;
    }),
    justification: 'it takes a ring of six, in which two peers join and the leader crashes',
  },
  changed('R6', 'no start follows in a decided term', (state, input) => {
    if (input.type !== 'receive' || !isAbsorbed(state, input)) return null;
    return step({ ...state, term: input.message.term }, { type: 'start' });
  }),
  changed('R7', 'followers time out', (state, input) =>
    input.type === 'timeout' && state.role.name !== 'leader'
      ? { state, effects: [{ type: 'wait', until: 'leader' }] }
      : null,
  ),
  changed('R7', 'the leader sends laps', (state, input) =>
    input.type === 'timeout' && state.role.name === 'leader'
      ? { state, effects: [{ type: 'wait', until: 'return' }] }
      : null,
  ),
  changed('policy', 'an incumbent has one priority more', (state, input) =>
    step({ ...state, policy: 'highest' }, input),
  ),
  onClaim('policy', 'an incumbent has no more than one priority more', (state, message) => {
    const { self, policy, role } = state;
    if (policy === 'highest' || role.name !== 'candidate') return null;
    const higher = { ...self, priority: Math.min(self.priority + 1, 255) };
    const result = step({ ...state, self: higher }, { type: 'receive', message });
    return { ...result, state: { ...result.state, self } };
  }),
  {
    ...onElected(
      'policy',
      'an incumbent out of touch gives way, as its base is compared',
      (state, message) => {
        if (isOwn(state, message)) return null;
        const result = step({ ...state, self: state.claim }, { type: 'receive', message });
        const { self } = state;
        const claim = result.state.role.name === 'follower' ? self : result.state.claim;
        return { ...result, state: { ...result.state, self, claim } };
      },
    ),
    justification: 'it takes a ring that comes back with its leader, and rings do not meet here',
  },
];

function isAbsorbed(
  state: ElectionState,
  { message }: Extract<ElectionInput, { type: 'receive' }>,
): boolean {
  const origin = message.type === 'claim' ? message.claim.id : message.decision.leader.id;
  return message.term >= state.term && state.removed.includes(origin);
}

/** R4 of a peer that compares no ranks. */
function withRank(state: ElectionState, input: ElectionInput): Step {
  const result = step({ ...state, self: { ...state.self, priority: 0 } }, input);
  return { ...result, state: { ...result.state, self: state.self } };
}

type Hello = Extract<ElectionInput, { type: 'hello' }>;

function tookAnyway(state: ElectionState, input: Hello): Step {
  const noted = step(state, { type: 'removed', peers: input.removed }).state.removed;
  const result = step({ ...state, removed: [] }, { ...input, removed: [] });
  return { ...result, state: { ...result.state, removed: noted } };
}

function followed(state: ElectionState, input: Hello): Step {
  const result = step({ ...state, term: 0, role: { name: 'idle' }, claim: state.self }, input);
  return result.state.term === 0 ? step(state, input) : result;
}

const HELD: Mutant = {
  rule: 'C5',
  without: 'what is held leaves over the link that it was decided for',
  design: { ...SHIPPED, holdsByLink: false },
};

export const MUTANTS: readonly Mutant[] = [...CLAIMS, ...ANNOUNCEMENTS, ...CHANGES, HELD];

/** How a mutant differs from the shipped design, the worst first. */
type Kind = 'breaks' | 'needs time' | 'costs more' | 'undecided';

const KINDS: readonly Kind[] = ['breaks', 'needs time', 'costs more', 'undecided'];

export interface Caught {
  readonly kind: Kind;
  /** Where that shows first. */
  readonly configuration: string;
  readonly fault: string;
  readonly trace: readonly string[];
}

/** Several times as many worlds as the largest of the configurations has as shipped. */
const MAX_STATES = 30_000;

interface Trial {
  readonly configuration: Configuration;
  /** The shipped design's results there. */
  readonly shipped: Report;
}

/**
 * Tries mutants on one configuration after another until each is caught: the smallest first, and those whose
 * successors change for no reason last.
 */
export class MutantTrial {
  readonly #trials: readonly Trial[];
  readonly #rewirings: readonly Rewiring[];
  readonly #install: (step: StepFunction | null) => void;

  /** @param install has members take another step than the shipped one, or again that */
  constructor(
    install: (step: StepFunction | null) => void,
    configurations: readonly Configuration[],
    rewirings: readonly Rewiring[] = [],
  ) {
    this.#install = install;
    this.#rewirings = rewirings;
    this.#trials = configurations
      .map((configuration) => ({ configuration, shipped: explore(configuration) }))
      .sort((a, b) => a.shipped.states - b.shipped.states);
  }

  /** The first fault, or else the first result that is merely worse than as shipped; or null. */
  try({ design }: Mutant): Caught | null {
    let worst: Caught | null = null;
    for (const caught of this.#differences(design)) {
      if (worst === null || KINDS.indexOf(caught.kind) < KINDS.indexOf(worst.kind)) worst = caught;
      if (worst.kind === 'breaks') return worst;
    }
    return worst;
  }

  *#differences(design: Design): Generator<Caught> {
    if (design.step !== step)
      for (const trial of this.#trials) {
        const caught = this.#tried(trial, design.step);
        if (caught !== null) yield caught;
      }
    for (const configuration of this.#rewirings) {
      const caught = breakage(rewire(configuration, design, 10 * MAX_STATES));
      if (caught !== null) yield caught;
    }
  }

  #tried(trial: Trial, changedStep: StepFunction): Caught | null {
    this.#install(limited(changedStep));
    try {
      return difference(trial, explore(trial.configuration, {}, MAX_STATES));
    } catch (error) {
      if (!(error instanceof Endless)) throw error;
      const { name: configuration } = trial.configuration;
      return { kind: 'breaks', configuration, fault: error.message, trace: [] };
    } finally {
      this.#install(null);
    }
  }
}

/** A member that is alone would never come to an end. */
class Endless extends Error {
  override readonly message = 'a peer goes on talking to itself';
}

/** More often than any message goes round a small ring. */
const MOST_HOPS = 64;

function limited(changedStep: StepFunction): StepFunction {
  return (state, input) => {
    if (input.type === 'receive') {
      const { message } = input;
      const hops = message.type === 'claim' ? message.hops : message.decision.hops;
      if (hops > MOST_HOPS) throw new Endless();
    }
    return changedStep(state, input);
  };
}

function breakage({ name, finding }: RewiringReport | Report): Caught | null {
  if (finding === null) return null;
  const kind = finding.fault === TOO_MANY ? 'undecided' : 'breaks';
  return { kind, configuration: name, ...finding };
}

function difference({ shipped }: Trial, report: Report): Caught | null {
  const { name: configuration, needsTimeout, terms, timeouts, messages } = report;
  const broken = breakage(report);
  if (broken?.kind === 'breaks') return broken;
  if (needsTimeout !== null && shipped.needsTimeout === null) {
    const fault = `only R7 helps: ${needsTimeout.fault}`;
    return { kind: 'needs time', configuration, fault, trace: needsTimeout.trace };
  }
  const more = (what: string, count: number, before: number): Caught | null =>
    count > before
      ? {
          ...{ kind: 'costs more', configuration, trace: [] },
          fault: `${count} ${what}, not ${before}`,
        }
      : null;
  return (
    more('terms', terms, shipped.terms) ??
    more('time-outs', timeouts, shipped.timeouts) ??
    more('messages', messages, shipped.messages) ??
    broken
  );
}
