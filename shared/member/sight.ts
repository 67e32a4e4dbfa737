/** A member as its observers see it. */
import { decisionOf } from '../election/state.ts';
import { leaseOf } from './lease.ts';
import {
  isGone,
  isOpen,
  linksOf,
  linkState,
  predecessorLinkState,
  roundTripOf,
  successorLinkState,
} from './edges.ts';
import type { LinkSight, RingState } from './events.ts';
import { hopDelayOf } from './hop-delay.ts';
import type { Link, Member } from './state.ts';
import type { Moment } from './turn.ts';

/** This member at this moment. */
export function sightOf(member: Member, moment: Moment): RingState {
  const { election, place, identity, config, server, hopDelay } = member;
  const common = {
    id: identity.id,
    room: config.room,
    role: roleOf(member),
    successorLink: successorLinkState(member),
    predecessorLink: predecessorLinkState(member),
    server,
    hopDelay: hopDelayOf(hopDelay),
  };
  if (isGone(member)) return { ...common, ...NOTHING };
  const decision = decisionOf(election.state);
  const { view } = place;
  return {
    ...common,
    era: place.era,
    term: election.state.term === 0 ? null : election.state.term,
    leader: decision?.leader.id ?? null,
    ...leaseOf(election.lease, moment),
    hopsFromLeader: decision?.hops ?? null,
    size: decision?.size ?? null,
    successor: view?.successor.id ?? null,
    predecessor: view?.predecessor.id ?? null,
    ring: election.census.ring,
  };
}

/** What a peer knows that is no member. */
const NOTHING = {
  era: null,
  term: null,
  leader: null,
  isConfirmed: false,
  confirmedUntil: null,
  hopsFromLeader: null,
  size: null,
  successor: null,
  predecessor: null,
  ring: null,
};

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
export function linkSights(
  member: Member,
  now: number,
): readonly { readonly link: Link; readonly sight: Omit<LinkSight, 'stats'> }[] {
  return linksOf(member).map((link) => ({
    link,
    sight: {
      edge: link.edge,
      peer: link.peer,
      kind: link.kind,
      state: linkState(member, link),
      age: now - link.madeAt,
      roundTrip: isOpen(link) ? roundTripOf(link) : null,
    },
  }));
}
