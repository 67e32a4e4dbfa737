/**
 * The edge to the successor. This peer speaks on it and decides which link it uses (SPEC.md, L3, L5, L11):
 * a working link is kept until another can replace it.
 */
import type { LinkId, PeerId } from '../protocol/ids.ts';
import type { HelloMessage } from '../protocol/messages.ts';
import type { Neighbour } from '../protocol/signaling.ts';
import { decisionOf } from '../election/state.ts';
import { complain } from './complaints.ts';
import { connectionOf, greetedOf, hasPlace, isOpen, linkInUse, successorLinks } from './queries.ts';
import { stepElection } from './elections.ts';
import type { LinkKind } from './events.ts';
import { close, fallSilent, retire, send } from './link.ts';
import { followed } from './lookups.ts';
import { offerLink } from './make-link.ts';
import type { Link, Member, Outlet } from './state.ts';
import { disarmNamed, isArmed, rearm, tell, type Turn } from './turn.ts';

/**
 * How long a link may take to open before the next attempt, in milliseconds; doubled each time up to the
 * last, as each attempt at a direct link counts in the page's budget of connections.
 */
export const ATTEMPTS = {
  direct: { first: 6_000, last: 120_000 },
  relayed: { first: 4_000, last: 8_000 },
};

/**
 * How long a direct link may take before one through the server is offered as well, in milliseconds: by
 * how the last attempt at a direct link on this device has ended.
 */
export const RELAY_AFTER = { none: 500, succeeded: 2_000, failed: 0 };

/** After so many relayed links that did not come up, nothing will. */
const RELAYS_IN_VAIN = 1;

/** How soon after a lost link the next attempt is made, in milliseconds; doubled with each failure. */
const AFTER_A_LOSS = 500;
const MOST_DOUBLINGS = 5;

/** How long a link must have been in use to count as one that lasted, in milliseconds. */
const LASTING = 5_000;

/** After so many links that came into use and did not last, the neighbour is complained about. */
const MOST_SHORT_LIVED = 6;

/**
 * Takes a new successor. The one in use stays until a link to the new one can replace it.
 * @param neighbour from the view
 * @param offered this peer's own offer, where the view says that it is the one to use
 */
export function aimSuccessor(turn: Turn, { id, link }: Neighbour, offered: Link | null): void {
  const { member } = turn;
  const { successor } = member;
  const isNew = id !== successor.target;
  successor.target = id;
  if (isNew) startAfresh(turn);
  if (id === member.identity.id) {
    // Alone again: a claim was lost meanwhile.
    if (isNew && successor.outlet === 'loopback') switched(turn);
    else switchTo(turn, 'loopback');
    return;
  }
  if (offered !== null) addAttempt(member, offered);
  if (connectionOf(member) !== null) {
    trySwitch(turn);
    return;
  }
  if (link !== null) {
    rearm(turn, { name: 'direct', at: turn.now + ATTEMPTS.direct.first });
    rearm(turn, { name: 'relayed', at: turn.now + RELAY_AFTER[member.device.lastAttempt] });
  } else if (successor.attempts.length === 0) attempt(turn, 'direct');
}

/** Gives up what is in the making and begins afresh: its signals were lost with a connection. */
export function forgetAttempts(turn: Turn): void {
  turn.member.successor.failures = { direct: 0, relayed: 0 };
  closeAttempts(turn, (link) => !isOpen(link));
}

/** Adds a link that may be used one day. */
export function addAttempt({ successor }: Member, link: Link): void {
  successor.attempts = [...successor.attempts, link];
}

/** To be called when a neighbour has said HELLO, and when the link in use was lost. */
export function trySwitch(turn: Turn): void {
  const { member } = turn;
  const usable = member.successor.attempts.filter((link) => isUsable(member, link));
  const best = usable.find(({ kind }) => kind === 'direct') ?? usable[0];
  if (best === undefined) return;
  removeAttempt(member, best.id);
  switchTo(turn, best);
}

/** How a link has ended. */
export interface LinkEnd {
  readonly reason: string;
  /** Whether this peer closed it, or the other end or the network did. */
  readonly by: 'self' | 'others';
  /** Whether the neighbour had said HELLO on it. */
  readonly wasGreeted: boolean;
}

