/** Rules of shared/member/SPEC.md on one member between two neighbours, all else played. */
import { describe, expect, test } from 'vitest';
import { encodeFrame } from '../../shared/protocol/frame.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Decision, PeerMessage } from '../../shared/protocol/messages.ts';
import type { Signal } from '../../shared/protocol/signaling.ts';
import { defined, linkId, peerId } from '../support.ts';
import { helloOf, NEIGHBOURS, Ring, type TestLink } from './played-ring.ts';

const DECISION: Decision = { leader: { priority: 1, id: peerId(9) }, lap: 1, size: 3, hops: 2 };
const OTHER = { id: peerId(8), link: null };

/** What a link has carried. */
function typesOn({ sent }: TestLink): PeerMessage['type'][] {
  return sent.map(({ message }) => message.type);
}

const IS_ALIVE: PeerMessage = { type: 'heartbeat', isReply: true, count: 0 };

/** When it offers links of a kind to the other successor, within so long; the neighbours are alive. */
function offersWithin(ring: Ring, milliseconds: number, kind: Signal['type']): number[] {
  const begun = ring.clock.now();
  const times: number[] = [];
  for (let passed = 0; passed < milliseconds; passed += 50) {
    ring.pass(50);
    for (const link of [ring.predecessor, ring.successor]) link.give(IS_ALIVE);
    for (const { request } of ring.signals.splice(0))
      if (request.to === OTHER.id && request.signals.some(({ type }) => type === kind))
        times.push(ring.clock.now() - begun);
  }
  return times;
}

test('L1b a view takes the departed first, then makes links with the neighbours it names', () => {
  const ring = new Ring(DECISION);
  ring.events.length = 0;
  ring.view({ successor: OTHER, removed: [NEIGHBOURS.successor] });
  expect(ring.told('link').map(({ peer, state }) => ({ peer, state }))).toEqual([
    { peer: NEIGHBOURS.successor, state: 'closed' },
    { peer: OTHER.id, state: 'connecting' },
  ]);
});

describe('L3a a predecessor', () => {
  test('offers a direct link at once where the view names none', () => {
    const ring = new Ring(DECISION);
    ring.signals.length = 0;
    ring.view({ successor: OTHER });
    expect(ring.signals.map(({ request: { to, signals } }) => [to, signals[0]?.type])).toEqual([
      [OTHER.id, 'offer'],
    ]);
  });

  test('offers one after 6 s where the link that the view names does not come up', () => {
    const ring = new Ring(DECISION);
    ring.signals.length = 0;
    ring.view({ successor: { ...OTHER, link: linkId(99) } });
    expect(offersWithin(ring, 7_000, 'offer')).toEqual([6_000]);
  });
});

describe('L4a on a link that opens', () => {
  function accepted(ring: Ring): TestLink {
    const { predecessor: from } = NEIGHBOURS;
    const signals: Signal[] = [{ type: 'offer', sdp: '' }];
    ring.signal({ from, edge: 'predecessor', link: linkId(77), signals });
    return defined(ring.links.at(-1));
  }

  test('HELLO is said at once', () => {
    const link = accepted(new Ring(DECISION));
    link.handlers.onOpen();
    expect(typesOn(link)).toEqual(['hello']);
  });

  test('HELLO is said when the first frame has come, where nothing else tells that it is open', () => {
    const ring = new Ring(DECISION);
    const link = accepted(ring);
    expect(typesOn(link)).toEqual([]);
    link.give(helloOf(NEIGHBOURS.predecessor, linkId(77)));
    expect(typesOn(link)).toEqual(['hello']);
    expect(ring.node.links).toHaveLength(3);
  });
});

test('L4f a peer that gets its first successor says to its predecessors that it is ready', () => {
  const ring = new Ring(null, 450, ['predecessor']);
  const ready = () =>
    ring.predecessor.sent.flatMap(({ message }) =>
      message.type === 'hello' ? [message.ready] : [],
    );
  expect(ready()).toEqual([false]);
  ring.greet('successor', 0);
  expect(ready()).toEqual([false, true]);
});

