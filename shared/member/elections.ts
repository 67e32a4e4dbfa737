/**
 * Runs the pure election: gives it inputs one after another, performs the effects it asks for, and keeps
 * its one timer (election/SPEC.md, R7).
 */
import { decisionOf, type ElectionState } from '../election/state.ts';
import {
  step,
  type ElectionEffect,
  type ElectionInput,
  type Judgement,
  type Wait,
} from '../election/step.ts';
import type { Frame } from '../protocol/frame.ts';
import type { PeerId } from '../protocol/ids.ts';
import { isLap, originOf, type Decision, type ElectionMessage } from '../protocol/messages.ts';
import { mostMembers } from '../protocol/signaling.ts';
import { extensionsFor, takeCensus } from './census.ts';
import { kindOnward, latencyOf, leadsRound, linkInUse } from './queries.ts';
import type { Cause } from './events.ts';
import { hopDelayOf } from './hop-delay.ts';
import { sendAfter, takeBack, tellUnsent } from './link.ts';
import { doubtDeparture, noteLeader } from './lookups.ts';
import {
  isConfirmed,
  leaseFor,
  noteDecided,
  noteLapPassed,
  noteTermRose,
  waitFor,
  type RingSize,
} from './leader-patience.ts';
import { settle } from './settling.ts';
import type { Member, RunningWait } from './state.ts';
import { disarmNamed, draw, rearm, tell, type Turn } from './turn.ts';

/** What is known of a ring may have grown since; and a newcomer knows nothing. */
const ROOM_TO_GROW = 4;
const LEAST_RING = 12;

/** An input with what came along in the same frame and is relayed unread. */
interface Pending {
  readonly input: ElectionInput;
  readonly because: Cause;
  /** The neighbour whose message it is, or this peer. */
  readonly from: PeerId;
  readonly extensions: Frame['extensions'];
}

/** Where inputs that are effects of the present one wait for its end. */
type Queue = Pending[];

/** Gives the election an input that is no message. */
export function stepElection(turn: Turn, input: ElectionInput, because: Cause = input.type): void {
  const from = turn.member.identity.id;
  run(turn, { input, because, from, extensions: [] });
}

/** Gives the election a message of a neighbour. */
export function receive(turn: Turn, frame: Frame<ElectionMessage>, from: PeerId): void {
  run(turn, received(frame, from));
}

function received({ message, extensions }: Frame<ElectionMessage>, from: PeerId): Pending {
  return { input: { type: 'receive', message }, because: 'receive', from, extensions };
}

function run(turn: Turn, first: Pending): void {
  const queue: Queue = [first];
  for (let next = queue.shift(); next !== undefined; next = queue.shift())
    runOne(turn, next, queue);
}

function runOne(turn: Turn, pending: Pending, queue: Queue): void {
  const { election, place } = turn.member;
  const before = election.state;
  const { state, effects } = step(before, pending.input);
  election.state = state;
  if (state.removed !== before.removed) takeBackOfDeparted(turn, queue);
  if (decisionOf(state) !== null) election.gate.hasKnownLeader = true;
  if (state.term > before.term) noteTermRose(election.patience);
  const hasStarted =
    state.role.name === 'candidate' && state.term > before.term && !isAnswer(pending, state);
  // Only a message that is passed on takes along what came with it.
  const extensions = effects.some(isForwarding) ? pending.extensions : [];
  for (const effect of effects) {
    // A peer that starts sends its claim once, and after its judgement on what made it start.
    if (hasStarted && effect.type === 'send')
      tell(turn, { type: 'started', term: state.term, because: pending.because });
    perform(turn, effect, { ...pending, extensions }, queue);
  }
  learnRing(turn, pending, effects);
  confirmLeader(turn, pending.input, effects);
  if (pending.from !== (place.view?.predecessor.id ?? null)) return;
  if (!tellsLeader(pending.input, state)) return;
  election.isTold = true;
  settle(turn);
}

function perform(turn: Turn, effect: ElectionEffect, pending: Pending, queue: Queue): void {
  switch (effect.type) {
    case 'send':
      return send(turn, effect.message, pending.extensions, queue);
    case 'judge':
      return judged(turn, effect.message, pending.from, effect.judgement);
    case 'decide':
      return decided(turn, effect.term, effect.decision);
    case 'wait':
      return beginWait(turn, effect.until);
  }
}

