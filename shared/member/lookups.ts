/** What a member asks the server about others: whether they are members at all (SPEC.md, L18). */
import { decisionOf } from '../election/state.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { Decision } from '../protocol/messages.ts';
import { isNeighbour, isNoted, recent } from './queries.ts';
import type { Member } from './state.ts';
import { arm } from '../machine/due-times.ts';
import { ask, draw, isArmed, type Turn } from './turn.ts';

/** How many peers of a ring ask the server about a leader: at first, and in each of its laps. */
const LOOKUPS_PER_DECISION = 3;
const LOOKUPS_PER_LAP = 0.1;

/** The largest ring for which they ask less often: a liar may announce any size. */
const SIZE_BELIEVED = 8;

/**
 * How long after it has heard of a leader a peer asks about it, in milliseconds: all hear of it at the
 * same time, and the announcement is to go round first. It asks no more often than that, either.
 */
export const LOOKUP_DELAY = 1_500;

/** For how long a question about a peer that is presumed departed is not asked again, in milliseconds. */
const DOUBT_INTERVAL = 5_000;

/** How many such peers are asked about in that time: a liar can name any. */
export const MAX_DOUBTS = 16;

/**
 * Asks the server now and then whether the leader is a member at all: a peer that lies could have
 * had one elected that never was, or is gone. All peers together ask so many times, or more often
 * in a large ring: how large it is, only the announcement says. They ask when the announcement has
 * long gone round, so as not to hold it up.
 */
export function noteLeader(
  turn: Turn,
  { leader: { id: leader }, size }: Decision,
  isNew: boolean,
): void {
  const { member, now } = turn;
  if (isArmed(turn, 'lookup') || !isInQuestion(member, leader)) return;
  const times = isNew ? LOOKUPS_PER_DECISION : LOOKUPS_PER_LAP;
  // One that the server has never confirmed is asked about by everyone.
  const isKnown = leader === member.lookups.confirmed;
  if (isKnown && draw(turn) * Math.min(size, SIZE_BELIEVED) >= times) return;
  arm(turn.member, { name: 'lookup', at: now + LOOKUP_DELAY });
}

/** Asks about the leader that is followed by now: it may have been invented after the first was heard. */
export function askAboutLeader(turn: Turn): void {
  const { member } = turn;
  const leader = followed(member);
  if (leader !== null && isInQuestion(member, leader)) lookUp(turn, leader, 'leader');
}

/**
 * A peer that is presumed departed and speaks may be there again: somebody else may have used its id, or
 * left under it. An id that is never believed would keep the ring without a leader for ever.
 */
export function doubtDeparture(turn: Turn, peer: PeerId): void {
  const { member, now } = turn;
  const doubts = recent(member.lookups.doubts, DOUBT_INTERVAL, now);
  member.lookups.doubts = doubts;
  if (member.server !== 'connected') return;
  if (isNoted(doubts, peer) || doubts.length >= MAX_DOUBTS) return;
  member.lookups.doubts = [...doubts, { peer, at: now }];
  lookUp(turn, peer, 'departed');
}

function lookUp(turn: Turn, peer: PeerId, why: 'leader' | 'departed'): void {
  ask(turn, { request: { type: 'lookup', body: peer }, context: { peer, why } });
}

/** The server has said that a peer is a member. */
export function noteMember(
  { member: { lookups } }: Turn,
  peer: PeerId,
  why: 'leader' | 'departed',
): void {
  if (why === 'leader') lookups.confirmed = peer;
  else lookups.doubts = lookups.doubts.filter((doubt) => doubt.peer !== peer);
}

/** The leader that this peer knows; null where it knows none. */
export function followed({ election }: Member): PeerId | null {
  return decisionOf(election.state)?.leader.id ?? null;
}

/** Whether the server can be asked about a leader, and nothing has told yet what it would say. */
function isInQuestion(member: Member, leader: PeerId): boolean {
  const { self, removed } = member.election.state;
  if (member.server !== 'connected' || leader === self.id) return false;
  // A view names none but members; and one that is gone is being replaced.
  return !isNeighbour(member, leader) && !removed.includes(leader);
}
