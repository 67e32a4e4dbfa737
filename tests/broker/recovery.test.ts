/** A ring put together again from what its members remember: any losses, any order, any lies. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { join, readmit, recover, settle, startRecovery } from '../../shared/broker/places.ts';
import { joinFragments, type Recollection } from '../../shared/broker/ring-fragments.ts';
import { areNeighbours, isPresent, isWhole, newRoom, peersOf } from '../../shared/broker/room.ts';
import { viewFor } from '../../shared/broker/views.ts';
import { defined, peerId } from '../support.ts';
import { moment, newcomer, viewsIn } from './newcomers.ts';

// Many cases, and nothing in them waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const nobody = () => false;

/** What the member at a place of a true ring says. */
function recollectionAt(ring: readonly PeerId[], at: number, era = 1): Recollection {
  return {
    id: defined(ring[at]),
    place: {
      successor: defined(ring[(at + 1) % ring.length]),
      predecessor: defined(ring.at(at - 1)),
    },
    era,
    version: 7,
    removed: [],
  };
}

/** Successors by peer, of a ring in order. */
function edgesOf(order: readonly PeerId[]): Map<PeerId, PeerId> {
  return new Map(order.map((id, at) => [id, defined(order[(at + 1) % order.length])]));
}

/** A ring of peers in any order of ids, and some of its places in any order. */
const survivors = fc.uniqueArray(fc.nat(9_999), { minLength: 1, maxLength: 24 }).chain((numbers) =>
  fc.record({
    ring: fc.constant(numbers.map((number) => peerId(number))),
    back: fc.shuffledSubarray(
      numbers.map((_, at) => at),
      { minLength: 1 },
    ),
  }),
);

