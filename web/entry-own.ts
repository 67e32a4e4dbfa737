/**
 * The entry's own, word for word as in shared/ring/describe.ts: a file that it shared with the rest of
 * the page would have to be fetched by both.
 */
import type { PeerId } from '../shared/protocol/ids.ts';
import type { ElectionMessage } from '../shared/protocol/messages.ts';

/** The first block of a uuid: enough to tell peers apart by eye. */
export function shortId(id: PeerId): string {
  return id.slice(0, 8);
}

/** Whether a message only says again, once a second, who the leader is. */
export function isLap(message: ElectionMessage): boolean {
  return message.type === 'elected' && message.decision.lap > 0;
}
