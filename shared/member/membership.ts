/** How a peer becomes a member, loses the server, comes back, and leaves (SPEC.md, L2, L7, L9). */
import { initialElection } from '../election/state.ts';
import { arm, disarm } from '../machine/due-times.ts';
import type { PeerId } from '../protocol/ids.ts';
import {
  MAX_REMOVED_IN_RESUME,
  MAX_SIGNALS_PER_MESSAGE,
  SIGNALING_VERSION,
  type JoinReply,
  type JoinRequest,
  type ResumeRequest,
  type Offer as OfferInRequest,
} from '../protocol/signaling.ts';
import { findLink, isGone, isGreeted, linksOf } from './queries.ts';
import { stopElection } from './elections.ts';
import { startHeartbeats } from './failure-detector.ts';
import { beginMembership } from './initial.ts';
import { isStale } from './link.ts';
import { makeOffer } from './make-link.ts';
import { endPredecessor } from './predecessor.ts';
import { drop } from './receiving.ts';
import { settle } from './settling.ts';
import type { Identity, Link, Member, Membership, Offer } from './state.ts';
import { endSuccessor, forgetAttempts } from './successor.ts';
import { ask, disarmNamed, draw, tell, type LinkEvent, type Turn } from './turn.ts';
import { applyView } from './views.ts';

/** Milliseconds before a peer that had to come back twice in a row comes back again; doubled. */
const FIRST_PAUSE = 500;
const LAST_PAUSE = 16 * FIRST_PAUSE;

/** A membership that lasted so many milliseconds was no failure. */
const SETTLED = 10_000;

const EDGES = ['successor', 'predecessor'] as const;

type Joining = Extract<Membership, { name: 'joining' }>;
type Refused = Extract<JoinReply, { ok: false }>;
type Accepted = Extract<JoinReply, { ok: true }>;

// --- joining ------------------------------------------------------------------------------------

/** Connects to the server and joins the room, as a new peer where this one has left before. */
export function join(turn: Turn): void {
  const { member } = turn;
  disarmNamed(turn, 'return');
  if (isGone(member)) renew(turn);
  else if (member.membership.name === 'new') begin(turn);
}

/** Asks for a new identity, to begin another membership. */
export function renew(turn: Turn): void {
  turn.member.membership = { name: 'returning' };
  turn.outputs.push({ do: 'renew' });
}

/** Joins under a new identity. */
export function joinAs(turn: Turn, identity: Identity): void {
  if (turn.member.membership.name !== 'returning') return;
  beginMembership(turn.member, identity, turn.now);
  begin(turn);
}

function begin(turn: Turn): void {
  turn.member.membership = {
    name: 'joining',
    offers: { successor: null, predecessor: null },
    isAsked: false,
  };
  startHeartbeats(turn);
  turn.outputs.push({ do: 'connect' });
  // While the way to the server is being found.
  prepareOffers(turn);
}

/** Makes the offers that are missing. */
function prepareOffers(turn: Turn): void {
  const { membership } = turn.member;
  if (membership.name !== 'joining') return;
  for (const edge of EDGES) {
    const offer = membership.offers[edge] ?? makeOffer(turn, edge);
    if (offer !== null) membership.offers[edge] = offer;
  }
}

/** Something has happened to an offer. */
export function offerEvent(turn: Turn, offer: Offer, event: LinkEvent): void {
  const { membership, server } = turn.member;
  if (membership.name !== 'joining') return;
  switch (event.type) {
    case 'signal':
      offer.signals.push(event.signal);
      return requestPlace(turn);
    case 'closed':
      membership.offers[offer.edge] = null;
      if (server === 'connected' && !membership.isAsked)
        fail(turn, 'this device could not prepare a WebRTC connection');
      return;
    case 'impossible':
      // A peer that cannot even offer cannot join.
      return fail(turn, `no connection can be made: ${event.reason}`);
    // Before its other end is known, nothing else can happen to it.
    case 'open':
    case 'frame':
      return;
  }
}

function fail(turn: Turn, message: string): void {
  stop(turn);
  tell(turn, { type: 'error', message });
}

/** Asks for a place, once both offers have something to say. */
function requestPlace(turn: Turn): void {
  const { membership, config, identity, server } = turn.member;
  if (membership.name !== 'joining' || membership.isAsked || server !== 'connected') return;
  const { successor, predecessor } = membership.offers;
  if (!successor?.signals.length || !predecessor?.signals.length) return;
  membership.isAsked = true;
  const { room, policy } = config;
  const offers = { successor: request(successor), predecessor: request(predecessor) };
  const version = SIGNALING_VERSION;
  const body: JoinRequest = { version, room, ...identity, policy, offers };
  ask(turn, { request: { type: 'join', body }, context: null });
}

