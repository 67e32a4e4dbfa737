/** A room of a memory that the server has lost, gathered again from its members (member/SPEC.md, L14). */
import type { PeerId } from '../protocol/ids.ts';
import type { ResumeRequest } from '../protocol/signaling.ts';
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
import { newSeat, type Lookup, type OpenRoom, type SessionId } from './state.ts';
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
 * How far the clock of an earlier server may have been ahead, in milliseconds. Anyone can name an era,
 * and where a server forgets that it took it up, leaders are refused until its clock is that far.
 */
const CLOCK_SKEW = 300_000;

/** The era that a member of a lost memory was told last; null where it was told none. */
export function eraOf({ state, date }: Turn, { era }: ResumeRequest['place']): number | null {
  if (era === null) return null;
  // No honest room was opened in the future; but clocks differ.
  if (era > date + CLOCK_SKEW) return 0;
  state.latestEra = Math.max(state.latestEra, era);
  return era;
}

/**
 * Stops a room, once, to gather the members of a lost memory. Anyone can make up a memory: it must not
 * turn out those who have nothing to do with it.
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

/** Answers whether a peer is a member; while the room is recovering that has to wait. */
export function lookup(turn: Turn, open: OpenRoom, question: Lookup): void {
  if (open.recollections !== null) open.lookups = [...open.lookups, question];
  else reply(turn, question, { ok: true, isMember: has(open, question.peer) });
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
  for (const question of open.lookups) lookup(turn, open, question);
  open.lookups = [];
  if (open.seats.size === 0) closeRoom(turn, open);
  else takeIn(turn, open);
}
