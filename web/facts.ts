/** The facts about a peer, in the values and words that the page shows. */
import type { RingState } from '../shared/member/events.ts';
import { nameOf } from '../shared/narration/names.ts';

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
export interface Headline {
  /** Whether there is a leader, and it is confirmed. */
  readonly isDecided: boolean;
  readonly tone: RingState['role'] | 'doubted';
  /** The leader's name, shown before the words; empty where this peer leads. */
  readonly name: string;
  readonly words: string;
}

export function headlineOf({ role, id, leader, isConfirmed }: RingState): Headline {
  const undecided = { isDecided: false, tone: role, name: '' };
  if (role === 'offline') return { ...undecided, words: 'Not in the ring' };
  if (leader === null)
    return {
      ...undecided,
      words: role === 'joining' ? 'Joining the ring …' : 'Electing a leader …',
    };
  if (!isConfirmed) return { ...undecided, tone: 'doubted', words: 'The leader is not confirmed' };
  const decided = { isDecided: true, tone: role };
  if (leader === id) return { ...decided, name: '', words: 'This tab leads' };
  return { ...decided, name: nameOf(leader), words: 'leads' };
}

/** What comes next, where nobody leads. */
export function outlookOf({ role, leader }: RingState): string {
  if (role === 'offline') return 'Rejoin to take part again, as a new peer.';
  return leader === null ? 'The peer with the highest uuid will lead.' : '';
}

/** Whether it is all connected, in one word. */
export function connectionOf(ring: RingState): { text: string; tone: 'good' | 'warn' | 'bad' } {
  if (ring.role === 'offline') return { text: 'not in the ring', tone: 'bad' };
  if (ring.server === 'offline') return { text: 'without server', tone: 'warn' };
  if (ring.server !== 'connected' && ring.role !== 'joining')
    return { text: 'no server', tone: 'bad' };
  const isWaiting = [ring.successorLink, ring.predecessorLink].includes('connecting');
  if (ring.successor === null || isWaiting) return { text: 'connecting', tone: 'warn' };
  return { text: 'connected', tone: 'good' };
}
