/**
 * Makes this peer's ends of links, and the offers of a newcomer (SPEC.md, L2, L3, L10), and counts them:
 * Chromium lets a page have 500 WebRTC connections that it has not forgotten, closed ones included. A page
 * with little else to do has closed ones forgotten within half a minute, one that makes four a second
 * without end after minutes only.
 */
import { parseLinkId, type LinkId, type PeerId } from '../protocol/ids.ts';
import type { Edge } from '../protocol/signaling.ts';
import { findLink } from './queries.ts';
import type { LinkKind } from './events.ts';
import { signalOut } from './link.ts';
import type { Config, Link, LinkShare, Member, Offer } from './state.ts';
import {
  fullBucket,
  hasOne,
  putBack,
  takeOne,
  type Rate,
  type TokenBucket,
} from '../machine/token-bucket.ts';
import { draw, tell, type Turn } from './turn.ts';

/** Links offered that are remembered: more than can still be answered. */
const MAX_OFFERED = 64;

type Made = Pick<Link, 'id' | 'edge' | 'kind' | 'peer' | 'isInitiator'>;

/** Direct links that a device makes with all its neighbours in each second, beyond those at once. */
const CONNECTIONS_PER_SECOND = 1 / 10;

/**
 * Links that are made with one neighbour, no matter which of the two offers them: any one of them
 * could use up all there are, and each relayed one makes this peer send signals.
 */
const SHARE = {
  direct: { burst: 16, perSecond: 1 / 60 },
  relayed: { burst: 32, perSecond: 1 },
};

/** Neighbours that are remembered, the newest. */
const MAX_NEIGHBOURS = 64;

/** Makes and offers a link to a neighbour; null where there may be no more with it. */
export function offerLink(turn: Turn, edge: Edge, peer: PeerId, kind: LinkKind): Link | null {
  const id = newLinkId(turn);
  const link = makeEnd(turn, { id, edge, kind, peer, isInitiator: true });
  if (link === null) return null;
  remember(turn, edge, id);
  if (kind === 'relayed') signalOut(turn, link, [{ type: 'relay' }]);
  return link;
}

/** Makes this end of a link; null where there may be no more with the neighbour. */
export function makeEnd(turn: Turn, made: Made): Link | null {
  const { id, edge, kind, peer, isInitiator } = made;
  if (!spend(turn, peer, kind)) return null;
  openEnd(turn, id, kind, isInitiator);
  tell(turn, { type: 'link', edge, kind, peer, state: 'connecting', reason: '' });
  return newLink(made, turn.now);
}

/** A newcomer's offer to a neighbour that is not known yet; null where there may be none. */
export function makeOffer(turn: Turn, edge: Edge): Offer | null {
  const kind = isSpent(turn) && turn.member.device.mayRelay ? 'relayed' : 'direct';
  const id = newLinkId(turn);
  if (!spend(turn, null, kind)) return null;
  remember(turn, edge, id);
  openEnd(turn, id, kind, true);
  const signals = kind === 'relayed' ? [{ type: 'relay' as const }] : [];
  return { id, edge, kind, madeAt: turn.now, signals, asked: 0 };
}

/** Gives an offer its addressee: it is a link in the making. */
export function bindOffer(turn: Turn, { id, edge, kind, ...offer }: Offer, peer: PeerId): Link {
  const link = newLink({ id, edge, kind, peer, isInitiator: true }, offer.madeAt);
  signalOut(turn, link, offer.signals);
  return link;
}

function newLink(made: Made, madeAt: number): Link {
  const counts = { signals: 0, faults: 0, bytesSent: 0, bytesReceived: 0 };
  return { ...made, ...counts, madeAt, stage: { name: 'connecting' } };
}

function newLinkId(turn: Turn): LinkId {
  for (;;) {
    const id = parseLinkId(Math.floor(draw(turn) * 0x1_0000_0000));
    if (id.ok && !isTaken(turn.member, id.value)) return id.value;
  }
}

/** Whether a link has this id, or had it until just now: a neighbour chooses those of its offers. */
export function isTaken(member: Member, id: LinkId): boolean {
  return (
    findLink(member, id) !== undefined ||
    member.offered.some((own) => own.id === id) ||
    member.dues.some((due) => due.name === 'close' && due.link.id === id)
  );
}

/** Only direct links have an end on the platform. */
function openEnd(turn: Turn, link: LinkId, kind: LinkKind, isInitiator: boolean): void {
  if (kind === 'direct') turn.outputs.push({ do: 'open', link, isInitiator });
}

function remember({ member }: Turn, edge: Edge, id: LinkId): void {
  member.offered = [...member.offered, { edge, id }].slice(-MAX_OFFERED);
}

// --- how many -----------------------------------------------------------------------------------

function rateOf({ connections }: Config): Rate {
  return { burst: connections, perSecond: CONNECTIONS_PER_SECOND };
}

export function initialConnections(config: Config, now: number): TokenBucket {
  return fullBucket(rateOf(config), now);
}

/** Whether no direct link may be made at the moment. */
function isSpent({ member: { device, config }, now }: Turn): boolean {
  return !hasOne(device.connections, rateOf(config), now);
}

/**
 * Takes one link, if there is one left. Tells once when none is left for a direct link that is to be made.
 * @param peer null for an offer made before the neighbour is known
 */
function spend(turn: Turn, peer: PeerId | null, kind: LinkKind): boolean {
  const { member, now } = turn;
  const { device, config } = member;
  const isDirect = kind === 'direct';
  if (isDirect && isSpent(turn) && !device.wasSpent) tell(turn, { type: 'spent' });
  if (isDirect) device.wasSpent = isSpent(turn);
  const isGranted = peer === null || takeOne(shareOf(member, peer, now)[kind], SHARE[kind], now);
  return isGranted && (!isDirect || takeOne(device.connections, rateOf(config), now));
}

/** The server has made it a neighbour: the neighbour did not cause the link that this takes. */
export function grantLink({ member, now }: Turn, peer: PeerId): void {
  putBack(shareOf(member, peer, now).direct, SHARE.direct, now);
}

function shareOf(member: Member, peer: PeerId, now: number): LinkShare {
  const known = member.shares.find((share) => share.peer === peer);
  if (known !== undefined) return known;
  const share = {
    peer,
    direct: fullBucket(SHARE.direct, now),
    relayed: fullBucket(SHARE.relayed, now),
  };
  member.shares = [...member.shares, share].slice(-MAX_NEIGHBOURS);
  return share;
}