test('L5a a link that another is to be given up for waits until its other end is ready', () => {
  const ring = new Ring(DECISION);
  ring.view({ successor: OTHER });
  const { link } = defined(ring.signals.at(-1)).request;
  const next = defined(ring.links.at(-1));
  ring.sent();
  next.handlers.onOpen();
  next.give({ ...helloOf(OTHER.id, link), ready: false });
  expect(ring.node.state.successorLink).toBe('connecting');
  expect(ring.sent()).toEqual([]);
  next.give(helloOf(OTHER.id, link));
  expect(ring.node.state.successorLink).toBe('direct');
  expect(typesOn(ring.successor)).toEqual(['bye']);
});

test('L7d a peer that leaves tells the server so', () => {
  const ring = new Ring(DECISION);
  ring.node.leave();
  expect(ring.hasLeft).toBe(true);
  expect(ring.hasDropped).toBe(false);
});

test('L8b links with a predecessor that is gone are closed', () => {
  const ring = new Ring(DECISION);
  ring.view({ predecessor: OTHER, removed: [NEIGHBOURS.predecessor] });
  expect(ring.predecessor.isClosed).toBe(true);
  expect(ring.successor.isClosed).toBe(false);
});

test('L10c four links are in the making towards a successor, whichever end offers', () => {
  const ring = new Ring(DECISION);
  ring.view({ successor: OTHER });
  const made = ring.links.length;
  for (let id = 1; id <= 10; id += 1) {
    const signals: Signal[] = [{ type: 'offer', sdp: '' }];
    ring.signal({ from: OTHER.id, edge: 'successor', link: linkId(id), signals });
  }
  // One of the four is its own.
  expect(ring.links.length - made).toBe(3);
});

test('L11g no relayed link is offered over a connection to a server that has refused one', () => {
  const ring = new Ring(DECISION);
  ring.view({ successor: OTHER });
  ring.pass(2_100);
  const asked = ring.signals.find(({ request }) =>
    request.signals.some(({ type }) => type === 'relay'),
  );
  defined(asked).reply({ ok: false, code: 'no-relay', message: 'nothing is passed on' });
  expect(ring.told('refused')).toMatchObject([{ code: 'no-relay' }]);
  ring.signals.length = 0;
  expect(offersWithin(ring, 30_000, 'relay')).toEqual([]);
});

test('L11d relayed links that do not come up are offered again, and complained about at the second', () => {
  const ring = new Ring(DECISION);
  ring.view({ successor: OTHER });
  const complaints = () =>
    ring
      .told('complained')
      .filter(({ about, fault }) => about === OTHER.id && fault === 'unlinked');
  expect(offersWithin(ring, 5_900, 'relay')).toEqual([2_000]);
  expect(complaints()).toEqual([]);
  expect(offersWithin(ring, 9_000, 'relay')).toEqual([100, 8_100]);
  expect(complaints()).not.toEqual([]);
});

test('L12e a silent link is closed without a complaint where another with the neighbour is alive', () => {
  const ring = new Ring(DECISION);
  const other = defined(ring.offer(NEIGHBOURS.predecessor, 'predecessor', linkId(77)));
  for (let passed = 0; passed < 5_000; passed += 500) {
    ring.pass(500);
    for (const link of [other, ring.successor]) link.give(IS_ALIVE);
  }
  expect(ring.predecessor.isClosed).toBe(true);
  expect(other.isClosed).toBe(false);
  expect(ring.told('complained')).toEqual([]);
});

test('L12e a silent link with a peer that is no neighbour any more is closed without a complaint', () => {
  const ring = new Ring(DECISION);
  ring.view({ predecessor: OTHER });
  for (let second = 0; second < 5; second += 1) {
    ring.successor.give(IS_ALIVE);
    ring.pass(1_000);
  }
  expect(ring.predecessor.isClosed).toBe(true);
  expect(ring.told('complained').filter(({ about }) => about !== OTHER.id)).toEqual([]);
});