/** What an offer has gathered to go with the join; the rest follows once it has an addressee. */
function request(offer: Offer): OfferInRequest {
  const signals = offer.signals.slice(0, MAX_SIGNALS_PER_MESSAGE);
  offer.asked = signals.length;
  return { link: offer.id, signals };
}

/** The server has answered a request for a place. */
export function onPlaceReply(turn: Turn, _: null, reply: JoinReply): void {
  const { membership } = turn.member;
  if (!reply.ok) {
    refused(turn, reply);
    return;
  }
  endDelay(turn);
  if (membership.name === 'joining') joined(turn, membership, reply);
  else if (membership.name === 'resuming') resumed(turn, reply);
}

function joined(turn: Turn, { offers }: Joining, { view, policy }: Accepted): void {
  const { member, now } = turn;
  member.membership = { name: 'member' };
  member.device.joinedAt = now;
  // Nothing has happened in the election yet.
  member.election.state = initialElection(member.election.state.self, policy);
  tell(turn, { type: 'joined', id: member.identity.id, room: member.config.room });
  for (const edge of EDGES) offers[edge]?.signals.splice(0, offers[edge].asked);
  applyView(turn, view, offers);
  for (const edge of EDGES) closeOffer(turn, offers[edge]);
}

/** Closes an offer that has not become a link. */
function closeOffer(turn: Turn, offer: Offer | null): void {
  if (offer === null || findLink(turn.member, offer.id) !== undefined) return;
  if (offer.kind === 'direct') turn.outputs.push({ do: 'close', link: offer.id });
}

function refused(turn: Turn, { code, message }: Refused): void {
  if (code === 'try-again') {
    tell(turn, { type: 'refused', code, message });
    delay(turn, message);
    return;
  }
  // A ring needs no server to go on (SPEC.md, L9).
  if (code === 'version' && turn.member.membership.name === 'resuming') goWithoutServer(turn);
  else stop(turn);
  tell(turn, { type: 'refused', code, message });
  // The ring has closed over it while it was away, and an id that others presume departed must not come
  // back, or its claims would be absorbed: a peer that returns is a new one.
  if (code === 'place-lost' || code === 'id-taken') comeBack(turn);
}

// --- the connection to the server ---------------------------------------------------------------

export function connected(turn: Turn): void {
  const { member } = turn;
  member.server = 'connected';
  // It may be another server, or have been set up anew.
  member.device.mayRelay = true;
  tell(turn, { type: 'server', state: 'connected', reason: '' });
  askForPlace(turn);
}

function askForPlace(turn: Turn): void {
  disarmNamed(turn, 'ask again');
  if (turn.member.membership.name === 'joining') {
    prepareOffers(turn);
    requestPlace(turn);
  } else resume(turn);
}

/** The server cannot give it its place now: that is as good as no server, for a while (SPEC.md, L9g). */
function delay(turn: Turn, message: string): void {
  const { member } = turn;
  const { membership, device } = member;
  if (membership.name === 'joining') membership.isAsked = false;
  disconnected(turn, message);
  const wait = Math.min(FIRST_PAUSE * 2 ** device.delays, LAST_PAUSE);
  device.delays += 1;
  arm(member, { name: 'ask again', at: turn.now + wait * (0.5 + draw(turn)) });
}

/** Asks again over the same connection. That the server is there is told once it gives a place. */
export function askAgain(turn: Turn): void {
  turn.member.server = 'connected';
  askForPlace(turn);
}

function endDelay(turn: Turn): void {
  const { device } = turn.member;
  if (device.delays === 0) return;
  device.delays = 0;
  tell(turn, { type: 'server', state: 'connected', reason: '' });
}

export function disconnected(turn: Turn, reason: string): void {
  const { member } = turn;
  member.server = 'reconnecting';
  disarmNamed(turn, 'ask again');
  // The replies to what was asked before are lost.
  member.place.settlingUntil = null;
  member.neighbours.complaints = [];
  tell(turn, { type: 'server', state: 'reconnecting', reason });
  if (member.membership.name !== 'joining' || !member.membership.isAsked) return;
  // Others may have heard of this id, and of its end, without anything having come back.
  const message = 'the reply to its join was lost with the connection';
  refused(turn, { ok: false, code: 'place-lost', message });
}

