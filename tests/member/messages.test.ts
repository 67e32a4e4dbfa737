/** How a ring member handles the frames of its neighbours; the test plays neighbours and server. */
import { describe, expect, test } from 'vitest';
import type { Extension } from '../../shared/protocol/frame.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Decision } from '../../shared/protocol/messages.ts';
import { initialTermGate, judgeTerm, MAX_TERM_LEAP } from '../../shared/member/admission.ts';
import { defined, linkId, peerId } from '../support.ts';
import { NEIGHBOURS, Ring } from './played-ring.ts';

const claimOf = (number: number) => ({ priority: 1, id: peerId(number) });
const DECISION: Decision = { leader: claimOf(9), lap: 1, size: 3, hops: 2 };
const EXTENSION: Extension = { type: 77, value: Uint8Array.of(1, 2, 3) };

describe('extensions', () => {
  test('go on with the message they came with', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give({ type: 'claim', term: 5, claim: claimOf(9), hops: 2 }, [EXTENSION]);
    expect(ring.sent()).toMatchObject([{ message: { hops: 3 }, extensions: [EXTENSION] }]);
  });

  test('do not go along with a message of the peer’s own', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give({ type: 'claim', term: 5, claim: claimOf(2), hops: 2 }, [EXTENSION]);
    ring.predecessor.give({ type: 'claim', term: 5, claim: claimOf(5), hops: 3 }, [EXTENSION]);
    expect(ring.sent()).toMatchObject([
      { message: { type: 'claim', claim: claimOf(5) }, extensions: [] },
      { message: { type: 'elected' }, extensions: [] },
    ]);
  });
});

describe('the census in an announcement', () => {
  const laps = (type: number, value: Uint8Array): Ring => {
    const ring = new Ring(DECISION);
    const decision = { ...DECISION, lap: 2 };
    ring.predecessor.give({ type: 'elected', term: 4, decision }, [{ type, value }, EXTENSION]);
    return ring;
  };
  const seat = (kind: number, last: number) => [kind, ...Array<number>(15).fill(0), last];
  const bytes = (...seats: number[][]) => Uint8Array.of(0, 0, 0, 7, ...seats.flat());

  test('C1a is passed on with this peer in it', () => {
    const ring = laps(2, bytes(seat(0, 9)));
    const [frame] = ring.sent();
    const census = frame?.extensions.find(({ type }) => type === 2);
    expect([...defined(census).value.slice(0, 4 + 17)]).toEqual([...bytes(seat(0, 9))]);
    expect(census?.value).toHaveLength(4 + 2 * 17);
    expect(frame?.extensions).toContainEqual(EXTENSION);
  });

  test('C2b is taken from the leader and passed on as it is', () => {
    const ring = laps(3, bytes(seat(0, 9), seat(1, 5)));
    const { seats, ...rest } = defined(ring.node.state.ring);
    expect(rest).toEqual({ term: 4, messages: 7 });
    expect(seats.map(({ link }) => link)).toEqual(['direct', 'relayed']);
    expect(ring.events).toContainEqual({ type: 'ring' });
    expect(ring.sent()[0]?.extensions.map(({ type }) => type)).toEqual([77, 3]);
  });

  test('C2a keeps the greatest number of messages of a term: a peer that leaves takes its part along', () => {
    const ring = laps(3, bytes(seat(0, 9), seat(1, 5)));
    const tell = (term: number, lap: number, messages: number) => {
      const value = Uint8Array.of(0, 0, 0, messages, ...seat(0, 9));
      const decision = { ...DECISION, lap };
      ring.predecessor.give({ type: 'elected', term, decision }, [{ type: 3, value }]);
      return ring.node.state.ring?.messages;
    };
    expect(tell(4, 3, 4)).toBe(7);
    expect(ring.node.state.ring?.seats).toHaveLength(1);
    expect(tell(4, 4, 9)).toBe(9);
    expect(tell(5, 1, 4)).toBe(4);
  });

  test.each([
    ['of half a seat', bytes([0, 1, 2])],
    ['of no number', Uint8Array.of(0, 0)],
    ['with a link of no kind', bytes(seat(3, 9))],
    ['that names one twice', bytes(seat(0, 9), seat(0, 9))],
    ['of 101', bytes(...Array.from({ length: 101 }, (_, at) => seat(0, at)))],
  ])('C1c is left out of it if it is one %s', (_what, value) => {
    for (const type of [2, 3]) {
      const ring = laps(type, value);
      expect(ring.node.state.ring).toBeNull();
      expect(ring.sent()[0]?.extensions).toEqual([EXTENSION]);
    }
  });

  test('C1c is left out where the frame would be too long', () => {
    const ring = new Ring(DECISION);
    const long = { type: 88, value: new Uint8Array(4_000) };
    ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 2 } }, [
      long,
      { type: 2, value: bytes(seat(0, 9)) },
    ]);
    expect(ring.sent()[0]?.extensions).toHaveLength(2);
    const longer = { type: 88, value: new Uint8Array(4_030) };
    ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 3 } }, [
      longer,
      { type: 2, value: bytes(seat(0, 9)) },
    ]);
    expect(ring.sent().at(-1)?.extensions).toEqual([longer]);
  });
});

