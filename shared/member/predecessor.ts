/**
 * The edge to the predecessor. This peer listens on every link that a predecessor, this one or an earlier
 * one, has not yet said goodbye on (SPEC.md, L6).
 */
import type { LinkId, PeerId } from '../protocol/ids.ts';
import { isGreeted, isOpen } from './queries.ts';
import { close, fallSilent, retire } from './link.ts';
import type { Arrival, Link, Member } from './state.ts';
import type { Turn } from './turn.ts';

/** Links that are kept, the newest. */
const MAX_LINKS = 8;

/**
 * Takes a new predecessor. What the earlier one has sent is still read until it says goodbye.
 * @param offered this peer's own offer, where the view says that it is the one to use
 */
export function aimPredecessor(turn: Turn, peer: PeerId, offered: Link | null): void {
  const { predecessor } = turn.member;
  predecessor.target = peer;
  closePredecessors(turn, (link) => !isOpen(link) && link.peer !== peer);
  if (offered !== null) predecessor.links = [...predecessor.links, offered];
}

/** Takes a link that the predecessor offers. It has given up its earlier offers by then. */
export function acceptFromPredecessor(turn: Turn, link: Link): void {
  const { predecessor } = turn.member;
  closePredecessors(
    turn,
    (earlier) => !isOpen(earlier) && earlier.peer === link.peer && earlier.kind === link.kind,
  );
  const kept = predecessor.links;
  // A peer that holds on to many links must not keep out the one that comes after it.
  const least = kept.find(({ peer }) => peer !== link.peer) ?? kept[0];
  if (kept.length >= MAX_LINKS) closePredecessors(turn, (each) => each === least);
  predecessor.links = [...predecessor.links, link];
}

/** Closes links to peers that are gone. */
export function dropPredecessors(turn: Turn, gone: readonly PeerId[]): void {
  closePredecessors(turn, (link) => gone.includes(link.peer));
}

/** Forgets a link that is closed. Returns whether it was one of this edge's. */
export function forgetPredecessor({ predecessor }: Member, id: LinkId): boolean {
  const { links } = predecessor;
  predecessor.links = links.filter((link) => link.id !== id);
  return predecessor.links.length < links.length;
}

/** Ends the edge: with a goodbye on its links, or without a word. */
export function endPredecessor(turn: Turn, how: 'leave' | 'vanish'): void {
  const { predecessor } = turn.member;
  const { links } = predecessor;
  predecessor.target = null;
  predecessor.links = [];
  predecessor.waiting = [];
  for (const link of links)
    if (how === 'leave') retire(turn, link, 'leaving');
    else fallSilent(turn, link);
}

/**
 * The relayed link on which the peer at the other end of a direct one may have spoken before, until
 * its goodbye; undefined where there is none.
 */
export function relayedBefore({ predecessor }: Member, { kind, peer }: Link): Link | undefined {
  if (kind === 'relayed') return undefined;
  return predecessor.links.find(
    (other) => other.kind === 'relayed' && other.peer === peer && isGreeted(other),
  );
}

/** Takes out the messages that need not wait any more. What waits on a closed link is lost. */
export function takeReady(member: Member): readonly Arrival[] {
  const { predecessor } = member;
  const linkOf = ({ link }: Arrival) => predecessor.links.find(({ id }) => id === link);
  const waits = (arrival: Arrival) => {
    const link = linkOf(arrival);
    return link !== undefined && relayedBefore(member, link) !== undefined;
  };
  const { waiting } = predecessor;
  predecessor.waiting = waiting.filter(waits);
  return waiting.filter((arrival) => linkOf(arrival) !== undefined && !waits(arrival));
}

function closePredecessors(turn: Turn, matches: (link: Link) => boolean): void {
  const { member } = turn;
  for (const link of member.predecessor.links)
    if (matches(link)) {
      forgetPredecessor(member, link.id);
      close(turn, link);
    }
}
