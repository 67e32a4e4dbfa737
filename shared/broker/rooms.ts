/**
 * Rooms, from the first that comes: when newcomers get their places (member/SPEC.md, L2), and when a room is
 * closed behind the last, or forgotten.
 */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import type { Facts } from '../protocol/signaling.ts';
import { disarm } from '../machine/due-times.ts';
import { fullBucket } from '../machine/token-bucket.ts';
import { awaitReturns, keepChecking, wake } from './absence.ts';
import { isGoverned, reserve, RESERVED } from './facts.ts';
import { join, startRecovery } from './places.ts';
import { newRoom } from './room.ts';
import type { OpenRoom } from './state.ts';
import { cancel, deliver, note, schedule, welcome, type Turn } from './turn.ts';
import { relayedRate } from './relays.ts';
import { checks } from './views.ts';

/** How many times the window of a burst its first newcomer waits at most for those that follow. */
const WINDOWS_PER_BURST = 10;

/** How long a room is remembered in which no member has a connection, in milliseconds. */
const DESERTED_PATIENCE = 30_000;

/** How long a room has to be there to be kept for long after that, in milliseconds. */
const USED = 60_000;

/** How many forgotten rooms are told from those that were empty at the end. */
const MAX_FORGOTTEN = 1_000;

/** A room that was empty counts its versions anew: that takes another incarnation. */
export function openRoom(turn: Turn, name: RoomName, policy: Policy, facts: Facts): OpenRoom {
  const { state, now } = turn;
  state.opened += 1;
  state.reserved.delete(name);
  const open: OpenRoom = {
    ...newRoom(`${state.incarnation}.${state.opened}`, state.latestEra),
    name,
    policy,
    facts,
    openedAt: now,
    seats: new Map(),
    pending: [],
    assignedAt: null,
    eraToldAt: null,
    hasRecovered: false,
    origins: new Set(),
    relayed: fullBucket(relayedRate(state.limits), now),
    tasks: new Set(),
  };
  state.rooms.set(name, open);
  if (state.lost.delete(name)) beginRecovery(turn, open);
  return open;
}

/** Members of a lost memory are gathered from now on. Returns who is let go. */
export function beginRecovery(turn: Turn, open: OpenRoom): readonly PeerId[] {
  const strangers = startRecovery(open);
  cancel(turn, open, 'assign');
  note(turn, open, { type: 'recovery begun' });
  awaitReturns(turn, open);
  return strangers;
}

/** A lone newcomer waits for nothing; those of a burst wait for each other, but not without end. */
export function takeIn(turn: Turn, open: OpenRoom): void {
  cancel(turn, open, 'assign');
  const [first] = open.pending;
  // Newcomers wait for the end of a recovery, which takes them in.
  if (first === undefined || open.recollections !== null) return;
  const { now } = turn;
  const { burstWindow } = turn.state.limits;
  const isBurst = open.pending.length > 1 || now < (open.assignedAt ?? -Infinity) + burstWindow;
  const waited = now - first.since;
  const wait = Math.min(burstWindow, WINDOWS_PER_BURST * burstWindow - waited);
  if (isBurst && wait > 0) schedule(turn, open, 'assign', now + wait);
  else assign(turn, open);
}

/** Gives the newcomers their places. */
export function assign(turn: Turn, open: OpenRoom): void {
  if (open.pending.length === 0) return;
  open.assignedAt = turn.now;
  wake(turn, open);
  const arrived = new Map(open.pending.map((pending) => [pending.request.id, pending]));
  const requests = open.pending.map(({ request }) => request);
  open.pending = [];
  for (const notice of join(open, requests, turn)) {
    const newcomer = arrived.get(notice.to);
    if (notice.type === 'view' && newcomer !== undefined)
      welcome(turn, open, newcomer, notice.to, notice.view);
    else deliver(turn, open, [notice]);
  }
}

/** Asks about members without a connection, and forgets a room that has no others for too long. */
export function checkNow(turn: Turn, open: OpenRoom): void {
  const lastLoss = Math.max(...open.ring.map(({ lost }) => lost?.at ?? Infinity));
  if (open.pending.length > 0 || turn.now - lastLoss < DESERTED_PATIENCE) {
    deliver(turn, open, checks(open));
    keepChecking(turn, open);
    return;
  }
  // It may still be a ring, somewhere out of reach.
  const { state } = turn;
  const { name, incarnation } = open;
  state.forgotten = [...state.forgotten, { name, incarnation }].slice(-MAX_FORGOTTEN);
  closeRoom(turn, open);
}

/** Whether a room of an incarnation was opened in this memory. */
export function isOfThisMemory({ state }: Turn, incarnation: string): boolean {
  return incarnation.startsWith(`${state.incarnation}.`);
}

export function hasForgotten({ state }: Turn, name: RoomName, incarnation: string): boolean {
  return state.forgotten.some((room) => room.name === name && room.incarnation === incarnation);
}

export function closeRoom(turn: Turn, { name, era, tasks, facts, openedAt }: OpenRoom): void {
  const { state } = turn;
  const wasUsed = turn.now - openedAt >= USED;
  if (tasks.size > 0) disarm(state, (due) => due.room === name);
  state.latestEra = Math.max(state.latestEra, era);
  state.rooms.delete(name);
  if (isGoverned(facts)) reserve(turn, name, facts, wasUsed ? RESERVED.after : RESERVED.before);
}
