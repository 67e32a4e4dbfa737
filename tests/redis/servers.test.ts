/** Two real servers that share a real Redis, and clients of both. */
import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import * as v from 'valibot';
import { SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import { parseOrder, parseWatchReply, type Trace } from '../../shared/protocol/watch.ts';
import { byRedis } from '../../signaling-server/redis.ts';
import { defined, peerId, valueOf } from '../support.ts';
import {
  ask,
  connect,
  joinRequest,
  peer,
  ROOM,
  startTestServer,
  type TestPeer,
  type TestServer,
} from '../signaling-server/test-server.ts';
import { startRedis, type RedisServer } from './redis-server.ts';

/** Longer than a lease, and what follows its end. */
const LONG = { timeout: 20_000, interval: 50 };

let redis: RedisServer;
let one: TestServer;
let other: TestServer;

const share = () => startTestServer({ share: byRedis(redis.url) });

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.end());
  [one, other] = await Promise.all([share(), share()]);
  await bothReady();
});

async function bothReady(): Promise<void> {
  await vi.waitFor(() => {
    for (const { signaling } of [one, other]) expect(signaling.isReady).toBe(true);
  }, LONG);
}

/** Peers 1 and 2, each at another server. */
async function neighbours(): Promise<[TestPeer, TestPeer]> {
  const [first, second] = [await peer(one, 1), await peer(other, 2)];
  expect(await first.join()).toMatchObject({ ok: true });
  expect(await second.join()).toMatchObject({ ok: true, view: { size: 2 } });
  return [first, second];
}

/** Asks again until the servers can take it. */
async function joined(server: TestServer, number: number): Promise<TestPeer> {
  return vi.waitFor(async () => {
    const fresh = await peer(server, number);
    expect(await fresh.join()).toMatchObject({ ok: true });
    return fresh;
  }, LONG);
}

const HealthSchema = v.object({ instance: v.string(), rooms: v.number(), peers: v.number() });

async function healthOf({ url }: TestServer) {
  return v.parse(HealthSchema, await (await fetch(`${url}/healthz`)).json());
}

describe('a room at one of two servers', () => {
  test('S1a is one ring for peers at both', async () => {
    const [first, second] = await neighbours();
    await vi.waitFor(() => {
      expect([first.edge('successor').id, second.edge('successor').id]).toEqual([
        peerId(2),
        peerId(1),
      ]);
    });
    expect(await first.signal(peerId(2), 'successor', 'to the other server')).toEqual({ ok: true });
    expect(await second.signal(peerId(1), 'successor', 'and back')).toEqual({ ok: true });
    await vi.waitFor(() => {
      expect(first.signals.at(-1)?.signals).toEqual([{ type: 'answer', sdp: 'and back' }]);
    });
  });

  test('carries frames byte for byte', async () => {
    const [first, second] = await neighbours();
    const frame = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(await second.relay(peerId(1), 'predecessor', frame)).toEqual({ ok: true });
    await vi.waitFor(() => {
      const [signal] = defined(first.signals.at(-1)).signals;
      expect(signal?.type === 'frame' && [...signal.frame]).toEqual([...frame]);
    });
  });

  test('is left from the other server, by its connection and over HTTP', async () => {
    const [first, second] = await neighbours();
    const third = await joined(other, 3);
    expect(await second.leave()).toEqual({ ok: true });
    await vi.waitFor(() => {
      expect(first.view.removed).toEqual([peerId(2)]);
    });
    const { room, id, secret } = third.request;
    const leave = (body: object) =>
      fetch(`${other.url}/leave`, { method: 'POST', body: JSON.stringify(body) });
    expect((await leave({ room, id, secret: 'a guess of sixteen' })).status).toBe(403);
    expect((await leave({ room, id, secret })).status).toBe(204);
    await vi.waitFor(() => {
      expect(first.view.size).toBe(1);
    });
  });

  test('is watched from the other server: order, and what members tell', async () => {
    const member = await connect(one);
    expect(await ask(member, 'join', joinRequest(1))).toMatchObject({ ok: true });
    await joined(other, 2);
    const spectator = await connect(other);
    const seen: unknown[] = [];
    spectator.on('traces', (traces: unknown, taken: () => void) => {
      seen.push(traces);
      taken();
    });
    const orders: number[] = [];
    spectator.on('order', (order: unknown, taken: () => void) => {
      orders.push(valueOf(parseOrder(order)).peers.length);
      taken();
    });
    const watched = new Promise((resolve) => member.once('watched', resolve));
    const request = { version: SIGNALING_VERSION, room: ROOM, key: null, host: null };
    const reply = valueOf(parseWatchReply(await spectator.emitWithAck('watch', request)));
    expect(reply).toMatchObject({ ok: true, order: { peers: [peerId(1), peerId(2)] } });
    expect(await watched).toBe(true);
    const entry = {
      type: 'state',
      at: 1,
      role: 'leader',
      term: 1,
      leader: peerId(1),
      link: 'none',
    };
    const trace = { at: 1, first: 0, entries: [entry], lost: 0 } as Trace;
    expect(await ask(member, 'trace', trace)).toEqual({ ok: true });
    await vi.waitFor(() => {
      expect(seen).toMatchObject([{ traces: [{ peer: peerId(1), trace }], missed: 0 }]);
    });
    await joined(other, 3);
    await vi.waitFor(() => {
      expect(orders.at(-1)).toBe(3);
    });
  });

  test('is governed from the other server, by its key', async () => {
    const version = SIGNALING_VERSION;
    const key = 'the key of the host, of some length';
    const host = await connect(one);
    const elsewhere = await connect(other);
    const order = (what: object) => ({ version, room: ROOM, host: key, key: null, order: what });
    expect(await ask(host, 'govern', order({ do: 'claim' }))).toMatchObject({ ok: true });
    const [first] = await neighbours();
    expect(await ask(elsewhere, 'govern', order({ do: 'lock' }))).toMatchObject({ isLocked: true });
    const late = await peer(one, 4);
    expect(await late.join()).toMatchObject({ code: 'locked' });
    const turnOut = order({ do: 'turn out', id: peerId(1) });
    expect(await ask(elsewhere, 'govern', turnOut)).toMatchObject({ ok: true });
    await first.disconnected;
  });

  test('counts limits of an address at both servers', async () => {
    const few = await Promise.all(
      [1, 2].map(() => startTestServer({ share: byRedis(redis.url), connectionsPerAddress: 3 })),
    );
    await vi.waitFor(() => {
      for (const { signaling } of few) expect(signaling.isReady).toBe(true);
    }, LONG);
    let refused = 0;
    // Six handshakes a minute.
    for (let each = 0; each < 8; each += 1)
      await connect(defined(few[each % 2])).then(
        (socket) => socket.disconnect(),
        () => (refused += 1),
      );
    expect(refused).toBe(2);
  });

  test('names itself and its rooms', async () => {
    await neighbours();
    const [here, there] = [await healthOf(one), await healthOf(other)];
    expect(here.instance).not.toBe(there.instance);
    expect([here.rooms + there.rooms, here.peers + there.peers]).toEqual([1, 2]);
    const metrics = await (await fetch(`${other.url}/metrics`)).text();
    expect(metrics).toMatch(/^ringleader_envelopes_total [1-9]/m);
    expect(metrics).toMatch(/^ringleader_undelivered_envelopes_total 0$/m);
  });
});

