/** Rules of a ring member that no storm shows the want of, each at one member between two neighbours. */
import { describe, expect, test } from 'vitest';
import type { Decision } from '../../shared/protocol/messages.ts';
import { linkId, peerId } from '../support.ts';
import { helloOf, NEIGHBOURS, Ring } from './played-ring.ts';

const DECISION: Decision = { leader: { priority: 1, id: peerId(9) }, lap: 1, size: 3, hops: 2 };
const OTHER = { id: peerId(8), link: null };

describe('L1: a view', () => {
  test('of the same version as the last one is obeyed', () => {
    const ring = new Ring(DECISION);
    ring.view({ version: 7 });
    ring.view({ version: 7, successor: OTHER });
    expect(ring.node.state.successor).toBe(OTHER.id);
    expect(ring.signals.at(-1)?.request.to).toBe(OTHER.id);
  });

  test('of a lower version is obeyed in another epoch alone', () => {
    const ring = new Ring(DECISION);
    ring.view({ version: 7 });
    ring.view({ version: 6, successor: OTHER });
    expect(ring.node.state.successor).toBe(NEIGHBOURS.successor);
    ring.view({ epoch: 'f', version: 1, successor: OTHER });
    expect(ring.node.state.successor).toBe(OTHER.id);
  });
});

describe('L4: a link', () => {
  test('is of no use upon a HELLO of another peer or of another link', () => {
    const ring = new Ring(null, 450, []);
    ring.successor.give(helloOf(peerId(8), ring.idOf('successor')));
    ring.successor.give(helloOf(NEIGHBOURS.successor, linkId(99)));
    expect(ring.node.state.successorLink).toBe('connecting');
    expect(ring.told('dropped')).toHaveLength(2);
    ring.greet('successor', 0);
    expect(ring.node.state.successorLink).toBe('direct');
  });

  test('brings no claim before the first HELLO', () => {
    const ring = new Ring(null, 450, ['successor']);
    const claim = { priority: 1, id: NEIGHBOURS.predecessor };
    const give = () => {
      ring.predecessor.give({ type: 'claim', term: 9, claim, hops: 1 });
    };
    give();
    expect(ring.told('received')).toEqual([]);
    expect(ring.told('dropped')).toHaveLength(1);
    ring.greet('predecessor', 0);
    give();
    expect(ring.told('received')).toHaveLength(1);
  });
});

describe('R7: a peer that hears of no leader', () => {
  const started = (ring: Ring) => ring.told('started').map(({ because }) => because);

  test('starts after its patience where it has a way to its successor', () => {
    const ring = new Ring(DECISION);
    ring.pass(10_000);
    expect(started(ring)).toContain('timeout');
  });

  test('waits again where it has none, and its term does not rise', () => {
    const ring = new Ring(DECISION, 450, ['predecessor']);
    const { term } = ring.node.state;
    ring.pass(60_000);
    expect(started(ring)).toEqual([]);
    expect(ring.node.state.term).toBe(term);
  });
});
