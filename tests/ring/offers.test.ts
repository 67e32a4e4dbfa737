/** The offer that a member makes ready when its successor has left. */
import { describe, expect, test } from 'vitest';
import { defined, peerId } from '../support.ts';
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
    ring.pass(6_100);
    expect(offered(ring)).toContainEqual({
      to: peerId(9),
      edge: 'successor',
      types: ['offer'],
    });
    expect(defined(madeSince(ring)[0]).isClosed).toBe(true);
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
    again.give(helloOf(NEIGHBOURS.successor, id));
    again.give({ type: 'bye', reason: 'leaving' });
    expect(madeSince(ring).filter((link) => link !== again)).toHaveLength(1);
  });

  test('is not made by a page that has made as many as it may', () => {
    const ring = new Ring(null, 2);
    leave(ring);
    expect(madeSince(ring)).toEqual([]);
  });
});
