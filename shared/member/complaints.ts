/** What a member tells the server of neighbours that are silent or violate the protocol (SPEC.md, L12, L16). */
import type { PeerId } from '../protocol/ids.ts';
import { greetedLinks, isNoted, recent } from './queries.ts';
import type { Link, Member } from './state.ts';
import { ask, tell, type Turn } from './turn.ts';

/** How long an unanswered complaint about a neighbour stands before the next, in milliseconds. */
export const COMPLAINT_INTERVAL = 5_000;

/** The server decides whether the neighbour is gone; if not, links with it are made anew. */
export function complain(turn: Turn, about: PeerId, found: 'silent' | 'misbehaves'): void {
  const { member, now } = turn;
  const { neighbours } = member;
  const complaints = recent(neighbours.complaints, COMPLAINT_INTERVAL, now);
  if (member.server !== 'connected' || isNoted(complaints, about)) return;
  neighbours.complaints = [...complaints, { peer: about, at: now }];
  const fault = found === 'silent' && !canTell(member, about) ? 'unlinked' : found;
  tell(turn, { type: 'complained', about, fault });
  ask(turn, { request: { type: 'complain', body: { about, fault } }, context: about });
}

/** The server has replied to a complaint about a peer: another may be made. */
export function endComplaint({ member: { neighbours } }: Turn, about: PeerId): void {
  neighbours.complaints = neighbours.complaints.filter(({ peer }) => peer !== about);
}

/** A link has closed on its own, or with a goodbye of a peer that leaves the ring. */
export function noteBroken(turn: Turn, { peer, kind }: Link, wasGreeted: boolean): void {
  const { neighbours } = turn.member;
  if (kind === 'direct' && wasGreeted && !neighbours.broken.includes(peer))
    neighbours.broken = [...neighbours.broken, peer];
}

/** A link with a peer works. */
export function noteGreeted({ member: { neighbours } }: Turn, peer: PeerId): void {
  neighbours.broken = neighbours.broken.filter((each) => each !== peer);
}

/** A peer that has no direct link with another, and lost none, cannot tell whether it is there. */
function canTell(member: Member, about: PeerId): boolean {
  const isDirect = ({ kind }: Link) => kind === 'direct';
  return member.neighbours.broken.includes(about) || greetedLinks(member, about).some(isDirect);
}
