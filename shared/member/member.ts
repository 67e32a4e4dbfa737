/**
 * A ring member: a state machine without I/O. It runs the pure election over links and signaling. Inputs
 * go in, outputs come out, and the first of the `dues` tells when time itself is the next input. It sets
 * no timer, reads no clock and draws no random number of its own; one driver does that in a browser tab, in
 * Node and in the simulator.
 */
import { onComplaintReply, check, heartbeat, probeOver } from './failure-detector.ts';
import type { LinkId } from '../protocol/ids.ts';
import {
  parseReplyTo,
  type MembershipReply,
  type Reply,
  type ReplyTo,
} from '../protocol/signaling.ts';
import { findLink, isGone, isMember, isOpen } from './queries.ts';
import { endWait, stepElection } from './elections.ts';
import { setHopDelay } from './hop-delay.ts';
import { close, closedMeanwhile, markClosed, sendFirstHeld, signalOut } from './link.ts';
import { askAboutLeader, followed, noteMember } from './lookups.ts';
import {
  askAgain,
  connected,
  disconnected,
  join,
  joinAs,
  leave,
  offerEvent,
  onPlaceReply,
  renew,
  vanish,
} from './membership.ts';
import { forgetPredecessor } from './predecessor.ts';
import {
  admitLater,
  drop,
  goodbyeOverdue,
  lost,
  opened,
  passOnSetting,
  receiveFrame,
} from './receiving.ts';
import { onSettleReply } from './settling.ts';
import type { Due, Link, Member } from './state.ts';
import { attempt, attemptImpossible } from './successor.ts';
import {
  tell,
  type Ask,
  type Contexts,
  type Input,
  type LinkEvent,
  type Output,
  type Random,
  type ServerNews,
  type Turn,
} from './turn.ts';
import { takeDue } from '../machine/due-times.ts';
import type { Moment } from '../machine/moment.ts';
import { receiveSignals } from './signals.ts';
import { applyView } from './views.ts';

type ServerInput = ServerNews | Extract<Input, { type: 'reply' }>;

/**
 * Handles one input.
 * @param member changes; nothing else does
 * @param random the random numbers of this peer
 * @returns what is to be done, in order, before the next input is handled
 */
export function handle(member: Member, input: Input, moment: Moment, random: Random): Output[] {
  const turn: Turn = { member, random, outputs: [], now: moment.now, date: moment.date };
  handleInput(turn, input);
  return turn.outputs;
}

function handleInput(turn: Turn, input: Input): void {
  switch (input.type) {
    case 'join':
      return join(turn);
    case 'renewed':
      return joinAs(turn, input.identity);
    case 'leave':
      return leave(turn);
    case 'vanish':
      return vanish(turn);
    case 'campaign':
      if (isMember(turn.member)) stepElection(turn, { type: 'start' });
      return;
    case 'set hop delay':
      return changeHopDelay(turn, input.hopDelay);
    case 'link':
      return handleLinkEvent(turn, input.link, input.event);
    case 'time':
      return handleTime(turn);
    default:
      if (!isGone(turn.member)) handleServer(turn, input);
  }
}

function changeHopDelay(turn: Turn, hopDelay: number): void {
  const { member } = turn;
  if (!isMember(member)) return;
  passOnSetting(turn, setHopDelay(member.hopDelay, hopDelay, member.identity.id));
}

// --- the server ---------------------------------------------------------------------------------

function handleServer(turn: Turn, input: ServerInput): void {
  switch (input.type) {
    case 'connected':
      return connected(turn);
    case 'disconnected':
      return disconnected(turn, input.reason);
    case 'view':
      if (isMember(turn.member)) applyView(turn, input.view);
      return;
    case 'signal':
      return receiveSignals(turn, input.delivery);
    case 'check':
      if (isMember(turn.member)) check(turn, input.peer);
      return;
    case 'invalid':
      return invalid(turn, input.error);
    case 'reply':
      return onReply(turn, input.to, input.reply);
  }
}

function invalid(turn: Turn, error: string): void {
  tell(turn, { type: 'error', message: `the server sent an invalid message: ${error}` });
}

