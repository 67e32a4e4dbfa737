/** Joining and leaving: places, views and offers, over real connections. */
import { describe, expect, test, vi } from 'vitest';
import { SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import { roomName } from '../support.ts';
import {
  expectRing,
  find,
  joinRequest,
  member,
  peer,
  ringOf,
  ROOM,
  startTestServer,
  type TestPeer,
} from './test-server.ts';

describe('joining', () => {
  test('the first peer is its own neighbour on both sides', async () => {
    const server = await startTestServer();
    const first = await member(server, 1);

    const self = { id: first.id, link: null };
    expect(first.view).toMatchObject({
      version: 1,
      successor: self,
      predecessor: self,
      removed: [],
    });
    expect(server.signaling.peers(ROOM)).toEqual([first.id]);
  });

  test('the second peer and the first are neighbours on both sides, each edge with an offer of the second', async () => {
    const server = await startTestServer();
    const [first, second] = await Promise.all([ringOf(server, 1), peer(server, 2)]).then(
      ([[one], two]) => [find(one === undefined ? [] : [one], joinRequest(1).id), two] as const,
    );
    await second.join();
    await first.settle();

    expectRing(server, [first, second]);
    const { successor, predecessor } = second.request.offers;
    expect(second.view.successor).toEqual({ id: first.id, link: successor.link });
    expect(second.view.predecessor).toEqual({ id: first.id, link: predecessor.link });
    expect(first.view.successor.link).toBe(predecessor.link);
    expect(first.view.predecessor.link).toBe(successor.link);
    expect(first.signals).toHaveLength(2);
    expect(first.signals).toContainEqual({ from: second.id, edge: 'predecessor', ...successor });
    expect(first.signals).toContainEqual({ from: second.id, edge: 'successor', ...predecessor });
    expect(second.signals).toEqual([]);
  });

  test("a third peer's offers reach its successor and its predecessor, each the one made for it", async () => {
    const server = await startTestServer();
    const pair = await ringOf(server, 2);
    const heard = pair.map(({ signals }) => signals.length);
    const third = await member(server, 3);
    await Promise.all(pair.map((each) => each.settle()));

    expectRing(server, [...pair, third]);
    const { offers } = third.request;
    const successor = find(pair, third.view.successor.id);
    const predecessor = find(pair, third.view.predecessor.id);
    expect(successor).not.toBe(predecessor);
    expect(successor.signals.at(-1)).toEqual({
      from: third.id,
      edge: 'predecessor',
      ...offers.successor,
    });
    expect(predecessor.signals.at(-1)).toEqual({
      from: third.id,
      edge: 'successor',
      ...offers.predecessor,
    });
    expect(pair.map(({ signals }) => signals.length)).toEqual(heard.map((count) => count + 1));
    expect(third.signals).toEqual([]);
  });

  test('forty peers at once form one ring in which both ends of each edge know the same offer', async () => {
    const server = await startTestServer();
    const peers = await Promise.all(Array.from({ length: 40 }, (_, at) => peer(server, at + 1)));
    await Promise.all(peers.map((each) => each.join()));
    await Promise.all(peers.map((each) => each.settle()));

    expectRing(server, peers);
    for (const each of peers) {
      const { id, link } = each.edge('successor');
      const next = find(peers, id);
      expect(link).not.toBeNull();
      expect(next.edge('predecessor')).toEqual({ id: each.id, link });
      const offers = [
        ...next.signals.filter((signal) => signal.link === link && signal.from === each.id),
        ...each.signals.filter((signal) => signal.link === link && signal.from === next.id),
      ];
      expect(offers).toHaveLength(1);
    }
    expect(server.warnings()).toEqual([]);
  });

  test('rooms are separate, also for a peer that is in two of them', async () => {
    const server = await startTestServer();
    const other = roomName('other');
    const here = await ringOf(server, 2);
    const views = here.map((each) => each.views.length);
    const there = await member(server, 1, { room: other });
    await Promise.all(here.map((each) => each.settle()));

    expectRing(server, [there], other);
    expectRing(server, here);
    expect(here.map((each) => each.views.length)).toEqual(views);
    expect(server.signaling.size).toEqual({ rooms: 2, peers: 3 });
  });

  test('a second join over the same connection is refused and changes nothing', async () => {
    const server = await startTestServer();
    const [first] = await ringOf(server, 1);
    expect(await first?.join()).toMatchObject({ ok: false, code: 'already-joined' });
    expect(server.signaling.size).toEqual({ rooms: 1, peers: 1 });
  });

  test('a page of another version is told so', async () => {
    const server = await startTestServer();
    const old = await peer(server, 1);
    Reflect.set(old.request, 'version', SIGNALING_VERSION - 1);
    expect(await old.join()).toMatchObject({ ok: false, code: 'version' });
    expect(server.signaling.size).toEqual({ rooms: 0, peers: 0 });
  });
});

describe('going', () => {
  const ways: readonly [string, (peer: TestPeer) => unknown][] = [
    [
      'leaves',
      async (each) => {
        expect(await each.leave()).toEqual({ ok: true });
      },
    ],
    [
      'is cut off',
      (each) => {
        each.drop();
      },
    ],
  ];

  test.each(ways)(
    'the ring closes over a peer that %s, and its neighbours learn who it was',
    async (_, go) => {
      const server = await startTestServer();
      const ring = await ringOf(server, 4);
      const gone = find(ring, joinRequest(2).id);
      const rest = ring.filter((each) => each !== gone);
      const before = find(rest, gone.view.predecessor.id);
      const after = find(rest, gone.view.successor.id);
      const opposite = rest.filter((each) => each !== before && each !== after);
      const neighbours = () => opposite.map(({ view }) => [view.successor.id, view.predecessor.id]);
      const unchanged = neighbours();

      await go(gone);
      await vi.waitFor(() => {
        expect(before.view.removed).toEqual([gone.id]);
        expect(after.view.removed).toEqual([gone.id]);
      });
      await Promise.all(rest.map((each) => each.settle()));
      expectRing(server, rest);
      expect(before.view.successor).toEqual({ id: after.id, link: null });
      expect(after.view.predecessor).toEqual({ id: before.id, link: null });
      expect(neighbours()).toEqual(unchanged);
      expect(server.warnings()).toEqual([]);
    },
  );

  test('the last of two is alone again', async () => {
    const server = await startTestServer();
    const first = await member(server, 1);
    const second = await member(server, 2);
    await second.leave();
    await first.settle();
    expectRing(server, [first]);
    expect(first.view.removed).toEqual([second.id]);
  });

  test('a room is gone with its last peer', async () => {
    const server = await startTestServer();
    const first = await member(server, 1);
    await first.leave();
    expect(server.signaling.size).toEqual({ rooms: 0, peers: 0 });
  });

  test('a peer that left may come back over the same connection under another id', async () => {
    const server = await startTestServer();
    const first = await member(server, 1);
    const second = await member(server, 2);
    await second.leave();
    Reflect.set(second.request, 'id', joinRequest(3).id);
    expect(await second.join()).toMatchObject({ ok: true });
    expect(server.signaling.peers(ROOM)).toEqual([first.id, joinRequest(3).id]);
  });

  test('to leave without having joined is answered, and nothing happens', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 2);
    const stranger = await peer(server, 3);
    expect(await stranger.leave()).toEqual({ ok: true });
    expectRing(server, ring);
  });
});

