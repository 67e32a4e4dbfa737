/** How many messages of the election a ring member accepts (SPEC.md, L16). */
import { describe, expect, test } from 'vitest';
import type { Decision } from '../../shared/protocol/messages.ts';
import { defined, linkId, peerId } from '../support.ts';
import { NEIGHBOURS, Ring, type TestLink } from './played-ring.ts';

const DECISION: Decision = {
  leader: { priority: 1, id: peerId(9) },
  ...{ lap: 1, size: 3, hops: 2 },
};

describe('a neighbour that sends as many messages as a link may carry', () => {
  function flooded() {
    const ring = new Ring(DECISION);
    let lap = 1;
    return {
      ring,
      /** So many laps come in; all are new. Returns how many are passed on. */
      laps: (count: number, link: TestLink = ring.predecessor) => {
        for (let given = 0; given < count; given += 1) {
          lap += 1;
          link.give({ type: 'elected', term: 4, decision: { ...DECISION, lap } });
        }
        return ring.sent().filter(({ message }) => message.type === 'elected').length;
      },
    };
  }

  test('has 1,500 passed on at once and 400 a second after that, and is not blamed (L16h)', () => {
    const { ring, laps } = flooded();
    expect(laps(3_500)).toBe(1_500);
    ring.pass(500);
    expect(laps(490)).toBe(200);
    ring.pass(1_000);
    expect(laps(300)).toBe(300);
    expect(ring.predecessor.isClosed).toBe(false);
    expect(ring.told('complained')).toEqual([]);
    expect(defined(ring.told('dropped')[0]).reason).toBe(
      'elected, of which there are too many to pass on',
    );
  });

  test('has no fewer passed on where they come one by one', () => {
    const { ring, laps } = flooded();
    laps(1_500);
    let passed = 0;
    for (let count = 0; count < 1_000; count += 1) {
      ring.pass(1);
      passed += laps(1);
    }
    expect(passed).toBeGreaterThan(398);
    expect(passed).toBeLessThan(402);
  });

  test('has no more passed on through many links', () => {
    const { ring, laps } = flooded();
    const links = [1, 2, 3, 4].map((id) =>
      defined(ring.offer(NEIGHBOURS.predecessor, 'predecessor', linkId(id))),
    );
    expect(links.map((link) => laps(1_000, link))).toEqual([1_000, 500, 0, 0]);
  });

  test('and is the predecessor no more takes nothing from the one that is (L6a, L16h)', () => {
    const { ring, laps } = flooded();
    ring.view({ predecessor: { id: peerId(4), link: null } });
    expect(laps(3_000)).toBe(500);
    const present = defined(ring.offer(peerId(4), 'predecessor', linkId(77)));
    expect(laps(1_000, present)).toBe(1_000);
    expect(laps(100)).toBe(0);
  });
});
