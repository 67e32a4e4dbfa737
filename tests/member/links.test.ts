/** How a ring member watches its links, and what it does when one is useless. */
import { describe, expect, test } from 'vitest';
import { encodeFrame } from '../../shared/protocol/frame.ts';
import type { Decision, PeerMessage } from '../../shared/protocol/messages.ts';
import type { Complaint, Edge, Signal } from '../../shared/protocol/signaling.ts';
import { defined, linkId, peerId } from '../support.ts';
import { helloOf, NEIGHBOURS, Ring, type TestLink } from './played-ring.ts';

const claimOf = (number: number) => ({ priority: 1, id: peerId(number) });
const DECISION: Decision = { leader: claimOf(9), lap: 1, size: 3, hops: 2 };
const EDGES: readonly Edge[] = ['successor', 'predecessor'];

/** How many of the frames on a link its other end has handled. */
const answered = new WeakMap<TestLink, number>();

/** Time passes in steps, and the other ends answer heartbeats, each after so long. */
function passAnswered(
  ring: Ring,
  milliseconds: number,
  ends: readonly TestLink[],
  after = 0,
): void {
  for (let passed = 0; passed < milliseconds; passed += 50) {
    ring.pass(50);
    for (const end of ends) {
      const fresh = end.sent.slice(answered.get(end) ?? 0);
      answered.set(end, end.sent.length);
      for (const { message } of fresh)
        if (message.type === 'heartbeat' && !message.isReply)
          ring.clock.after(after, () => {
            end.give({ type: 'heartbeat', isReply: true, count: message.count });
          });
    }
  }
}

function complaints(ring: Ring) {
  return ring.complaints.map(({ request }) => request);
}

function beats({ sent }: TestLink): number {
  return sent.filter(({ message }) => message.type === 'heartbeat' && !message.isReply).length;
}

/** What the member has asked the server to pass on since, by link. */
function signalled(ring: Ring): { to: string; link: number; type: Signal['type'] }[] {
  return ring.signals
    .splice(0)
    .flatMap(({ request: { to, link, signals } }) =>
      signals.map(({ type }) => ({ to, link, type })),
    );
}

describe('heartbeats', () => {
  test('go out once a second where nothing is heard, and not where something is (L12a)', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.sent.length = 0;
    for (let passed = 0; passed < 1_500; passed += 500) {
      ring.pass(500);
      ring.predecessor.give({ type: 'heartbeat', isReply: true, count: 999 });
    }
    expect(beats(ring.predecessor)).toBe(0);
    expect(beats(ring.successor)).toBe(1);
    ring.pass(2_000);
    expect(beats(ring.successor)).toBe(3);
  });

  test('go out every 2 s on a link that carries enough, for the round trip (L12b)', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.sent.length = 0;
    for (let passed = 0; passed < 20_500; passed += 500) {
      passAnswered(ring, 500, [ring.predecessor, ring.successor]);
      ring.predecessor.give({ type: 'heartbeat', isReply: true, count: 65_535 });
    }
    expect(beats(ring.predecessor)).toBe(10);
  });

  test('are answered 20 times at once and 5 times a second, and more are no fault (L12c)', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.sent.length = 0;
    const ask = (times: number) => {
      for (let count = 1; count <= times; count += 1)
        ring.predecessor.give({ type: 'heartbeat', isReply: false, count });
      return ring.predecessor.sent.splice(0).length;
    };
    expect(ask(100)).toBe(20);
    ring.clock.skip(1_000);
    expect(ask(100)).toBe(5);
    expect(ring.told('dropped')).toEqual([]);
    expect(ring.predecessor.isClosed).toBe(false);
  });

  test('are answered at once with their own count, before HELLO too, and told to nobody (L12a)', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.sent.length = 0;
    const told = ring.events.length;
    ring.predecessor.give({ type: 'heartbeat', isReply: false, count: 0xfffe });
    expect(ring.predecessor.sent.map(({ message }) => message)).toEqual([
      { type: 'heartbeat', isReply: true, count: 0xfffe },
    ]);
    expect(ring.events).toHaveLength(told);
  });
});

