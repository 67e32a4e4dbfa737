/** A room of a memory that the server has lost, gathered again from its members (member/SPEC.md, L14). */
import type { PeerId } from '../protocol/ids.ts';
import {
  awaitReturns,
  isWaitedFor,
  keepChecking,
  RECOVERY_PERIOD,
  restartAbsence,
} from './absence.ts';
import { leave, recover, startRecovery } from './places.ts';
import { has, isWhole } from './room.ts';
import { closeRoom, hasForgotten, takeIn } from './rooms.ts';
import { newSeat, type Asker, type OpenRoom, type SessionId } from './state.ts';
import {
  announce,
  cancel,
  end,
  idTaken,
  note,
  placeLost,
  reply,
  unseat,
  type Turn,
} from './turn.ts';

/**
 * Stops a room, once, to gather the members of a lost memory: another one comes with its ticket. Newcomers
 * that could not know of them have to come again, but none that have been there for long.
 */
export function gather(turn: Turn, open: OpenRoom, incarnation: string): void {
  if (open.hasRecovered || open.recollections !== null) return;
  const since = turn.now - RECOVERY_PERIOD;
  const isForgotten = open.openedAt > since && hasForgotten(turn, open.name, incarnation);
  if (open.seats.size > 0 && turn.state.startedAt <= since && !isForgotten) return;
  for (const id of startRecovery(open)) end(turn, unseat(turn, open, id), 'evicted');
  cancel(turn, open, 'assign');
  note(turn, open, { type: 'recovery begun' });
  awaitReturns(turn, open);
}

/** The members have had their time to come back. Where nobody has a connection nobody could. */
export function recoverLate(turn: Turn, open: OpenRoom): void {
  if (isWaitedFor(turn, open)) awaitReturns(turn, open);
  else finish(turn, open);
}

/** Ends a recovery in which nobody is missing any more. */
export function recoverIfWhole(turn: Turn, open: OpenRoom): void {
  if (open.tasks.has('recovery') && isWhole(open)) finish(turn, open);
}

/**
 * Lets one go that has a place or is about to get one. The room is closed behind the last, and may have
 * waited for this one alone.
 * @param isGoodbye whether it goes by its own word
 * @returns its session, if it has one
 */
export function letGo(turn: Turn, open: OpenRoom, id: PeerId, isGoodbye = true): SessionId | null {
  const session = unseat(turn, open, id);
  const [newcomer] = open.pending.filter(({ request }) => request.id === id);
  if (newcomer !== undefined) reply(turn, newcomer, placeLost(open.name, id));
  open.pending = open.pending.filter((each) => each !== newcomer);
  announce(turn, open, leave(open, id, isGoodbye, turn));
  // It may have been the last that was there (L13j).
  restartAbsence(turn, open);
  if (open.seats.size === 0) closeRoom(turn, open);
  else recoverIfWhole(turn, open);
  return session;
}

/** Answers a member whether a peer is one; while the room is recovering that has to wait. */
export function lookup(turn: Turn, open: OpenRoom, id: PeerId, asker: Asker, peer: PeerId): void {
  if (open.recollections !== null) open.seats.get(id)?.lookups.push({ ...asker, peer });
  else reply(turn, asker, { ok: true, isMember: has(open, peer) });
}

function finish(turn: Turn, open: OpenRoom): void {
  cancel(turn, open, 'recovery');
  open.hasRecovered = true;
  const free = turn.state.limits.peersPerRoom - open.seats.size;
  const { notices, absent, gone } = recover(open, free, turn);
  // Newcomers may have come with ids that turn out to be taken, or to have been.
  const taken = new Set([...absent, ...gone]);
  for (const newcomer of open.pending.filter(({ request }) => taken.has(request.id))) {
    unseat(turn, open, newcomer.request.id);
    reply(turn, newcomer, idTaken(newcomer.request.id));
  }
  open.pending = open.pending.filter(({ request }) => !taken.has(request.id));
  for (const id of absent) open.seats.set(id, newSeat(null));
  announce(turn, open, notices);
  note(turn, open, { type: 'recovery ended', members: open.ring.length });
  for (const id of gone) {
    note(turn, open, { type: 'evicted', id, reason: 'no place' });
    end(turn, unseat(turn, open, id), 'evicted');
  }
  keepChecking(turn, open);
  for (const { lookups } of open.seats.values())
    for (const asked of lookups.splice(0))
      reply(turn, asked, { ok: true, isMember: has(open, asked.peer) });
  if (open.seats.size === 0) closeRoom(turn, open);
  else takeIn(turn, open);
}
