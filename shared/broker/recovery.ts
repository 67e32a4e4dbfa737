/** A room of a memory that the server has lost, gathered again from its members (member/SPEC.md, L14). */
import type { PeerId } from '../protocol/ids.ts';
import type { Ticket } from '../protocol/signaling.ts';
import {
  awaitReturns,
  isWaitedFor,
  keepChecking,
  RECOVERY_PERIOD,
  restartAbsence,
} from './absence.ts';
import { refusalOfNewcomer } from './facts.ts';
import { leave, recover } from './places.ts';
import { has, isWhole } from './room.ts';
import { beginRecovery, closeRoom, isOfThisMemory, takeIn } from './rooms.ts';
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
 * Stops a room, once, to gather the members of a lost memory: one of them comes with its ticket. Newcomers
 * that could not know of them have to come again, but only as the server has just begun.
 */
export function gather(turn: Turn, open: OpenRoom, ticket: Ticket): void {
  const { incarnation } = ticket;
  if (open.hasRecovered) return;
  if (open.recollections !== null) {
    // A newcomer may have opened it who could not know.
    if (open.recollections.length === 0) adopt(open, ticket);
    return;
  }
  const isOfBefore = !isOfThisMemory(turn, incarnation);
  const hasJustBegun = turn.state.startedAt > turn.now - RECOVERY_PERIOD;
  if (open.seats.size > 0 && !(isOfBefore && hasJustBegun)) return;
  adopt(open, ticket);
  for (const id of beginRecovery(turn, open)) turnOut(turn, open, id);
}

function adopt(open: OpenRoom, { policy, facts }: Ticket): void {
  open.policy = policy;
  open.facts = facts;
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
  announce(turn, open, leave(open, id, isGoodbye));
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
  refuseSome(turn, open, new Set([...absent, ...gone]));
  for (const id of absent) open.seats.set(id, newSeat(null));
  announce(turn, open, notices);
  note(turn, open, { type: 'recovery ended', members: open.ring.length });
  for (const id of gone) turnOut(turn, open, id);
  keepChecking(turn, open);
  for (const [id, { lookups }] of open.seats)
    for (const asked of lookups.splice(0)) lookup(turn, open, id, asked, asked.peer);
  if (open.seats.size === 0) closeRoom(turn, open);
  else takeIn(turn, open);
}

/** Newcomers may have come with ids that turn out to be taken, or to have been, and to a room with a host. */
function refuseSome(turn: Turn, open: OpenRoom, taken: ReadonlySet<PeerId>): void {
  const { pending } = open;
  open.pending = [];
  for (const newcomer of pending) {
    const { id, key } = newcomer.request;
    const grant = open.seats.get(id)?.grant ?? null;
    const refused = taken.has(id) ? idTaken(id) : refusalOfNewcomer(open.facts, key, grant);
    if (refused === null) {
      open.pending = [...open.pending, newcomer];
      continue;
    }
    unseat(turn, open, id);
    reply(turn, newcomer, refused);
  }
}

/** One that is here has no place in the ring that is gathered. */
function turnOut(turn: Turn, open: OpenRoom, id: PeerId): void {
  if (!open.seats.has(id)) return;
  note(turn, open, { type: 'evicted', id, reason: 'no place' });
  end(turn, unseat(turn, open, id), 'evicted');
}
