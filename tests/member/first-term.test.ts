/** From which peers a newcomer that never knew a leader takes the ring's term (SPEC.md, L17). */
import { describe, expect, test } from 'vitest';
import type { Decision } from '../../shared/protocol/messages.ts';
import type { Edge } from '../../shared/protocol/signaling.ts';
import { MAX_TERM_LEAP } from '../../shared/member/admission.ts';
import { peerId } from '../support.ts';
import { Ring } from './played-ring.ts';

const claimOf = (number: number) => ({ priority: 1, id: peerId(number) });
const DECISION: Decision = { leader: claimOf(9), lap: 1, size: 3, hops: 2 };
const HIGH = 1_000_000;
const EDGES: readonly Edge[] = ['successor', 'predecessor'];

/** A newcomer to which neither neighbour has said HELLO. */
function newcomer(): Ring {
  return new Ring(null, 450, []);
}

function other(edge: Edge): Edge {
  return edge === 'successor' ? 'predecessor' : 'successor';
}

function announce(ring: Ring, term: number, lap = 2): void {
  ring.predecessor.give({ type: 'elected', term, decision: { ...DECISION, lap } });
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
    'is believed for a term of 1,000,000 once the other neighbour has said one %i less or more',
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

  test('is contradicted by another neighbour that knows a leader of a term 8,193 less (L17c)', () => {
    const ring = newcomer();
    ring.greet(other(edge), HIGH - MAX_TERM_LEAP - 1, DECISION);
    ring.greet(edge, HIGH, DECISION);
    expect(ring.node.state.term).not.toBe(HIGH);
  });

  test('is believed beside another neighbour that knows no leader, which may be as new (L17c)', () => {
    const ring = newcomer();
    ring.greet(other(edge), 0);
    ring.greet(edge, HIGH, DECISION);
    // One that has a successor has begun an election, and takes no leader from HELLO.
    if (edge === 'predecessor') announce(ring, HIGH);
    expect(ring.node.state).toMatchObject({ term: HIGH, leader: peerId(9) });
    expect(ring.told('dropped')).toEqual([]);
  });
});

describe('a first message', () => {
  test('is believed for a high term only once the successor has said HELLO (L17c)', () => {
    const ring = newcomer();
    ring.greet('predecessor', 0);
    for (let lap = 2; lap < 30; lap += 1) announce(ring, HIGH, lap);
    expect(ring.node.state.term).toBeNull();
    ring.greet('successor', 0);
    announce(ring, HIGH, 30);
    expect(ring.node.state).toMatchObject({ term: HIGH, leader: peerId(9) });
  });

  test.each([2 ** 31 + 1, HIGH])(
    'of term %i is dropped without blame where the successor knows a leader of term 7 (L17c)',
    (term) => {
      const ring = newcomer();
      ring.node.campaign();
      ring.greet('predecessor', 0);
      ring.greet('successor', 7, DECISION);
      for (let lap = 2; lap < 30; lap += 1) announce(ring, term, lap);
      expect(ring.node.state).toMatchObject({ term: 2, leader: null });
      expect(ring.predecessor.isClosed).toBe(false);
      expect(ring.told('complained')).toEqual([]);
      announce(ring, 7);
      expect(ring.node.state).toMatchObject({ term: 7, leader: peerId(9) });
    },
  );
});

test('a first message is believed for a term that the successor has spoken of', () => {
  const ring = newcomer();
  ring.greet('predecessor', 0);
  ring.greet('successor', HIGH, DECISION);
  announce(ring, HIGH + 1);
  expect(ring.node.state).toMatchObject({ term: HIGH + 1, leader: peerId(9) });
});

test('the word of a neighbour of before counts for nothing', () => {
  const ring = newcomer();
  ring.greet('successor', HIGH, DECISION);
  ring.view({ successor: { id: peerId(8), link: null } });
  ring.greet('predecessor', 0);
  announce(ring, HIGH);
  expect(ring.node.state.term).toBe(1);
});
