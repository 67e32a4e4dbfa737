/** Members without a connection: whose neighbours are asked, and how long the room waits. */
import { wake } from './places.ts';
import { arm, disarm, isArmed } from './dues.ts';
import { hasAbsent, isDeserted } from './room.ts';
import { forget } from './rooms.ts';
import type { OpenRoom } from './state.ts';
import { deliver, type Turn } from './turn.ts';
import { checks } from './views.ts';

/** How often neighbours are asked about a member without a connection, in milliseconds. */
const CHECK_INTERVAL = 4_000;

/** How long a room is remembered in which no member has a connection, in milliseconds. */
const DESERTED_PATIENCE = 30_000;

/** How long the members of a lost memory are waited for, in milliseconds, once one is back. */
const RECOVERY_PATIENCE = 5_000;

/**
 * Somebody comes. In a room where nobody has a connection it may have been the server that could
 * not be reached: the absent are waited for and asked about as if it had begun now.
 */
export function wakeRoom(turn: Turn, open: OpenRoom): void {
  const { room } = open;
  if (!isDeserted(room)) return;
  wake(room, turn);
  if (room.recollections !== null && open.pending.length === 0) awaitReturns(turn, open);
  disarm(turn, { name: 'checks', room: open.name });
  keepChecking(turn, open);
}

/** Members of a lost memory have so long to come back from now on. */
export function awaitReturns(turn: Turn, open: OpenRoom): void {
  arm(turn, { name: 'recovery', room: open.name }, RECOVERY_PATIENCE);
}

/** Asks about members without a connection, again and again, as long as there are any. */
export function keepChecking(turn: Turn, open: OpenRoom): void {
  if (hasAbsent(open.room) && !isArmed(turn, { name: 'checks', room: open.name }))
    arm(turn, { name: 'checks', room: open.name }, CHECK_INTERVAL);
}

export function checkNow(turn: Turn, open: OpenRoom): void {
  const { room, pending } = open;
  if (!isDeserted(room) || pending.length > 0) open.presentAt = turn.now;
  if (turn.now - open.presentAt >= DESERTED_PATIENCE) {
    forget(turn, open);
    return;
  }
  deliver(turn, open, checks(room));
  keepChecking(turn, open);
}