/** What the reply to each request does. */
const ON_REPLY: {
  readonly [T in keyof Contexts]: (turn: Turn, context: Contexts[T], reply: ReplyTo<T>) => void;
} = {
  join: onPlaceReply,
  resume: onPlaceReply,
  signal: onSignalReply,
  settle: onSettleReply,
  complain: onComplaintReply,
  lookup: onLookupReply,
};

function onReply<Type extends keyof Contexts>(
  turn: Turn,
  { request: { type }, context }: Ask<Type>,
  given: unknown,
): void {
  const reply = parseReplyTo(type, given);
  if (reply.ok) ON_REPLY[type](turn, context, reply.value);
  else invalid(turn, reply.error);
}

/** A link whose signals are not passed on cannot be made, nor go on where it is relayed. */
function onSignalReply(turn: Turn, id: LinkId, reply: Reply): void {
  const link = findLink(turn.member, id);
  if (!reply.ok && reply.code === 'no-relay') noRelay(turn, reply);
  if (reply.ok || link === undefined) return;
  const isDirect = link.kind === 'direct' && isOpen(link);
  if (!isDirect) drop(turn, link, reply.message);
}

/** The server has refused to relay: no more relayed links are offered over this connection to it. */
function noRelay(turn: Turn, { code, message }: Extract<Reply, { ok: false }>): void {
  const { device } = turn.member;
  if (!device.mayRelay) return;
  device.mayRelay = false;
  tell(turn, { type: 'refused', code, message });
}

function onLookupReply(
  turn: Turn,
  { peer, why }: Contexts['lookup'],
  reply: MembershipReply,
): void {
  if (!reply.ok) return;
  if (reply.isMember) noteMember(turn, peer, why);
  if (why === 'leader' && !reply.isMember && followed(turn.member) === peer) {
    stepElection(turn, { type: 'removed', peers: [peer] });
    stepElection(turn, { type: 'start' }, 'no such leader');
  } else if (why === 'departed' && reply.isMember) {
    stepElection(turn, { type: 'returned', peer });
    tell(turn, { type: 'returned', peer });
  }
}

// --- links --------------------------------------------------------------------------------------

/** Events of a link that is closed at this end are ignored. */
function handleLinkEvent(turn: Turn, id: LinkId, event: LinkEvent): void {
  const { member } = turn;
  const { membership } = member;
  const offers = membership.name === 'joining' ? Object.values(membership.offers) : [];
  const offer = offers.find((each) => each?.id === id);
  if (offer) {
    offerEvent(turn, offer, event);
    return;
  }
  const link = findLink(member, id);
  if (link !== undefined) linkEvent(turn, link, event);
  else if (event.type === 'closed') closedMeanwhile(turn, id);
}

function linkEvent(turn: Turn, link: Link, event: LinkEvent): void {
  switch (event.type) {
    case 'signal':
      return signalOut(turn, link, [event.signal]);
    case 'open':
      return opened(turn, link);
    case 'frame':
      return receiveFrame(turn, link, event.frame);
    case 'closed':
      return lost(turn, link, event.reason);
    case 'impossible':
      tell(turn, { type: 'error', message: `no connection can be made: ${event.reason}` });
      markClosed(turn, link);
      if (link.edge === 'successor') attemptImpossible(turn, link);
      else forgetPredecessor(turn.member, link.id);
      return;
  }
}

// --- time ---------------------------------------------------------------------------------------

/** Does the one thing that is due first. Of two with the same time it is the one that was set first. */
function handleTime(turn: Turn): void {
  const due = takeDue(turn.member, turn.now);
  if (due !== undefined) handleDue(turn, due, turn.now - due.at);
}

/** @param late milliseconds since it was due */
function handleDue(turn: Turn, due: Due, late: number): void {
  switch (due.name) {
    case 'heartbeat':
      return heartbeat(turn, late);
    case 'probe':
      return probeOver(turn, due.probe, late);
    case 'election':
      return endWait(turn);
    case 'direct':
    case 'relayed':
      return attempt(turn, due.name);
    case 'send held':
      return sendFirstHeld(turn, findLink(turn.member, due.link));
    case 'goodbye':
      return goodbyeOverdue(turn);
    case 'close':
      return close(turn, due.link);
    case 'put off':
      return admitLater(turn, due.arrival);
    case 'lookup':
      return askAboutLeader(turn);
    case 'return':
      return renew(turn);
    case 'ask again':
      return askAgain(turn);
  }
}
