/** Rules of a ring member whose absence no storm reveals, each for one member between two neighbours. */
import { describe, expect, test } from 'vitest';
import { encodeFrame, parseFrame } from '../../shared/protocol/frame.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Decision } from '../../shared/protocol/messages.ts';
import type { Signal } from '../../shared/protocol/signaling.ts';
import { defined, linkId, peerId, valueOf } from '../support.ts';
import { helloOf, NEIGHBOURS, Ring, SELF } from './played-ring.ts';

const DECISION: Decision = { leader: { priority: 1, id: peerId(9) }, lap: 1, size: 3, hops: 2 };
const OTHER = { id: peerId(8), link: null };

describe('L1: a view', () => {
  test('of the same version as the last one is obeyed (L1a)', () => {
    const ring = new Ring(DECISION);
    ring.view({ version: 7 });
    ring.view({ version: 7, successor: OTHER });
    expect(ring.node.state.successor).toBe(OTHER.id);
    expect(ring.signals.at(-1)?.request.to).toBe(OTHER.id);
  });

  test('of a lower version is obeyed in another incarnation alone (L1a)', () => {
    const ring = new Ring(DECISION);
    ring.view({ version: 7 });
    ring.view({ version: 6, successor: OTHER });
    expect(ring.node.state.successor).toBe(NEIGHBOURS.successor);
    ring.view({ incarnation: 'f', version: 1, successor: OTHER });
    expect(ring.node.state.successor).toBe(OTHER.id);
  });
});

