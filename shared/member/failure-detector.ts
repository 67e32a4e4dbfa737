/**
 * Failure detection: heartbeats, silence, this peer's own sleep, and what follows from a silent link
 * (SPEC.md, L12, L13, L15). A link is asked for a sign of life when nothing else was heard on it, and now
 * and then for its round trip. It answers where it takes frames: the timers of a page in the background
 * are too slow for that.
 */
import type { PeerId } from '../protocol/ids.ts';
import type { MembershipReply } from '../protocol/signaling.ts';
import { complain, endComplaint } from './complaints.ts';
import { findLink, greetedLinks, isGreeted, isNeighbour, linksOf } from './queries.ts';
import { beat, forgive, HEARTBEAT_INTERVAL, isBeatDue } from './link.ts';
import { drop } from './receiving.ts';
import { patienceOf, probePatienceOf, silenceOf } from './neighbour-patience.ts';
import type { Link, Member, Probe } from './state.ts';
import { arm } from '../machine/due-times.ts';
import type { Turn } from './turn.ts';

/** A heartbeat's timer that is so late shows that this peer was asleep, in milliseconds. */
const OVERSLEPT = 1.5 * HEARTBEAT_INTERVAL;

/** How long a link may be open before the other end has said HELLO, in milliseconds. */
const HELLO_SILENCE = 8_000;

/** A probe's timer that is so much later shows that this peer is too busy, in milliseconds, */
const LATE = 100;

/** or, up to here, that its page is hidden: browsers run the timers of those once a second. */
const HIDDEN_LATE = 1_200;

/** How often a probe is made where this peer was late. */
const PROBE_ROUNDS = 3;

export function startHeartbeats(turn: Turn): void {
  arm(turn.member, { name: 'heartbeat', at: turn.now + HEARTBEAT_INTERVAL });
}

/** It is time for heartbeats, and was for so many milliseconds. */
export function heartbeat(turn: Turn, late: number): void {
  startHeartbeats(turn);
  for (const link of linksOf(turn.member)) look(turn, link, late > OVERSLEPT);
}

function look(turn: Turn, link: Link, hasOverslept: boolean): void {
  if (link.stage.name === 'closed') return;
  // A peer that was asleep asks first, and accuses nobody.
  if (hasOverslept) forgive(link, turn.now);
  else if (silenceOf(link, turn.now) >= patienceOf(link)) silent(turn, link);
  if (hasOverslept || isBeatDue(link, turn.now)) beat(turn, link);
}

/** Nothing was heard on a link for too long. */
function silent(turn: Turn, link: Link): void {
  const { member, now } = turn;
  if (!isGreeted(link)) {
    if (silenceOf(link, now) >= HELLO_SILENCE) drop(turn, link, 'silent from the start');
  } else if (!isNeighbour(member, link.peer) || isHeardElsewhere(member, link, now))
    drop(turn, link, 'silent');
  else complain(turn, link.peer, 'silent');
}

/** Whether there is life on another link with the same neighbour: of two peers, on either edge. */
function isHeardElsewhere(member: Member, link: Link, now: number): boolean {
  return greetedLinks(member, link.peer).some(
    (other) => other !== link && silenceOf(other, now) < patienceOf(other),
  );
}

// --- probes -------------------------------------------------------------------------------------

/** The server has lost a neighbour: without life on the links with it, it is gone. */
export function check(turn: Turn, peer: PeerId): void {
  if (!isNeighbour(turn.member, peer)) return;
  const links = tellingLinks(turn.member, peer).map(({ id }) => id);
  if (links.length === 0) complain(turn, peer, 'silent');
  else probe(turn, { of: 'check', peer, links, rounds: PROBE_ROUNDS });
}

/** A relayed link cannot live while the other end has lost the server: a direct one tells more. */
function tellingLinks(member: Member, peer: PeerId): readonly Link[] {
  const links = greetedLinks(member, peer);
  const direct = links.filter(({ kind }) => kind === 'direct');
  return direct.length > 0 ? direct : links;
}

/**
 * The server has answered a complaint. A neighbour that is still a member is awake, perhaps only just: a
 * last chance for the link before another is made.
 */
export function onComplaintReply(turn: Turn, about: PeerId, reply: MembershipReply): void {
  endComplaint(turn, about);
  if (!reply.ok || !reply.isMember) return;
  for (const link of greetedLinks(turn.member, about))
    if (silenceOf(link, turn.now) >= patienceOf(link))
      probe(turn, { of: 'last chance', peer: about, links: [link.id], rounds: PROBE_ROUNDS });
}

/** Asks on those of the links that are left. Without any, there is nothing to wait for. */
function probe(turn: Turn, question: Omit<Probe, 'askedAt' | 'waitsFor'>): void {
  const links = question.links.flatMap((id) => findLink(turn.member, id) ?? []);
  const asked: Probe = { ...question, askedAt: turn.now, waitsFor: 'answers' };
  if (links.length === 0) {
    judge(turn, asked);
    return;
  }
  for (const link of links) beat(turn, link);
  awaitProbe(turn, asked, Math.max(...links.map(probePatienceOf)));
}

function awaitProbe(turn: Turn, asked: Probe, milliseconds: number): void {
  arm(turn.member, { name: 'probe', probe: asked, at: turn.now + milliseconds });
}

/** The time for answers is over, and was for so many milliseconds. */
export function probeOver(turn: Turn, asked: Probe, late: number): void {
  const { rounds, waitsFor } = asked;
  const isInTime = late <= (waitsFor === 'answers' ? LATE : HIDDEN_LATE);
  if (isInTime || rounds === 1) judge(turn, asked);
  // Answers may be there already, and only this peer was too busy to take them.
  else if (late > HIDDEN_LATE) probe(turn, { ...asked, rounds: rounds - 1 });
  // They are taken before what is set now: by a page that is not stalled, and in time.
  else awaitProbe(turn, { ...asked, waitsFor: 'arrivals' }, 0);
}

/** Whether there was an answer on all links, and what follows. */
function judge(turn: Turn, { of, peer, links, askedAt }: Probe): void {
  const { member, now } = turn;
  const waited = now - askedAt;
  const isSilent = (link: Link | undefined) => link === undefined || silenceOf(link, now) >= waited;
  const asked = links.map((id) => findLink(member, id));
  if (!asked.some(isSilent)) return;
  switch (of) {
    case 'check':
      // Links may have been replaced meanwhile.
      if (isNeighbour(member, peer) && tellingLinks(member, peer).every(isSilent))
        complain(turn, peer, 'silent');
      return;
    case 'last chance':
      for (const link of asked) if (link !== undefined) drop(turn, link, 'silent');
      return;
  }
}