describe('silence', () => {
  test.each(EDGES)('of the %s is complained about after 3.5 s, again every 5 s (L12d)', (edge) => {
    const ring = new Ring(DECISION);
    const other = edge === 'successor' ? ring.predecessor : ring.successor;
    passAnswered(ring, 3_400, [other]);
    expect(complaints(ring)).toEqual([]);
    passAnswered(ring, 1_000, [other]);
    expect(complaints(ring)).toEqual([{ about: NEIGHBOURS[edge], fault: 'silent' }]);
    passAnswered(ring, 4_000, [other]);
    expect(complaints(ring)).toHaveLength(1);
    passAnswered(ring, 2_000, [other]);
    expect(complaints(ring)).toHaveLength(2);
  });

  test('of one that answers heartbeats is none', () => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 30_000, [ring.successor, ring.predecessor]);
    expect(complaints(ring)).toEqual([]);
  });

  test('may last longer on a link that is slow (L12d)', () => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 60_000, [ring.successor, ring.predecessor], 2_900);
    expect(complaints(ring)).toEqual([]);
    expect(ring.node.links.map(({ roundTrip }) => roundTrip)).toEqual([2_900, 2_900]);
    // Nothing more from now on: what is sent is sent at the last moment before.
    for (const end of [ring.successor, ring.predecessor])
      end.give({ type: 'heartbeat', isReply: true, count: 999 });
    passAnswered(ring, 6_700, []);
    // Frames that cannot be read are no sign of life.
    ring.predecessor.handlers.onFrame(Uint8Array.of(0xff));
    expect(complaints(ring)).toEqual([]);
    passAnswered(ring, 1_500, []);
    expect(complaints(ring)).not.toEqual([]);
  });

  test.each([1_500, 2_200, 2_900])('of %i ms at each heartbeat, always, is none', (after) => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 110_000, [ring.successor, ring.predecessor], after);
    expect(complaints(ring)).toEqual([]);
  });

  test('while this peer itself was asleep accuses nobody: it asks first (L15)', () => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 2_500, [ring.successor, ring.predecessor]);
    const before = beats(ring.predecessor);
    ring.clock.skip(3_600_000);
    ring.pass(10);
    expect(complaints(ring)).toEqual([]);
    expect(beats(ring.predecessor)).toBe(before + 1);
    ring.pass(3_000);
    expect(complaints(ring)).toEqual([]);
    ring.pass(1_500);
    expect(complaints(ring)).toHaveLength(2);
  });

  test('of a neighbour that the server finds awake ends the link, and another is made (L12g)', () => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 5_000, [ring.predecessor]);
    expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.successor, fault: 'silent' }]);
    ring.complaints[0]?.reply({ ok: true, isMember: true });
    expect(ring.successor.isClosed).toBe(false);
    passAnswered(ring, 1_000, [ring.predecessor]);
    expect(ring.successor.isClosed).toBe(true);
    expect(ring.node.state.successorLink).toBe('connecting');
    passAnswered(ring, 1_000, [ring.predecessor]);
    expect(signalled(ring)).toContainEqual(
      expect.objectContaining({ to: NEIGHBOURS.successor, type: 'offer' }),
    );
  });

  test('that ends while the server looks costs no link (L12g)', () => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 5_000, [ring.predecessor]);
    ring.complaints[0]?.reply({ ok: true, isMember: true });
    ring.successor.give({ type: 'heartbeat', isReply: true, count: 1 });
    passAnswered(ring, 1_000, [ring.predecessor, ring.successor]);
    expect(ring.successor.isClosed).toBe(false);
  });

  test.each([
    { says: 'nothing', isAnswering: false },
    { says: 'that it is alive', isAnswering: true },
  ])(
    'of one that says $says and no HELLO ends its link after 8 s, and no one is told (L4d)',
    (it) => {
      const ring = new Ring(DECISION);
      const mute = openAnother(ring);
      const answering = [ring.successor, ring.predecessor, ...(it.isAnswering ? [mute] : [])];
      passAnswered(ring, 7_500, answering);
      expect(mute.isClosed).toBe(false);
      passAnswered(ring, 1_600, answering);
      expect(mute.isClosed).toBe(true);
      expect(complaints(ring)).toEqual([]);
    },
  );

  test('counts from HELLO where that comes late', () => {
    const ring = new Ring(DECISION);
    const late = openAnother(ring);
    passAnswered(ring, 7_500, [ring.successor]);
    late.give(helloOf(NEIGHBOURS.predecessor, linkId(500)));
    passAnswered(ring, 3_000, [ring.successor, ring.predecessor]);
    expect(late.isClosed).toBe(false);
  });

  test('is not complained about while the server is lost', () => {
    const ring = new Ring(DECISION);
    ring.disconnect();
    ring.pass(20_000);
    expect(complaints(ring)).toEqual([]);
    expect(ring.told('complained')).toEqual([]);
  });

  test('is complained about again after 5 s where the server does not answer', () => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 5_000, [ring.successor]);
    expect(ring.told('complained')).toHaveLength(1);
    passAnswered(ring, 3_500, [ring.successor]);
    expect(ring.told('complained')).toHaveLength(1);
    passAnswered(ring, 2_500, [ring.successor]);
    expect(ring.told('complained')).toHaveLength(2);
  });

  test('is complained about anew over another connection, where no answer came over the first (L12d)', () => {
    const ring = new Ring(DECISION);
    passAnswered(ring, 5_000, [ring.successor]);
    expect(ring.told('complained')).toHaveLength(1);
    ring.disconnect();
    ring.connect();
    passAnswered(ring, 1_000, [ring.successor]);
    expect(ring.told('complained')).toHaveLength(2);
  });
});

test('an answer that this peer slept through does not make it patient for hours', () => {
  const ring = new Ring(DECISION);
  passAnswered(ring, 1_000, [ring.successor]);
  const asked = defined(ring.predecessor.sent.at(-1)).message;
  if (asked.type !== 'heartbeat') throw new Error('no heartbeat');
  ring.clock.skip(600_000);
  ring.predecessor.give({ type: 'heartbeat', isReply: true, count: asked.count });
  passAnswered(ring, 6_000, [ring.successor]);
  expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'silent' }]);
});

