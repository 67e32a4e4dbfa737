/** What a member tells the server of neighbours that are silent or violate the protocol (SPEC.md, L12, L16). */
import type { PeerId } from '../protocol/ids.ts';
import type { Fault } from '../protocol/signaling.ts';
import { REPLY_PATIENCE } from '../protocol/timeouts.ts';
import { greetedLinks } from './edges.ts';
import { includesPeer, recent } from './recent.ts';
import type { Complaint, Link, Member } from './state.ts';
import { arm, ask, disarm, tell, type Turn } from './turn.ts';

/** How long one complaint about a neighbour stands before the next, in milliseconds. */
export const COMPLAINT_INTERVAL = 5_000;

/** How often it is said that one cannot be made, in milliseconds. */
const UNREPORTED_INTERVAL = 60_000;

/** The server decides whether the neighbour is gone; if not, links with it are made anew. */
export function complain(turn: Turn, about: PeerId, found: 'silent' | 'misbehaves'): void {
  const { member, now } = turn;
  const { neighbours } = member;
  const fault: Fault = found === 'silent' && !canTell(member, about) ? 'unlinked' : found;
  if (member.server !== 'connected') {
    neighbours.unreported = recent(neighbours.unreported, UNREPORTED_INTERVAL, now);
    if (includesPeer(neighbours.unreported, about)) return;
    neighbours.unreported = [...neighbours.unreported, { peer: about, at: now }];
    tell(turn, { type: 'unreported', about, fault, reason: 'no connection' });
    return;
  }
  const stands = (each: Complaint) => each.about === about && each.at > now - COMPLAINT_INTERVAL;
  if (neighbours.complaints.some(stands)) return;
  const complaint: Complaint = { about, fault, at: now };
  neighbours.complaints = [...neighbours.complaints, complaint];
  tell(turn, { type: 'complained', about, fault });
  arm(turn, { name: 'no answer', complaint, at: now + REPLY_PATIENCE });
  ask(turn, { request: { type: 'complain', body: { about, fault } }, context: complaint });
}

/** The server has answered a complaint, or will not any more. */
export function closeComplaint(turn: Turn, { about, at }: Complaint): void {
  const isIt = (each: Complaint) => each.about === about && each.at === at;
  const { neighbours } = turn.member;
  neighbours.complaints = neighbours.complaints.filter((each) => !isIt(each));
  disarm(turn, (due) => due.name === 'no answer' && isIt(due.complaint));
}

/** No answer to a complaint has come in time. */
export function giveUpComplaint(turn: Turn, complaint: Complaint): void {
  closeComplaint(turn, complaint);
  const { about, fault } = complaint;
  tell(turn, { type: 'unreported', about, fault, reason: 'no answer' });
}

/** A link has closed on its own, or with a goodbye of a peer that leaves the ring. */
export function noteBroken(
  { member: { neighbours } }: Turn,
  link: Link,
  wasGreeted: boolean,
): void {
  const isNews = !neighbours.broken.includes(link.peer);
  if (link.kind === 'direct' && wasGreeted && isNews)
    neighbours.broken = [...neighbours.broken, link.peer];
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
