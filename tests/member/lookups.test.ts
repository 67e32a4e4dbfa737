/** What a ring member asks the server about others, when and how often (shared/member/SPEC.md, L18). */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Decision } from '../../shared/protocol/messages.ts';
import { peerId } from '../support.ts';
import { NEIGHBOURS, Ring, SELF } from './played-ring.ts';

/** Milliseconds, by L18a. */
const LOOKUP_DELAY = 1_500;

const claimOf = (number: number) => ({ priority: 1, id: peerId(number) });
const DECISION: Decision = { leader: claimOf(9), lap: 1, size: 3, hops: 2 };

function lap(ring: Ring, lap: number, part: Partial<Decision> = {}): void {
  ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap, ...part } });
}

/** A peer is announced as the leader of the term with that number. */
function announce(ring: Ring, number: number): void {
  const decision = { leader: claimOf(number), lap: 0, size: 1, hops: 2 };
  ring.predecessor.give({ type: 'elected', term: number, decision });
}

/** The peers that the server was asked about. */
function asked({ lookups }: Ring): PeerId[] {
  return lookups.map(({ request }) => request);
}

describe('a leader', () => {
  test('that a small ring decides for is asked about when the announcement has gone round (L18a)', () => {
    const ring = new Ring(DECISION);
    ring.pass(LOOKUP_DELAY - 1);
    expect(ring.lookups).toEqual([]);
    ring.pass(1);
    expect(asked(ring)).toEqual([peerId(9)]);
  });

  test('is asked about in the course of its laps, however large it says the ring is (L18b)', () => {
    const ring = new Ring({ ...DECISION, size: 0xffff });
    ring.pass(LOOKUP_DELAY);
    ring.lookups.splice(0)[0]?.reply({ ok: true, isMember: true });
    for (let count = 2; count < 600 && ring.lookups.length === 0; count += 1) {
      ring.pass(1_000);
      lap(ring, count, { size: 0xffff });
    }
    expect(asked(ring)).toEqual([peerId(9)]);
  });

  test('is asked about with each lap until there is an answer, once in 1.5 s at most (L18f)', () => {
    const ring = new Ring(DECISION);
    for (let count = 2; count < 62; count += 1) {
      ring.pass(LOOKUP_DELAY / 6);
      lap(ring, count);
    }
    expect(asked(ring).length).toBeGreaterThan(7);
    expect(asked(ring).length).toBeLessThanOrEqual(10);
    ring.lookups[0]?.reply({ ok: true, isMember: true });
    ring.lookups.length = 0;
    ring.pass(2 * LOOKUP_DELAY);
    // The one that was already due.
    expect(ring.lookups.length).toBeLessThanOrEqual(1);
  });

  test('is the one that is followed when the time has come, however many are announced (L18c)', () => {
    const ring = new Ring(DECISION);
    for (let number = 10; number < 500; number += 1) announce(ring, number);
    ring.pass(LOOKUP_DELAY);
    expect(asked(ring)).toEqual([peerId(499)]);
    announce(ring, 500);
    ring.pass(LOOKUP_DELAY);
    expect(asked(ring)).toEqual([peerId(499), peerId(500)]);
  });

  test('is not asked about where there is none when the time has come', () => {
    const ring = new Ring(DECISION);
    ring.node.campaign();
    ring.pass(LOOKUP_DELAY);
    expect(ring.node.state.leader).toBeNull();
    expect(ring.lookups).toEqual([]);
    announce(ring, 10);
    ring.pass(LOOKUP_DELAY);
    expect(asked(ring)).toEqual([peerId(10)]);
  });

  test('that is a neighbour when the time has come is not asked about: the view names it (L18a)', () => {
    const ring = new Ring(DECISION);
    ring.view({ successor: { id: peerId(9), link: null } });
    ring.pass(LOOKUP_DELAY);
    expect(ring.lookups).toEqual([]);
  });

  test('that is known to be gone is not asked about: its neighbours start', () => {
    const ring = new Ring(DECISION);
    ring.view({ removed: [peerId(9)] });
    ring.pass(LOOKUP_DELAY);
    expect(ring.node.state.leader).toBe(peerId(9));
    expect(ring.lookups).toEqual([]);
  });

  test('that is no member is presumed departed, and another election begins (L18d)', () => {
    const ring = new Ring(DECISION);
    ring.pass(LOOKUP_DELAY);
    ring.lookups[0]?.reply({ ok: true, isMember: false });
    expect(ring.node.state).toMatchObject({ role: 'candidate', term: 5, leader: null });
    ring.predecessor.give({
      type: 'elected',
      term: 5,
      decision: { ...DECISION, leader: claimOf(9) },
    });
    expect(ring.node.state.leader).toBeNull();
  });

  test('that is a member stays, and so does one that has been replaced when the answer comes', () => {
    const ring = new Ring(DECISION);
    ring.pass(LOOKUP_DELAY);
    ring.lookups[0]?.reply({ ok: true, isMember: true });
    expect(ring.node.state).toMatchObject({ role: 'follower', term: 4, leader: peerId(9) });

    const late = new Ring(DECISION);
    late.pass(LOOKUP_DELAY);
    announce(late, 8);
    late.lookups[0]?.reply({ ok: true, isMember: false });
    expect(late.node.state).toMatchObject({ role: 'follower', term: 8, leader: peerId(8) });
  });

  test('is not asked about where the server is lost, nor by itself', () => {
    const ring = new Ring(null);
    ring.disconnect();
    ring.predecessor.give({
      type: 'elected',
      term: 4,
      decision: { ...DECISION, size: 1 },
    });
    expect(ring.node.state.leader).toBe(peerId(9));
    const lost = new Ring(DECISION);
    lost.disconnect();
    const leader = new Ring(null);
    leader.predecessor.give({ type: 'claim', term: 1, claim: claimOf(5), hops: 3 });
    expect(leader.node.state.leader).toBe(SELF);
    for (const each of [ring, lost, leader]) {
      each.pass(LOOKUP_DELAY);
      expect(each.lookups).toEqual([]);
    }
  });

  test('is not asked about by one that has left meanwhile', () => {
    const ring = new Ring(DECISION);
    ring.node.leave();
    ring.pass(LOOKUP_DELAY);
    expect(ring.lookups).toEqual([]);
  });
});

