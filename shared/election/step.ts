/**
 * The election itself: one pure function from a state and an input to the next state and the
 * effects it asks for. Rule numbers refer to SPEC.md beside this file.
 *
 * E. Chang, R. Roberts, "An improved algorithm for decentralized extrema-finding in circular
 * configurations of processes", CACM 22(5), 1979; with terms as in D. Ongaro, J. Ousterhout,
 * "In search of an understandable consensus algorithm", USENIX ATC 2014.
 */
import type { PeerId } from '../protocol/ids.ts';
import {
  MAX_HOPS,
  originOf,
  type Claim,
  type ClaimMessage,
  type Decision,
  type ElectedMessage,
  type ElectionMessage,
} from '../protocol/messages.ts';
import { compareClaims, type Comparison } from './claim.ts';
import { decisionOf, MAX_REMOVED, sittingClaim, type ElectionState, type Role } from './state.ts';

/** What can happen to a peer's election. Time is an input too. */
export type ElectionInput =
  /** This peer is asked to start an election. */
  | { readonly type: 'start' }
  /** A message arrived from the predecessor. */
  | { readonly type: 'receive'; readonly message: ElectionMessage }
  /** From now on messages go to another successor, or to the same one over another link. */
  | { readonly type: 'new-successor' }
  /** A neighbour says what it knows, on a new link. */
  | {
      readonly type: 'hello';
      readonly term: number;
      readonly decision: Decision | null;
      readonly removed: readonly PeerId[];
    }
  /** Peers are known to be gone. */
  | { readonly type: 'removed'; readonly peers: readonly PeerId[] }
  /** A peer that was presumed departed is a member after all. */
  | { readonly type: 'returned'; readonly peer: PeerId }
  /** What the last `wait` effect waited for did not come in time. */
  | { readonly type: 'timeout' };

/** What the peer must do, in order. */
export type ElectionEffect =
  /** Give the message to the successor. */
  | { readonly type: 'send'; readonly message: ElectionMessage }
  /** What happened to a received message, and why. */
  | { readonly type: 'judge'; readonly message: ElectionMessage; readonly judgement: Judgement }
  /** A leader is known where there was none, or another leader, or the leader of another term. */
  | { readonly type: 'decide'; readonly term: number; readonly decision: Decision }
  /** Restart the one election timer. */
  | { readonly type: 'wait'; readonly until: Wait };

/**
 * `leader`: until the next lap of the announcement; `return`: until this leader's lap returns; `lap`: until
 * it sends the next.
 */
export type Wait = 'leader' | 'return' | 'lap';

/** What a received message was compared to. `result` is how the message's claim compares. */
export interface Compared {
  readonly to: 'own claim' | 'greatest claim seen';
  readonly claim: Claim;
  readonly result: Comparison;
}

export interface Judgement {
  readonly outcome: 'forwarded' | 'ignored' | 'answered' | 'elected' | 'completed';
  readonly reason: Reason;
  readonly compared: Compared | null;
}

export type Reason =
  | 'greater claim'
  | 'smaller claim'
  | 'same claim again'
  | 'own claim came back'
  | 'own claim came back beaten'
  | 'never leads'
  | 'not yet started'
  | 'old term'
  | 'term is decided'
  | 'announcement'
  | 'announcement known'
  | 'announcement came home'
  | 'outranks the announced leader'
  | 'its origin is gone'
  | 'a second leader in one term';

export interface Step {
  readonly state: ElectionState;
  readonly effects: readonly ElectionEffect[];
}

/**
 * One step of the election. Total: it never throws.
 * @param state of this peer
 * @param input what happened
 */
export function step(state: ElectionState, input: ElectionInput): Step {
  switch (input.type) {
    case 'start':
      return start(state);
    case 'receive':
      return receive(state, input.message);
    case 'new-successor':
      return newSuccessor(state);
    case 'hello':
      return hello(state, input.term, input.decision, input.removed);
    case 'removed':
      return departures(state, input.peers);
    // R5d.
    case 'returned':
      return quiet({ ...state, removed: state.removed.filter((peer) => peer !== input.peer) });
    case 'timeout':
      return timeout(state);
  }
}