export function successorClosed(turn: Turn, link: Link, { reason, by, wasGreeted }: LinkEnd): void {
  const { member } = turn;
  const { successor, device } = member;
  const wasAttempt = removeAttempt(member, link.id) && by === 'others' && !wasGreeted;
  if (wasAttempt && link.kind === 'direct' && connectionOf(member) === 'relayed')
    device.lastAttempt = 'failed';
  if (successor.outlet === link) {
    successor.outlet = 'none';
    if (by === 'others' && link.peer === successor.target) noteLoss(turn, link.peer);
    tellClosed(turn, link, reason);
    trySwitch(turn);
  }
  if (connectionOf(member) !== null || successor.target === null) return;
  // Where nothing but the server has led to this successor, it will again.
  if (link.kind === 'relayed') attemptAfterLoss(turn, 'relayed');
  if (!isTrying(member, 'direct')) attemptAfterLoss(turn, 'direct');
}

/** Closes links to peers that are gone. */
export function dropSuccessors(turn: Turn, gone: readonly PeerId[]): void {
  const { member } = turn;
  closeAttempts(turn, (link) => gone.includes(link.peer));
  const used = linkInUse(member);
  if (used === null || !gone.includes(used.peer)) return;
  member.successor.outlet = 'none';
  close(turn, used);
  tellClosed(turn, used, 'the peer has left');
  trySwitch(turn);
}

/** Ends the edge: with a goodbye on its links, or without a word. */
export function endSuccessor(turn: Turn, how: 'leave' | 'vanish'): void {
  const { member } = turn;
  const { successor } = member;
  const used = linkInUse(member);
  const unheard = how === 'vanish' ? successorLinks(member) : [];
  successor.target = null;
  successor.outlet = 'none';
  if (how === 'vanish') successor.attempts = [];
  startAfresh(turn);
  for (const link of unheard) fallSilent(turn, link);
  if (how === 'leave' && used !== null) retire(turn, used, 'leaving');
}

// --- attempts -----------------------------------------------------------------------------------

/** Offers a link, again and again: a direct one until one is in use, a relayed one until any is. */
export function attempt(turn: Turn, kind: LinkKind): void {
  const { member, now } = turn;
  const { successor, device, identity } = member;
  const { target, failures } = successor;
  const connection = connectionOf(member);
  if (target === null || target === identity.id || connection === 'direct') return;
  if (kind === 'relayed' && (connection === 'relayed' || !device.mayRelay)) return;
  const { first, last } = ATTEMPTS[kind];
  const wait = Math.min(first * 2 ** failures[kind], last);
  if (!isArmed(turn, 'relayed') && connection === null && kind === 'direct')
    rearm(turn, { name: 'relayed', at: now + RELAY_AFTER[device.lastAttempt] });
  if (hasPlace(member)) {
    if (connection === 'relayed' && isTrying(member, 'direct')) device.lastAttempt = 'failed';
    closeAttempts(turn, (link) => link.kind === kind);
    if (kind === 'relayed' && failures.relayed >= RELAYS_IN_VAIN) complain(turn, target, 'silent');
    failures[kind] += 1;
    const link = offerLink(turn, 'successor', target, kind);
    if (link !== null) addAttempt(member, link);
    else if (kind === 'direct') noDirectLink(turn);
  }
  rearm(turn, { name: kind, at: now + wait });
}

/** The platform cannot make a link. */
export function attemptImpossible(turn: Turn, { id }: Link): void {
  removeAttempt(turn.member, id);
  noDirectLink(turn);
}

/** No direct link may be made: there is nothing to wait for before a relayed one is offered. */
function noDirectLink(turn: Turn): void {
  const { member } = turn;
  if (connectionOf(member) === null && !isTrying(member, 'relayed'))
    rearm(turn, { name: 'relayed', at: turn.now });
}

function isTrying({ successor }: Member, kind: LinkKind): boolean {
  return successor.attempts.some((link) => link.kind === kind);
}

function removeAttempt({ successor }: Member, id: LinkId): boolean {
  const { attempts } = successor;
  successor.attempts = attempts.filter((link) => link.id !== id);
  return successor.attempts.length < attempts.length;
}

function closeAttempts(turn: Turn, matches: (link: Link) => boolean): void {
  const { successor } = turn.member;
  for (const link of successor.attempts)
    if (matches(link)) {
      removeAttempt(turn.member, link.id);
      retire(turn, link, 'relinked');
    }
}

function startAfresh(turn: Turn): void {
  turn.member.successor.shortLived = 0;
  stopTrying(turn);
}

function stopTrying(turn: Turn): void {
  turn.member.successor.failures = { direct: 0, relayed: 0 };
  disarmNamed(turn, 'direct');
  disarmNamed(turn, 'relayed');
  closeAttempts(turn, () => true);
}