describe('one that is presumed departed and speaks', () => {
  function gone(...numbers: readonly number[]): Ring {
    const ring = new Ring(DECISION);
    ring.view({ removed: numbers.map((number) => peerId(number)) });
    ring.lookups.length = 0;
    return ring;
  }

  function claim(ring: Ring, number: number, term = 5): void {
    ring.predecessor.give({ type: 'claim', term, claim: claimOf(number), hops: 2 });
  }

  test('is asked about, and believed again where it is a member after all (L18e, R5d)', () => {
    const ring = gone(11);
    claim(ring, 11);
    expect(asked(ring)).toEqual([peerId(11)]);
    expect(ring.sent().map(({ message }) => message)).toMatchObject([{ claim: claimOf(5) }]);
    ring.lookups[0]?.reply({ ok: true, isMember: true });
    claim(ring, 11, 9);
    expect(ring.sent().map(({ message }) => message)).toMatchObject([{ claim: claimOf(11) }]);
  });

  test('stays gone where it is not, and is asked about again only after 5 s (L18f)', () => {
    const ring = gone(11);
    claim(ring, 11);
    ring.lookups[0]?.reply({ ok: true, isMember: false });
    claim(ring, 11, 9);
    ring.pass(4_900);
    claim(ring, 11, 20);
    expect(ring.lookups).toHaveLength(1);
    ring.pass(100);
    claim(ring, 11, 30);
    expect(ring.lookups).toHaveLength(2);
    expect(
      ring.sent().every(({ message }) => message.type !== 'claim' || message.claim.id === SELF),
    ).toBe(true);
  });

  test('is one of 16 that are asked about in 5 s, however many speak (L18f)', () => {
    const made = Array.from({ length: 160 }, (_, at) => 1_000 + at);
    const ring = gone(...made);
    for (const number of made) claim(ring, number, (ring.node.state.term ?? 0) + 1);
    for (const { reply } of ring.lookups) reply({ ok: true, isMember: false });
    expect(ring.lookups).toHaveLength(16);
    ring.pass(5_000);
    claim(ring, 1_159, (ring.node.state.term ?? 0) + 1);
    expect(ring.lookups).toHaveLength(17);
  });

  test('is not so because a neighbour says it again and again (L4e)', () => {
    const ring = gone();
    ring.predecessor.give({
      type: 'hello',
      id: NEIGHBOURS.predecessor,
      link: ring.idOf('predecessor'),
      ready: true,
      term: 4,
      decision: null,
      removed: [peerId(11)],
    });
    claim(ring, 11);
    expect(ring.lookups).toEqual([]);
  });

  test('is not asked about while the server is lost', () => {
    const ring = gone(11);
    ring.disconnect();
    claim(ring, 11);
    expect(ring.lookups).toEqual([]);
  });
});
