/** What can be read off a member's state. Nothing is changed here. */
import type { LinkId, PeerId } from '../protocol/ids.ts';
import type { Edge } from '../protocol/signaling.ts';
import type { LinkKind, Seat } from './events.ts';
import type { Alive, Link, Member, PeerAt, Stage } from './state.ts';

type Greeted = Extract<Stage, { name: 'greeted' }>;

/** What a link has that frames can be sent on; null for any other. */
export function aliveOf({ stage }: Link): Alive | null {
  return stage.name === 'open' || stage.name === 'greeted' ? stage : null;
}

/** What a link has on which the neighbour has said HELLO; null for any other. */
export function greetedOf({ stage }: Link): Greeted | null {
  return stage.name === 'greeted' ? stage : null;
}

export function isOpen(link: Link): boolean {
  return aliveOf(link) !== null;
}

export function isGreeted(link: Link): boolean {
  return greetedOf(link) !== null;
}

/** Milliseconds that a heartbeat took there and back, the mean of the last few; null before the first. */
export function roundTripOf(link: Link): number | null {
  const roundTrips = aliveOf(link)?.roundTrips ?? [];
  if (roundTrips.length === 0) return null;
  return roundTrips.reduce((sum, each) => sum + each) / roundTrips.length;
}

/** The link in use to the successor; null where there is none. */
export function linkInUse({ successor: { outlet } }: Member): Link | null {
  return outlet === 'loopback' || outlet === 'none' ? null : outlet;
}

/** The link in use to the successor and those in the making. */
export function successorLinks(member: Member): readonly Link[] {
  const used = linkInUse(member);
  return used === null ? member.successor.attempts : [used, ...member.successor.attempts];
}

/** Every link of the two edges. */
export function linksOf(member: Member): readonly Link[] {
  return [...successorLinks(member), ...member.predecessor.links];
}

export function linksOn(member: Member, edge: Edge): readonly Link[] {
  return edge === 'successor' ? successorLinks(member) : member.predecessor.links;
}

/** A link of the two edges; undefined for one that is closing or unknown. */
export function findLink(member: Member, id: LinkId): Link | undefined {
  return linksOf(member).find((link) => link.id === id);
}

/** Links with a peer that has said HELLO on them. */
export function greetedLinks(member: Member, peer: PeerId): readonly Link[] {
  return linksOf(member).filter((link) => link.peer === peer && isGreeted(link));
}

export function isNeighbour({ successor, predecessor }: Member, peer: PeerId): boolean {
  return successor.target === peer || predecessor.target === peer;
}

/** How the successor of the view is connected; null where it is not. */
export function connectionOf(member: Member): LinkKind | null {
  const link = linkInUse(member);
  return link !== null && link.peer === member.successor.target ? link.kind : null;
}

/** Whether a claim sent now could go round: one that only comes straight back decides nothing. */
export function leadsRound({ successor: { outlet, target }, identity }: Member): boolean {
  return outlet === 'loopback' ? target === identity.id : outlet !== 'none';
}

/** By what messages go on, for the picture of the ring. */
export function kindOnward(member: Member): Seat['link'] {
  if (member.successor.outlet === 'loopback') return 'direct';
  return connectionOf(member) ?? 'connecting';
}

/** What a hop takes on the slowest link in use, in milliseconds; 0 where none was measured. */
export function latencyOf(member: Member): number {
  const onward = linkInUse(member);
  const used = [...(onward === null ? [] : [onward]), ...member.predecessor.links];
  return Math.max(0, ...used.map((link) => roundTripOf(link) ?? 0)) / 2;
}

/** Whether the membership has ended. */
export function isGone({ membership: { name } }: Member): boolean {
  return name === 'gone' || name === 'returning';
}

/** Whether the peer has a place in the ring, by the last word of the server. */
export function isMember({ membership: { name } }: Member): boolean {
  return name === 'member' || name === 'resuming';
}

/** Whether the server has given it a place over the present connection. */
export function hasPlace({ membership, server }: Member): boolean {
  return membership.name === 'member' && server === 'connected';
}

/** Those about whom something was done within so many milliseconds. */
export function recent(peers: readonly PeerAt[], milliseconds: number, now: number): PeerAt[] {
  return peers.filter(({ at }) => at > now - milliseconds);
}

export function isNoted(peers: readonly PeerAt[], peer: PeerId): boolean {
  return peers.some((each) => each.peer === peer);
}