/** Asks for its place, and tells a server that may have lost its memory what it knows of it. */
function resume(turn: Turn): void {
  const { member } = turn;
  const { place, config, identity } = member;
  if (place.view === null) return;
  const relayed = linksOf(member).filter(({ kind }) => kind === 'relayed');
  member.membership = { name: 'resuming', relayed: relayed.map(({ id }) => id) };
  const body: ResumeRequest = {
    version: SIGNALING_VERSION,
    room: config.room,
    ...identity,
    ticket: place.view.ticket,
    removed: [...departed(member).slice(-MAX_REMOVED_IN_RESUME)],
  };
  ask(turn, { request: { type: 'resume', body }, context: null });
}

/** Peers presumed departed, but those it has an open link with: only a liar can have said so of them. */
function departed(member: Member): readonly PeerId[] {
  const heard = linksOf(member)
    .filter(isGreeted)
    .map(({ peer }) => peer);
  return member.election.state.removed.filter((peer) => !heard.includes(peer));
}

function resumed(turn: Turn, { view }: Accepted): void {
  const { member } = turn;
  const stale = linksOf(member).filter((link) => isStale(member, link));
  dropAll(turn, stale, 'server was lost');
  member.membership = { name: 'member' };
  forgetAttempts(turn);
  applyView(turn, view);
  if (member.election.isTold) settle(turn);
}

/** Asks the server nothing any more, and keeps what links there are without it. */
function goWithoutServer(turn: Turn): void {
  const { member } = turn;
  member.server = 'offline';
  turn.outputs.push({ do: 'hang up', how: 'drop' });
  const relayed = linksOf(member).filter(({ kind }) => kind === 'relayed');
  dropAll(turn, relayed, 'the server is of another version');
  member.membership = { name: 'member' };
}

/** The link in use goes last, so that no other of them comes into use for a moment. */
function dropAll(turn: Turn, links: readonly Link[], reason: string): void {
  for (const link of links.toReversed()) if (link.stage.name !== 'closed') drop(turn, link, reason);
}

// --- the end ------------------------------------------------------------------------------------

/** Says goodbye to neighbours and server. */
export function leave(turn: Turn): void {
  if (staysAway(turn)) return;
  stop(turn);
  tell(turn, { type: 'left' });
}

/** Is gone without a word to anyone, as a process that is killed. */
export function vanish(turn: Turn): void {
  const { member } = turn;
  if (staysAway(turn)) return;
  halt(turn);
  member.server = 'offline';
  endSuccessor(turn, 'vanish');
  endPredecessor(turn, 'vanish');
  turn.outputs.push({ do: 'hang up', how: 'drop' });
  tell(turn, { type: 'vanished' });
}

/** Whether it has gone before; it does not come back then. */
function staysAway(turn: Turn): boolean {
  const { member } = turn;
  disarmNamed(turn, 'return');
  if (!isGone(member)) return false;
  member.membership = { name: 'gone' };
  return true;
}

function stop(turn: Turn): void {
  halt(turn);
  // Goodbyes on relayed links go through the server.
  endSuccessor(turn, 'leave');
  endPredecessor(turn, 'leave');
  turn.member.server = 'offline';
  turn.outputs.push({ do: 'hang up', how: 'leave' });
}

/** Nothing happens any more but the end of links. */
function halt(turn: Turn): void {
  const { member } = turn;
  const { membership } = member;
  // A connection without a place carries no signals.
  if (membership.name === 'resuming') member.server = 'offline';
  member.membership = { name: 'gone' };
  stopElection(turn);
  // Nothing can be said on a relayed link any more.
  disarm(turn.member, (due) => due.name !== 'close' || due.link.kind === 'relayed');
  if (membership.name !== 'joining') return;
  for (const edge of EDGES) closeOffer(turn, membership.offers[edge]);
}

/** Comes back as a new peer: at once, unless it has come to this again and again. */
function comeBack(turn: Turn): void {
  const { device } = turn.member;
  const wasMember = device.joinedAt !== null && turn.now - device.joinedAt > SETTLED;
  device.joinedAt = null;
  device.returns = wasMember ? 0 : device.returns + 1;
  if (device.returns <= 1) {
    renew(turn);
    return;
  }
  turn.member.membership = { name: 'returning' };
  const wait = Math.min(FIRST_PAUSE * 2 ** (device.returns - 2), LAST_PAUSE);
  arm(turn.member, { name: 'return', at: turn.now + wait * (0.5 + draw(turn)) });
}