test('a server without memory is not told that a neighbour that is heard is gone, whatever others say (L9b)', () => {
  const ring = new Ring(DECISION);
  const { successor, predecessor } = NEIGHBOURS;
  const hello = { ...helloOf(predecessor, linkId(79)), removed: [successor, peerId(66)] };
  ring.signal({
    from: predecessor,
    edge: 'predecessor',
    link: linkId(79),
    signals: [{ type: 'offer', sdp: '' }],
  });
  const end = defined(ring.links.at(-1));
  end.handlers.onOpen();
  end.give(hello);
  ring.disconnect();
  ring.connect();
  expect(ring.resumes[0]?.request.removed).toEqual([peerId(66)]);
  // It says goodbye: its link is closed then.
  ring.successor.give({ type: 'bye', reason: 'leaving' });
  ring.disconnect();
  ring.connect();
  expect(ring.resumes[1]?.request.removed).toContain(successor);
});

describe('a check by the server', () => {
  /** A check of the predecessor has come, and nothing else was heard for half a second. */
  function checked(): Ring {
    const ring = new Ring(DECISION);
    ring.pass(500);
    ring.check(NEIGHBOURS.predecessor);
    return ring;
  }

  test('of a neighbour that answers in time says nothing', () => {
    const ring = new Ring(DECISION);
    ring.check(NEIGHBOURS.predecessor);
    passAnswered(ring, 1_000, [ring.predecessor, ring.successor]);
    expect(complaints(ring)).toEqual([]);
  });

  test.each([0, 500, 900])(
    'of one that does not is answered within half a second, %i ms after a heartbeat (L13b)',
    (at) => {
      const ring = new Ring(DECISION);
      ring.pass(1_000 + at);
      ring.check(NEIGHBOURS.predecessor);
      ring.pass(200);
      expect(complaints(ring)).toEqual([]);
      ring.pass(300);
      expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'silent' }]);
    },
  );

  test('waits for one that has lately been slow, and no longer for one that was so long ago (L13b)', () => {
    const ring = new Ring(DECISION);
    const ends = [ring.predecessor, ring.successor];
    passAnswered(ring, 4_000, ends, 600);
    // Lets the answers under way arrive.
    ring.pass(700);
    ring.check(NEIGHBOURS.predecessor);
    passAnswered(ring, 1_300, [ring.successor], 600);
    expect(complaints(ring)).toEqual([]);
    passAnswered(ring, 200, [ring.successor], 600);
    expect(complaints(ring)).toHaveLength(1);
    passAnswered(ring, 12_000, ends);
    ring.pass(50);
    ring.check(NEIGHBOURS.predecessor);
    passAnswered(ring, 350, [ring.successor]);
    expect(complaints(ring)).toHaveLength(2);
  });

  test('of a neighbour without a link is answered at once, and one of a stranger never (L13b)', () => {
    const ring = new Ring(DECISION);
    ring.view({ successor: { id: peerId(8), link: null } });
    ring.check(peerId(8));
    // It never had a link with it, so it cannot know.
    expect(complaints(ring)).toEqual([{ about: peerId(8), fault: 'unlinked' }]);
    ring.check(peerId(77));
    ring.pass(2_000);
    expect(complaints(ring)).toHaveLength(1);
  });

  test('is nothing any more once the ring has closed over the neighbour', () => {
    const ring = new Ring(DECISION);
    ring.check(NEIGHBOURS.predecessor);
    ring.view({ predecessor: { id: peerId(2), link: null }, removed: [NEIGHBOURS.predecessor] });
    ring.pass(1_000);
    expect(complaints(ring)).toEqual([]);
  });

  test('of a neighbour whose link broke tells of silence; of one that has said goodbye on it, of none (L13d)', () => {
    const broken = new Ring(DECISION);
    broken.predecessor.handlers.onClose('broken');
    broken.check(NEIGHBOURS.predecessor);
    expect(complaints(broken)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'silent' }]);

    const relinked = new Ring(DECISION);
    relinked.predecessor.give({ type: 'bye', reason: 'relinked' });
    relinked.check(NEIGHBOURS.predecessor);
    expect(complaints(relinked)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'unlinked' }]);
  });

  test('that this peer is too busy to look at is made again before anyone is accused (L13h)', () => {
    const ring = checked();
    const asked = beats(ring.predecessor);
    ring.clock.skip(250 + 1_201);
    ring.pass(0);
    expect(complaints(ring)).toEqual([]);
    expect(beats(ring.predecessor)).toBeGreaterThan(asked);
    passAnswered(ring, 1_000, [ring.predecessor, ring.successor]);
    expect(complaints(ring)).toEqual([]);
  });

  test('is not made again by a hidden page, whose timers come a second late (L13h)', () => {
    const ring = checked();
    // A quarter of a second is its intended duration.
    ring.clock.skip(250 + 1_200);
    ring.pass(0);
    expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'silent' }]);
  });

  test('is not made in vain where answers have come that the late timer was before', () => {
    const ring = new Ring(DECISION);
    ring.pass(500);
    const already = ring.predecessor.sent.length;
    ring.check(NEIGHBOURS.predecessor);
    const [asked] = ring.predecessor.sent.slice(already);
    if (asked?.message.type !== 'heartbeat') throw new Error('no heartbeat');
    const { count } = asked.message;
    // What has come is handled after the timers that are due, and before any that is set now.
    ring.clock.after(250, () => {
      ring.predecessor.give({ type: 'heartbeat', isReply: true, count });
    });
    ring.clock.skip(1_200);
    ring.pass(0);
    expect(complaints(ring)).toEqual([]);
  });

  test('is made again where the page is busy until long after the next turn is due (L13h)', () => {
    const ring = checked();
    const asked = beats(ring.predecessor);
    ring.clock.after(250, () => {
      ring.clock.skip(1_201);
    });
    ring.clock.skip(700);
    ring.pass(0);
    expect(complaints(ring)).toEqual([]);
    expect(beats(ring.predecessor)).toBeGreaterThan(asked);
  });

  test('of a neighbour that answers on one link of two says nothing', () => {
    const ring = new Ring(DECISION);
    // Of two peers each is the other's neighbour on both sides.
    ring.view({ successor: { id: NEIGHBOURS.predecessor, link: null } });
    const other = defined(ring.offer(NEIGHBOURS.predecessor, 'successor', linkId(77)));
    passAnswered(ring, 1_000, [ring.predecessor, other]);
    ring.check(NEIGHBOURS.predecessor);
    passAnswered(ring, 400, [other]);
    expect(complaints(ring)).toEqual([]);
    ring.check(NEIGHBOURS.predecessor);
    passAnswered(ring, 400, []);
    expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'silent' }]);
  });

  test('of a neighbour that has said goodbye for good tells of silence (L7c, L13d)', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give({ type: 'bye', reason: 'leaving' });
    ring.check(NEIGHBOURS.predecessor);
    expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'silent' }]);
  });

  test('of a neighbour that was another’s for a while does not remember its old link', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.handlers.onClose('broken');
    ring.view({ predecessor: { id: peerId(2), link: null } });
    ring.view({});
    ring.check(NEIGHBOURS.predecessor);
    expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'unlinked' }]);
  });
});