describe('the hop delay', () => {
  const pace = (hopDelay: number, count: number, by = 9) =>
    ({ type: 'pace', hopDelay, count, by: peerId(by) }) as const;

  test('C4 is taken and passed on when it is news (C4a)', () => {
    const ring = new Ring(DECISION);
    for (const setting of [pace(100, 2), pace(100, 2), pace(200, 1), pace(300, 2, 8)])
      ring.predecessor.give(setting);
    expect(ring.sent().map(({ message }) => message)).toEqual([pace(100, 2)]);
    expect(ring.node.state.hopDelay).toBe(100);
    ring.predecessor.give(pace(400, 2, 10));
    expect(ring.node.state.hopDelay).toBe(400);
  });

  test('C4d cannot be made the last there is, nor come without end', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give(pace(2_000, 0xffff_ffff));
    expect(ring.node.state.hopDelay).toBe(0);
    ring.predecessor.give(pace(1, 1));
    ring.predecessor.give(pace(100, 0xffff_ffff));
    expect(ring.node.state.hopDelay).toBe(1);
    for (let count = 2; count <= 100; count += 1) ring.predecessor.give(pace(count, count));
    expect(ring.node.state.hopDelay).toBe(40);
    ring.clock.skip(2_000);
    ring.predecessor.give(pace(7, 101));
    expect(ring.node.state.hopDelay).toBe(7);
  });

  test('C4d is taken by a newcomer however often it was set before', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give(pace(100, 16_384));
    expect(ring.node.state.hopDelay).toBe(100);
    ring.predecessor.give(pace(200, 16_385));
    expect(ring.node.state.hopDelay).toBe(200);
  });

  test('C5 adds to a wait what the room can take, whatever size is told, and takes it off again (C5f, C5g)', () => {
    const begins = () => {
      const ring = new Ring({ ...DECISION, size: 0xffff });
      ring.predecessor.give(pace(2_000, 1));
      const decision = { ...DECISION, lap: 5, size: 0xffff };
      ring.predecessor.give({ type: 'elected', term: 4, decision });
      return ring;
    };
    const long = begins();
    long.pass(75_000);
    expect(long.told('started')).toEqual([]);
    long.pass(3_000);
    expect(long.told('started')).not.toEqual([]);
    const short = begins();
    short.pass(10_000);
    short.predecessor.give(pace(0, 2));
    short.pass(2_000);
    expect(short.told('started')).toEqual([]);
    short.pass(40_000);
    expect(short.told('started')).not.toEqual([]);
  });

  test('L6b comes from the predecessor only', () => {
    const ring = new Ring(DECISION);
    ring.successor.give(pace(100, 1));
    expect(ring.node.state.hopDelay).toBe(0);
    expect(ring.events.at(-1)).toMatchObject({ type: 'dropped' });
  });
});