describe('L4: a link', () => {
  test('is of no use upon a HELLO of another peer or of another link (L4b)', () => {
    const ring = new Ring(null, 450, []);
    ring.successor.give(helloOf(peerId(8), ring.idOf('successor')));
    ring.successor.give(helloOf(NEIGHBOURS.successor, linkId(99)));
    expect(ring.node.state.successorLink).toBe('connecting');
    expect(ring.told('dropped')).toHaveLength(2);
    ring.greet('successor', 0);
    expect(ring.node.state.successorLink).toBe('direct');
  });

  test('brings no claim before the first HELLO (L4c)', () => {
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

test('L7b: after a BYE the other end closes the link', () => {
  const ring = new Ring(DECISION);
  const told = ring.events.length;
  ring.predecessor.give({ type: 'bye', reason: 'relinked' });
  expect(ring.told('link').at(-1)).toMatchObject({ edge: 'predecessor', state: 'closed' });
  expect(ring.events).toHaveLength(told + 1);
  expect(ring.predecessor.isClosed).toBe(true);
});

describe('L7: after its BYE a peer', () => {
  test('neither answers nor says anything on that link (L7a)', () => {
    const ring = new Ring(DECISION);
    ring.node.leave();
    const said = ring.predecessor.sent.length;
    expect(ring.predecessor.sent.at(-1)?.message.type).toBe('bye');
    ring.predecessor.give({ type: 'heartbeat', isReply: false, count: 1 });
    expect(ring.predecessor.sent).toHaveLength(said);
  });

  test('closes the link after 2 s, where the other end does not (L7a)', () => {
    const ring = new Ring(DECISION);
    ring.node.leave();
    ring.pass(1_999);
    expect(ring.predecessor.isClosed).toBe(false);
    ring.pass(1);
    expect(ring.predecessor.isClosed).toBe(true);
  });

  test('has said it on a relayed link too, as long as the server still passes it on (L7e)', () => {
    const ring = new Ring(DECISION);
    const delivery = {
      from: NEIGHBOURS.predecessor,
      edge: 'predecessor',
      link: linkId(9),
    } as const;
    ring.signal({ ...delivery, signals: [{ type: 'relay' }] });
    const frame = encodeFrame(helloOf(delivery.from, delivery.link));
    ring.signal({ ...delivery, signals: [{ type: 'frame', frame }] });
    ring.node.leave();
    const said = ring.signals.flatMap(({ request }) =>
      request.link === delivery.link ? request.signals : [],
    );
    const last = said.findLast((signal) => signal.type === 'frame');
    expect(valueOf(parseFrame(defined(last).frame)).message).toEqual({
      type: 'bye',
      reason: 'leaving',
    });
  });
});

describe('L8: a successor that is gone', () => {
  /** The successor leads; another is to follow it, and its link is open, but not ready. */
  function beforeDeparture() {
    const leader = { priority: 1, id: NEIGHBOURS.successor };
    const ring = new Ring({ ...DECISION, leader });
    ring.view({ successor: OTHER });
    const { link } = defined(ring.signals.at(-1)).request;
    const next = defined(ring.links.at(-1));
    next.handlers.onOpen();
    next.give({ ...helloOf(OTHER.id, link), ready: false });
    next.sent.length = 0;
    return { ring, next };
  }

  test('is not used any more, and an open link takes its place (L8b)', () => {
    const { ring, next } = beforeDeparture();
    expect(ring.node.state.successorLink).toBe('connecting');
    ring.view({ successor: OTHER, removed: [NEIGHBOURS.successor] });
    expect(ring.node.state.successorLink).toBe('direct');
    expect(next.sent.length).toBeGreaterThan(0);
    ring.pass(1_500);
    expect(ring.successor.isClosed).toBe(true);
  });

  test('is known to be gone by the time that another takes its place: its leadership is not passed on (L8a)', () => {
    const { ring, next } = beforeDeparture();
    ring.view({ successor: OTHER, removed: [NEIGHBOURS.successor] });
    const said = next.sent.map(({ message }) => message);
    expect(said.filter(({ type }) => type === 'elected')).toEqual([]);
    expect(said).toContainEqual(expect.objectContaining({ type: 'claim', term: 5 }));
  });
});

describe('L9: a member that returns', () => {
  test('names those that it presumes departed (L9a)', () => {
    const ring = new Ring(DECISION);
    ring.view({ removed: [peerId(9)] });
    ring.disconnect();
    ring.connect();
    expect(ring.resumes.map(({ request }) => request.removed)).toEqual([[peerId(9)]]);
  });

  test('offers anew what may be lost with the connection (L9c)', () => {
    const ring = new Ring(DECISION);
    ring.view({ version: 7, successor: OTHER });
    const offered = () => ring.signals.splice(0).map(({ request: { to, link } }) => ({ to, link }));
    const [before] = offered();
    ring.disconnect();
    ring.connect();
    ring.resumed({ version: 7, successor: OTHER });
    const [after] = offered();
    expect([before?.to, after?.to]).toEqual([OTHER.id, OTHER.id]);
    expect(after?.link).not.toBe(before?.link);
  });
});

describe('L10: a signal', () => {
  test.each(['successor', 'predecessor'] as const)(
    'of a link that the %s offers is sent as soon as it is there (L10f)',
    (edge) => {
      const ring = new Ring(DECISION);
      ring.signals.length = 0;
      const end = defined(ring.offer(NEIGHBOURS[edge], edge, linkId(77)));
      const candidate = 'candidate:1 1 udp 1 192.0.2.1 9 typ host';
      const signals: readonly Signal[] = [
        { type: 'answer', sdp: '' },
        { type: 'candidate', candidate: { candidate, sdpMLineIndex: 0, sdpMid: '0' } },
      ];
      for (const signal of signals) end.handlers.onSignal(signal);
      expect(ring.signals.map(({ request }) => request.signals)).toEqual(
        signals.map((one) => [one]),
      );
    },
  );

  test.each(['successor', 'predecessor'] as const)(
    'that offers a link is taken from the %s alone (L10b)',
    (edge) => {
      const ring = new Ring(DECISION);
      expect(ring.offer(peerId(8), edge, linkId(77))).toBeUndefined();
      expect(ring.offer(NEIGHBOURS[edge], edge, linkId(77))).toBeDefined();
    },
  );

  test('for a link is taken from the peer at its other end alone (L10a)', () => {
    const ring = new Ring(DECISION);
    const link = ring.idOf('successor');
    const answerOf = (from: PeerId) => {
      ring.signal({ from, edge: 'successor', link, signals: [{ type: 'answer', sdp: 'here' }] });
      return ring.successor.signals.length;
    };
    const before = ring.successor.signals.length;
    expect(answerOf(peerId(8))).toBe(before);
    expect(answerOf(NEIGHBOURS.successor)).toBe(before + 1);
  });
});

test('L11 a device that has made no direct link yet offers a relayed one after half a second (L11b)', () => {
  const ring = new Ring(null, 450, []);
  const offered = () =>
    ring.signals.flatMap(({ request }) => request.signals).filter(({ type }) => type === 'relay');
  ring.pass(450);
  expect(offered()).toEqual([]);
  ring.pass(100);
  expect(offered()).toHaveLength(1);
});

test('L3f a page that may make no more direct links offers a relayed one at once', () => {
  const ring = new Ring(null, 2);
  const made = ring.links.length;
  ring.signals.length = 0;
  ring.view({ successor: OTHER });
  ring.pass(10);
  expect(ring.links).toHaveLength(made);
  expect(ring.signals.flatMap(({ request }) => request.signals)).toEqual([{ type: 'relay' }]);
});

describe('R7: a peer that hears of no leader', () => {
  const started = (ring: Ring) => ring.told('started').map(({ because }) => because);

  test('starts after its patience where it has a way to its successor', () => {
    const ring = new Ring(DECISION);
    ring.pass(10_000);
    expect(started(ring)).toContain('timeout');
  });

  test('waits again where it has none, and its term does not rise (R7f)', () => {
    const ring = new Ring(DECISION, 450, ['predecessor']);
    const { term } = ring.node.state;
    ring.pass(60_000);
    expect(started(ring)).toEqual([]);
    expect(ring.node.state.term).toBe(term);
  });

  test('waits again where it is still its own successor, as its claim would only come straight back (R7f)', () => {
    const ring = new Ring(DECISION);
    const itself = { id: SELF, link: null };
    const removed = [NEIGHBOURS.successor, NEIGHBOURS.predecessor, DECISION.leader.id];
    ring.view({ successor: itself, predecessor: itself, removed });
    ring.pass(100);
    expect(ring.node.state.role).toBe('leader');
    ring.view({ successor: OTHER, predecessor: OTHER });
    const leader = { priority: 1, id: peerId(10) };
    const decision = { ...DECISION, leader };
    ring.offer(OTHER.id, 'predecessor', linkId(77))?.give({ type: 'elected', term: 9, decision });
    expect(ring.node.state).toMatchObject({ role: 'follower', term: 9 });
    const before = started(ring).length;
    ring.pass(60_000);
    expect(started(ring)).toHaveLength(before);
  });
});

test('C5 what is held goes over its link before that is given up for another (C5b)', () => {
  const ring = new Ring(DECISION);
  ring.predecessor.give({ type: 'pace', hopDelay: 2_000, count: 1, by: peerId(9) });
  ring.sent();
  const claim = { priority: 1, id: peerId(9) };
  ring.predecessor.give({ type: 'claim', term: 5, claim, hops: 2 });
  expect(ring.sent()).toEqual([]);
  ring.view({ successor: OTHER });
  const next = ring.links.at(-1);
  next?.handlers.onOpen();
  next?.give(helloOf(OTHER.id, defined(ring.signals.at(-1)).request.link));
  expect(ring.sent().map(({ message }) => message.type)).toEqual(['claim', 'bye']);
});

test('C5e a peer that takes back the announcement of its leader starts, as nobody else may', () => {
  const ring = new Ring(DECISION);
  ring.predecessor.give({ type: 'pace', hopDelay: 2_000, count: 1, by: peerId(9) });
  const leader = { priority: 1, id: peerId(10) };
  const decision = { leader, lap: 0, size: 3, hops: 2 };
  ring.predecessor.give({ type: 'elected', term: 5, decision });
  expect(ring.node.state).toMatchObject({ role: 'follower', leader: leader.id, term: 5 });
  ring.view({ removed: [leader.id] });
  expect(ring.told('unsent')).toMatchObject([{ reason: 'its origin is gone' }]);
  expect(ring.told('started')).toEqual([
    { type: 'started', term: 6, because: 'announcement taken back' },
  ]);
});

test('L5 a peer that was alone elects itself no more once the view names another successor (L5d)', () => {
  const ring = new Ring(DECISION);
  const self = { id: ring.node.state.id, link: null };
  ring.view({ successor: self, predecessor: self });
  ring.node.campaign();
  expect(ring.node.state).toMatchObject({ role: 'leader', term: 6 });
  ring.view({});
  ring.node.campaign();
  expect(ring.node.state).toMatchObject({ role: 'candidate', term: 7, leader: null });
  ring.view({ successor: self, predecessor: self });
  expect(ring.node.state).toMatchObject({ role: 'leader', term: 8 });
  ring.view({});
  ring.node.campaign();
  const link = defined(ring.links.at(-1));
  link.handlers.onOpen();
  const { successor } = NEIGHBOURS;
  link.give(helloOf(successor, defined(ring.signals.at(-1)).request.link));
  expect(link.sent.map(({ message }) => message.type)).toContain('claim');
});

test('L5g a peer that comes to be alone leads at once, though nobody told it that its leader is gone', () => {
  const ring = new Ring(DECISION);
  expect(ring.node.state.leader).toBe(DECISION.leader.id);
  const self = { id: ring.node.state.id, link: null };
  ring.view({ successor: self, predecessor: self });
  expect(ring.node.state).toMatchObject({ role: 'leader', leader: self.id, term: 5, size: 1 });
});

describe('R9b: a member', () => {
  const lap = (number: number) =>
    ({ type: 'elected', term: 4, decision: { ...DECISION, lap: number } }) as const;

  test('settles once an announcement has told it who leads, and asks again where no answer comes', () => {
    const ring = new Ring(DECISION);
    // A claim of a term that is decided says nothing of its leader.
    ring.predecessor.give({
      type: 'claim',
      term: 4,
      claim: { priority: 1, id: peerId(3) },
      hops: 1,
    });
    expect(ring.settles).toEqual([]);
    ring.predecessor.give(lap(2));
    ring.predecessor.give(lap(3));
    expect(ring.settles).toHaveLength(1);
    const laps = (from: number) => {
      for (let number = from; number < from + 9; number += 1) {
        ring.pass(1_000);
        ring.predecessor.give(lap(number));
      }
    };
    laps(4);
    expect(ring.settles).toHaveLength(2);
    ring.settles[1]?.({ ok: true, era: 7, ticket: 'of era 7' });
    expect(ring.node.state.era).toBe(7);
    laps(13);
    expect(ring.settles).toHaveLength(2);
  });

  test('is told nothing by a peer that the server has not named as its predecessor', () => {
    const ring = new Ring(DECISION);
    ring.view({ predecessor: { id: peerId(4), link: null } });
    ring.predecessor.give(lap(2));
    expect(ring.node.state.predecessorLink).not.toBe('none');
    expect(ring.told('received')).toHaveLength(1);
    expect(ring.settles).toEqual([]);
  });

  test('asks again at once over another connection: an answer of before is lost', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give(lap(2));
    expect(ring.settles).toHaveLength(1);
    ring.disconnect();
    ring.connect();
    ring.resumed({});
    expect(ring.settles).toHaveLength(2);
  });

  test('does not settle before its place is known, nor by an answer of before', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give(lap(2));
    ring.disconnect();
    ring.connect();
    ring.predecessor.give(lap(3));
    expect(ring.settles).toHaveLength(1);
    ring.view({ incarnation: 'another' });
    ring.settles[0]?.({ ok: true, era: 7, ticket: 'of era 7' });
    expect(ring.node.state.era).toBeNull();
  });

  test('is a newcomer again to a server that has lost its memory, and brings the era along (R9c, R9h)', () => {
    const ring = new Ring(DECISION);
    ring.predecessor.give(lap(2));
    ring.settles[0]?.({ ok: true, era: 7, ticket: 'of era 7' });
    ring.disconnect();
    ring.connect();
    expect(ring.resumes[0]?.request.ticket).toBe('of era 7');
    ring.resumed({ incarnation: 'another' });
    expect(ring.node.state.era).toBeNull();
    ring.predecessor.give(lap(3));
    ring.settles[1]?.({ ok: true, era: 9, ticket: 'of era 9' });
    expect(ring.node.state.era).toBe(9);
  });
});