describe('when something is lost,', () => {
  test('S3a the other server takes the rooms of one that ends', async () => {
    const [first, second] = await neighbours();
    const { view } = second;
    await one.signaling.close();
    await first.disconnected;
    await second.disconnected;
    const back = await peer(other, 2);
    back.views.push(view);
    expect(await back.resume()).toMatchObject({ ok: true });
    expect(other.signaling.peers(ROOM)).toContain(peerId(2));
  });

  test('S5 those that come while Redis is away hear try-again within two seconds; later they are let in', async () => {
    await neighbours();
    await redis.kill();
    const late = await peer(other, 3);
    const begun = performance.now();
    expect(await late.join()).toMatchObject({ code: 'try-again' });
    expect(performance.now() - begun).toBeLessThan(2_000);
    await redis.start();
    await joined(other, 3);
  });

  test('S5 the same where Redis keeps its connections and says nothing', async () => {
    redis.stop();
    const late = await peer(other, 3);
    const begun = performance.now();
    expect(await late.join()).toMatchObject({ code: 'try-again' });
    expect(performance.now() - begun).toBeLessThan(2_000);
    redis.continue();
    await joined(other, 3);
  });

  test('S1c a server without Redis serves its rooms for a while, and then closes its connections', async () => {
    const [first] = await neighbours();
    await redis.kill();
    await pause(1_500);
    expect(first.connected).toBe(true);
    expect(await first.askEra()).toMatchObject({ ok: true });
    await first.disconnected;
    expect(one.warnings().map(({ msg }) => msg)).toContainEqual(
      expect.stringContaining('given up its rooms'),
    );
    await redis.start();
    const back = await vi.waitFor(async () => {
      const again = await peer(other, 1);
      again.views.push(first.view);
      expect(await again.resume()).toMatchObject({ ok: true });
      return again;
    }, LONG);
    expect(back.view.incarnation).not.toBe(first.view.incarnation);
  });

  test('a Redis that is stopped for a moment changes nothing', async () => {
    const [first, second] = await neighbours();
    redis.stop();
    await pause(800);
    redis.continue();
    await pause(5_000);
    expect([first.connected, second.connected]).toEqual([true, true]);
    expect(await second.askEra()).toMatchObject({ ok: true });
  });

  test('nothing that comes on its channel ends a server', async () => {
    const { Redis } = await import('ioredis');
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    await vi.waitFor(async () => {
      expect(await client.pubsub('CHANNELS', '*')).toHaveLength(2);
    });
    for (const channel of (await client.pubsub('CHANNELS', '*')) as string[])
      for (const message of ['', 'x', '{}', '\u0000\u00ff', '\u0081\u00a4from\u00a1x'])
        await client.publish(channel, Buffer.from(message, 'latin1'));
    await neighbours();
    await vi.waitFor(() => {
      expect(one.warnings().map(({ msg }) => msg)).toContainEqual(
        expect.stringContaining('cannot be read'),
      );
    });
  });
});
