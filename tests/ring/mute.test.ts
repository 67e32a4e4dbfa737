/** What becomes of a predecessor that shows life and passes nothing on. */
import { describe, expect, test } from 'vitest';
import type { Decision } from '../../shared/protocol/messages.ts';
import type { Edge } from '../../shared/protocol/signaling.ts';
import { linkId, peerId } from '../support.ts';
import { NEIGHBOURS, Ring } from './played-ring.ts';

const DECISION: Decision = {
  leader: { priority: 1, id: peerId(9) },
  ...{ lap: 1, size: 3, hops: 2 },
};

/** Time passes, and the neighbours show that they are alive. */
function pass(ring: Ring, seconds: number, edges: readonly Edge[] = ['successor', 'predecessor']) {
  for (let passed = 0; passed < seconds; passed += 1) {
    ring.pass(1_000);
    for (const edge of edges) ring[edge].give({ type: 'heartbeat', isReply: true, count: 0 });
  }
}

function lap(ring: Ring, number: number): void {
  ring.predecessor.give({ type: 'elected', term: 1, decision: { ...DECISION, lap: number } });
}

describe('a predecessor that answers heartbeats and says nothing else', () => {
  test('for two minutes is cut off and reported', () => {
    const ring = new Ring(DECISION);
    pass(ring, 118);
    expect(ring.told('complained')).toEqual([]);
    pass(ring, 4);
    expect(ring.told('complained')).toEqual([
      { type: 'complained', about: NEIGHBOURS.predecessor, fault: 'misbehaves' },
    ]);
    expect(ring.predecessor.isClosed).toBe(true);
  });

  test('is not blamed while it says anything, however old', () => {
    const ring = new Ring(DECISION);
    for (let round = 0; round < 5; round += 1) {
      pass(ring, 110);
      lap(ring, round);
    }
    expect(ring.told('complained')).toEqual([]);
  });

  test('is cut off within minutes whatever size and hop delay it has told', () => {
    const ring = new Ring({ ...DECISION, size: 0xffff });
    ring.predecessor.give({ type: 'pace', hopDelay: 2_000, count: 1, by: peerId(9) });
    pass(ring, 690);
    expect(ring.told('complained')).toEqual([]);
    pass(ring, 10);
    expect(ring.told('complained')).toHaveLength(1);
  });

  test('is not blamed for what it waits for since the hop delay was longer', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give({ type: 'pace', hopDelay: 2_000, count: 1, by: peerId(9) });
    pass(ring, 400);
    ring.predecessor.give({ type: 'pace', hopDelay: 0, count: 2, by: peerId(9) });
    pass(ring, 30);
    expect(ring.told('complained')).toEqual([]);
  });

  test('is not blamed where this peer was asleep', () => {
    const ring = new Ring(DECISION);
    pass(ring, 100);
    ring.clock.skip(3_600_000);
    pass(ring, 100);
    expect(ring.told('complained')).toEqual([]);
  });

  test('is not blamed by one that has not told it that it is ready', () => {
    const ring = new Ring(null, 450, ['predecessor']);
    pass(ring, 300);
    const successor = ring.offer(NEIGHBOURS.successor, 'successor', linkId(77));
    const blamedAfter = (seconds: number) => {
      for (let passed = 0; passed < seconds; passed += 1) {
        pass(ring, 1, ['predecessor']);
        successor?.give({ type: 'heartbeat', isReply: true, count: 0 });
      }
      return ring.told('complained').filter(({ fault }) => fault === 'misbehaves');
    };
    expect(blamedAfter(100)).toEqual([]);
    expect(blamedAfter(25)).toHaveLength(1);
  });

  test('is not blamed for another link that it does not use', () => {
    const ring = new Ring(DECISION);
    const other = ring.offer(NEIGHBOURS.predecessor, 'predecessor', ring.idOf('successor'));
    for (let round = 0; round < 200; round += 1) {
      pass(ring, 1);
      other?.give({ type: 'heartbeat', isReply: true, count: 0 });
      lap(ring, 2 + round);
    }
    expect(other?.isClosed).toBe(false);
    expect(ring.told('complained')).toEqual([]);
  });
});

test('a successor owes nobody a message', () => {
  const ring = new Ring(DECISION);
  for (let round = 0; round < 300; round += 1) {
    pass(ring, 1);
    lap(ring, 2 + round);
  }
  expect(ring.told('complained')).toEqual([]);
});