// --- R1 ---------------------------------------------------------------------------------------

/** R1: a new term, in which this peer is a candidate. */
function start(state: ElectionState, after = state.term): Step {
  return becomeCandidate(state, Math.max(state.term, after) + 1);
}

// --- R2, R3, R6: messages -----------------------------------------------------------------------

function receive(state: ElectionState, message: ElectionMessage): Step {
  if (message.term < state.term) return ignore(state, message, 'old term');
  if (state.removed.includes(originOf(message))) return absorb(state, message);
  switch (message.type) {
    case 'claim':
      return receiveClaim(state, message);
    case 'elected':
      return receiveElected(state, message);
  }
}

/** R2. The message's term is this peer's or a higher one. */
function receiveClaim(state: ElectionState, message: ClaimMessage): Step {
  if (message.term > state.term || state.role.name === 'idle') return firstClaim(state, message);
  switch (state.role.name) {
    case 'candidate':
      return claimAtCandidate(state, message);
    case 'deferring':
      return claimAtDeferring(state, message, state.role.best);
    case 'follower':
    case 'leader':
      return ignore(state, message, 'term is decided');
  }
}

/**
 * R2a: the first claim seen in a term. A smaller one is answered with this peer's own claim; so is one that
 * another peer has made in this peer's name.
 */
function firstClaim(state: ElectionState, message: ClaimMessage): Step {
  const compared = compare(message.claim, 'own claim', state.claim);
  const isForeign = message.claim.id !== state.self.id;
  if (isForeign && (compared.result === 'greater' || state.self.priority === 0))
    return relayClaim(state, message, compared);
  return judged(becomeCandidate(state, message.term), message, {
    outcome: 'answered',
    reason: 'not yet started',
    compared,
  });
}

/** R2b: this peer's own claim is on its way. */
function claimAtCandidate(state: ElectionState, message: ClaimMessage): Step {
  const compared = compare(message.claim, 'own claim', state.claim);
  // Its own id with another priority: this peer never sent that.
  if (compared.result !== 'same' && message.claim.id === state.self.id)
    return ignore(state, message, 'own claim came back beaten', compared);
  switch (compared.result) {
    case 'greater':
      return relayClaim(state, message, compared);
    case 'less':
      return ignore(state, message, 'smaller claim', compared);
    case 'same':
      if (state.self.priority === 0) return ignore(state, message, 'never leads', compared);
      return judged(becomeLeader(state, message.hops), message, {
        outcome: 'elected',
        reason: 'own claim came back',
        compared,
      });
  }
}

/** R2c: a greater claim than its own has passed this peer. */
function claimAtDeferring(state: ElectionState, message: ClaimMessage, best: Claim): Step {
  const compared = compare(message.claim, 'greatest claim seen', best);
  // Already beaten, or never sent.
  if (message.claim.id === state.self.id)
    return ignore(state, message, 'own claim came back beaten', compared);
  switch (compared.result) {
    case 'greater':
      return relayClaim(state, message, compared);
    case 'less':
      return ignore(state, message, 'smaller claim', compared);
    case 'same':
      return ignore(state, message, 'same claim again', compared);
  }
}

/** R3; a later lap of the known leader is R3d. The message's term is this peer's or a higher one. */
function receiveElected(state: ElectionState, message: ElectedMessage): Step {
  const { leader } = message.decision;
  if (leader.id === state.self.id) return ownAnnouncement(state, message);
  const known = message.term === state.term ? decisionOf(state) : null;
  if (known === null) return firstAnnouncement(state, message);
  if (known.leader.id !== leader.id) return contested(state, message);
  if (message.decision.lap <= known.lap) return ignore(state, message, 'announcement known');
  return judged(becomeFollower(state, message.term, message.decision), message, {
    outcome: 'forwarded',
    reason: 'announcement',
    compared: null,
  });
}