describe('a neighbour that violates the protocol', () => {
  const bad = (end: TestLink, times: number) => {
    for (let count = 0; count < times; count += 1) end.handlers.onFrame(Uint8Array.of(0xff));
  };

  test.each(EDGES)(
    'as %s is borne 20 times, and cut off and complained about with the next (L16b)',
    (edge) => {
      const ring = new Ring(DECISION);
      const end = ring[edge];
      bad(end, 20);
      expect(end.isClosed).toBe(false);
      expect(complaints(ring)).toEqual([]);
      bad(end, 1);
      expect(end.isClosed).toBe(true);
      expect(complaints(ring)).toEqual([{ about: NEIGHBOURS[edge], fault: 'misbehaves' }]);
      bad(end, 100);
      expect(complaints(ring)).toHaveLength(1);
      expect(ring.told('dropped')).toHaveLength(21);
    },
  );

  test('is cut off when it sends more than 4,000 frames at once, and 1,000 a second after (L16c)', () => {
    const ring = new Ring(DECISION);
    const give = (times: number) => {
      for (let count = 0; count < times; count += 1)
        ring.predecessor.give({ type: 'heartbeat', isReply: true, count: 0 });
    };
    // One was HELLO.
    give(3_999);
    expect(ring.predecessor.isClosed).toBe(false);
    ring.pass(1_000);
    give(1_000);
    expect(ring.predecessor.isClosed).toBe(false);
    give(1);
    expect(ring.predecessor.isClosed).toBe(true);
    expect(complaints(ring)).toEqual([{ about: NEIGHBOURS.predecessor, fault: 'misbehaves' }]);
  });

  test('is not believed when a message of its own has come from afar, or another’s from itself (L16a)', () => {
    const ring = new Ring(DECISION);
    ring.sent();
    const id = NEIGHBOURS.predecessor;
    ring.predecessor.give({ type: 'claim', term: 5, claim: { priority: 9, id }, hops: 2 });
    ring.predecessor.give({ type: 'claim', term: 5, claim: claimOf(9), hops: 1 });
    const decision = { leader: claimOf(9), lap: 3, size: 3, hops: 1 };
    ring.predecessor.give({ type: 'elected', term: 5, decision });
    expect(ring.told('dropped').map(({ reason }) => reason)).toEqual([
      `claim of ${id} after 1 hop`,
      `claim of ${peerId(9)} after 1 hop`,
      `elected of ${peerId(9)} after 1 hop`,
    ]);
    expect(ring.sent()).toEqual([]);
    expect(ring.node.state.term).toBe(4);
  });

  test('and is no neighbour any more loses its link without a word to the server', () => {
    const ring = new Ring(DECISION);
    ring.view({ predecessor: { id: peerId(4), link: null } });
    bad(ring.predecessor, 21);
    expect(ring.predecessor.isClosed).toBe(true);
    expect(complaints(ring)).toEqual([]);
  });
});

