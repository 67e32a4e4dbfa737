/** What a member does with what arrives on a link, and with links that close. */
import { parseFrame, type Frame } from '../protocol/frame.ts';
import {
  MAX_HOPS,
  originOf,
  type ByeMessage,
  type Decision,
  type ElectionMessage,
  type HeartbeatMessage,
  type HelloMessage,
  type PaceMessage,
  type PeerMessage,
} from '../protocol/messages.ts';
import type { PeerId } from '../protocol/ids.ts';
import { opposite, type Edge } from '../protocol/signaling.ts';
import { complain, noteBroken, noteGreeted } from './complaints.ts';
import {
  aliveOf,
  findLink,
  greetedOf,
  isGreeted,
  isNeighbour,
  isOpen,
  linkInUse,
  linksOn,
} from './queries.ts';
import { paceChanged, receive, stepElection } from './elections.ts';
import { takeSetting } from './hop-delay.ts';
import { ANSWERS, close, FAREWELL, FRAMES, markClosed, markOpen, send } from './link.ts';
import { dropPredecessors, forgetPredecessor, relayedBefore, takeReady } from './predecessor.ts';
import { withRoundTrip } from './neighbour-patience.ts';
import type { Alive, Arrival, Link } from './state.ts';
import {
  dropSuccessors,
  sendHello,
  successorClosed,
  trySwitch,
  type LinkEnd,
} from './successor.ts';
import {
  admits,
  hasteOf,
  isForged,
  judgeTerm,
  MAX_TERM_LEAP,
  type TermVerdict,
} from './admission.ts';
import { takeOne } from '../machine/token-bucket.ts';
import { arm } from '../machine/due-times.ts';
import { disarmNamed, isArmed, rearm, tell, type Turn } from './turn.ts';

/** The longest round trip that is believed, in milliseconds; what took longer was spent asleep. */
const LONGEST_ROUND_TRIP = 8_000;

/** Frames that cannot be used; with one more on the same link it is closed, and the server is told. */
const MAX_FAULTS = 20;

/** Messages that wait for a goodbye at most; a neighbour that sends more meanwhile is not waited for. */
const MAX_WAITING = 64;

/** A link can be used. A first frame means so too: WebRTC's links report it on one side only. */
export function opened(turn: Turn, link: Link): void {
  if (link.stage.name !== 'connecting') return;
  markOpen(link, turn.now);
  sendHello(turn, link);
}

/** A frame has come: anything at all. */
export function receiveFrame(turn: Turn, link: Link, bytes: Uint8Array): void {
  opened(turn, link);
  const alive = aliveOf(link);
  if (alive === null) return;
  if (!takeOne(alive.frames, FRAMES, turn.now)) {
    cutOff(turn, link, 'more frames than a neighbour sends');
    return;
  }
  const frame = parseFrame(bytes);
  if (!frame.ok) {
    dropFrame(turn, link, frame.error);
    return;
  }
  // Before HELLO nothing counts: such a link is of no use, whatever else it carries.
  if (isGreeted(link)) alive.heardAt = turn.now;
  receiveMessage(turn, link, alive, frame.value);
}

function receiveMessage(turn: Turn, link: Link, alive: Alive, frame: Frame): void {
  const { message, extensions } = frame;
  switch (message.type) {
    case 'heartbeat':
      return receiveHeartbeat(turn, link, alive, message);
    case 'hello':
      return receiveHello(turn, link, alive, message);
    case 'bye':
      if (link.edge === 'successor') receiveBye(turn, link, message);
      else takeInOrder(turn, link, { link: link.id, message, extensions });
      return;
    case 'claim':
    case 'elected':
      if (!isExpected(turn, link, message)) return;
      takeInOrder(turn, link, { link: link.id, message, extensions });
      return;
    case 'pace':
      if (isExpected(turn, link, message)) receivePace(turn, message);
      return;
  }
}

/** Whether the other end may say this here and now; drops it otherwise. */
function isExpected(turn: Turn, link: Link, { type }: PeerMessage): boolean {
  if (isGreeted(link) && link.edge === 'predecessor') return true;
  dropFrame(turn, link, isGreeted(link) ? `${type} from the successor` : `${type} before hello`);
  return false;
}

function receiveHeartbeat(turn: Turn, link: Link, alive: Alive, beat: HeartbeatMessage): void {
  const { isReply, count } = beat;
  if (!isReply) {
    // On a relayed link an answer takes more than the question: ten of those are one signal. That
    // there are more of them is no fault: they may have waited for this peer to wake up.
    if (takeOne(alive.answers, ANSWERS, turn.now))
      send(turn, link, { type: 'heartbeat', isReply: true, count });
  } else if (alive.beat?.count === count) {
    const took = turn.now - alive.beat.at;
    if (took <= LONGEST_ROUND_TRIP) {
      alive.roundTrips = withRoundTrip(alive.roundTrips, took);
      alive.measuredAt = turn.now;
    }
    alive.beat = null;
  }
}