describe('members of a true ring, some lost, the others back in any order,', () => {
  test('are one ring again with those they named, and every edge that two agree on is kept', () => {
    fc.assert(
      fc.property(survivors, ({ ring, back }) => {
        const { order, gone } = joinFragments(
          back.map((at) => recollectionAt(ring, at)),
          nobody,
        );
        const named = back.flatMap((at) => {
          const { id, place } = recollectionAt(ring, at);
          return [id, place.successor, place.predecessor];
        });
        expect(new Set(order)).toEqual(new Set(named));
        expect(order).toHaveLength(new Set(named).size);
        expect(gone).toEqual([]);
        const before = edgesOf(ring);
        const after = edgesOf(order);
        for (const at of back) {
          const id = defined(ring[at]);
          // Where nobody else says otherwise, what one says of its edges is right, too.
          expect(after.get(id)).toBe(before.get(id));
          const predecessor = defined(ring.at(at - 1));
          expect(after.get(predecessor)).toBe(id);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('and a peer that all presume departed stays out, also where an old neighbour still names it', () => {
    fc.assert(
      fc.property(survivors, fc.nat(), ({ ring, back }, number) => {
        fc.pre(ring.length > 3 && back.length === ring.length);
        const lost = number % ring.length;
        const dead = defined(ring[lost]);
        const rest = ring.filter((id) => id !== dead);
        // One neighbour was told of the departure by a later view; the other never was.
        const told = (lost + 1) % ring.length;
        const recollections = back
          .filter((at) => at !== lost)
          .map((at) =>
            at === told
              ? {
                  ...recollectionAt(rest, rest.indexOf(defined(ring[at]))),
                  version: 8,
                  removed: [dead],
                }
              : recollectionAt(ring, at),
          );
        const { order, gone } = joinFragments(recollections, nobody);
        expect(gone).toEqual([dead]);
        expect(edgesOf(order)).toEqual(edgesOf(rest));
      }),
      { numRuns: 500 },
    );
  });

  test('and a peer that its neighbours presume departed is gone, though no later view has told them so', () => {
    fc.assert(
      fc.property(survivors, fc.nat(), ({ ring, back }, number) => {
        const dead = defined(ring[number % ring.length]);
        const recollections = back
          .filter((at) => ring[at] !== dead)
          .map((at) => recollectionAt(ring, at))
          .map((recollection) =>
            Object.values(recollection.place).includes(dead)
              ? { ...recollection, removed: [dead] }
              : recollection,
          );
        const knows = recollections.some(({ removed }) => removed.length > 0);
        const { order, gone } = joinFragments(recollections, nobody);
        expect(gone).toEqual(knows ? [dead] : []);
        expect(order).not.toContain(dead);
      }),
      { numRuns: 500 },
    );
  });

  test('and a peer that is there is removed on the word of its neighbours only (L14h)', () => {
    const ring = [1, 2, 3, 4, 5].map((number) => peerId(number));
    const [one, two, three, four] = [0, 1, 2, 3].map((at) => recollectionAt(ring, at));
    const liar = { ...defined(four), removed: [peerId(2)] };
    // Its other neighbour has not come back: nobody else names it on that side.
    expect(joinFragments([defined(two), defined(three), liar], nobody).gone).toEqual([]);
    const neighbour = { ...defined(one), place: { ...defined(one).place, successor: peerId(3) } };
    const told = { ...neighbour, version: 8, removed: [peerId(2)] };
    expect(joinFragments([defined(two), told], nobody).gone).toEqual([peerId(2)]);
  });

  test('and a peer that one presumes departed stays where others name it on both sides (L14h)', () => {
    const [a, b, c, d] = [peerId(1), peerId(2), peerId(3), peerId(4)];
    const { order, gone } = joinFragments(
      [
        { id: a, place: { successor: b, predecessor: d }, era: 1, version: 3, removed: [] },
        { id: c, place: { successor: d, predecessor: b }, era: 1, version: 3, removed: [] },
        { id: d, place: { successor: a, predecessor: c }, era: 1, version: 3, removed: [b] },
      ],
      nobody,
    );
    expect(gone).toEqual([]);
    expect(edgesOf(order)).toEqual(edgesOf([a, b, c, d]));
  });

  test.each([
    [1, 9, 1, 3, 3],
    [1, 3, 1, 9, 2],
    [2, 3, 1, 9, 3],
  ])(
    'and of two that disagree, in era %i view %i and in era %i view %i, the later one is right (L14e)',
    (oneEra, one, otherEra, other, next) => {
      const [a, b, c, d] = [peerId(1), peerId(2), peerId(3), peerId(4)];
      const recollections = [
        { id: a, place: { successor: c, predecessor: d }, era: oneEra, version: one, removed: [] },
        {
          id: b,
          place: { successor: d, predecessor: a },
          era: otherEra,
          version: other,
          removed: [],
        },
      ];
      for (const said of [recollections, recollections.toReversed()])
        expect(edgesOf(joinFragments(said, nobody).order).get(a)).toBe(peerId(next));
    },
  );

  test('L14 and an edge that both ends name stays, whatever a later view says of one end (L14e)', () => {
    const [a, b, c, d] = [peerId(1), peerId(2), peerId(3), peerId(4)];
    const recollections = [
      { id: a, place: { successor: b, predecessor: d }, era: 1, version: 3, removed: [] },
      { id: b, place: { successor: d, predecessor: a }, era: 1, version: 3, removed: [] },
      { id: c, place: { successor: b, predecessor: d }, era: 1, version: 9, removed: [] },
    ];
    for (const said of [recollections, recollections.toReversed()])
      expect(edgesOf(joinFragments(said, nobody).order).get(a)).toBe(b);
  });
});

/** Reports that anybody may send: few ids, so that they contradict each other. */
const lies = fc.array(
  fc.record({
    id: fc.nat(7).map((number) => peerId(number)),
    place: fc.record({
      successor: fc.nat(9).map((number) => peerId(number)),
      predecessor: fc.nat(9).map((number) => peerId(number)),
    }),
    era: fc.integer({ min: 1, max: 3 }),
    version: fc.integer({ min: 1, max: 4 }),
    removed: fc.array(
      fc.nat(9).map((number) => peerId(number)),
      { maxLength: 4 },
    ),
  }),
  { maxLength: 12 },
);

describe('whatever is said,', () => {
  test('no peer has two places or is both in and gone, and each that comes is one or the other', () => {
    fc.assert(
      fc.property(lies, fc.nat(9), (recollections, left) => {
        const hasLeft = (id: PeerId) => id === peerId(left);
        const { order, gone } = joinFragments(recollections, hasLeft);
        expect(new Set(order).size).toBe(order.length);
        expect(new Set(gone).size).toBe(gone.length);
        expect(order.filter((id) => gone.includes(id) || hasLeft(id))).toEqual([]);
        for (const { id } of recollections)
          if (!hasLeft(id)) expect(order.includes(id) !== gone.includes(id)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  test('each of those that come can name two others, and no more', () => {
    fc.assert(
      fc.property(lies, (recollections) => {
        const ids = new Set(recollections.map(({ id }) => id));
        expect(joinFragments(recollections, nobody).order.length).toBeLessThanOrEqual(
          ids.size + 2 * recollections.length,
        );
      }),
    );
  });

  test('the room that recovers is one ring, told to all of it, within its limit', () => {
    fc.assert(
      fc.property(lies, fc.nat(12), (recollections, free) => {
        const room = newRoom('monday');
        startRecovery(room);
        const back = new Map(recollections.map((recollection) => [recollection.id, recollection]));
        for (const recollection of back.values())
          expect(readmit(room, recollection, moment())).toEqual([]);
        const { notices, absent, gone } = recover(room, free, moment());
        expect(new Set(peersOf(room)).size).toBe(room.ring.length);
        expect(absent.length).toBeLessThanOrEqual(free);
        expect(new Set(peersOf(room))).toEqual(
          new Set([...[...back.keys()].filter((id) => !gone.includes(id)), ...absent]),
        );
        const views = viewsIn(notices);
        for (const [at, id] of peersOf(room).entries()) {
          const successor = defined(peersOf(room)[(at + 1) % room.ring.length]);
          const said = back.get(id)?.place;
          // Who is not told was right about its neighbours.
          expect(views.get(id)?.successor.id ?? said?.successor).toBe(successor);
          expect(areNeighbours(room, id, successor)).toBe(id !== successor);
          expect(isPresent(room, id)).toBe(!absent.includes(id));
        }
        expect(room.recollections).toBeNull();
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a room that recovers', () => {
  test('tells nobody of anything before its end, and then only those concerned', () => {
    const ring = [1, 2, 3, 4, 5].map((number) => peerId(number));
    const room = newRoom('monday');
    startRecovery(room);
    for (const at of [3, 0, 4, 1, 2])
      expect(readmit(room, recollectionAt(ring, at), moment())).toEqual([]);
    expect(isWhole(room)).toBe(true);
    const { notices, absent, gone } = recover(room, 100, moment());
    expect([notices, absent, gone]).toEqual([[], [], []]);
    expect(edgesOf(peersOf(room))).toEqual(edgesOf(ring));
  });

  test('keeps a place for a peer that its neighbours name, and asks them about it', () => {
    const ring = [1, 2, 3, 4].map((number) => peerId(number));
    const room = newRoom('monday');
    startRecovery(room);
    for (const at of [0, 1, 3]) readmit(room, recollectionAt(ring, at), moment());
    expect(isWhole(room)).toBe(false);
    const { notices, absent } = recover(room, 100, moment());
    expect(absent).toEqual([peerId(3)]);
    expect(edgesOf(peersOf(room))).toEqual(edgesOf(ring));
    const told = notices.filter(({ to }) => to !== peerId(3));
    expect(told.map(({ type }) => type)).toEqual(['check', 'check']);
    expect(isPresent(room, peerId(3))).toBe(false);
  });

  test('removes those it admitted before, and begins an era after theirs', () => {
    const ring = [1, 2, 3].map((number) => peerId(number));
    const room = newRoom('monday');
    join(room, [newcomer(9)], moment());
    const first = settle(room, peerId(9));
    expect(startRecovery(room)).toEqual([peerId(9)]);
    for (const at of [2, 0, 1]) readmit(room, recollectionAt(ring, at), moment());
    recover(room, 100, moment());
    expect(edgesOf(peersOf(room))).toEqual(edgesOf(ring));
    expect(settle(room, peerId(1))).toBeGreaterThan(first);
    expect(defined(viewFor(room, peerId(1))).era).toBe(room.era);
  });

  test('R9c is one of newcomers, and in an era after theirs once one has settled', () => {
    const ring = [1, 2, 3].map((number) => peerId(number));
    const room = newRoom('monday');
    startRecovery(room);
    for (const [at, id] of ring.entries()) {
      readmit(room, recollectionAt(ring, at, 1e12), moment());
      expect(defined(viewFor(room, id)).era).toBeNull();
    }
    expect(recover(room, 100, moment()).notices).toEqual([]);
    const [era, ...others] = ring.map((id) => settle(room, id));
    expect(era).toBeGreaterThan(1e12);
    expect(others).toEqual([era, era]);
    expect(ring.map((id) => defined(viewFor(room, id)).era)).toEqual([era, era, era]);
  });

  test('goes on in an era after that of a clock that was ahead, whenever it is brought (R9h)', () => {
    const ring = [1, 2, 3].map((number) => peerId(number));
    const ahead = 1e12;
    const room = newRoom('monday');
    startRecovery(room);
    readmit(room, recollectionAt(ring, 0), moment());
    readmit(room, recollectionAt(ring, 1, ahead), moment());
    recover(room, 0, moment());
    const [era] = [settle(room, peerId(1)), settle(room, peerId(2))];
    expect(era).toBeGreaterThan(ahead);
    const later = viewsIn(readmit(room, recollectionAt(ring, 2, era), moment()));
    expect([...later.values()].map((view) => view.era)).toEqual([era + 1, era + 1]);
    expect(settle(room, peerId(3))).toBe(era + 1);
  });

  test('gives a late peer its place between its old neighbours', () => {
    const ring = [1, 2, 3, 4].map((number) => peerId(number));
    for (const missing of [0, 1, 2, 3]) {
      const room = newRoom('monday');
      startRecovery(room);
      for (const at of [0, 1, 2, 3])
        if (at !== missing) readmit(room, recollectionAt(ring, at), moment());
      // No place was kept for it: the room was full.
      recover(room, 0, moment());
      expect(room.ring.length).toBe(3);
      readmit(room, recollectionAt(ring, missing), moment());
      expect(edgesOf(peersOf(room))).toEqual(edgesOf(ring));
    }
  });
});