describe('where no direct link comes up', () => {
  /** The successor is another now, and no link with it is on offer. */
  function aimed(budget?: number): Ring {
    const ring = new Ring(DECISION, budget);
    ring.signals.length = 0;
    ring.view(AIM);
    return ring;
  }

  /** Relayed frames and other signals of a link, as its other end sends them. */
  function give(ring: Ring, link: number, ...signals: Signal[]): void {
    ring.signal({ from: peerId(8), edge: 'successor', link: linkId(link), signals });
  }

  const AIM = { successor: { id: peerId(8), link: null } };

  const HEARD = encodeFrame({ type: 'heartbeat', isReply: true, count: 65_535 });

  /** Links through the server, accepted by the other end, which says HELLO. */
  function accepted(ring: Ring): number[] {
    const offered = signalled(ring).filter(({ type }) => type === 'relay');
    for (const { link } of offered) {
      give(ring, link, { type: 'relay' });
      const hello = helloOf(peerId(8), linkId(link));
      give(ring, link, { type: 'frame', frame: encodeFrame(hello) });
    }
    return offered.map(({ link }) => link);
  }

  /** The next one. */
  function relayed(ring: Ring): number {
    for (let passed = 0; passed < 10_000; passed += 100) {
      passAnswered(ring, 100, [ring.predecessor, ring.successor]);
      const [link] = accepted(ring);
      if (link !== undefined) return link;
    }
    throw new Error('none is offered');
  }

  /** To its next successor it offers a direct link and a relayed one at once. */
  function expectBothOffered(ring: Ring): void {
    signalled(ring);
    ring.view({ successor: { id: peerId(9), link: null } });
    ring.pass(10);
    expect(signalled(ring)).toMatchObject([
      { to: peerId(9), type: 'offer' },
      { to: peerId(9), type: 'relay' },
    ]);
  }

  /** The offers go on, and one for a direct link is answered. */
  function movedToDirect(ring: Ring): TestLink {
    passAnswered(ring, 5_000, [ring.predecessor]);
    const offer = defined(signalled(ring).find(({ type }) => type === 'offer'));
    const end = defined(ring.links.at(-1));
    end.handlers.onOpen();
    end.give(helloOf(peerId(8), linkId(offer.link)));
    expect(ring.node.state.successorLink).toBe('direct');
    return end;
  }

  test('L11 one through the server is offered as well after 2 s, and another direct one after 6 s (L3b, L11a, L11b)', () => {
    const ring = aimed();
    expect(signalled(ring)).toMatchObject([{ to: peerId(8), type: 'offer' }]);
    passAnswered(ring, 1_950, [ring.predecessor, ring.successor]);
    expect(signalled(ring)).toEqual([]);
    passAnswered(ring, 50, [ring.predecessor, ring.successor]);
    expect(signalled(ring)).toMatchObject([{ to: peerId(8), type: 'relay' }]);
    passAnswered(ring, 4_000, [ring.predecessor, ring.successor]);
    expect(signalled(ring)).toContainEqual(
      expect.objectContaining({ to: peerId(8), type: 'offer' }),
    );
  });

  test('the one through the server is used, and the old one retired (L5b)', () => {
    const ring = aimed();
    const link = relayed(ring);
    expect(ring.node.state.successorLink).toBe('relayed');
    expect(ring.successor.sent.at(-1)?.message).toEqual({ type: 'bye', reason: 'relinked' });
    signalled(ring);
    ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 2 } });
    expect(signalled(ring)).toEqual([{ to: peerId(8), link, type: 'frame' }]);
  });

  test('L10b a late answer to a relayed one that was given up is no offer', () => {
    const ring = aimed();
    passAnswered(ring, 2_000, [ring.predecessor, ring.successor]);
    const sent = signalled(ring);
    const relay = defined(sent.find(({ type }) => type === 'relay'));
    const offer = defined(sent.find(({ type }) => type === 'offer'));
    const end = defined(ring.links.at(-1));
    end.handlers.onOpen();
    end.give(helloOf(peerId(8), linkId(offer.link)));
    expect(ring.node.state.successorLink).toBe('direct');
    expect(signalled(ring)).toContainEqual({ to: peerId(8), link: relay.link, type: 'closed' });
    give(ring, relay.link, { type: 'relay' });
    expect(signalled(ring)).toEqual([]);
    expect(ring.node.links.filter(({ kind }) => kind === 'relayed')).toEqual([]);
  });

  test('a direct one that comes up later takes over, and the relayed one is closed (L5e, L11e)', () => {
    const ring = aimed();
    const link = relayed(ring);
    const end = movedToDirect(ring);
    passAnswered(ring, 3_000, [ring.predecessor, end]);
    expect(signalled(ring)).toContainEqual({ to: peerId(8), link, type: 'closed' });
  });

  test('L6 what a predecessor sends on a direct link waits for its goodbye on the relayed one (L6c)', () => {
    const ring = new Ring(DECISION);
    const from = peerId(4);
    ring.view({ predecessor: { id: from, link: null } });
    const relay = linkId(70);
    const say = (message: PeerMessage) => {
      const frame = encodeFrame(message);
      ring.signal({
        from,
        edge: 'predecessor',
        link: relay,
        signals: [{ type: 'frame', frame }],
      });
    };
    const lap = (number: number): PeerMessage => ({
      type: 'elected',
      term: 4,
      decision: { ...DECISION, lap: number },
    });
    const passedOn = () =>
      ring.successor.sent.flatMap(({ message }) =>
        message.type === 'elected' ? [message.decision.lap] : [],
      );
    ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'relay' }] });
    say(helloOf(from, relay));
    say(lap(2));
    const direct = defined(ring.offer(from, 'predecessor', linkId(71)));
    direct.handlers.onOpen();
    direct.give(helloOf(from, linkId(71)));
    direct.give(lap(4));
    expect(passedOn()).toEqual([2]);
    say(lap(3));
    expect(passedOn()).toEqual([2, 3]);
    say({ type: 'bye', reason: 'relinked' });
    expect(passedOn()).toEqual([2, 3, 4]);
    direct.give(lap(5));
    expect(passedOn()).toEqual([2, 3, 4, 5]);
  });

  test('L6c so it does where nothing of the election has come on the relayed one yet, and so does its BYE', () => {
    const ring = new Ring(DECISION);
    const from = peerId(4);
    ring.view({ predecessor: { id: from, link: null } });
    const relay = linkId(70);
    const say = (message: PeerMessage) => {
      const frame = encodeFrame(message);
      ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'frame', frame }] });
    };
    const lap = (number: number): PeerMessage => ({
      type: 'elected',
      term: 4,
      decision: { ...DECISION, lap: number },
    });
    ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'relay' }] });
    say(helloOf(from, relay));
    const direct = defined(ring.offer(from, 'predecessor', linkId(71)));
    direct.handlers.onOpen();
    direct.give(helloOf(from, linkId(71)));
    direct.give(lap(3));
    // A newcomer has been inserted meanwhile: its predecessor says goodbye on this link, too.
    direct.give({ type: 'bye', reason: 'relinked' });
    say(lap(2));
    say({ type: 'bye', reason: 'relinked' });
    const passedOn = ring.successor.sent.flatMap(({ message }) =>
      message.type === 'elected' ? [message.decision.lap] : [],
    );
    expect(passedOn).toEqual([2, 3]);
  });

  test('L6d what waits on a direct link that breaks is lost, and the relayed one stays', () => {
    const ring = new Ring(DECISION);
    const from = peerId(4);
    ring.view({ predecessor: { id: from, link: null } });
    const relay = linkId(70);
    ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'relay' }] });
    const frame = encodeFrame(helloOf(from, relay));
    ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'frame', frame }] });
    const direct = defined(ring.offer(from, 'predecessor', linkId(71)));
    direct.handlers.onOpen();
    direct.give(helloOf(from, linkId(71)));
    direct.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 3 } });
    direct.handlers.onClose('broken');
    ring.pass(2_500);
    expect(ring.node.state.predecessorLink).toBe('relayed');
  });

  test('L6d and is not waited for when it does not come', () => {
    const ring = new Ring(DECISION);
    const from = peerId(4);
    ring.view({ predecessor: { id: from, link: null } });
    const relay = linkId(70);
    const lap = (number: number): PeerMessage => ({
      type: 'elected',
      term: 4,
      decision: { ...DECISION, lap: number },
    });
    ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'relay' }] });
    for (const message of [helloOf(from, relay), lap(2)])
      ring.signal({
        from,
        edge: 'predecessor',
        link: relay,
        signals: [{ type: 'frame', frame: encodeFrame(message) }],
      });
    const direct = defined(ring.offer(from, 'predecessor', linkId(71)));
    direct.handlers.onOpen();
    direct.give(helloOf(from, linkId(71)));
    direct.give(lap(3));
    const passedOn = () =>
      ring.successor.sent.flatMap(({ message }) =>
        message.type === 'elected' ? [message.decision.lap] : [],
      );
    ring.pass(1_900);
    expect(passedOn()).toEqual([2]);
    ring.pass(200);
    expect(passedOn()).toEqual([2, 3]);
  });

  test('L6d and ends with the relayed link once more than 64 messages wait for it', () => {
    const ring = new Ring(DECISION);
    const from = peerId(4);
    ring.view({ predecessor: { id: from, link: null } });
    const relay = linkId(70);
    const frame = encodeFrame(helloOf(from, relay));
    ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'relay' }] });
    ring.signal({ from, edge: 'predecessor', link: relay, signals: [{ type: 'frame', frame }] });
    const direct = defined(ring.offer(from, 'predecessor', linkId(71)));
    direct.give(helloOf(from, linkId(71)));
    const passedOn = () =>
      ring.successor.sent.filter(({ message }) => message.type === 'elected').length;
    for (let lap = 2; lap < 66; lap += 1)
      direct.give({ type: 'elected', term: 4, decision: { ...DECISION, lap } });
    expect(passedOn()).toBe(0);
    direct.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 66 } });
    expect(passedOn()).toBe(65);
    expect(signalled(ring)).toContainEqual({ to: from, link: relay, type: 'closed' });
  });

  test('L5 a move from a relayed link to a direct one is no new successor: nothing is said again (L5f)', () => {
    const ring = aimed();
    relayed(ring);
    const end = movedToDirect(ring);
    expect(end.sent.map(({ message }) => message.type)).toEqual(['hello']);
  });

  test('L5 it is one where the connection was lost, and the place has not been given again (L5f)', () => {
    const ring = aimed();
    relayed(ring);
    passAnswered(ring, 5_000, [ring.predecessor]);
    const offer = defined(signalled(ring).find(({ type }) => type === 'offer'));
    ring.disconnect();
    ring.connect();
    const end = defined(ring.links.at(-1));
    end.handlers.onOpen();
    end.give(helloOf(peerId(8), linkId(offer.link)));
    expect(end.sent.map(({ message }) => message.type)).toEqual(['hello', 'elected']);
  });

  test('L11b a device on which none came up offers a relayed one at once, and later a direct one', () => {
    const ring = aimed();
    relayed(ring);
    // The attempt at a direct link has failed.
    passAnswered(ring, 5_000, [ring.predecessor]);
    expectBothOffered(ring);
  });

  test('L11 so does one on which the attempt has failed by itself, before the next (L11c)', () => {
    const ring = aimed();
    const attempt = defined(ring.links.at(-1));
    relayed(ring);
    attempt.handlers.onClose('no way to the other end');
    expectBothOffered(ring);
  });

  test('a relayed one that is lost is offered again within a second (L3c)', () => {
    const ring = aimed();
    const link = relayed(ring);
    signalled(ring);
    give(ring, link, { type: 'closed' });
    expect(ring.node.state.successorLink).toBe('connecting');
    ring.pass(600);
    expect(signalled(ring)).toContainEqual(expect.objectContaining({ type: 'relay' }));
  });

  test('a relayed one that is silent tells nothing of the other end (L13c)', () => {
    const ring = aimed();
    relayed(ring);
    ring.check(peerId(8));
    passAnswered(ring, 5_000, [ring.predecessor]);
    expect(ring.complaints.map(({ request }) => request)).toEqual([
      { about: peerId(8), fault: 'unlinked' },
    ]);
  });

  test('a relayed one does not outlive the connection to the server (L11f)', () => {
    const ring = aimed();
    relayed(ring);
    ring.disconnect();
    expect(ring.node.state.successorLink).toBe('relayed');
    ring.connect();
    // What went before may be lost, so nothing follows it.
    ring.signals.length = 0;
    ring.node.campaign();
    expect(ring.signals).toEqual([]);
    ring.resumed(AIM);
    // The other end has no other way to learn that it must make another.
    expect(ring.signals[0]?.request.signals).toEqual([{ type: 'closed' }]);
    expect(ring.node.state).toMatchObject({
      successorLink: 'connecting',
      predecessorLink: 'direct',
    });
  });

  test('a relayed one that is made over the new connection stays', () => {
    const ring = aimed();
    ring.disconnect();
    ring.connect();
    const from = NEIGHBOURS.predecessor;
    const link = linkId(77);
    const frame = encodeFrame(helloOf(from, link));
    const signals: Signal[] = [{ type: 'relay' }, { type: 'frame', frame }];
    ring.signal({ from, edge: 'predecessor', link, signals });
    ring.resumed(AIM);
    const relayedOnes = ring.node.links.filter(({ kind }) => kind === 'relayed');
    expect(relayedOnes).toMatchObject([{ peer: from, edge: 'predecessor' }]);
  });

  test('those that all come up and never last are complained about, less and less often made (L3d)', () => {
    const ring = aimed(2);
    const from = peerId(8);
    let made = 0;
    const told: Complaint[] = [];
    for (let passed = 0; passed < 90_000; passed += 100) {
      passAnswered(ring, 100, [ring.predecessor, ring.successor]);
      for (const link of accepted(ring)) {
        made += 1;
        give(ring, link, { type: 'closed' });
      }
      for (const { request, reply } of ring.complaints.splice(0)) {
        reply({ ok: true, isMember: true });
        told.push(request);
      }
    }
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(new Set(told.map((each) => JSON.stringify(each)))).toEqual(
      new Set([JSON.stringify({ about: from, fault: 'unlinked' })]),
    );
    expect(made).toBeLessThan(20);
  });

  test('those that last for five seconds are made again and again, and nobody is told', () => {
    const ring = aimed(2);
    for (let round = 0; round < 12; round += 1) {
      const link = relayed(ring);
      for (let second = 0; second < 5; second += 1) {
        passAnswered(ring, 1_000, [ring.predecessor]);
        give(ring, link, { type: 'frame', frame: HEARD });
      }
      give(ring, link, { type: 'closed' });
    }
    expect(complaints(ring)).toEqual([]);
  });

  test('those that this peer makes anew as its own connection comes and goes tell of nobody', () => {
    const ring = aimed(2);
    for (let round = 0; round < 12; round += 1) {
      relayed(ring);
      ring.disconnect();
      ring.connect();
      ring.resumed(AIM);
    }
    expect(complaints(ring)).toEqual([]);
  });

  test('a page that has made as many direct ones as it may offers only the other kind, for a while (L3f)', () => {
    const ring = aimed(2);
    expect(signalled(ring)).toEqual([]);
    const others = [ring.predecessor, ring.successor];
    passAnswered(ring, 9_000, others);
    expect(new Set(signalled(ring).map(({ type }) => type))).toEqual(new Set(['relay', 'closed']));
    // Nor does it take part in another's.
    expect(ring.offer(NEIGHBOURS.predecessor, 'predecessor', linkId(900))).toBeUndefined();
    expect(ring.told('spent')).toHaveLength(1);
    passAnswered(ring, 30_000, others);
    expect(signalled(ring).map(({ type }) => type)).toContain('offer');
  });
});

