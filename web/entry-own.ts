/**
 * The entry's own, word for word as in shared/ring/describe.ts: a file that it shared with the rest of
 * the page would have to be fetched by both.
 */
import type { PeerId } from '../shared/protocol/ids.ts';

/** The first block of a uuid: enough to tell peers apart by eye. */
export function shortId(id: PeerId): string {
  return id.slice(0, 8);
}
