/** From whom a peer that never knew a leader takes the ring's term. */
import { describe, expect, test } from 'vitest';
import type { Decision } from '../../shared/protocol/messages.ts';
import type { Edge } from '../../shared/protocol/signaling.ts';
import { MAX_TERM_LEAP } from '../../shared/ring/timing.ts';
import { linkId, peerId } from '../support.ts';
import { NEIGHBOURS, Ring, type TestLink } from './played-ring.ts';

const claimOf = (number: number) => ({ priority: 1, id: peerId(number) });
const DECISION: Decision = { leader: claimOf(9), lap: 1, size: 3, hops: 2 };
const HIGH = 1_000_000;
const EDGES: readonly Edge[] = ['successor', 'predecessor'];

/** A newcomer to whom neither neighbour has said HELLO. */
function newcomer(): Ring {
  return new Ring(null, 450, []);
}

function other(edge: Edge): Edge {
  return edge === 'successor' ? 'predecessor' : 'successor';
}

function announce(ring: Ring, term: number, lap = 2): void {
  ring.predecessor.give({ type: 'elected', term, decision: { ...DECISION, lap } });
}

/** What it has told a neighbour of the ring's term, in order. */
function termsTold({ sent }: TestLink): number[] {
  return sent.flatMap(({ message }) => (message.type === 'hello' ? [message.term] : []));
}

describe.each(EDGES)('a first HELLO, which comes from the %s,', (edge) => {
  test('is believed for a term that everybody else could follow to', () => {
    const ring = newcomer();
    ring.greet(edge, MAX_TERM_LEAP, DECISION);
    expect(ring.node.state).toMatchObject({ term: MAX_TERM_LEAP, leader: peerId(9) });
  });

  test.each([MAX_TERM_LEAP + 1, HIGH, 2 ** 31 - 1])(
    'does not lift a newcomer to term %i, far above that of the ring',
    (term) => {
      const ring = newcomer();
      ring.greet(edge, term, DECISION);
      expect(ring.node.state.term ?? 0).toBeLessThan(2);
      ring.greet(other(edge), 7, DECISION);
      announce(ring, 7);
      expect(ring.node.state).toMatchObject({ term: 7, leader: peerId(9) });
      expect(ring.told('complained')).toEqual([]);
    },
  );

  test.each([0, 5, MAX_TERM_LEAP])(
    'is believed for a term of 1,000,000 once the other neighbour has said one %i above or below',
    (apart) => {
      for (const term of [HIGH - apart, HIGH + apart]) {
        const ring = newcomer();
        ring.greet(edge, HIGH, DECISION);
        ring.greet(other(edge), term, DECISION);
        // The ring welcomes it (R4).
        announce(ring, edge === 'predecessor' ? HIGH : term);
        expect(ring.node.state.leader).toBe(peerId(9));
        expect(ring.node.state.term).toBeGreaterThanOrEqual(HIGH - apart);
        expect(ring.told('dropped')).toEqual([]);
      }
    },
  );
});

test('a first HELLO that was not believed is, once the other neighbour bears it out', () => {
  const ring = newcomer();
  ring.greet('predecessor', HIGH, DECISION);
  expect(ring.node.state.term).toBeNull();
  ring.greet('successor', HIGH);
  expect(ring.node.state).toMatchObject({ term: HIGH, leader: peerId(9) });
});

test('a first message is believed for a term that the successor has spoken of', () => {
  const ring = newcomer();
  ring.greet('predecessor', 0);
  ring.greet('successor', HIGH, DECISION);
  announce(ring, HIGH + 1);
  expect(ring.node.state).toMatchObject({ term: HIGH + 1, leader: peerId(9) });
});

test('a first message alone does not lift a newcomer’s term, and is no fault', () => {
  const ring = newcomer();
  ring.greet('predecessor', 0);
  ring.greet('successor', 7);
  for (let lap = 0; lap < 30; lap += 1) announce(ring, 2 ** 31, lap);
  expect(ring.node.state.term).toBe(1);
  expect(ring.predecessor.isClosed).toBe(false);
  announce(ring, 7);
  expect(ring.node.state.term).toBe(7);
});

test('the word of a neighbour of before counts for nothing', () => {
  const ring = newcomer();
  ring.greet('successor', HIGH, DECISION);
  ring.view({ successor: { id: peerId(8), link: null } });
  ring.greet('predecessor', 0);
  announce(ring, HIGH);
  expect(ring.node.state.term).toBe(1);
});

describe('of two newcomers that are neighbours', () => {
  test('the first has from the second what that one’s successor has said, once for each link', () => {
    const ring = newcomer();
    ring.greet('predecessor', 0);
    ring.greet('successor', 0);
    ring.predecessor.sent.length = 0;
    for (const term of [HIGH, HIGH + 1, 2 * HIGH]) ring.greet('successor', term, DECISION);
    expect(termsTold(ring.predecessor)).toEqual([HIGH]);
    const link = linkId(77);
    const later = ring.offer(NEIGHBOURS.predecessor, 'predecessor', link);
    expect(later && termsTold(later)).toEqual([2 * HIGH]);
  });

  test('the second is told nothing that it has said itself', () => {
    const ring = newcomer();
    ring.greet('predecessor', HIGH, DECISION);
    ring.greet('successor', 5);
    ring.greet('predecessor', HIGH, DECISION);
    expect(termsTold(ring.successor)).toEqual([]);
    const later = ring.offer(NEIGHBOURS.successor, 'successor', linkId(77));
    expect(later && termsTold(later)).toEqual([1]);
  });

  test('a neighbour that says little is quoted to nobody: it is believed anyway', () => {
    const ring = newcomer();
    ring.greet('successor', 7, DECISION);
    ring.predecessor.sent.length = 0;
    ring.greet('successor', 8, DECISION);
    expect(ring.predecessor.sent).toEqual([]);
  });
});
