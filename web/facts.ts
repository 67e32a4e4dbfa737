/** What there is to know of a peer, in the values and words that the page shows. */
import type { RingState } from '../shared/ring/events.ts';
import { shortId } from './entry-own.ts';

/** What a peer knows of its place, each value whole, by the test id of the element that shows it. */
export function factsOf(ring: RingState) {
  return {
    'own-id': ring.id,
    'leader-id': ring.leader ?? '',
    'predecessor-id': ring.predecessor ?? '',
    'successor-id': ring.successor ?? '',
    role: ring.role,
    'ring-size': String(ring.size ?? ''),
    term: String(ring.term ?? ''),
    'server-link': ring.server,
    'predecessor-link': ring.predecessorLink,
    'successor-link': ring.successorLink,
  };
}

/** Who leads, in a few words. */
export function headlineOf(ring: RingState): string {
  if (ring.role === 'offline') return 'Not in the ring';
  if (ring.leader !== null && !ring.isConfirmed) return 'The leader is not confirmed';
  if (ring.role === 'leader') return 'This tab leads';
  if (ring.leader !== null) return `${shortId(ring.leader)} leads`;
  return ring.role === 'joining' ? 'Joining the ring …' : 'Electing a leader …';
}
