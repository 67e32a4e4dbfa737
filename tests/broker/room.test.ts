/** Places in a room: always one ring, told to those whom it concerns, and cheap to grow. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { lose } from '../../shared/broker/absence.ts';
import { join, leave, settle } from '../../shared/broker/places.ts';
import {
  hasLeft,
  newRoom,
  passSignal,
  peersOf,
  type Notice,
  type Room,
  type UnsealedView,
} from '../../shared/broker/room.ts';
import { tellEra, viewFor } from '../../shared/broker/views.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { mostMembers, parseView, type Edge } from '../../shared/protocol/signaling.ts';

import { seededRandom } from '../../shared/simulation/random.ts';
import { defined, linkId, peerId, valueOf } from '../support.ts';
import { moment, newcomer, offerDelivered, offerOf, signalsTo, viewsIn } from './newcomers.ts';

// Many cases, and nothing in them waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const EDGES: readonly Edge[] = ['successor', 'predecessor'];

function roomOf(...numbers: readonly number[]): Room {
  const room = newRoom('monday');
  for (const number of numbers) join(room, [newcomer(number)], moment());
  return room;
}

function neighbours({ successor, predecessor }: UnsealedView): readonly PeerId[] {
  return [successor.id, predecessor.id];
}

/** The predecessor and the successor of a peer. */
function around(room: Room, id: PeerId): readonly [PeerId, PeerId] {
  const peers = peersOf(room);
  const at = peers.indexOf(id);
  return [defined(peers.at(at - 1)), defined(peers[(at + 1) % peers.length])];
}

describe('joining one after another', () => {
  test('the first peer is its own successor and predecessor', () => {
    const deliveries = join(newRoom('monday'), [newcomer(1)], moment());
    expect(deliveries).toEqual([
      {
        to: peerId(1),
        type: 'view',
        view: {
          incarnation: 'monday',
          era: null,
          version: 1,
          size: 1,
          successor: { id: peerId(1), link: null },
          predecessor: { id: peerId(1), link: null },
          removed: [],
        },
      },
    ]);
  });

  test('the second peer has the first on both sides and offers both links', () => {
    const deliveries = join(roomOf(1), [newcomer(2)], moment());
    const links = {
      successor: offerOf(2, 'successor').link,
      predecessor: offerOf(2, 'predecessor').link,
    };
    const views = viewsIn(deliveries);
    expect(views.get(peerId(1))).toMatchObject({
      successor: { id: peerId(2), link: links.predecessor },
      predecessor: { id: peerId(2), link: links.successor },
    });
    expect(views.get(peerId(2))).toMatchObject({
      successor: { id: peerId(1), link: links.successor },
      predecessor: { id: peerId(1), link: links.predecessor },
    });
    expect(signalsTo(deliveries, peerId(1))).toEqual([
      offerDelivered(2, 'predecessor'),
      offerDelivered(2, 'successor'),
    ]);
    expect(signalsTo(deliveries, peerId(2))).toEqual([]);
  });

  test('a newcomer between two peers offers one link to each, and nobody else hears of it', () => {
    const room = roomOf(1, 2, 3, 4);
    const deliveries = join(room, [newcomer(5)], moment());
    const [before, after] = around(room, peerId(5));
    const views = viewsIn(deliveries);
    expect([...views.keys()].toSorted()).toEqual([before, after, peerId(5)].toSorted());
    expect(views.get(before)?.successor).toEqual({
      id: peerId(5),
      link: offerOf(5, 'predecessor').link,
    });
    expect(views.get(before)?.predecessor.link).toBeNull();
    expect(views.get(after)?.predecessor).toEqual({
      id: peerId(5),
      link: offerOf(5, 'successor').link,
    });
    expect(views.get(after)?.successor.link).toBeNull();
    expect(signalsTo(deliveries, before)).toEqual([offerDelivered(5, 'predecessor')]);
    expect(signalsTo(deliveries, after)).toEqual([offerDelivered(5, 'successor')]);
  });

  test('the view of a peer comes before the offers that it announces', () => {
    const deliveries = join(roomOf(1, 2, 3), [newcomer(4), newcomer(5)], moment());
    const informed = new Set<PeerId>();
    for (const { to, type } of deliveries)
      if (type === 'view') informed.add(to);
      else expect(informed).toContain(to);
    expect(informed.size).toBeGreaterThan(2);
  });

  test('of 1,000 joins, no peer takes part in more than 2·log₂(1000)+4 links', () => {
    const room = newRoom('monday');
    const links = new Map<PeerId, number>();
    const held = new Map<PeerId, UnsealedView>();
    for (let number = 0; number < 1_000; number += 1)
      for (const [id, view] of viewsIn(join(room, [newcomer(number)], moment()))) {
        const before = held.get(id);
        const made = EDGES.filter(
          (edge) => view[edge].id !== id && view[edge].id !== before?.[edge].id,
        );
        links.set(id, (links.get(id) ?? 0) + made.length);
        held.set(id, view);
      }
    expect(links.size).toBe(1_000);
    const most = Math.max(...links.values());
    const total = [...links.values()].reduce((sum, count) => sum + count, 0);
    // Each join but the first two makes two links, of two ends each; the second join as well.
    expect(total).toBe(999 * 4);
    expect(most).toBeLessThanOrEqual(2 * Math.log2(1_000) + 4);
  });
});