// --- the link in use ----------------------------------------------------------------------------

function isUsable(member: Member, link: Link): boolean {
  const greeted = greetedOf(link);
  if (greeted === null) return false;
  // Better than none, and a direct one better than a relayed one to the same peer.
  if (member.successor.outlet === 'none') return true;
  const connection = connectionOf(member);
  if (connection !== null) return connection === 'relayed' && link.kind === 'direct';
  return greeted.hello.ready;
}

function switchTo(turn: Turn, next: Link | 'loopback'): void {
  const { member } = turn;
  const { successor } = member;
  const previous = successor.outlet;
  if (previous === next) return;
  const isMove = isMoved(member, previous, next);
  successor.outlet = next;
  if (previous !== 'none' && previous !== 'loopback') retire(turn, previous, 'relinked');
  if (next === 'loopback') startAfresh(turn);
  else {
    if (next.peer === successor.target) reached(turn, next.kind);
    const { edge, kind, peer } = next;
    tell(turn, { type: 'link', edge, kind, peer, state: 'in use', reason: '' });
  }
  if (!isMove) switched(turn);
}

/** Whether the same peer is reached by both, and all that was sent on the first arrives. */
function isMoved(member: Member, previous: Outlet, next: Outlet): boolean {
  if (previous === 'none' || previous === 'loopback' || next === 'none' || next === 'loopback')
    return false;
  return previous.peer === next.peer && isOpen(previous) && hasPlace(member);
}

/** The target is reached; only a direct link is still worth trying for where this is none. */
function reached(turn: Turn, kind: LinkKind): void {
  const { successor } = turn.member;
  successor.reachedAt = turn.now;
  if (kind === 'direct') {
    stopTrying(turn);
    return;
  }
  disarmNamed(turn, 'relayed');
  successor.failures.relayed = 0;
  closeAttempts(turn, (link) => link.kind === 'relayed');
}

/** Messages to the successor take another way from now on (SPEC.md, L5; election/SPEC.md, R4). */
function switched(turn: Turn): void {
  const { member } = turn;
  const { successor, predecessor, hopDelay } = member;
  const used = linkInUse(member);
  if (used !== null && hopDelay.setting !== null) send(turn, used, hopDelay.setting);
  if (isLedByNobody(member)) stepElection(turn, { type: 'start' }, 'new-successor');
  else stepElection(turn, { type: 'new-successor' });
  if (successor.isReadyTold) return;
  successor.isReadyTold = true;
  for (const link of predecessor.links) sendHello(turn, link);
}

/** Whether it is alone, and follows a peer that must be gone. */
function isLedByNobody(member: Member): boolean {
  const leader = followed(member);
  const isAlone = member.successor.outlet === 'loopback';
  return isAlone && leader !== null && leader !== member.identity.id;
}

/** Says what this peer knows, first on each link and again when there is a successor to relay to. */
export function sendHello(turn: Turn, link: Link): void {
  const { identity, successor, election } = turn.member;
  const hello: HelloMessage = {
    type: 'hello',
    id: identity.id,
    link: link.id,
    ready: successor.outlet !== 'none',
    term: election.state.term,
    decision: decisionOf(election.state),
    removed: election.state.removed,
  };
  send(turn, link, hello);
}

/** The link in use is lost, and not by this peer's own doing. */
function noteLoss(turn: Turn, target: PeerId): void {
  const { successor } = turn.member;
  const hasLasted = turn.now - successor.reachedAt >= LASTING;
  successor.shortLived = hasLasted ? 0 : successor.shortLived + 1;
  if (successor.shortLived > MOST_SHORT_LIVED) complain(turn, target, 'silent');
}

/** The later, the more attempts have failed, and the more links that came up were lost again. */
function attemptAfterLoss(turn: Turn, kind: LinkKind): void {
  const { failures, shortLived } = turn.member.successor;
  const tooMany = Math.max(0, shortLived - MOST_SHORT_LIVED);
  const wait = AFTER_A_LOSS * 2 ** Math.min(failures[kind] + tooMany, MOST_DOUBLINGS);
  rearm(turn, { name: kind, at: turn.now + wait });
}

function tellClosed(turn: Turn, { edge, kind, peer }: Link, reason: string): void {
  turn.member.successor.isReadyTold = false;
  tell(turn, { type: 'link', edge, kind, peer, state: 'closed', reason });
}