function judged(turn: Turn, message: ElectionMessage, from: PeerId, judgement: Judgement): void {
  const { patience } = turn.member.election;
  const { outcome, reason } = judgement;
  if (message.type === 'elected' && isNews(outcome)) {
    noteLapPassed(patience, message.decision.lap, turn.now);
    noteLeader(turn, message.decision, false);
  }
  if (reason === 'its origin is gone') doubtDeparture(turn, originOf(message));
  tell(turn, { type: 'received', message, from, judgement });
}

function decided(turn: Turn, term: number, decision: Decision): void {
  const { election, hopDelay, identity } = turn.member;
  const leader = decision.leader.id;
  noteDecided(election.patience, hopDelayOf(hopDelay), turn.now);
  const isSelf = leader === identity.id;
  tell(turn, { type: 'leader', leader, term, size: decision.size, isSelf });
  noteLeader(turn, decision, true);
}

/** What an announcement says of the whole ring, where it was news or has come home. */
function learnRing(turn: Turn, pending: Pending, effects: readonly ElectionEffect[]): void {
  const { input, extensions } = pending;
  if (input.type !== 'receive' || input.message.type !== 'elected') return;
  const { census } = turn.member.election;
  for (const effect of effects) {
    if (effect.type !== 'judge' || !isNews(effect.judgement.outcome)) continue;
    const isHome = effect.judgement.outcome === 'completed';
    if (takeCensus(census, input.message, extensions, isHome)) tell(turn, { type: 'ring' });
  }
}

// --- sending ------------------------------------------------------------------------------------

/**
 * Sends a message to the successor over the link that is in use now, once the hop delay is over
 * (SPEC.md, C5). Without a link it is lost; R4 makes up for that. Laps are not held, or a leader would
 * be presumed lost for being slow, but they overtake nothing.
 */
function send(
  turn: Turn,
  message: ElectionMessage,
  along: Frame['extensions'],
  queue: Queue,
): void {
  const { member, now } = turn;
  const { election, identity, successor, hopDelay } = member;
  if (successor.outlet === 'none') return;
  const isLoopback = successor.outlet === 'loopback';
  // Where the view names another successor, the ring may be deciding without this peer.
  if (isLoopback && message.type === 'claim' && !leadsRound(member)) return;
  const self = { id: identity.id, link: kindOnward(member) };
  const extensions = extensionsFor(election.census, self, message, along);
  if (message.type === 'claim') election.patience.claimAt = now;
  if (successor.outlet === 'loopback') {
    tell(turn, { type: 'sent', message, to: self.id });
    queue.push(received({ message, extensions }, self.id));
    return;
  }
  const delay = isLap(message) ? 0 : hopDelayOf(hopDelay);
  sendAfter(turn, successor.outlet, { message, extensions }, delay);
}

/**
 * What is held of a peer that is gone is not sent any more (SPEC.md, C5). Where that is the leader's
 * announcement, this peer starts: its successor never hears of that leader, so nothing there would
 * make anybody else start (R6).
 */
function takeBackOfDeparted(turn: Turn, queue: Queue): void {
  const { member } = turn;
  const link = linkInUse(member);
  if (link === null) return;
  const { removed, term } = member.election.state;
  const taken = takeBack(turn, link, (message) => removed.includes(originOf(message)));
  tellUnsent(turn, taken, 'its origin is gone');
  const leader = decisionOf(member.election.state)?.leader.id;
  const isOfLeader = (message: ElectionMessage) =>
    message.type === 'elected' && message.term === term && originOf(message) === leader;
  if (!taken.some(isOfLeader)) return;
  const from = member.identity.id;
  const because = 'announcement taken back';
  queue.push({ input: { type: 'start' }, because, from, extensions: [] });
}

// --- waiting ------------------------------------------------------------------------------------

/** Restarts the one election timer (election/SPEC.md, R7). */
function beginWait(turn: Turn, until: Wait): void {
  const { patience } = turn.member.election;
  if (until === 'return') patience.lapAt = turn.now;
  setWait(turn, until, turn.now, until === 'leader' ? draw(turn) : 0);
}

/** Waits from a moment on. Returns when that ends, as far as is known now. */
function setWait(turn: Turn, until: Wait, since: number, share: number): number {
  const { election } = turn.member;
  const due = since + waitFor(election.patience, until, share, sizeOf(turn.member));
  election.wait = { until, since, share, due };
  rearm(turn, { name: 'election', at: due });
  return due;
}