describe('joining together', () => {
  /** For each edge of the ring: what both ends were told of its link, and who was sent the offer. */
  function expectOneLinkPerNewEdge(room: Room, deliveries: readonly Notice[]): void {
    const views = viewsIn(deliveries);
    const offered = new Map<number, PeerId[]>();
    for (const delivery of deliveries)
      if (delivery.type === 'signal')
        offered.set(delivery.signal.link, [
          ...(offered.get(delivery.signal.link) ?? []),
          delivery.to,
        ]);
    const chosen: number[] = [];
    for (const [at, id] of peersOf(room).entries()) {
      const successor = defined(peersOf(room)[(at + 1) % room.ring.length]);
      const link = views.get(id)?.successor.link ?? null;
      expect(views.get(successor)?.predecessor.link ?? null).toBe(link);
      if (link === null) continue;
      chosen.push(link);
      // Only the end that did not make the offer is sent it.
      const number = Math.floor((link - 1) / 2);
      const maker = peerId(number);
      expect([id, successor]).toContain(maker);
      expect(offered.get(link)).toEqual([maker === id ? successor : id]);
    }
    expect(new Set(chosen).size).toBe(chosen.length);
    expect([...offered.keys()].toSorted()).toEqual(chosen.toSorted());
  }

  test('two newcomers to an empty room use each its offer to its successor (L2e)', () => {
    const room = newRoom('monday');
    const deliveries = join(room, [newcomer(1), newcomer(2)], moment());
    expectOneLinkPerNewEdge(room, deliveries);
    const views = viewsIn(deliveries);
    for (const number of [1, 2])
      expect(views.get(peerId(number))?.successor.link).toBe(offerOf(number, 'successor').link);
  });

  test('exactly one link is chosen for each edge, however many newcomers are neighbours (L2e)', () => {
    fc.assert(
      fc.property(fc.nat(6), fc.integer({ min: 1, max: 12 }), (present, arriving) => {
        const room = roomOf(...Array.from({ length: present }, (_, at) => at));
        const newcomers = Array.from({ length: arriving }, (_, at) => newcomer(100 + at));
        const deliveries = join(room, newcomers, moment());
        expectOneLinkPerNewEdge(room, deliveries);
        const views = viewsIn(deliveries);
        if (room.ring.length > 1)
          for (const { id } of newcomers) {
            expect(views.get(id)?.successor.link).not.toBeNull();
            expect(views.get(id)?.predecessor.link).not.toBeNull();
          }
      }),
    );
  });

  test('a burst splits one edge, so that two members make a link for it and not two for each (L2c)', () => {
    const room = roomOf(1, 2, 3, 4);
    const before = peersOf(room);
    const views = viewsIn(
      join(
        room,
        [5, 6, 7, 8].map((number) => newcomer(number)),
        moment(),
      ),
    );
    const told = [...views.keys()].filter((id) => before.includes(id));
    expect(told).toHaveLength(2);
    expect(peersOf(room).filter((id) => before.includes(id))).toEqual(before);
  });

  test('a burst is one change of the view', () => {
    const room = roomOf(1, 2);
    const views = viewsIn(join(room, [newcomer(3), newcomer(4), newcomer(5)], moment()));
    expect([...views.values()].map(({ version }) => version)).toEqual([3, 3, 3, 3, 3]);
  });
});

