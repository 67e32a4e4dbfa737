/** A member that vanishes sends nothing to anyone; its links can still be inspected. */
import { expect, test } from 'vitest';
import { LINGER } from '../../shared/member/link.ts';
import { NEIGHBOURS, Ring } from './played-ring.ts';

test('a member that vanishes says no BYE and no goodbye, and closes its links long after', () => {
  const ring = new Ring(null);
  const before = ring.predecessor.sent.length;
  ring.node.vanish();
  ring.pass(LINGER - 1);
  expect(ring.sent()).toEqual([]);
  expect(ring.predecessor.sent).toHaveLength(before);
  expect(ring.hasLeft).toBe(false);
  expect(ring.hasDropped).toBe(true);
  expect([ring.successor.isClosed, ring.predecessor.isClosed]).toEqual([false, false]);
  ring.pass(1);
  expect([ring.successor.isClosed, ring.predecessor.isClosed]).toEqual([true, true]);
  expect(ring.told('vanished')).toHaveLength(1);
  expect(ring.told('left')).toEqual([]);
});

test('a member that has vanished hears nothing any more, and cannot leave', () => {
  const ring = new Ring(null);
  ring.node.vanish();
  const told = ring.events.length;
  ring.greet('predecessor', 9);
  ring.view({ removed: [NEIGHBOURS.successor] });
  ring.predecessor.handlers.onClose('broken');
  ring.node.leave();
  ring.node.vanish();
  expect(ring.events).toHaveLength(told);
  expect(ring.hasLeft).toBe(false);
  expect(ring.node.state.role).toBe('offline');
});

test('links are seen with their neighbour, kind, state and age', async () => {
  const ring = new Ring(null);
  ring.pass(700);
  const [successor, predecessor, ...others] = ring.node.links;
  expect(others).toEqual([]);
  const seen = { kind: 'direct', age: 700, roundTrip: null };
  expect(successor).toMatchObject({
    ...seen,
    edge: 'successor',
    peer: NEIGHBOURS.successor,
    state: 'in use',
  });
  expect(predecessor).toMatchObject({
    ...seen,
    edge: 'predecessor',
    peer: NEIGHBOURS.predecessor,
    state: 'open',
  });
  // These links count nothing.
  expect(await successor?.stats()).toEqual([]);
});
