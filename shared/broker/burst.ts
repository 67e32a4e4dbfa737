/** When newcomers get their places (member/SPEC.md, L2). */
import { wakeRoom } from './absence.ts';
import { join } from './places.ts';
import { arm, disarm } from './dues.ts';
import { otherSpelling } from './rooms.ts';
import type { OpenRoom } from './state.ts';
import { deliver, reply, type Turn } from './turn.ts';

/** How many times the window of a burst its first newcomer waits at most for those that follow. */
const WINDOWS_PER_BURST = 10;

/** A lone newcomer waits for nothing; those of a burst wait for each other, but not without end. */
export function schedule(turn: Turn, open: OpenRoom): void {
  disarm(turn, { name: 'assign', room: open.name });
  const [first] = open.pending;
  if (first === undefined || open.room.recollections !== null) return;
  const { now } = turn;
  const { burstWindow } = turn.state.limits;
  const isBurst = open.pending.length > 1 || now < (open.assignedAt ?? -Infinity) + burstWindow;
  const waited = now - first.since;
  const wait = Math.min(burstWindow, WINDOWS_PER_BURST * burstWindow - waited);
  if (isBurst && wait > 0) arm(turn, { name: 'assign', room: open.name }, wait);
  else assign(turn, open);
}

export function assign(turn: Turn, open: OpenRoom): void {
  if (open.pending.length === 0 || open.room.recollections !== null) return;
  open.assignedAt = turn.now;
  wakeRoom(turn, open);
  const arrived = new Map(open.pending.map((pending) => [pending.request.id, pending]));
  const requests = open.pending.map(({ request }) => request);
  open.pending = [];
  for (const notice of join(open.room, requests, turn)) {
    const newcomer = arrived.get(notice.to);
    if (notice.type === 'view' && newcomer !== undefined) {
      const { view } = notice;
      reply(turn, newcomer, { ok: true, view, policy: open.policy, ...otherSpelling(turn, open) });
    } else deliver(turn, open, [notice]);
  }
}