describe('leaving', () => {
  test('those on both sides become neighbours and are told who is gone', () => {
    const room = roomOf(1, 2, 3, 4);
    const [first, second, third, fourth] = peersOf(room).map((id) => id);
    const views = viewsIn(leave(room, defined(second), true));
    expect(peersOf(room)).toEqual([first, third, fourth]);
    expect([...views.keys()]).toEqual([first, third]);
    for (const view of views.values()) expect(view.removed).toEqual([second]);
    expect(views.get(defined(first))?.successor).toEqual({ id: third, link: null });
    expect(views.get(defined(third))?.predecessor).toEqual({ id: first, link: null });
  });

  test('R9 a departure is told to the two whose neighbour it was, also in a room of newcomers', () => {
    const room = newRoom('monday');
    join(
      room,
      [1, 2, 3, 4, 5, 6].map((number) => newcomer(number)),
      moment(),
    );
    const [, , third, fourth, fifth] = peersOf(room);
    expect([...viewsIn(leave(room, defined(fourth), true)).keys()]).toEqual([third, fifth]);
  });

  test('R9e one without a connection, with neighbours that it does not know, ends the era', () => {
    const room = roomOf(1, 2, 3, 4, 5);
    const [first, second, third] = peersOf(room).map((id) => id);
    for (const id of peersOf(room)) settle(room, id);
    const { era } = room;
    lose(room, defined(second), moment());
    leave(room, defined(third), true);
    expect(room.era).toBe(era);
    const told = viewsIn([...leave(room, defined(second), false), ...tellEra(room)]);
    expect(room.era).toBeGreaterThan(era);
    expect([...told.values()].map((view) => view.era)).toEqual(peersOf(room).map(() => room.era));
    // The rest knows in which terms one may have been elected whose neighbours it knew.
    const later = room.era;
    lose(room, defined(first), moment());
    leave(room, defined(first), false);
    expect(room.era).toBe(later);
  });

  test('the edge that closes the gap is the newest, so that the next newcomer splits another', () => {
    const room = roomOf(1, 2, 3, 4);
    const splitNext = roomOf(1, 2, 3, 4);
    join(splitNext, [newcomer(5)], moment());
    const before = defined(peersOf(splitNext).at(peersOf(splitNext).indexOf(peerId(5)) - 1));
    leave(room, defined(peersOf(room)[(peersOf(room).indexOf(before) + 1) % 4]), true);
    join(room, [newcomer(5)], moment());
    expect(peersOf(room).at(peersOf(room).indexOf(peerId(5)) - 1)).not.toBe(before);
  });

  test('a stranger changes nothing', () => {
    const room = roomOf(1, 2, 3);
    const before = peersOf(room);
    expect(leave(room, peerId(9), true)).toEqual([]);
    expect(peersOf(room)).toEqual(before);
    expect(viewFor(room, peerId(1))?.version).toBe(3);
  });

  test('the last peer but one is left alone with itself', () => {
    const room = roomOf(1, 2);
    expect(viewsIn(leave(room, peerId(1), true)).get(peerId(2))).toMatchObject({
      successor: { id: peerId(2), link: null },
      predecessor: { id: peerId(2), link: null },
      removed: [peerId(1)],
    });
  });

  test('an id that has left is known as such, one that has not is not', () => {
    const room = roomOf(1, 2);
    leave(room, peerId(1), true);
    expect(hasLeft(room, peerId(1))).toBe(true);
    expect(hasLeft(room, peerId(2))).toBe(false);
    expect(hasLeft(room, peerId(3))).toBe(false);
  });
});

describe('asking for a view again', () => {
  test('it names all that have gone since the last one told, and no link', () => {
    const room = roomOf(1, 2, 3, 4, 5, 6);
    const ring = peersOf(room);
    const asking = defined(ring[0]);
    const far = defined(ring[3]);
    leave(room, far, true);
    const view = defined(viewFor(room, asking));
    expect(view.version).toBe(7);
    expect(view.removed).toEqual([far]);
    expect([view.successor.link, view.predecessor.link]).toEqual([null, null]);
    expect(neighbours(view)).toEqual([ring[1], ring[5]]);
  });

  test('a stranger has none', () => {
    expect(viewFor(roomOf(1), peerId(2))).toBeUndefined();
  });
});

