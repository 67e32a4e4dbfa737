/** A room of a memory that the server has lost, gathered again from its members (member/SPEC.md, L14). */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Ticket } from '../protocol/signaling.ts';
import {
  awaitReturns,
  isWaitedFor,
  keepChecking,
  RECOVERY_PERIOD,
  restartAbsence,
} from './absence.ts';
import { areOfOneRoom, isTurnedOut, refusalOfNewcomer } from './facts.ts';
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
 * Whether a ticket is of a room that is open: of its keys, and, where its host lets nobody in, of a memory that
 * others have come from. While members are gathered the latest room of the name is the one.
 */
export function isOfRoom(turn: Turn, open: OpenRoom, ticket: Ticket): boolean {
  if (mayGather(turn, open, ticket)) return true;
  const { recollections, facts, origins } = open;
  const isSame = areOfOneRoom(facts, ticket.facts);
  if (recollections === null) return isSame && (!facts.isLocked || origins.has(ticket.incarnation));
  return isSame || recollections.every(({ era }) => era < ticket.era);
}

/** Gathers the members of a lost memory, from the first that comes with its ticket. */
export function gather(turn: Turn, open: OpenRoom, ticket: Ticket): void {
  if (mayGather(turn, open, ticket)) {
    adopt(open, ticket);
    for (const id of beginRecovery(turn, open)) turnOut(turn, open, id);
  } else if (open.recollections !== null) compare(turn, open, ticket);
  if (open.recollections !== null) open.origins.add(ticket.incarnation);
}

/** Whether members of a lost memory may still come to a room that has nobody in it. */
export function mayBeLost({ state, now }: Turn, name: RoomName): boolean {
  return state.lost.has(name) || state.startedAt > now - RECOVERY_PERIOD;
}

/**
 * Whether a ticket stops a room, once, to gather those who were there before. Newcomers that could not know of
 * them have to come again, but only as the server has just begun.
 */
function mayGather(turn: Turn, open: OpenRoom, { incarnation }: Ticket): boolean {
  if (open.hasRecovered || open.recollections !== null) return false;
  const isOfBefore = !isOfThisMemory(turn, incarnation);
  const hasJustBegun = turn.state.startedAt > turn.now - RECOVERY_PERIOD;
  return open.seats.size === 0 || (isOfBefore && hasJustBegun);
}

/** Members were told of what is so at different times, and some may be of an earlier room. */
function compare(turn: Turn, open: OpenRoom, ticket: Ticket): void {
  const gathered = open.recollections ?? [];
  // A newcomer may have opened it who could not know.
  if (gathered.length === 0) adopt(open, ticket);
  else if (!areOfOneRoom(open.facts, ticket.facts)) {
    adopt(open, ticket);
    open.origins.clear();
    for (const { id } of gathered) expel(turn, open, id);
  } else if (ticket.facts.revision > open.facts.revision) {
    open.facts = ticket.facts;
    for (const { id } of gathered)
      if (isTurnedOut(open.facts, id, open.seats.get(id)?.grant ?? null)) expel(turn, open, id);
  }
}

/** One that was gathered has no place here. */
function expel(turn: Turn, open: OpenRoom, id: PeerId): void {
  open.ring = open.ring.filter((member) => member.id !== id);
  open.recollections &&= open.recollections.filter((each) => each.id !== id);
  turnOut(turn, open, id);
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