// --- HELLO --------------------------------------------------------------------------------------

function receiveHello(turn: Turn, link: Link, alive: Alive, hello: HelloMessage): void {
  const { edge, kind, peer } = link;
  if (hello.id !== peer || hello.link !== link.id) {
    dropFrame(turn, link, `says it is ${hello.id} on link ${hello.link}`);
    return;
  }
  const isFirst = !isGreeted(link);
  const held = greetedOf(link)?.held ?? [];
  link.stage = { ...alive, name: 'greeted', hello, held, heardAt: turn.now };
  if (isFirst) {
    noteGreeted(turn, peer);
    if (kind === 'direct') turn.member.device.lastAttempt = 'succeeded';
    tell(turn, { type: 'link', edge, kind, peer, state: 'open', reason: '' });
  }
  // Later departures come from the server; a liar could go on naming the living.
  takeHello(turn, edge, hello, isFirst ? hello.removed : []);
  if (edge === 'successor') trySwitch(turn);
}

/** Only a peer that knows of no election takes a leader from HELLO, and not one of a term out of reach. */
function takeHello(
  turn: Turn,
  edge: Edge,
  { term, decision }: HelloMessage,
  removed: readonly PeerId[],
): void {
  const { term: own } = turn.member.election.state;
  const isTaken = decision !== null && own === 0 && judge(turn, edge, term) === 'fine';
  stepElection(turn, {
    type: 'hello',
    term,
    decision: isTaken ? { ...decision, hops: hopsHere(edge, decision) } : null,
    removed,
  });
}

/** A neighbour's distance from the leader, carried over to this end of the edge. */
function hopsHere(edge: Edge, { hops, size }: Decision): number {
  if (edge === 'predecessor') return Math.min(hops + 1, MAX_HOPS);
  return hops === 0 ? size : hops;
}

// --- messages of a predecessor ------------------------------------------------------------------

/**
 * A predecessor that moves from a relayed link to a direct one says goodbye on the first and goes on on
 * the second, where what it sends may arrive earlier. That waits for the goodbye, so that the messages
 * of the election stay in order (SPEC.md, L6).
 */
function takeInOrder(turn: Turn, link: Link, arrival: Arrival): void {
  const { member, now } = turn;
  if (relayedBefore(member, link) === undefined) {
    takeArrival(turn, link, arrival);
    return;
  }
  const { predecessor } = member;
  predecessor.waiting = [...predecessor.waiting, arrival];
  if (!isArmed(turn, 'goodbye')) arm(turn.member, { name: 'goodbye', at: now + FAREWELL });
  if (predecessor.waiting.length > MAX_WAITING) goodbyeOverdue(turn);
}

/** No goodbye has come on a link, though its other end has long closed it. */
export function goodbyeOverdue(turn: Turn): void {
  const { member } = turn;
  const { waiting } = member.predecessor;
  disarmNamed(turn, 'goodbye');
  for (const arrival of waiting) {
    const link = findLink(member, arrival.link);
    const before = link && isOpen(link) ? relayedBefore(member, link) : undefined;
    if (before !== undefined) drop(turn, before, 'no goodbye');
  }
  takeWaiting(turn);
}

/** Takes the messages that need not wait any more. */
function takeWaiting(turn: Turn): void {
  const { predecessor } = turn.member;
  const ready = takeReady(turn.member);
  if (predecessor.waiting.length === 0) disarmNamed(turn, 'goodbye');
  for (const arrival of ready) {
    const link = findLink(turn.member, arrival.link);
    if (link !== undefined) takeArrival(turn, link, arrival);
  }
}

function takeArrival(turn: Turn, link: Link, { message, extensions }: Arrival): void {
  if (message.type === 'bye') receiveBye(turn, link, message);
  else admit(turn, link, { link: link.id, message, extensions });
}

/** Gives the election a message that it may take. */
function admit(turn: Turn, link: Link, arrival: Arrival<ElectionMessage>): void {
  const { message } = arrival;
  if (isForged(message, link.peer)) {
    dropFrame(turn, link, `${message.type} of ${originOf(message)} after 1 hop`);
    return;
  }
  if (!admits(turn, link)) {
    noteDropped(turn, link, `${message.type}, of which there are too many to pass on`);
    return;
  }
  const { gate, state } = turn.member.election;
  const { term } = message;
  switch (judge(turn, 'predecessor', term)) {
    case 'fine':
      return receive(turn, arrival, link.peer);
    case 'haste':
      // No fault of a neighbour's that took it a moment before.
      noteDropped(turn, link, `term ${term} comes too soon`);
      if (gate.hasKnownLeader) putOff(turn, arrival);
      return;
    case 'leap':
      noteDropped(turn, link, `term ${term}, far above ${state.term}`);
      cutOff(turn, link, 'a term that no honest neighbour sends');
      return;
  }
}