describe('an id', () => {
  test('of a live peer is refused to another connection without its secret', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 3);
    const impostor = await peer(server, 2, { secret: 'a guess at the secret' });

    expect(await impostor.join()).toMatchObject({ ok: false, code: 'id-taken' });
    expect(await impostor.resume()).toMatchObject({ ok: false, code: 'place-lost' });
    await Promise.all(ring.map((each) => each.settle()));
    expectRing(server, ring);
    expect(ring.every(({ connected }) => connected)).toBe(true);
  });

  test('moves with its secret to another connection, and the ring stays as it is', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 3);
    const order = server.signaling.peers(ROOM);
    const old = find(ring, joinRequest(2).id);
    const others = ring.filter((each) => each !== old);
    const views = others.map((each) => each.views.length);

    const renewed = await peer(server, 2);
    expect(await renewed.resume()).toMatchObject({ ok: true });
    expect(await old.disconnected).toBe('io server disconnect');
    expect(renewed.view.successor.id).toBe(old.view.successor.id);
    expect(renewed.view.predecessor.id).toBe(old.view.predecessor.id);

    const neighbour = find(others, renewed.view.successor.id);
    expect(await neighbour.signal(renewed.id, 'predecessor', 'to the new one')).toEqual({
      ok: true,
    });
    expect(await renewed.signal(neighbour.id, 'successor')).toEqual({ ok: true });
    await Promise.all([renewed, ...others].map((each) => each.settle()));
    expect(renewed.signals.map(({ from }) => from)).toEqual([neighbour.id]);
    expect(others.map((each) => each.views.length)).toEqual(views);
    expect(server.signaling.peers(ROOM)).toEqual(order);
  });

  test('that has moved goes when its new connection ends', async () => {
    const server = await startTestServer();
    const first = await member(server, 1);
    const old = await member(server, 2);
    const renewed = await peer(server, 2);
    expect(await renewed.resume()).toMatchObject({ ok: true });
    await old.disconnected;
    renewed.drop();
    await vi.waitFor(() => {
      expect(first.view.removed).toEqual([renewed.id]);
    });
    expectRing(server, [first]);
  });

  test('of a peer that is gone is refused, even with its secret', async () => {
    const server = await startTestServer();
    const [first] = await ringOf(server, 2);
    const gone = await member(server, 3);
    await gone.leave();

    const again = await peer(server, 3);
    expect(await again.join()).toMatchObject({ ok: false, code: 'id-taken' });
    await first?.settle();
    expect(server.signaling.size).toEqual({ rooms: 1, peers: 2 });
  });
});

describe('limits', () => {
  test('a full room takes nobody in until somebody has gone', async () => {
    const server = await startTestServer({ peersPerRoom: 2 });
    const ring = await ringOf(server, 2);
    const third = await peer(server, 3);
    expect(await third.join()).toMatchObject({ ok: false, code: 'room-full' });
    expectRing(server, ring);

    await ring[1]?.leave();
    expect(await third.join()).toMatchObject({ ok: true });
    expect(server.signaling.peers(ROOM)).toHaveLength(2);
  });

  test('a burst fills a room up to its limit and no further', async () => {
    const server = await startTestServer({ peersPerRoom: 5 });
    const peers = await Promise.all(Array.from({ length: 8 }, (_, at) => peer(server, at + 1)));
    const replies = await Promise.all(peers.map((each) => each.join()));
    const inside = peers.filter((_, at) => replies[at]?.ok);
    await Promise.all(inside.map((each) => each.settle()));
    expect(inside).toHaveLength(5);
    expectRing(server, inside);
  });

  test('no more rooms than the limit, until one is empty; those that are open stay open', async () => {
    const server = await startTestServer({ rooms: 1 });
    const first = await member(server, 1);
    const elsewhere = await peer(server, 2, { room: roomName('elsewhere') });
    expect(await elsewhere.join()).toMatchObject({ ok: false, code: 'room-full' });
    const second = await member(server, 3);
    await first.leave();
    await second.leave();
    expect(await elsewhere.join()).toMatchObject({ ok: true });
  });
});
