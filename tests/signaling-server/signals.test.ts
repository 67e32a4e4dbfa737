/** Passing signals on: to a neighbour, with the true sender, and to no other peer. */
import { describe, expect, test } from 'vitest';
import { opposite, type Edge } from '../../shared/protocol/signaling.ts';
import { linkId, peerId, roomName } from '../support.ts';
import {
  ask,
  connect,
  find,
  joinRequest,
  member,
  peer,
  ringOf,
  startTestServer,
  type TestPeer,
} from './test-server.ts';

const EDGES: readonly Edge[] = ['successor', 'predecessor'];

/** How many signals each has received, once all that was sent has arrived. */
async function heard(peers: readonly TestPeer[]): Promise<readonly number[]> {
  await Promise.all(peers.map((each) => each.settle()));
  return peers.map(({ signals }) => signals.length);
}

describe('a signal', () => {
  test.each(EDGES)(
    'to the %s reaches it alone, with the sender put in by the server',
    async (edge) => {
      const server = await startTestServer();
      const ring = await ringOf(server, 4);
      const sender = find(ring, joinRequest(2).id);
      const neighbour = find(ring, sender.view[edge].id);
      const others = ring.filter((each) => each !== neighbour);
      const before = await heard(others);

      expect(await sender.signal(neighbour.id, edge, 'between us')).toEqual({ ok: true });
      expect(await heard(others)).toEqual(before);
      await neighbour.settle();
      expect(neighbour.signals.at(-1)).toEqual({
        from: sender.id,
        edge: opposite(edge),
        link: 7,
        signals: [{ type: 'answer', sdp: 'between us' }],
      });
    },
  );

  test('that names a sender itself is refused as malformed and reaches nobody', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 2);
    const before = await heard(ring);
    const socket = await connect(server);
    expect(await ask(socket, 'join', joinRequest(3))).toMatchObject({ ok: true });
    const joined = await heard(ring);

    const request = {
      from: ring[1]?.id,
      to: ring[0]?.id,
      edge: 'successor',
      link: 7,
      signals: [{ type: 'answer', sdp: '' }],
    };
    expect(await ask(socket, 'signal', request)).toMatchObject({ ok: false, code: 'malformed' });
    expect(await heard(ring)).toEqual(joined);
    expect(joined).not.toEqual(before);
  });

  test('to a peer of the same ring that is no neighbour is refused and reaches nobody', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 5);
    const sender = find(ring, joinRequest(5).id);
    const { successor, predecessor } = sender.view;
    const strangers = ring.filter(
      ({ id }) => ![sender.id, successor.id, predecessor.id].includes(id),
    );
    expect(strangers).toHaveLength(2);
    const before = await heard(ring);

    for (const stranger of strangers)
      for (const edge of EDGES)
        expect(await sender.signal(stranger.id, edge)).toMatchObject({
          ok: false,
          code: 'not-a-neighbour',
        });
    expect(await heard(ring)).toEqual(before);
    expect(server.warnings()).toEqual([]);
  });

  test('on the wrong edge, to itself, to nobody or to another room is refused and reaches nobody', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 3);
    const stranger = await member(server, 4, { room: roomName('other') });
    const sender = find(ring, joinRequest(3).id);
    const everyone = [...ring, stranger];
    const before = await heard(everyone);

    const refused = { ok: false, code: 'not-a-neighbour' };
    expect(await sender.signal(sender.view.successor.id, 'predecessor')).toMatchObject(refused);
    expect(await sender.signal(sender.id, 'successor')).toMatchObject(refused);
    expect(await sender.signal(peerId(99), 'successor')).toMatchObject(refused);
    expect(await sender.signal(stranger.id, 'successor')).toMatchObject(refused);
    expect(await heard(everyone)).toEqual(before);
  });

  test('between peers that a third came between passes: a relayed link may be in use yet', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 3);
    const newcomer = await member(server, 4);
    const before = find(ring, newcomer.view.predecessor.id);
    const after = find(ring, newcomer.view.successor.id);

    expect(await before.signal(after.id, 'successor')).toEqual({ ok: true });
    expect(await after.signal(before.id, 'predecessor')).toEqual({ ok: true });
    expect(await before.signal(newcomer.id, 'successor')).toEqual({ ok: true });
    await after.leave();
    expect(await before.signal(after.id, 'successor')).toMatchObject({ code: 'not-a-neighbour' });
  });

  test('to or from a peer that has left is refused', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 3);
    const gone = find(ring, joinRequest(2).id);
    const neighbour = find(ring, gone.view.successor.id);
    await gone.leave();
    await neighbour.settle();
    const before = neighbour.signals.length;

    expect(await neighbour.signal(gone.id, 'predecessor')).toMatchObject({
      code: 'not-a-neighbour',
    });
    expect(await gone.signal(neighbour.id, 'successor')).toMatchObject({ code: 'not-joined' });
    await neighbour.settle();
    expect(neighbour.signals).toHaveLength(before);
  });

  test('from a connection that has not joined is refused and reaches nobody', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 2);
    const before = await heard(ring);
    const stranger = await peer(server, 3);
    expect(await stranger.signal(joinRequest(1).id, 'successor')).toMatchObject({
      ok: false,
      code: 'not-joined',
    });
    expect(await heard(ring)).toEqual(before);
  });

  test('with as many candidates as are allowed passes whole', async () => {
    const server = await startTestServer();
    const [first] = await ringOf(server, 1);
    const socket = await connect(server);
    await ask(socket, 'join', joinRequest(2));
    const signals = Array.from({ length: 64 }, (_, at) => ({
      type: 'candidate',
      candidate: { candidate: `candidate:${at}`, sdpMLineIndex: null, sdpMid: 'é' },
    }));
    const request = { to: first?.id, edge: 'predecessor', link: linkId(9), signals };
    expect(await ask(socket, 'signal', request)).toEqual({ ok: true });
    await first?.settle();
    expect(first?.signals.at(-1)).toEqual({
      from: joinRequest(2).id,
      edge: 'successor',
      link: 9,
      signals,
    });
  });
});