describe('direct links with one neighbour', () => {
  const offer = (ring: Ring, from = NEIGHBOURS.predecessor, edge: Edge = 'predecessor') => {
    const made = ring.links.length;
    const id = linkId(1_000 + made);
    ring.signal({ from, edge, link: id, signals: [{ type: 'offer', sdp: '' }] });
    return ring.links.length - made;
  };
  const offers = (ring: Ring, count: number, ...rest: [peer?: typeof NEIGHBOURS.predecessor]) =>
    Array.from({ length: count }, () => offer(ring, ...rest)).filter((made) => made > 0).length;

  test('are 16 at once that it offers, and one a minute after that: none of others’ is used up (L3g)', () => {
    const ring = new Ring(DECISION);
    expect(offers(ring, 500)).toBe(16);
    ring.clock.skip(10 * 60_000);
    expect(offers(ring, 500)).toBe(10);
    ring.view({ predecessor: { id: peerId(4), link: null } });
    expect(offers(ring, 5, peerId(4))).toBe(5);
    // The server decides that there must be another.
    ring.view({});
    expect(offers(ring, 5)).toBe(1);
  });

  test('are as many that this peer offers to one that ends each at once; relayed ones go on (L3g)', () => {
    const ring = new Ring(DECISION, 450);
    let made = 0;
    for (let passed = 0; passed < 600_000; passed += 250) {
      for (const link of ring.links.splice(0)) {
        if (link.isClosed || link === ring.predecessor) continue;
        link.handlers.onClose('closed by the other end');
        made += 1;
      }
      passAnswered(ring, 250, [ring.predecessor]);
    }
    // One was made with the join.
    expect(made).toBeLessThanOrEqual(1 + 16 + 10);
    expect(signalled(ring).filter(({ type }) => type === 'relay')).not.toEqual([]);
  });

  test('of a page are given back with time, to those of any neighbour (L3f)', () => {
    const ring = new Ring(DECISION);
    const { predecessor } = NEIGHBOURS;
    let made = 0;
    const visit = (number: number) => {
      // A neighbour joins, offers its link and leaves, several times.
      ring.view({ predecessor: { id: peerId(number), link: null } });
      made += offers(ring, 1, peerId(number));
      ring.view({ predecessor: { id: predecessor, link: null }, removed: [peerId(number)] });
    };
    for (let number = 1_000; number < 1_600; number += 1) visit(number);
    // The page has made one for each edge with its join.
    expect(made).toBe(448);
    expect(ring.told('spent')).toHaveLength(1);
    ring.clock.skip(60_000);
    for (let number = 2_000; number < 2_100; number += 1) visit(number);
    expect(made).toBe(448 + 6);
    expect(ring.told('spent')).toHaveLength(2);
    // A page whose neighbours come and go for days makes a link with each.
    made = 0;
    for (let number = 3_000; number < 5_000; number += 1) {
      ring.clock.skip(15_000);
      visit(number);
    }
    expect(made).toBe(2_000);
  });

  test('that are beyond keep nobody from a relayed one', () => {
    const ring = new Ring(DECISION);
    offers(ring, 100);
    ring.signals.length = 0;
    const { predecessor: from } = NEIGHBOURS;
    ring.signal({ from, edge: 'predecessor', link: linkId(9), signals: [{ type: 'relay' }] });
    expect(signalled(ring)).toContainEqual({ to: from, link: 9, type: 'relay' });
  });

  test('through the server are 32 at once that it offers, and one a second after that (L3h)', () => {
    const ring = new Ring(DECISION);
    ring.signals.length = 0;
    const { predecessor: from } = NEIGHBOURS;
    const relays = (count: number) => {
      for (let id = 1; id <= count; id += 1)
        ring.signal({
          from,
          edge: 'predecessor',
          link: linkId(5_000 + id),
          signals: [{ type: 'relay' }],
        });
      return signalled(ring).filter(({ type }) => type === 'relay').length;
    };
    expect(relays(100)).toBe(32);
    ring.clock.skip(10_000);
    expect(relays(100)).toBe(10);
  });

  test('through the server are left for each probe, however many a neighbour offers and ends (L3h, L12f)', () => {
    const ring = new Ring(DECISION);
    const { predecessor: from } = NEIGHBOURS;
    let id = 5_000;
    /** Whether an offered link was answered before it is closed again. */
    const isAnswered = () => {
      id += 1;
      const of = { from, edge: 'predecessor' as const, link: linkId(id) };
      ring.signals.length = 0;
      ring.signal({ ...of, signals: [{ type: 'relay' }] });
      const types = signalled(ring).map(({ type }) => type);
      ring.signal({ ...of, signals: [{ type: 'closed' }] });
      return types.includes('relay') && types.includes('frame');
    };
    // All that the server passes on (L10g), and a probe as often as there may be one.
    for (let offer = 0; offer < 16; offer += 1) isAnswered();
    for (let second = 0; second < 1_800; second += 2) {
      if (second % 4 === 0) expect([second, isAnswered()]).toEqual([second, true]);
      isAnswered();
      ring.clock.skip(2_000);
    }
  });

  test('are never refused to one that keeps to the times of L3, on two edges, for six hours', () => {
    const ring = new Ring(DECISION);
    let at = 0;
    for (let attempt = 0; at < 6 * 3_600_000; attempt += 1) {
      expect(offers(ring, 2)).toBe(2);
      const wait = Math.min(6_000 * 2 ** attempt, 120_000);
      ring.clock.skip(wait);
      at += wait;
    }
  });
});

test('of the signals for a direct link no more are taken than an honest end has (L10e)', () => {
  const ring = new Ring(DECISION);
  const candidate = { candidate: '', sdpMLineIndex: 0, sdpMid: '0' };
  const signals = Array.from({ length: 64 }, () => ({ type: 'candidate' as const, candidate }));
  const link = ring.idOf('predecessor');
  for (let sent = 0; sent < 10; sent += 1)
    ring.signal({ from: NEIGHBOURS.predecessor, edge: 'predecessor', link, signals });
  expect(ring.predecessor.signals).toHaveLength(128);
});

/** A second link that the predecessor offers, open and without its HELLO. */
function openAnother(ring: Ring) {
  ring.signal({
    from: NEIGHBOURS.predecessor,
    edge: 'predecessor',
    link: linkId(500),
    signals: [{ type: 'offer', sdp: '' }],
  });
  const link = defined(ring.links.at(-1));
  link.handlers.onOpen();
  return link;
}