describe('bad frames', () => {
  test('are dropped and counted, and what follows is read (L16a)', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.handlers.onFrame(Uint8Array.of(0xff));
    ring.predecessor.handlers.onFrame(new Uint8Array());
    ring.predecessor.handlers.onFrame(new Uint8Array(10_000));
    expect(ring.events.slice(-3)).toMatchObject([
      { type: 'dropped', from: peerId(3), count: 1 },
      { type: 'dropped', reason: 'truncated after 0 bytes', count: 2 },
      { type: 'dropped', reason: '10000 bytes, more than 4096', count: 3 },
    ]);
    ring.predecessor.give({ type: 'claim', term: 5, claim: claimOf(9), hops: 2 });
    expect(ring.sent()).toHaveLength(1);
  });

  test('of a term that leaps are dropped: honest terms rise one by one (L17a)', () => {
    const ring = new Ring(DECISION);
    const term = 4 + MAX_TERM_LEAP;
    ring.predecessor.give({ type: 'claim', term: term + 1, claim: claimOf(9), hops: 2 });
    expect(ring.events.at(-1)).toMatchObject({ type: 'dropped', from: peerId(3) });
    expect(ring.node.state.term).toBe(4);
    ring.predecessor.give({ type: 'claim', term, claim: claimOf(9), hops: 2 });
    expect(ring.node.state.term).toBe(term);
  });

  test('of a term past the half of all are taken by nobody whose own is far below (L17c)', () => {
    const ring = new Ring(null);
    ring.greet('successor', 2 ** 31 + 1);
    ring.predecessor.give({ type: 'claim', term: 2 ** 31 + 1, claim: claimOf(9), hops: 2 });
    expect(ring.node.state.term).toBe(1);
    ring.predecessor.give({ type: 'claim', term: 2 ** 31, claim: claimOf(9), hops: 2 });
    expect(ring.node.state.term).toBe(2 ** 31);
    ring.pass(10);
    ring.predecessor.give({ type: 'claim', term: 2 ** 31 + 1, claim: claimOf(9), hops: 2 });
    expect(ring.node.state.term).toBe(2 ** 31 + 1);
  });

  test('of a term that leaps are dropped in mid-election, too, by a peer that has known a leader', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give({ type: 'claim', term: 5, claim: claimOf(9), hops: 2 });
    expect(ring.node.state.leader).toBeNull();
    const term = 5 + MAX_TERM_LEAP + 1;
    ring.predecessor.give({ type: 'claim', term, claim: claimOf(9), hops: 2 });
    expect(ring.node.state.term).toBe(5);
  });

  test('of a term that others have leapt to are let in soon after, so that no one is left behind', () => {
    const ring = new Ring(DECISION);
    const term = 4 + MAX_TERM_LEAP + 100;
    const claim = () => {
      ring.predecessor.give({ type: 'claim', term, claim: claimOf(9), hops: 2 });
    };
    claim();
    expect(ring.node.state.term).toBe(4);
    ring.pass(100);
    claim();
    expect(ring.node.state.term).toBe(term);
    expect(ring.predecessor.isClosed).toBe(false);
  });

  test('of a term farther than that cost the sender its link at once, and the server is told (L17b)', () => {
    const ring = new Ring(DECISION);
    const claim = (term: number) => {
      ring.predecessor.give({ type: 'claim', term, claim: claimOf(9), hops: 2 });
    };
    claim(4 + 2 * MAX_TERM_LEAP);
    expect(ring.predecessor.isClosed).toBe(false);
    expect(ring.complaints).toEqual([]);
    claim(5 + 3 * MAX_TERM_LEAP);
    expect(ring.node.state.term).toBe(4);
    expect(ring.predecessor.isClosed).toBe(true);
    expect(ring.complaints).toMatchObject([{ request: { about: peerId(3), fault: 'misbehaves' } }]);
  });

  test('of a term that others have leapt to are let in by themselves, the last of them alone (L17a)', () => {
    const ring = new Ring(DECISION);
    const claim = (number: number) => {
      const term = 4 + MAX_TERM_LEAP + number;
      ring.predecessor.give({ type: 'claim', term, claim: claimOf(number), hops: 2 });
    };
    claim(2_000);
    claim(3_000);
    ring.pass(2_999);
    expect(ring.node.state.term).toBeLessThan(100);
    ring.pass(1);
    expect(ring.node.state.term).toBe(4 + MAX_TERM_LEAP + 3_000);
    const claims = ring
      .sent()
      .flatMap(({ message }) => (message.type === 'claim' ? [message] : []));
    expect(claims).toMatchObject([{ claim: claimOf(3_000) }]);
  });

  test('of a term that others have leapt to are not let in from a link that is closed', () => {
    const ring = new Ring(DECISION);
    const term = 4 + MAX_TERM_LEAP + 500;
    ring.predecessor.give({ type: 'claim', term, claim: claimOf(9), hops: 2 });
    ring.predecessor.give({ type: 'bye', reason: 'relinked' });
    ring.pass(1_000);
    expect(ring.node.state.term).toBeLessThan(100);
  });

  test('of terms that leap again and again are let in no faster than 1,000 terms a second (L17a)', () => {
    const ring = new Ring(DECISION);
    const claim = (term: number) => {
      ring.predecessor.give({ type: 'claim', term, claim: claimOf(9), hops: 2 });
    };
    claim(4 + MAX_TERM_LEAP);
    for (let again = 0; again < 1_000; again += 1) claim(5 + MAX_TERM_LEAP + again * 8);
    expect(ring.node.state.term).toBe(4 + MAX_TERM_LEAP);
    ring.pass(2_000);
    claim(4 + MAX_TERM_LEAP + 2_001);
    expect(ring.node.state.term).toBe(4 + MAX_TERM_LEAP);
    claim(4 + MAX_TERM_LEAP + 2_000);
    expect(ring.node.state.term).toBe(4 + MAX_TERM_LEAP + 2_000);
    // The neighbours that passed them on accepted them a moment before, and are not to blame.
    expect(ring.predecessor.isClosed).toBe(false);
  });

  test('of the election are not taken from the successor (L6b)', () => {
    const ring = new Ring(DECISION);
    defined(ring.links[0]).give({ type: 'claim', term: 5, claim: claimOf(9), hops: 2 });
    expect(ring.events.at(-1)).toMatchObject({ type: 'dropped', from: peerId(7) });
    expect(ring.sent()).toEqual([]);
  });
});