describe('L13c a neighbour that the server has lost', () => {
  /** A predecessor has offered a link through the server, and has said HELLO on it. */
  function relayed(ring: Ring, from: PeerId): void {
    const frame = encodeFrame(helloOf(from, linkId(70)));
    const signals: Signal[] = [{ type: 'relay' }, { type: 'frame', frame }];
    ring.signal({ from, edge: 'predecessor', link: linkId(70), signals });
  }
  const complaints = (ring: Ring, id: PeerId) =>
    ring.told('complained').flatMap(({ about, fault }) => (about === id ? [fault] : []));

  test('is given 3 s where all links with it are relayed', () => {
    const ring = new Ring(DECISION);
    ring.view({ predecessor: OTHER });
    relayed(ring, OTHER.id);
    ring.check(OTHER.id);
    ring.pass(2_900);
    expect(complaints(ring, OTHER.id)).toEqual([]);
    ring.pass(200);
    expect(complaints(ring, OTHER.id)).toEqual(['unlinked']);
  });

  test('is asked on the direct link alone where there is one', () => {
    const ring = new Ring(DECISION);
    relayed(ring, NEIGHBOURS.predecessor);
    ring.check(NEIGHBOURS.predecessor);
    ring.pass(500);
    expect(complaints(ring, NEIGHBOURS.predecessor)).toEqual(['silent']);
  });
});

test('C5a an announcement of lap 0 is held for the hop delay, and the laps after it are not', () => {
  const ring = new Ring(DECISION);
  ring.predecessor.give({ type: 'pace', hopDelay: 2_000, count: 1, by: peerId(9) });
  const passedOn = () =>
    ring
      .sent()
      .flatMap(({ message }) => (message.type === 'elected' ? [message.decision.lap] : []));
  const give = (lap: number) => {
    ring.predecessor.give({ type: 'elected', term: 5, decision: { ...DECISION, lap } });
  };
  give(0);
  ring.pass(1_999);
  expect(passedOn()).toEqual([]);
  ring.pass(1);
  expect(passedOn()).toEqual([0]);
  give(1);
  expect(passedOn()).toEqual([1]);
});

describe('C5c what a peer holds', () => {
  function holding(): Ring {
    const ring = new Ring(DECISION);
    ring.predecessor.give({ type: 'pace', hopDelay: 2_000, count: 1, by: peerId(9) });
    ring.sent();
    const claim = { priority: 1, id: peerId(9) };
    ring.predecessor.give({ type: 'claim', term: 5, claim, hops: 2 });
    return ring;
  }

  test('is lost with its link, and the next successor is told as a new one', () => {
    const ring = holding();
    ring.successor.handlers.onClose('broken');
    expect(ring.told('unsent')).toMatchObject([{ reason: 'the link is lost' }]);
    const next = defined(ring.offer(NEIGHBOURS.successor, 'successor', linkId(77)));
    ring.pass(3_000);
    const claims = next.sent.flatMap(({ message }) => (message.type === 'claim' ? [message] : []));
    expect(claims).toMatchObject([{ term: 6, hops: 1 }]);
  });

  test('is not sent by a peer that leaves the ring', () => {
    const ring = holding();
    ring.node.leave();
    ring.pass(3_000);
    expect(typesOn(ring.successor)).toEqual(['bye']);
  });
});

test('R9h a member that has settled takes the later eras that views tell it', () => {
  const ring = new Ring(DECISION);
  ring.predecessor.give({ type: 'elected', term: 4, decision: { ...DECISION, lap: 2 } });
  defined(ring.settles[0])({ ok: true, era: 7, ticket: 'of era 7' });
  expect(ring.node.state.era).toBe(7);
  ring.view({ era: 9 });
  expect(ring.node.state).toMatchObject({ era: 9, term: 4 });
  ring.view({ era: 8 });
  expect(ring.node.state.era).toBe(9);
});