/** The election's wait is over. */
export function endWait(turn: Turn): void {
  const { member } = turn;
  const { election } = member;
  const { wait } = election;
  if (wait === null) return;
  election.wait = null;
  const isLeader = election.state.role.name === 'leader';
  // What is known of the ring may have grown meanwhile, and the hop delay, too.
  if (wait.since + waitFor(election.patience, wait.until, wait.share, sizeOf(member)) > wait.due)
    prolong(turn, wait);
  else if (!isLeader && !leadsRound(member)) {
    tellConfirmation(turn);
    beginWait(turn, 'leader');
  } else {
    // Any other peer starts an election now, and names no leader any more.
    if (isLeader) tellConfirmation(turn);
    stepElection(turn, { type: 'timeout' });
  }
}

/** What was heard of a leader confirms it for as long as the wait goes on. */
function prolong(turn: Turn, { until, since, share }: RunningWait): void {
  const { election } = turn.member;
  const due = setWait(turn, until, since, share);
  if (decisionOf(election.state) !== null && !election.isDoubted)
    election.lease = leaseFor(due - turn.now, turn);
}

/** The hop delay was set. A wait that is too long for it begins anew; one too short is prolonged. */
export function paceChanged(turn: Turn): void {
  const { election } = turn.member;
  const { wait } = election;
  if (wait === null) return;
  const milliseconds = waitFor(election.patience, wait.until, wait.share, sizeOf(turn.member));
  if (turn.now + milliseconds < wait.due) setWait(turn, wait.until, turn.now, wait.share);
}

/** Nothing happens in the election any more. */
export function stopElection(turn: Turn): void {
  turn.member.election.wait = null;
  disarmNamed(turn, 'election');
}

/** Peers of the ring as far as they are known, with some to spare: it may grow meanwhile. */
function sizeOf(member: Member): RingSize {
  const { election, place, hopDelay } = member;
  const told = decisionOf(election.state)?.size ?? election.census.ring?.seats.length ?? 0;
  const room = place.view?.size ?? 0;
  return {
    // An announcement may say any size.
    peers: Math.min(Math.max(told + ROOM_TO_GROW, room, LEAST_RING), mostMembers(room)),
    latency: latencyOf(member),
    hopDelay: hopDelayOf(hopDelay),
  };
}

// --- the lease ----------------------------------------------------------------------------------

/** What was heard of the leader confirms it for as long as the wait for the next lap takes (R10). */
function confirmLeader(turn: Turn, input: ElectionInput, effects: readonly ElectionEffect[]): void {
  const { election } = turn.member;
  if (decisionOf(election.state) === null) {
    election.lease = null;
    election.isDoubted = false;
    return;
  }
  const { wait, patience } = election;
  const isHeard = input.type === 'receive' || input.type === 'hello';
  if (wait === null || !isHeard || !effects.some((effect) => effect.type === 'wait')) return;
  const back = wait.until === 'lap' ? waitFor(patience, 'return', 0, sizeOf(turn.member)) : 0;
  election.lease = leaseFor(wait.due - turn.now + back, turn);
  tellConfirmation(turn);
}

/** Tells where the leader has come to be confirmed again, or is no more. */
function tellConfirmation(turn: Turn): void {
  const { election } = turn.member;
  const decision = decisionOf(election.state);
  const isNowConfirmed = isConfirmed(election.lease, turn);
  if (decision === null || isNowConfirmed !== election.isDoubted) return;
  election.isDoubted = !isNowConfirmed;
  const { id: leader } = decision.leader;
  tell(turn, { type: 'confirmation', leader, isConfirmed: isNowConfirmed });
}

// --- what inputs and effects mean ---------------------------------------------------------------

/** Whether an announcement fares so that it was not known yet. */
function isNews(outcome: Judgement['outcome']): boolean {
  return outcome === 'forwarded' || outcome === 'completed';
}

function isForwarding(effect: ElectionEffect): boolean {
  return effect.type === 'judge' && effect.judgement.outcome === 'forwarded';
}

/** Whether a message was an announcement of the present leader, or this peer's own claim come back. */
function tellsLeader(input: ElectionInput, state: ElectionState): boolean {
  if (input.type !== 'receive' || input.message.term !== state.term) return false;
  const leader = decisionOf(state)?.leader.id;
  const isOwn = state.role.name === 'leader' && state.self.id === originOf(input.message);
  return originOf(input.message) === leader && (input.message.type === 'elected' || isOwn);
}

/** Whether a claim was met in the term of a message rather than in a new one (election/SPEC.md, R2a). */
function isAnswer({ input }: Pending, { term }: ElectionState): boolean {
  return input.type === 'receive' && input.message.term === term;
}
