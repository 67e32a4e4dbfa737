/** Traces for tests, from peers whose clocks may be wrong. */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { PeerTrace, TracedMessage, TraceEntry } from '../../shared/protocol/watch.ts';
import { peerId } from '../support.ts';

export function claim(origin: number, hops: number, term = 1, priority = 1): TracedMessage {
  return { type: 'claim', term, origin: peerId(origin), priority, hops, lap: 0 };
}

export function announcement(
  origin: number,
  hops: number,
  lap = 0,
  term = 1,
  priority = 1,
): TracedMessage {
  return { type: 'elected', term, origin: peerId(origin), priority, hops, lap };
}

export function sent(at: number, to: number, message: TracedMessage): TraceEntry {
  return { type: 'sent', at, to: peerId(to), message };
}

export function holding(at: number, milliseconds: number, message: TracedMessage): TraceEntry {
  return { type: 'holding', at, message, milliseconds };
}

export function received(
  at: number,
  from: number,
  message: TracedMessage,
  outcome: Extract<TraceEntry, { type: 'received' }>['outcome'] = 'forwarded',
): TraceEntry {
  return { type: 'received', at, from: peerId(from), message, outcome, reason: 'as it is' };
}

export function standing(
  at: number,
  role: 'follower' | 'leader' | 'candidate',
  leader: number | null,
  term = 1,
): TraceEntry {
  const id: PeerId | null = leader === null ? null : peerId(leader);
  return { type: 'state', at, role, term, leader: id, link: 'direct' };
}

/**
 * A trace of a peer.
 * @param ahead by how much the server's clock is ahead of the peer's, the trace's way included
 */
export function traceOf(
  peer: number,
  entries: readonly TraceEntry[],
  { ahead = 1_000, first = 0, lost = 0 } = {},
): PeerTrace {
  const at = entries.at(-1)?.at ?? 0;
  return {
    peer: peerId(peer),
    at: at + ahead,
    trace: { at, first, entries: [...entries], lost },
  };
}

/** A ring of three in which 1 starts and 3 wins: 1 -> 2 -> 3 -> 1. */
export function threeTraces(ahead: readonly [number, number, number] = [1_000, 1_000, 1_000]) {
  const off = ahead.map((each) => 1_000 - each);
  const [one = 0, two = 0, three = 0] = off;
  return [
    traceOf(
      1,
      [
        standing(10 + one, 'candidate', null),
        sent(10 + one, 2, claim(1, 1)),
        received(18 + one, 3, claim(3, 1)),
        sent(19 + one, 2, claim(3, 2)),
        received(26 + one, 3, announcement(3, 1)),
        standing(26 + one, 'follower', 3),
        sent(27 + one, 2, announcement(3, 2)),
      ],
      { ahead: ahead[0] },
    ),
    traceOf(
      2,
      [
        received(12 + two, 1, claim(1, 1), 'answered'),
        sent(13 + two, 3, claim(2, 1)),
        received(21 + two, 1, claim(3, 2)),
        sent(22 + two, 3, claim(3, 3)),
        received(29 + two, 1, announcement(3, 2)),
        standing(29 + two, 'follower', 3),
        sent(30 + two, 3, announcement(3, 3)),
      ],
      { ahead: ahead[1] },
    ),
    traceOf(
      3,
      [
        received(15 + three, 2, claim(2, 1), 'answered'),
        sent(16 + three, 1, claim(3, 1)),
        received(24 + three, 2, claim(3, 3), 'elected'),
        standing(24 + three, 'leader', 3),
        sent(25 + three, 1, announcement(3, 1)),
        received(32 + three, 2, announcement(3, 3), 'completed'),
      ],
      { ahead: ahead[2] },
    ),
  ];
}
