/** The offer that a member makes ready when its successor has left. */
import { describe, expect, test } from 'vitest';
import { defined, linkId, peerId } from '../support.ts';
import { helloOf, NEIGHBOURS, Ring, SELF } from './played-ring.ts';

/** Links made since the first two. */
function madeSince(ring: Ring) {
  return ring.links.slice(2);
}

/** What went out for a neighbour, with the link it is for. */
function offered(ring: Ring) {
  return ring.signals
    .splice(0)
    .map(({ request: { to, edge, signals } }) => ({ to, edge, types: signals.map((s) => s.type) }));
}

function leave(ring: Ring): void {
  ring.successor.give({ type: 'bye', reason: 'leaving' });
}

describe('an offer for whoever follows on a successor that has left', () => {
  test('is made at once and sent when the server tells who that is', () => {
    const ring = new Ring(null);
    leave(ring);
    expect(madeSince(ring)).toHaveLength(1);
    expect(offered(ring)).toEqual([]);
    ring.view({ successor: { id: peerId(9), link: null }, removed: [NEIGHBOURS.successor] });
    expect(offered(ring)).toEqual([{ to: peerId(9), edge: 'successor', types: ['offer'] }]);
    expect(madeSince(ring)).toHaveLength(1);
    const [link] = madeSince(ring);
    defined(link).handlers.onOpen();
    expect(defined(link).sent.map(({ message }) => message.type)).toEqual(['hello']);
  });

  test('is followed by another where it comes to nothing', () => {
    const ring = new Ring(null);
    leave(ring);
    ring.view({ successor: { id: peerId(9), link: null } });
    offered(ring);
    const offers = () => offered(ring).filter(({ types }) => types.includes('offer'));
    ring.pass(6_100);
    expect(offers()).toEqual([{ to: peerId(9), edge: 'successor', types: ['offer'] }]);
    expect(defined(madeSince(ring)[0]).isClosed).toBe(true);
    ring.pass(11_800);
    expect(offers()).toEqual([]);
    ring.pass(200);
    expect(offers()).toHaveLength(1);
  });

  test('is given up where the server has another link for the two', () => {
    const ring = new Ring(null);
    leave(ring);
    ring.view({ successor: { id: peerId(9), link: ring.idOf('predecessor') } });
    expect(offered(ring)).toEqual([]);
    expect(madeSince(ring).map(({ isClosed }) => isClosed)).toEqual([true]);
  });

  test('is given up where nobody follows but this peer itself', () => {
    const ring = new Ring(null);
    leave(ring);
    const self = { id: SELF, link: null };
    ring.view({ successor: self, predecessor: self });
    expect(offered(ring)).toEqual([]);
    expect(madeSince(ring).map(({ isClosed }) => isClosed)).toEqual([true]);
  });

  test('waits while only the other neighbour changes, and is closed with the member', () => {
    const ring = new Ring(null);
    leave(ring);
    const [ahead] = madeSince(ring);
    ring.view({ predecessor: { id: peerId(4), link: null } });
    expect(defined(ahead).isClosed).toBe(false);
    ring.node.leave();
    expect(defined(ahead).isClosed).toBe(true);
  });

  test('is not made for a predecessor that has left, nor for a link that another took the place of', () => {
    const ring = new Ring(null);
    ring.predecessor.give({ type: 'bye', reason: 'leaving' });
    ring.successor.give({ type: 'bye', reason: 'relinked' });
    expect(madeSince(ring)).toEqual([]);
  });

  test('is made on whichever link it says goodbye first', () => {
    const ring = new Ring(null);
    const earlier = defined(ring.offer(NEIGHBOURS.predecessor, 'predecessor', linkId(77)));
    ring.view({
      successor: { id: NEIGHBOURS.predecessor, link: linkId(78) },
      predecessor: { id: peerId(2), link: null },
    });
    ring.offer(NEIGHBOURS.predecessor, 'successor', linkId(78));
    const before = ring.links.length;
    earlier.give({ type: 'bye', reason: 'leaving' });
    expect(ring.links).toHaveLength(before + 1);
  });

  test('is not made where there is still a link to send on, that to who follows', () => {
    const ring = new Ring(null);
    const between = peerId(6);
    const link = linkId(80);
    ring.view({ successor: { id: between, link } });
    ring.signal({
      from: between,
      edge: 'successor',
      link,
      signals: [{ type: 'offer', sdp: '' }],
    });
    const end = defined(madeSince(ring)[0]);
    end.handlers.onOpen();
    // Not ready: the link to the earlier successor stays in use.
    end.give({ ...helloOf(between, link), ready: false });
    end.give({ type: 'bye', reason: 'leaving' });
    ring.view({});
    expect(madeSince(ring)).toEqual([end]);
    expect(offered(ring)).toEqual([]);
    expect(ring.node.state.successorLink).toBe('direct');
  });

  test('is not made where the server has told already, is lost, or where the ring of two has ended', () => {
    const told = new Ring(null);
    told.view({ successor: { id: peerId(9), link: null } });
    leave(told);
    expect(madeSince(told)).toHaveLength(1);

    const lost = new Ring(null);
    lost.disconnect();
    leave(lost);
    expect(madeSince(lost)).toEqual([]);

    const two = new Ring(null);
    two.view({ predecessor: { id: NEIGHBOURS.successor, link: null } });
    leave(two);
    expect(madeSince(two)).toEqual([]);
  });

  test('takes no more than one connection of the page, however often a successor says goodbye', () => {
    const ring = new Ring(null);
    leave(ring);
    const id = ring.idOf('predecessor');
    const again = defined(ring.offer(NEIGHBOURS.successor, 'successor', id));
    again.give({ type: 'bye', reason: 'leaving' });
    expect(madeSince(ring).filter((link) => link !== again)).toHaveLength(1);
  });

  test('L11 is a relayed one at once by a page that has made as many direct ones as it may', () => {
    const ring = new Ring(null, 2);
    leave(ring);
    ring.view({ successor: { id: peerId(9), link: null } });
    ring.pass(10);
    expect(madeSince(ring)).toEqual([]);
    // No direct link may be made, so there is nothing to wait for before a relayed one.
    expect(offered(ring)).toMatchObject([{ to: peerId(9), types: ['relay'] }]);
  });

  test('is given up with the connection to the server, and after 6 s', () => {
    const lost = new Ring(null);
    leave(lost);
    lost.disconnect();
    expect(madeSince(lost).map(({ isClosed }) => isClosed)).toEqual([true]);

    const late = new Ring(null);
    leave(late);
    const [ahead] = madeSince(late);
    late.pass(5_900);
    expect(defined(ahead).isClosed).toBe(false);
    late.pass(200);
    expect(defined(ahead).isClosed).toBe(true);
  });
});

test('a link to a peer that has said goodbye is let go of a second later', () => {
  const ring = new Ring(null);
  const told = ring.events.length;
  ring.predecessor.give({ type: 'bye', reason: 'relinked' });
  expect(ring.told('link').at(-1)).toMatchObject({ edge: 'predecessor', state: 'closed' });
  expect(ring.events.length).toBe(told + 1);
  // It hears nothing any more.
  ring.predecessor.give({ type: 'pace', hopDelay: 100, count: 1, by: NEIGHBOURS.predecessor });
  expect(ring.events.length).toBe(told + 1);
  ring.pass(900);
  expect(ring.predecessor.isClosed).toBe(false);
  ring.pass(200);
  expect(ring.predecessor.isClosed).toBe(true);
});
