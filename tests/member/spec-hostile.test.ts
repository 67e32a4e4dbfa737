/** What one hostile member can do to a ring, and what it cannot: shared/member/SPEC.md says both. */
import { describe, expect, test } from 'vitest';
import { parseFrame } from '../../shared/protocol/frame.ts';
import type { PeerMessage } from '../../shared/protocol/messages.ts';
import { HostileRing, type Hostility } from '../simulation/hostile.ts';
import { peerId } from '../support.ts';
import { NEIGHBOURS, Ring, SELF } from './played-ring.ts';

function typeOf(frame: Uint8Array): PeerMessage['type'] | null {
  const parsed = parseFrame(frame);
  return parsed.ok ? parsed.value.message.type : null;
}

/** Passes nothing of an election on. */
const HOLE: Hostility = {
  instead: (frame, link) => {
    const type = typeOf(frame);
    if (type !== 'claim' && type !== 'elected') link.send(frame);
  },
};

/** The greatest term of an honest peer. */
function greatestTerm(ring: HostileRing): number {
  return Math.max(...ring.honest.map(({ term }) => term ?? 0));
}

describe('a hostile member can', () => {
  test('keep the others without a leader by passing nothing on, as long as it is there', () => {
    const ring = new HostileRing(1, 5, HOLE);
    // Until the last lap of the leader of before is missed.
    ring.rage(20_000);
    for (let second = 0; second < 60; second += 1) {
      ring.rage(1_000);
      const leaders = new Set(ring.honest.map(({ leader }) => leader));
      expect(leaders.size > 1 || leaders.has(null)).toBe(true);
    }
    expect(ring.banish()).toEqual([]);
  });

  test('have a candidate take itself for elected, by its own claim that comes back too early', () => {
    const ring = new Ring(null);
    ring.node.campaign();
    const { term } = ring.node.state;
    expect(ring.node.state.role).toBe('candidate');
    const claim = { priority: 1, id: SELF };
    ring.predecessor.give({ type: 'claim', term: term ?? 0, claim, hops: 3 });
    expect(ring.node.state).toMatchObject({ role: 'leader', term, size: 3 });
  });
});

describe('a hostile member cannot', () => {
  test('lift terms by more than 8,192 at once and 1,000 a second after that (L17a)', () => {
    let term = 0;
    const ring = new HostileRing(1, 5, {
      also: (links, { ring: { state } }) => {
        term = Math.max(term, state.term ?? 0) + 1_000;
        const claim = { priority: 1, id: state.id };
        for (const link of links)
          if (link.leadsOn) link.say({ type: 'claim', term, claim, hops: 1 });
      },
    });
    const before = greatestTerm(ring);
    for (let second = 1; second <= 30; second += 1) {
      ring.rage(1_000);
      // Elections of the others come on top.
      expect(greatestTerm(ring) - before).toBeLessThan(8_192 + 1_000 * second + 100);
    }
    expect(greatestTerm(ring) - before).toBeGreaterThan(8_000);
    expect(ring.accusedHonest).toEqual([]);
    expect(ring.banish()).toEqual([]);
  });

  test('speak for another peer: as the other end of a link (L4b), or first on its way (L16a)', () => {
    const ring = new Ring(null);
    const another = { priority: 1, id: peerId(9) };
    ring.predecessor.give({ type: 'claim', term: 5, claim: another, hops: 1 });
    ring.predecessor.give({
      type: 'hello',
      id: another.id,
      link: ring.idOf('predecessor'),
      ready: true,
      term: 5,
      decision: null,
      removed: [NEIGHBOURS.successor],
    });
    expect(ring.told('dropped')).toHaveLength(2);
    expect(ring.told('received')).toEqual([]);
    expect(ring.node.links).toHaveLength(2);
  });
});