/** R3a: an announcement of this peer's own leadership goes no further; it has completed its circuit. */
function ownAnnouncement(state: ElectionState, message: ElectedMessage): Step {
  if (state.role.name !== 'leader' || message.term !== state.term) return contested(state, message);
  const decision = { ...state.role.decision, size: message.decision.hops };
  return judged(
    {
      state: { ...state, role: { name: 'leader', decision } },
      effects: [{ type: 'wait', until: 'lap' }],
    },
    message,
    { outcome: 'completed', reason: 'announcement came home', compared: null },
  );
}

/** R3b: the first announcement of a term is adopted, unless this peer outranks the announced leader. */
function firstAnnouncement(state: ElectionState, message: ElectedMessage): Step {
  const compared = compare(message.decision.leader, 'own claim', state.self);
  if (compared.result === 'less')
    return startAbove(state, message, 'outranks the announced leader', compared);
  return judged(becomeFollower(state, message.term, message.decision), message, {
    outcome: 'forwarded',
    reason: 'announcement',
    compared,
  });
}

/** R3c: two rings that did not know of each other have met, or a peer lies. A new term settles it. */
function contested(state: ElectionState, message: ElectedMessage): Step {
  return startAbove(state, message, 'a second leader in one term');
}

/**
 * R6: a message of a departed peer is not relayed; where it may have suppressed a claim, start a new term.
 */
function absorb(state: ElectionState, message: ElectionMessage): Step {
  if (message.term === state.term && decisionOf(state) !== null)
    return ignore(state, message, 'its origin is gone');
  return startAbove(state, message, 'its origin is gone');
}

// --- R4, R5, R7: links, departures and time ----------------------------------------------------

/** R4: an election (R4a), or the announcement (R4b), goes first over a new link to a successor. */
function newSuccessor(state: ElectionState): Step {
  const decision = decisionOf(state);
  if (decision === null || mustReplace(state, decision)) return start(state);
  return { state, effects: [{ type: 'send', message: announcement(state.term, decision) }] };
}

/** A leader that is gone, or that this peer outranks, is not announced to a new successor. */
function mustReplace(state: ElectionState, { leader }: Decision): boolean {
  return (
    state.removed.includes(leader.id) ||
    (state.self.priority > 0 && compareClaims(state.self, leader) === 'greater')
  );
}

/** R5b: what a neighbour says on a new link. Only a peer that knows nothing learns the leader from it. */
function hello(
  state: ElectionState,
  term: number,
  decision: Decision | null,
  removed: readonly PeerId[],
): Step {
  const noted = departures(state, removed);
  const { state: next } = noted;
  if (next.term > 0 || decision === null || next.removed.includes(decision.leader.id)) return noted;
  // No honest peer says that of a newcomer. A newcomer that believed it would pass on lies in its own name.
  if (decision.leader.id === next.self.id) return noted;
  return decide(next, term, { name: 'follower', decision }, [{ type: 'wait', until: 'leader' }]);
}

/**
 * R5a, R5c: the predecessor of a departed leader starts an election (R4); a departed candidate's claim may pass
 * no peer that does.
 */
function departures(state: ElectionState, peers: readonly PeerId[]): Step {
  const next = remember(state, peers);
  return defersToGone(next) ? start(next) : quiet(next);
}

function defersToGone({ role, removed }: ElectionState): boolean {
  return role.name === 'deferring' && removed.includes(role.best.id);
}

/** R7: the leader laps its announcement; any other peer starts an election when none has come. */
function timeout(state: ElectionState): Step {
  if (state.role.name !== 'leader') return start(state);
  const { decision } = state.role;
  const next = { ...decision, lap: decision.lap + 1 };
  return {
    state: { ...state, role: { name: 'leader', decision: next } },
    effects: [
      { type: 'send', message: announcement(state.term, next) },
      { type: 'wait', until: 'return' },
    ],
  };
}

