/**
 * How many links a device may make (SPEC.md, L3). Chromium lets a page have 500 WebRTC connections that
 * it has not forgotten, closed ones included. A page with little else to do has closed ones forgotten
 * within half a minute, one that makes four a second without end after minutes only.
 */
import type { PeerId } from '../protocol/ids.ts';
import type { LinkKind } from './events.ts';
import type { Config, LinkShare, Member } from './state.ts';
import {
  fullBucket,
  hasOne,
  putBack,
  takeOne,
  type Rate,
  type TokenBucket,
} from '../machine/token-bucket.ts';
import type { Turn } from './turn.ts';

/** Direct links that a device makes with all its neighbours in each second, beyond those at once. */
const CONNECTIONS_PER_SECOND = 1 / 10;

/**
 * Links that are made with one neighbour, no matter which of the two offers them: any one of them
 * could use up all there are, and each relayed one makes this peer send signals.
 */
const SHARE = {
  direct: { burst: 16, perSecond: 1 / 60 },
  relayed: { burst: 16, perSecond: 1 / 2 },
};

/** Neighbours that are remembered, the newest. */
const MAX_NEIGHBOURS = 64;

function rateOf({ connections }: Config): Rate {
  return { burst: connections, perSecond: CONNECTIONS_PER_SECOND };
}

export function initialConnections(config: Config, now: number): TokenBucket {
  return fullBucket(rateOf(config), now);
}

/** Whether no direct link may be made at the moment. */
export function isSpent({ member: { device, config }, now }: Turn): boolean {
  return !hasOne(device.connections, rateOf(config), now);
}

/**
 * Takes one link, if there is one left.
 * @param peer null for an offer made before the neighbour is known
 */
export function spend(turn: Turn, peer: PeerId | null, kind: LinkKind): boolean {
  const { member, now } = turn;
  const isGranted = peer === null || takeOne(shareOf(member, peer, now)[kind], SHARE[kind], now);
  return (
    isGranted &&
    (kind === 'relayed' || takeOne(member.device.connections, rateOf(member.config), now))
  );
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