describe('a follower whose leader falls silent', () => {
  test('starts within the time that SPEC.md gives it, and is twice as patient after each vain term (R7b)', () => {
    const ring = new Ring(DECISION);
    for (let lap = 2; lap < 6; lap += 1) {
      ring.pass(1_000);
      ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap } });
    }
    ring.sent();
    /** Milliseconds until it starts. */
    const untilStart = () => {
      const began = ring.clock.now();
      const starts = () => ring.events.filter(({ type }) => type === 'started').length;
      for (const before = starts(); starts() === before;) ring.pass(10);
      return ring.clock.now() - began;
    };
    for (const least of [4_000, 6_000, 12_000]) {
      const waited = untilStart();
      expect(waited).toBeGreaterThanOrEqual(least);
      expect(waited).toBeLessThanOrEqual(least * 1.5 + 10);
    }
  });

  test('is no more patient after a long sleep than after a short one (R7d)', () => {
    const ring = new Ring(DECISION);
    ring.pass(1_000);
    ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 2 } });
    ring.pass(900);
    // Asleep: the clock has moved on, and no timer was run.
    ring.clock.skip(3_600_000);
    ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 900 } });
    ring.sent();
    ring.pass(15_000 * 1.5);
    expect(ring.events.some(({ type }) => type === 'started')).toBe(true);
  });
});

test('a predecessor that offers again and again is not shut out by its own earlier offers (L3e)', () => {
  const ring = new Ring(DECISION);
  for (let attempt = 0; attempt < 50; attempt += 1)
    ring.signal({
      from: NEIGHBOURS.predecessor,
      edge: 'predecessor',
      link: linkId(100 + attempt),
      signals: [{ type: 'offer', sdp: `attempt ${attempt}` }],
    });
  expect(ring.links.filter(({ isClosed }) => !isClosed)).toHaveLength(3);
});

test('a predecessor that fills all places with open links does not shut out the next one (L10c)', () => {
  const ring = new Ring(DECISION);
  for (let more = 0; more < 20; more += 1)
    ring.offer(NEIGHBOURS.predecessor, 'predecessor', linkId(100 + more));
  // Eight from predecessors, and the one to the successor.
  expect(ring.links.filter(({ isClosed }) => !isClosed)).toHaveLength(9);
  ring.view({ predecessor: { id: peerId(4), link: null } });
  expect(ring.offer(peerId(4), 'predecessor', linkId(200))?.isClosed).toBe(false);
  expect(ring.node.state.predecessorLink).toBe('direct');
});

test('of eight links from predecessors, one of another than the peer that offers goes first, then the oldest (L10c)', () => {
  const ring = new Ring(DECISION);
  const from = (id: PeerId) => {
    ring.view({ predecessor: { id, link: null } });
  };
  const offer = (id: PeerId, link: number) => defined(ring.offer(id, 'predecessor', linkId(link)));
  from(peerId(4));
  const other = offer(peerId(4), 90);
  from(NEIGHBOURS.predecessor);
  const more = [1, 2, 3, 4, 5, 6].map((link) => offer(NEIGHBOURS.predecessor, link));
  const closed = () => [ring.predecessor, other, ...more].map(({ isClosed }) => isClosed);
  expect(closed()).not.toContain(true);
  offer(NEIGHBOURS.predecessor, 7);
  expect(closed().slice(0, 3)).toEqual([false, true, false]);
  offer(NEIGHBOURS.predecessor, 8);
  expect(closed().slice(0, 3)).toEqual([true, true, false]);
});

describe('a term that others may rise to', () => {
  test('is no fault of the neighbour that was told of it sooner', () => {
    const ring = new Ring(DECISION);
    ring.pass(100);
    const lead = (term: number, lap: number) => {
      ring.predecessor.give({ type: 'elected', term, decision: { ...DECISION, lap } });
    };
    // This peer has accepted one leap; the predecessor, newer to the ring, can still accept another.
    let own = 4 + MAX_TERM_LEAP;
    lead(own, 2);
    const predecessor = initialTermGate(ring.clock.now());
    predecessor.hasKnownLeader = true;
    for (let round = 0; round < 300; round += 1) {
      const next = own + (round === 0 ? MAX_TERM_LEAP : 100);
      expect(judgeTerm(predecessor, own, next, false, ring.clock.now())).toBe('fine');
      own = next;
      lead(own, 3 + round);
      ring.pass(100);
    }
    expect(ring.predecessor.isClosed).toBe(false);
    expect(ring.told('complained').filter(({ fault }) => fault === 'misbehaves')).toEqual([]);
  });
});