/** Each peer that had to hear it twice would cost the ring a time-out; the last one comes again. */
function putOff(turn: Turn, arrival: Arrival<ElectionMessage>): void {
  const { gate, state } = turn.member.election;
  const milliseconds = hasteOf(gate, state.term, arrival.message.term);
  rearm(turn, { name: 'put off', arrival, at: turn.now + milliseconds });
}

/** The time has come for a message whose term came too soon. */
export function admitLater(turn: Turn, arrival: Arrival<ElectionMessage>): void {
  const link = findLink(turn.member, arrival.link);
  if (link === undefined) return;
  const verdict = judge(turn, 'predecessor', arrival.message.term);
  if (verdict === 'fine') receive(turn, arrival, link.peer);
  else if (verdict === 'haste') putOff(turn, arrival);
}

/**
 * Whether to act on a message of a term (SPEC.md, L17).
 * @param edge it came on
 */
function judge({ member, now }: Turn, edge: Edge, term: number): TermVerdict {
  const { gate, state } = member.election;
  const other = opposite(edge);
  const said = linksOn(member, other)
    .filter(({ peer }) => peer === member[other].target)
    .flatMap((link) => greetedOf(link)?.hello ?? []);
  // A neighbour that knows no leader may be as new.
  const isCredible =
    said.length > 0 &&
    said.every((hello) => hello.decision === null || hello.term >= term - MAX_TERM_LEAP);
  return judgeTerm(gate, state.term, term, isCredible, now);
}

function receivePace(turn: Turn, setting: PaceMessage): void {
  if (takeSetting(turn.member.hopDelay, setting, turn.now)) passOnSetting(turn, setting);
}

/** The room's hop delay is another from now on. */
export function passOnSetting(turn: Turn, setting: PaceMessage): void {
  const used = linkInUse(turn.member);
  if (used !== null) send(turn, used, setting);
  paceChanged(turn);
  tell(turn, { type: 'pace', hopDelay: setting.hopDelay, by: setting.by });
}

// --- the end of a link --------------------------------------------------------------------------

function receiveBye(turn: Turn, link: Link, { reason }: ByeMessage): void {
  const wasGreeted = isGreeted(link);
  // First the departure, then the links (SPEC.md, L8).
  if (reason === 'leaving') {
    noteBroken(turn, link, wasGreeted);
    dropDeparted(turn, [link.peer]);
  }
  close(turn, link);
  closed(turn, link, { reason, by: 'others', wasGreeted });
}

/** Peers are gone: their departure is noted before their links are closed (SPEC.md, L8). */
export function dropDeparted(turn: Turn, gone: readonly PeerId[]): void {
  if (gone.length === 0) return;
  stepElection(turn, { type: 'removed', peers: gone });
  dropPredecessors(turn, gone);
  dropSuccessors(turn, gone);
}

/** The network or the other end has closed a link. */
export function lost(turn: Turn, link: Link, reason: string): void {
  const wasGreeted = isGreeted(link);
  markClosed(turn, link);
  noteBroken(turn, link, wasGreeted);
  closed(turn, link, { reason, by: 'others', wasGreeted });
}

/** Closes a link that is of no use; its edge makes another where one is needed. */
export function drop(turn: Turn, link: Link, reason: string): void {
  const wasGreeted = isGreeted(link);
  close(turn, link);
  noteBroken(turn, link, wasGreeted);
  closed(turn, link, { reason, by: 'self', wasGreeted });
}

/** A link of an edge is closed. */
function closed(turn: Turn, link: Link, end: LinkEnd): void {
  if (link.edge === 'successor') {
    successorClosed(turn, link, end);
    return;
  }
  if (!forgetPredecessor(turn.member, link.id)) return;
  takeWaiting(turn);
  const { edge, kind, peer } = link;
  tell(turn, { type: 'link', edge, kind, peer, state: 'closed', reason: end.reason });
}

// --- faults (SPEC.md, L16) ----------------------------------------------------------------------

/** Closes a link with a neighbour that violates the protocol, and has the ring close over it. */
function cutOff(turn: Turn, link: Link, reason: string): void {
  drop(turn, link, reason);
  if (isNeighbour(turn.member, link.peer)) complain(turn, link.peer, 'misbehaves');
}

/** A frame cannot be used, through a fault of the neighbour's. */
function dropFrame(turn: Turn, link: Link, reason: string): void {
  noteDropped(turn, link, reason);
  link.faults += 1;
  if (link.faults > MAX_FAULTS) cutOff(turn, link, 'too many frames that cannot be used');
}

/** A frame is not used. */
function noteDropped(turn: Turn, { peer }: Link, reason: string): void {
  const { member } = turn;
  member.droppedFrames += 1;
  tell(turn, { type: 'dropped', from: peer, reason, count: member.droppedFrames });
}
