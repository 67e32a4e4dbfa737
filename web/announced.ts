/** When this tab heard of its leader. */
import type { RingState } from '../shared/member/events.ts';
import type { LogRecord } from './ring-member.ts';

/**
 * The time of the present leader's announcement, in Unix milliseconds; null where there is no leader.
 * @param before the previous result, which stays valid while leader and term do: the log drops old entries
 */
export function announcedAt(
  { ring, log }: { readonly ring: RingState; readonly log: readonly LogRecord[] },
  before: { readonly ring: RingState; readonly at: number | null } | null,
): number | null {
  if (ring.leader === null) return null;
  const isSame = before?.ring.leader === ring.leader && before.ring.term === ring.term;
  if (isSame && before.at !== null) return before.at;
  const record = log.findLast(
    ({ event }) =>
      event.type === 'leader' && event.leader === ring.leader && event.term === ring.term,
  );
  return record?.at ?? null;
}
