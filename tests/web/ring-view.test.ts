import { describe as group, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { RingState } from '../../shared/member/events.ts';
import { pictureOf } from '../../web/ring-view.ts';
import { peerId } from '../support.ts';
import { ringState } from './ring-state.ts';

/** Peers by their numbers, and a dot for one that is not known. */
function order(ring: RingState): string {
  const { peers } = pictureOf(ring);
  return peers.map(({ id }) => (id === null ? '.' : Number.parseInt(id.slice(-4), 16))).join(' ');
}

const ids = (...numbers: number[]): PeerId[] => numbers.map(peerId);
const FIVE = ids(5, 2, 4, 1, 3);

group('the whole ring', () => {
  test('is drawn from this peer on, in ring order', () => {
    expect(order(ringState(FIVE, peerId(4)))).toBe('4 1 3 5 2');
    expect(order(ringState(FIVE, peerId(5)))).toBe('5 2 4 1 3');
  });

  test('of a hundred has all of them', () => {
    const many = Array.from({ length: 100 }, (_, at) => peerId(at + 1));
    expect(pictureOf(ringState(many, peerId(50))).peers).toHaveLength(100);
  });

  test('of one is this peer', () => {
    expect(pictureOf(ringState(ids(7), peerId(7)))).toEqual({
      size: 1,
      peers: [{ place: 0, id: peerId(7), link: 'unknown' }],
    });
  });

  test('has the links of others as the ring told them, and its own two as they are', () => {
    const ring = ringState(FIVE, peerId(4), {
      successorLink: 'relayed',
      predecessorLink: 'none',
      ring: {
        term: 3,
        messages: 9,
        seats: ids(5, 2, 4, 1, 3).map((id, at) => ({
          id,
          link: at === 3 ? ('connecting' as const) : ('direct' as const),
        })),
      },
    });
    expect(pictureOf(ring).peers.map(({ link }) => link)).toEqual([
      'relayed',
      'connecting',
      'direct',
      'direct',
      'broken',
    ]);
  });
});

group('neighbours are newer than the ring:', () => {
  const at4 = (more: Partial<RingState>) => order(ringState(FIVE, peerId(4), more));

  test('a new successor or predecessor is put in', () => {
    expect(at4({ successor: peerId(9) })).toBe('4 9 1 3 5 2');
    expect(at4({ predecessor: peerId(9) })).toBe('4 1 3 5 2 9');
  });

  test('peers before the successor, or behind the predecessor, are gone', () => {
    expect(at4({ successor: peerId(3) })).toBe('4 3 5 2');
    expect(at4({ predecessor: peerId(5) })).toBe('4 1 3 5');
  });

  test('one neighbour on both sides is all there is', () => {
    expect(at4({ successor: peerId(3), predecessor: peerId(3) })).toBe('4 3');
    expect(at4({ successor: peerId(9), predecessor: peerId(9) })).toBe('4 9');
  });

  test('no neighbour but itself', () => {
    expect(at4({ successor: peerId(4), predecessor: peerId(4) })).toBe('4');
  });
});

group('what this peer knows itself is drawn', () => {
  test('while the ring has told nothing', () => {
    expect(order(ringState(FIVE, peerId(4), { ring: null }))).toBe('4 1 . 5 2');
  });

  test('while the ring has told of others only', () => {
    const ring = { term: 3, messages: 1, seats: [{ id: peerId(5), link: 'direct' as const }] };
    expect(order(ringState(FIVE, peerId(4), { ring }))).toBe('4 1 . 5 2');
  });

  test('of a ring too large to be told: neighbours and leader, at their places', () => {
    const many = Array.from({ length: 300 }, (_, at) => peerId(at + 1));
    const picture = pictureOf(
      ringState(many, peerId(100), { ring: { term: 3, messages: 700, seats: [] } }),
    );
    expect(picture.size).toBe(300);
    expect(picture.peers.map(({ place, id }) => [place, id])).toEqual([
      [0, peerId(100)],
      [1, peerId(101)],
      [200, peerId(300)],
      [299, peerId(99)],
    ]);
  });

  test('once each, also where the leader was counted elsewhere', () => {
    // One between the leader and this peer has just gone.
    const ring = ringState(FIVE, peerId(4), { ring: null, predecessor: peerId(5) });
    expect(order(ring)).toBe('4 1 . . 5');
    const two = { ring: null, successor: peerId(5), predecessor: peerId(5) };
    expect(order(ringState(FIVE, peerId(4), two))).toBe('4 5');
  });

  test('before it has a place: itself', () => {
    const none = { successor: null, predecessor: null, ring: null, leader: null, size: null };
    expect(order(ringState(FIVE, peerId(4), none))).toBe('4');
  });
});