describe('brokering', () => {
  const signals = [{ type: 'answer' as const, sdp: 'v=0' }];

  test('goes to a neighbour only, on the edge where it is one', () => {
    const room = newRoom('monday');
    join(
      room,
      [1, 2, 3, 4].map((number) => newcomer(number)),
      moment(),
    );
    const peers = peersOf(room);
    for (const [at, from] of peers.entries())
      for (const to of [...peers, peerId(9)])
        for (const edge of EDGES) {
          const isThere = peers.at((at + (edge === 'successor' ? 1 : -1)) % 4) === to;
          expect(passSignal(room, from, { to, edge, link: linkId(7), signals })).toEqual(
            isThere
              ? {
                  to,
                  type: 'signal',
                  signal: {
                    from,
                    edge: edge === 'successor' ? 'predecessor' : 'successor',
                    link: 7,
                    signals,
                  },
                }
              : null,
          );
        }
  });

  test('ends with being neighbours (L10d)', () => {
    const room = roomOf(1, 2, 3);
    const [first, second, third] = peersOf(room).map((id) => id);
    const request = { to: defined(second), edge: 'successor' as const, link: linkId(7), signals };
    expect(passSignal(room, defined(first), request)).not.toBeNull();
    leave(room, defined(second), true);
    expect(passSignal(room, defined(first), request)).toBeNull();
    expect(passSignal(room, defined(second), { ...request, to: defined(third) })).toBeNull();
    expect(passSignal(room, defined(first), { ...request, to: defined(third) })).not.toBeNull();
  });

  test('a peer alone sends nothing to itself, and a stranger nothing to anybody', () => {
    const request = { to: peerId(1), edge: 'successor' as const, link: linkId(7), signals };
    expect(passSignal(roomOf(1), peerId(1), request)).toBeNull();
    expect(passSignal(roomOf(1), peerId(2), request)).toBeNull();
  });
});

describe('under any joins and leaves', () => {
  /** What all members have been told, and the departures each is still to hear of. */
  class Witness {
    readonly room = newRoom('monday');
    readonly #views = new Map<PeerId, UnsealedView>();
    readonly #untold = new Map<PeerId, Set<PeerId>>();
    #version = 0;
    #named = 0;

    join(count: number): void {
      const newcomers = Array.from({ length: count }, () => {
        this.#named += 1;
        return newcomer(this.#named);
      });
      const before = this.#places();
      const deliveries = join(this.room, newcomers, moment());
      for (const { id } of newcomers) this.#untold.set(id, new Set());
      this.#check(before, deliveries);
    }

    leave(id: PeerId): void {
      const before = this.#places();
      const deliveries = leave(this.room, id, true);
      before.delete(id);
      this.#views.delete(id);
      this.#untold.delete(id);
      for (const untold of this.#untold.values()) untold.add(id);
      this.#check(before, deliveries);
    }

    #places(): Map<PeerId, string> {
      const peers = peersOf(this.room);
      return new Map(
        peers.map((id, at) => [id, `${peers[(at + 1) % peers.length]} ${peers.at(at - 1)}`]),
      );
    }

    #check(before: ReadonlyMap<PeerId, string>, deliveries: readonly Notice[]): void {
      this.#version += 1;
      const views = viewsIn(deliveries);
      const changed = [...this.#places()].filter(([id, place]) => before.get(id) !== place);
      const told = changed.map(([id]) => id);
      // After them, those of whom the room has outgrown the size that they were told.
      for (const id of peersOf(this.room)) {
        const known = this.#views.get(id)?.size ?? Infinity;
        if (!told.includes(id) && mostMembers(known) < this.room.ring.length) told.push(id);
      }
      expect([...views.keys()]).toEqual(told);
      for (const [id, view] of views) {
        expect(valueOf(parseView({ ...view, ticket: '' }))).toMatchObject(view);
        expect(view.version).toBe(this.#version);
        expect(new Set(view.removed)).toEqual(this.#untold.get(id));
        this.#untold.get(id)?.clear();
        this.#views.set(id, view);
      }
      this.#expectOneCycle();
    }

    /** Walks along the successors that the members themselves were told last. */
    #expectOneCycle(): void {
      const walked: PeerId[] = [];
      let at = peersOf(this.room)[0];
      while (at !== undefined && !walked.includes(at)) {
        walked.push(at);
        const next: PeerId = defined(this.#views.get(at)).successor.id;
        expect(defined(this.#views.get(next)).predecessor.id).toBe(at);
        at = next;
      }
      expect(walked).toEqual(peersOf(this.room));
      expect(walked).toHaveLength(this.#views.size);
    }
  }

  test('members are one ring, those whose neighbours or room change are told, and of all who have gone', () => {
    fc.assert(
      fc.property(fc.noShrink(fc.integer()), (seed) => {
        const random = seededRandom(seed);
        const witness = new Witness();
        for (let change = 0; change < 30; change += 1) {
          const peers = peersOf(witness.room);
          const leaving = peers[Math.floor(random() * peers.length)];
          if (leaving !== undefined && random() < 0.5) witness.leave(leaving);
          else witness.join(1 + Math.floor(random() * 3));
        }
      }),
      { numRuns: 60 },
    );
  });
});
