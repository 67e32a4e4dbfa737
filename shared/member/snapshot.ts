/** A member as its observers see it. */
import { decisionOf } from '../election/state.ts';
import { isConfirmed } from './leader-patience.ts';
import {
  connectionOf,
  isGone,
  isGreeted,
  isOpen,
  linkInUse,
  linksOf,
  roundTripOf,
} from './queries.ts';
import type { LinkSnapshot, NeighbourLinkState, RingState } from './events.ts';
import { hopDelayOf } from './hop-delay.ts';
import type { Link, Member } from './state.ts';
import type { Moment } from '../machine/moment.ts';

/** This member at this moment. Made for each event: a plain literal, which costs least. */
export function snapshotOf(member: Member, moment: Moment): RingState {
  const { election, place, identity, config } = member;
  const isOver = isGone(member);
  const decision = isOver ? null : decisionOf(election.state);
  const lease = isOver ? null : election.lease;
  const view = isOver ? null : place.view;
  return {
    id: identity.id,
    room: config.room,
    role: roleOf(member),
    era: isOver ? null : place.era,
    term: isOver || election.state.term === 0 ? null : election.state.term,
    leader: decision?.leader.id ?? null,
    isConfirmed: isConfirmed(lease, moment),
    confirmedUntil: lease?.date ?? null,
    hopsFromLeader: decision?.hops ?? null,
    size: decision?.size ?? null,
    successor: view?.successor.id ?? null,
    predecessor: view?.predecessor.id ?? null,
    successorLink: successorLinkState(member),
    predecessorLink: predecessorLinkState(member),
    server: member.server,
    ring: isOver ? null : election.census.ring,
    hopDelay: hopDelayOf(member.hopDelay),
  };
}

function roleOf(member: Member): RingState['role'] {
  if (isGone(member)) return 'offline';
  switch (member.election.state.role.name) {
    case 'idle':
      return 'joining';
    case 'candidate':
    case 'deferring':
      return 'candidate';
    case 'follower':
      return 'follower';
    case 'leader':
      return 'leader';
  }
}

/** Every link with a neighbour at this moment, with what it is to its edge. */
export function linkSnapshots(
  member: Member,
  now: number,
): readonly { readonly link: Link; readonly snapshot: Omit<LinkSnapshot, 'stats'> }[] {
  return linksOf(member).map((link) => ({
    link,
    snapshot: {
      edge: link.edge,
      peer: link.peer,
      kind: link.kind,
      state: linkState(member, link),
      age: now - link.madeAt,
      roundTrip: isOpen(link) ? roundTripOf(link) : null,
    },
  }));
}

function linkState(member: Member, link: Link): LinkSnapshot['state'] {
  if (!isOpen(link)) return 'connecting';
  return linkInUse(member) === link ? 'in use' : 'open';
}

function successorLinkState(member: Member): NeighbourLinkState {
  const { target } = member.successor;
  if (target === null || target === member.identity.id) return 'none';
  return connectionOf(member) ?? 'connecting';
}

function predecessorLinkState({ predecessor, identity }: Member): NeighbourLinkState {
  const { target, links } = predecessor;
  if (target === null || target === identity.id) return 'none';
  const kinds = links
    .filter((link) => link.peer === target && isGreeted(link))
    .map(({ kind }) => kind);
  return kinds.find((kind) => kind === 'direct') ?? kinds[0] ?? 'connecting';
}
