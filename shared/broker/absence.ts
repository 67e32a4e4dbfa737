/** Members without a connection: whose neighbours are asked, and by whose word they are gone (L13). */
import type { Moment } from '../machine/moment.ts';
import type { PeerId } from '../protocol/ids.ts';
import { RELAYED_PROBE_SILENCE } from '../protocol/timeouts.ts';
import { find, has, isDeserted, isPresent, lossOf, type Notice, type Room } from './room.ts';
import type { Charge, OpenRoom } from './state.ts';
import { cancel, schedule, type Turn } from './turn.ts';
import { checks } from './views.ts';

/**
 * How long an absent member is safe from the word of those who cannot know: as long as a neighbour on a
 * relayed link, who is one of them, listens before it complains.
 */
const GRACE = RELAYED_PROBE_SILENCE;

/** How often neighbours are asked about a member without a connection, in milliseconds. */
const CHECK_INTERVAL = 4_000;

/** How long the members of a lost memory are waited for, in milliseconds, once one is back. */
const RECOVERY_PATIENCE = 5_000;

/**
 * How long after its opening, or the server's start, a room may begin to wait for them, and after its opening
 * begin anew, in milliseconds.
 */
export const RECOVERY_PERIOD = 60_000;

/**
 * A member's connection is lost; its place is kept.
 * @returns what to ask its neighbours
 */
export function lose(room: Room, id: PeerId, { now }: Moment): Notice[] {
  const member = find(room, id);
  if (member === undefined) return [];
  member.lost = lossOf(id, member.place, now);
  // Others may have waited for this one's word alone.
  const asked = room.ring.filter((each) => each === member || each.lost?.neighbours.includes(id));
  return checks(room, new Set(asked.map((each) => each.id)));
}

/**
 * Takes a neighbour's word that it does not hear an absent member. The member is gone if none that
 * was its neighbour when the connection was lost, and has one itself, might still hear it, and one
 * that had a link with it does not; or if all who were are gone, or there has been time enough to
 * come back. Until then one liar does not turn it out, nor one whose own link has broken.
 */
export function isGone(room: Room, charge: Charge, { now }: Moment): boolean {
  const { from, about, fault } = charge;
  const member = find(room, about);
  const lost = member?.lost ?? null;
  if (member === undefined || lost === null || lost.at <= now - GRACE) return true;
  const { neighbours } = lost;
  const words = { ...lost.words };
  if (neighbours.includes(from)) words[from] = fault === 'silent' ? 'silent' : 'cannot tell';
  member.lost = { ...lost, words };
  if (neighbours.length > 0 && !neighbours.some((id) => has(room, id))) return true;
  const mayHear = neighbours.some((id) => isPresent(room, id) && words[id] === undefined);
  return !mayHear && Object.values(words).includes('silent');
}

/** In a room where nobody has a connection the absent are waited for as if they were lost now. */
export function restartAbsence({ now }: Moment, room: Room): void {
  if (!isDeserted(room)) return;
  for (const member of room.ring) member.lost &&= { ...member.lost, at: now, words: {} };
}

/**
 * Somebody comes. In a room where nobody has a connection it may have been the server that could
 * not be reached: the absent are waited for and asked about as if it had begun now.
 */
export function wake(turn: Turn, open: OpenRoom): void {
  if (!isDeserted(open)) return;
  restartAbsence(turn, open);
  if (isWaitedFor(turn, open)) awaitReturns(turn, open);
  cancel(turn, open, 'checks');
  keepChecking(turn, open);
}

/** Members of a lost memory have so long to come back from now on. */
export function awaitReturns(turn: Turn, open: OpenRoom): void {
  cancel(turn, open, 'recovery');
  schedule(turn, open, 'recovery', turn.now + RECOVERY_PATIENCE);
}

/**
 * Whether a recovery in a room where nobody has a connection goes on. Anyone can come and go again and
 * again, so it does not go on for ever.
 */
export function isWaitedFor({ now }: Moment, open: OpenRoom): boolean {
  const isLate = open.openedAt <= now - RECOVERY_PERIOD;
  return open.recollections !== null && isDeserted(open) && open.pending.length === 0 && !isLate;
}

/** Asks about members without a connection, again and again, as long as there are any. */
export function keepChecking(turn: Turn, open: OpenRoom): void {
  const isAnyLost = open.ring.some(({ lost }) => lost !== null);
  if (isAnyLost) schedule(turn, open, 'checks', turn.now + CHECK_INTERVAL);
}