// --- transitions --------------------------------------------------------------------------------

function becomeCandidate(state: ElectionState, term: number): Step {
  return {
    state: { ...state, term, role: { name: 'candidate' } },
    effects: [
      { type: 'send', message: { type: 'claim', term, claim: state.claim, hops: 1 } },
      { type: 'wait', until: 'leader' },
    ],
  };
}

function relayClaim(state: ElectionState, message: ClaimMessage, compared: Compared): Step {
  const { term, claim, hops } = message;
  return judged(
    {
      state: { ...state, term, role: { name: 'deferring', best: claim } },
      effects: [
        { type: 'send', message: { type: 'claim', term, claim, hops: oneMore(hops) } },
        { type: 'wait', until: 'leader' },
      ],
    },
    message,
    {
      outcome: 'forwarded',
      reason: compared.result === 'greater' ? 'greater claim' : 'never leads',
      compared,
    },
  );
}

/** From now on the peer claims as the incumbent, and is announced so that others rank it so. */
function becomeLeader(state: ElectionState, size: number): Step {
  const claim = sittingClaim(state);
  const decision: Decision = { leader: claim, lap: 0, size, hops: 0 };
  return decide({ ...state, claim }, state.term, { name: 'leader', decision }, [
    { type: 'send', message: announcement(state.term, decision) },
    { type: 'wait', until: 'return' },
  ]);
}

/** A former leader is no longer the incumbent. */
function becomeFollower(state: ElectionState, term: number, decision: Decision): Step {
  return decide({ ...state, claim: state.self }, term, { name: 'follower', decision }, [
    { type: 'send', message: announcement(term, decision) },
    { type: 'wait', until: 'leader' },
  ]);
}

/** Takes on a decided role; tells of it only where the leader or the term is new. */
function decide(
  state: ElectionState,
  term: number,
  role: Extract<Role, { decision: Decision }>,
  effects: readonly ElectionEffect[],
): Step {
  const before = state.term === term ? decisionOf(state) : null;
  const isNews = before?.leader.id !== role.decision.leader.id;
  const news: readonly ElectionEffect[] = isNews
    ? [{ type: 'decide', term, decision: role.decision }]
    : [];
  return { state: { ...state, term, role }, effects: [...news, ...effects] };
}

// --- small helpers ------------------------------------------------------------------------------

function announcement(term: number, decision: Decision): ElectedMessage {
  return { type: 'elected', term, decision: { ...decision, hops: oneMore(decision.hops) } };
}

/** No honest ring has so many links, but the field must not overflow. */
function oneMore(hops: number): number {
  return Math.min(hops + 1, MAX_HOPS);
}

function compare(claim: Claim, to: Compared['to'], other: Claim): Compared {
  return { to, claim: other, result: compareClaims(claim, other) };
}

/** Adds departures; a peer never presumes itself departed. */
function remember(state: ElectionState, peers: readonly PeerId[]): ElectionState {
  const fresh = peers.filter((peer) => peer !== state.self.id && !state.removed.includes(peer));
  if (fresh.length === 0) return state;
  return { ...state, removed: [...state.removed, ...new Set(fresh)].slice(-MAX_REMOVED) };
}

function quiet(state: ElectionState): Step {
  return { state, effects: [] };
}

function ignore(
  state: ElectionState,
  message: ElectionMessage,
  reason: Reason,
  compared: Compared | null = null,
): Step {
  return judged(quiet(state), message, { outcome: 'ignored', reason, compared });
}

/** Answers a message with a new term, above the message's. */
function startAbove(
  state: ElectionState,
  message: ElectionMessage,
  reason: Reason,
  compared: Compared | null = null,
): Step {
  return judged(start(state, message.term), message, { outcome: 'answered', reason, compared });
}

/** Puts the judgement on a message before its effects. */
function judged(result: Step, message: ElectionMessage, judgement: Judgement): Step {
  return {
    state: result.state,
    effects: [{ type: 'judge', message, judgement }, ...result.effects],
  };
}
