/** What one address may take of the server: a class comes in at once, and a stranger leaves room for others. */
import { once } from 'node:events';
import { get } from 'node:http';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import * as v from 'valibot';
import { describe, expect, test, vi } from 'vitest';
import { Alone, type Cluster } from '../../signaling-server/cluster.ts';
import { limitsInMemory, rateLimit, type RateLimits } from '../../signaling-server/rate-limits.ts';
import { readOptions } from '../../signaling-server/options.ts';
import { peerId, roomName } from '../support.ts';
import {
  ask,
  connect,
  disconnected,
  handshake,
  joinRequest,
  member,
  peer,
  ROOM,
  startTestServer,
  TestPeer,
  type ConnectOptions,
  type TestServer,
} from './test-server.ts';

/** How long a condition is checked, in milliseconds. */
const WAIT = { timeout: 5_000 };

const ELSEWHERE: ConnectOptions = { localAddress: '127.0.0.2' };

/** Limits that nothing reaches but what the test names. */
function limitsWith(points: Partial<Record<keyof RateLimits, number>>): RateLimits {
  const limit = (of: keyof RateLimits) =>
    rateLimit(
      new RateLimiterMemory({ points: points[of] ?? 1_000, duration: 60 }),
      () => undefined,
    );
  return { handshakes: limit('handshakes'), places: limit('places'), rooms: limit('rooms') };
}

async function refusalsOf(server: TestServer, code: string): Promise<number | undefined> {
  const { values } = await server.signaling.metrics.refusals.get();
  return values.find(({ labels }) => labels.reason === code)?.value;
}

const HealthSchema = v.looseObject({ full: v.nullable(v.string()) });

/** What /healthz tells a page at an address of why it cannot connect. */
function fullOf(server: TestServer, localAddress = '127.0.0.1'): Promise<string | null> {
  return new Promise((resolve, reject) => {
    get(`${server.url}/healthz?origin=x`, { localAddress, agent: false }, (response) => {
      text(response)
        .then((body) => {
          resolve(v.parse(HealthSchema, JSON.parse(body)).full);
        })
        .catch(reject);
    }).on('error', reject);
  });
}

describe('with the defaults', () => {
  test.each([60, 120])(
    '%i phones of one address join, reload and come back at once',
    async (size) => {
      const { connections, connectionsPerAddress } = readOptions({});
      const server = await startTestServer({ connections, connectionsPerAddress });
      const numbers = Array.from({ length: size }, (_, at) => at + 1);
      let phones = await Promise.all(numbers.map((number) => peer(server, number)));
      for (const { ok } of await Promise.all(phones.map((each) => each.join())))
        expect(ok).toBe(true);
      // A page that is loaded again is another peer; the sockets of before end meanwhile.
      for (const each of phones) each.drop();
      phones = await Promise.all(numbers.map((number) => peer(server, size + number)));
      for (const { ok } of await Promise.all(phones.map((each) => each.join())))
        expect(ok).toBe(true);
      // The connections are lost, and all come back on others.
      const back = await Promise.all(
        phones.map(async (each) => {
          each.drop();
          const again = new TestPeer(await connect(server), each.request);
          again.views.push(...each.views);
          return again;
        }),
      );
      for (const { ok } of await Promise.all(back.map((each) => each.resume())))
        expect(ok).toBe(true);
    },
  );

  test('two classes of 60 of one address open a room for each phone', async () => {
    const { connections, connectionsPerAddress } = readOptions({});
    const server = await startTestServer({ connections, connectionsPerAddress, rooms: 1_000 });
    const numbers = Array.from({ length: 120 }, (_, at) => at + 1);
    await Promise.all(
      numbers.map((number) => member(server, number, { room: roomName(`room-${number}`) })),
    );
    expect(server.signaling.size).toEqual({ rooms: 120, peers: 120 });
  });
});

describe('connections', () => {
  test('beyond those of an address get 503, and others do not, until one ends', async () => {
    const server = await startTestServer({ connectionsPerAddress: 2 });
    const [first] = [await connect(server), await connect(server)];
    const refused = await handshake(server, {});
    expect(refused).toEqual({
      status: 503,
      text: 'too many connections from your network at the moment\n',
    });
    await expect(connect(server)).rejects.toThrow();
    expect(await refusalsOf(server, 'full-network')).toBe(2);
    expect(await fullOf(server)).toBe('network');
    expect(await fullOf(server, '127.0.0.2')).toBe(null);
    await member(server, 1, {}, ELSEWHERE);
    expect(server.warnings()).toMatchObject([{ from: '127.0.0.1' }]);
    first.disconnect();
    await vi.waitFor(() => connect(server), WAIT);
  });

  test('beyond all that there may be get 503 from wherever, and a place that is held is not touched', async () => {
    const server = await startTestServer({ connections: 2 });
    const [one, two] = [await member(server, 1), await member(server, 2, {}, ELSEWHERE)];
    expect(await handshake(server, {})).toEqual({
      status: 503,
      text: 'this server takes no more connections at the moment\n',
    });
    expect(await fullOf(server, '127.0.0.3')).toBe('server');
    expect(await refusalsOf(server, 'full-server')).toBe(1);
    expect(await one.signal(two.id, 'successor')).toEqual({ ok: true });
  });

  test('count while they are being counted, and are let go of when the server closes', async () => {
    const releases: (() => void)[] = [];
    const rateLimits = limitsWith({});
    const take = () => new Promise<boolean>((resolve) => releases.push(() => resolve(true)));
    const server = await startTestServer({
      ...{ connectionsPerAddress: 3 },
      rateLimits: { ...rateLimits, handshakes: { ...rateLimits.handshakes, take } },
    });
    const ends: string[] = [];
    for (let attempt = 0; attempt < 9; attempt += 1)
      connect(server).then(
        () => ends.push('open'),
        () => ends.push('refused'),
      );
    await vi.waitFor(async () => {
      expect(await refusalsOf(server, 'full-network')).toBe(6);
    }, WAIT);
    expect(server.signaling.connections).toBe(3);
    releases[0]?.();
    await vi.waitFor(() => {
      expect(ends).toContain('open');
    }, WAIT);
    const begun = performance.now();
    await server.signaling.close();
    expect(performance.now() - begun).toBeLessThan(3_000);
    await vi.waitFor(() => {
      expect(ends.toSorted()).toEqual(['open', ...Array.from({ length: 8 }, () => 'refused')]);
    }, WAIT);
    expect(server.signaling.connections).toBe(0);
  });

  test('that are made one after the other are limited by the minute', async () => {
    const server = await startTestServer({ rateLimits: limitsWith({ handshakes: 3 }) });
    for (let made = 0; made < 3; made += 1) (await connect(server)).disconnect();
    expect(await handshake(server, {})).toMatchObject({ status: 503 });
    expect(await fullOf(server)).toBe('network');
    await member(server, 1, {}, ELSEWHERE);
  });
});

test('TCP connections of an address are limited, whatever they are used for', async () => {
  const server = await startTestServer({ connectionsPerAddress: 1 });
  const open = (localAddress: string) =>
    createConnection({ port: server.port, host: '127.0.0.1', localAddress });
  const silent = Array.from({ length: 4 }, () => open('127.0.0.1'));
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  const fifth = open('127.0.0.1').resume();
  await once(fifth, 'close');
  expect(silent.every((socket) => !socket.destroyed)).toBe(true);
  expect(await refusalsOf(server, 'too-many-tcp')).toBe(1);
  await member(server, 1, {}, ELSEWHERE);
  for (const socket of silent) socket.destroy();
});

test('TCP connections of a trusted proxy are those of many clients, and are not limited', async () => {
  const server = await startTestServer({ connectionsPerAddress: 1, trustedProxies: 'loopback' });
  const many = Array.from({ length: 8 }, () => createConnection(server.port, '127.0.0.1'));
  await Promise.all(many.map((socket) => once(socket, 'connect')));
  await member(server, 1);
  expect(await refusalsOf(server, 'too-many-tcp')).toBe(undefined);
  for (const socket of many) socket.destroy();
});

describe('places', () => {
  test('are not used up by those that ask for a room that cannot be reached', async () => {
    const directory = new Alone();
    let isAway = false;
    const cluster: Cluster = {
      start: (name, news) => directory.start(name, news),
      ask: (question, onAnswer) => {
        if (isAway) onAnswer(null);
        else directory.ask(question, onAnswer);
      },
      publish: (_, onUndelivered) => onUndelivered(),
      close: () => undefined,
    };
    const rateLimits = limitsWith({ places: 2 });
    const server = await startTestServer({ share: () => ({ cluster, rateLimits }) });
    isAway = true;
    const one = await peer(server, 1);
    for (let asked = 0; asked < 5; asked += 1)
      expect(await one.join()).toMatchObject({
        code: 'try-again',
        message: 'the room cannot be reached at the moment',
      });
    isAway = false;
    expect(await one.join()).toMatchObject({ ok: true });
    expect(await refusalsOf(server, 'no-directory')).toBe(5);
    expect(await refusalsOf(server, 'too-many-joins')).toBeUndefined();
  });

  test('of an address are limited by the minute, and the next is told to try again', async () => {
    const server = await startTestServer({ rateLimits: limitsWith({ places: 2 }) });
    await member(server, 1);
    const second = await member(server, 2);
    const third = await peer(server, 3);
    const tryAgain = {
      ok: false,
      code: 'try-again',
      message: 'too many peers of your network asked for a place within a minute',
    };
    expect(await third.join()).toEqual(tryAgain);
    expect(await third.resume()).toEqual(tryAgain);
    expect(await refusalsOf(server, 'too-many-joins')).toBe(2);
    expect(await refusalsOf(server, 'try-again')).toBe(undefined);
    await member(server, 4, {}, ELSEWHERE);
    expect(await second.signal(peerId(1), 'successor')).toEqual({ ok: true });
  });

  test('in new rooms are fewer, and those in rooms that are there go on', async () => {
    const server = await startTestServer({ rateLimits: limitsWith({ rooms: 2 }) });
    await member(server, 1);
    await member(server, 2, { room: roomName('second') });
    expect(await (await peer(server, 3, { room: roomName('third') })).join()).toMatchObject({
      code: 'try-again',
      message: 'your network has opened too many rooms within a minute',
    });
    expect(await refusalsOf(server, 'too-many-rooms')).toBe(1);
    await member(server, 4);
    await member(server, 5, { room: roomName('third') }, ELSEWHERE);
  });

  test('that are refused so are no fault: the connection stays, however often it asks', async () => {
    const server = await startTestServer({ rateLimits: limitsWith({ places: 0 }) });
    const socket = await connect(server);
    for (let asked = 0; asked < 25; asked += 1)
      expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ code: 'try-again' });
    expect(socket.connected).toBe(true);
  });

  test('what comes after a request that is being counted is served after it', async () => {
    let release: (() => void) | undefined;
    const rateLimits = limitsWith({});
    const taken = new Promise<boolean>((resolve) => {
      release = () => {
        resolve(true);
      };
    });
    const server = await startTestServer({
      rateLimits: { ...rateLimits, places: { ...rateLimits.places, take: () => taken } },
    });
    const socket = await connect(server);
    const answers: string[] = [];
    socket.emit('join', joinRequest(1), ({ ok }: { ok: boolean }) => answers.push(`join ${ok}`));
    const left = socket.emitWithAck('leave').then(({ ok }) => answers.push(`leave ${ok}`));
    release?.();
    await left;
    expect(answers).toEqual(['join true', 'leave true']);
    expect(server.signaling.size).toEqual({ rooms: 0, peers: 0 });
  });

  test('a place is given to nobody who has gone while it was counted', async () => {
    const resolvers: ((isFree: boolean) => void)[] = [];
    const rateLimits = limitsWith({});
    const take = () => new Promise<boolean>((resolve) => resolvers.push(resolve));
    const server = await startTestServer({
      rateLimits: { ...rateLimits, places: { ...rateLimits.places, take } },
    });
    const socket = await connect(server);
    socket.emit('join', joinRequest(1), () => undefined);
    await vi.waitFor(() => {
      expect(resolvers).toHaveLength(1);
    }, WAIT);
    socket.disconnect();
    await vi.waitFor(() => {
      expect(server.signaling.connections).toBe(0);
    }, WAIT);
    resolvers[0]?.(true);
    await connect(server);
    expect(server.signaling.peers(ROOM)).not.toContain(peerId(1));
  });
});

test('a store that does not answer is no limit that is reached, and keeps nobody waiting for long', async () => {
  const faults: unknown[] = [];
  const silent = new RateLimiterMemory({ points: 1, duration: 60 });
  silent.consume = () => new Promise(() => undefined);
  const limit = rateLimit(silent, (error) => faults.push(error));
  const rateLimits = { ...limitsWith({}), places: limit };
  const server = await startTestServer({ rateLimits });
  const socket = await connect(server);
  expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ ok: true });
  expect(faults).toMatchObject([{ message: 'no answer within 1000 ms' }]);
});

test('a store that fails is no limit that is reached', async () => {
  const faults: unknown[] = [];
  const broken = new RateLimiterMemory({ points: 1, duration: 60 });
  broken.consume = () => Promise.reject(new Error('the store is away'));
  broken.get = () => Promise.reject(new Error('the store is away'));
  const limit = rateLimit(broken, (error) => faults.push(error));
  const rateLimits = { handshakes: limit, places: limit, rooms: limit };
  const server = await startTestServer({ rateLimits });
  for (const number of [1, 2, 3]) await member(server, number);
  expect(await fullOf(server)).toBe(null);
  expect(faults.length).toBeGreaterThanOrEqual(7);
});

describe('behind a proxy', () => {
  const from = (address: string): ConnectOptions => ({ headers: { 'x-forwarded-for': address } });
  const rateLimits = () => limitsWith({ places: 1 });

  test('that is trusted, clients are told apart', async () => {
    const server = await startTestServer({ trustedProxies: 'loopback', rateLimits: rateLimits() });
    await member(server, 1, {}, from('192.0.2.1'));
    await member(server, 2, {}, from('192.0.2.2'));
    await member(server, 3, {}, from('2001:db8::1'));
    const tryAgain = { code: 'try-again' };
    for (const address of ['192.0.2.1', '::ffff:192.0.2.2', '2001:db8::2'])
      expect(await (await peer(server, 4, {}, from(address))).join()).toMatchObject(tryAgain);
    // One a minute.
    expect(server.warnings()).toMatchObject([{ from: '192.0.2.1' }]);
  });

  test('that is not trusted, its word does nothing, and the log says so', async () => {
    const server = await startTestServer({ rateLimits: rateLimits(), connectionsPerAddress: 2 });
    await member(server, 1, {}, from('192.0.2.1'));
    expect(await (await peer(server, 2, {}, from('192.0.2.2'))).join()).toMatchObject({
      code: 'try-again',
    });
    await expect(connect(server, from('192.0.2.3'))).rejects.toThrow();
    expect(server.warnings().at(-1)?.msg).toContain('is it named in TRUST_PROXY?');
  });
});

describe('a socket', () => {
  test('that neither joins nor watches is ended, and so is one that has left', async () => {
    const server = await startTestServer({ idlePatience: 300 });
    const idle = await connect(server);
    const left = await connect(server);
    const stays = await member(server, 1);
    expect(await ask(left, 'join', joinRequest(2))).toMatchObject({ ok: true });
    const ends = Promise.all([idle, left].map(disconnected));
    await ask(left, 'leave');
    expect(await ends).toEqual(['io server disconnect', 'io server disconnect']);
    expect(await refusalsOf(server, 'idle')).toBe(2);
    expect(stays.connected).toBe(true);
  });

  test('that asks for a place with tickets of its own making is ended as well, and named', async () => {
    const server = await startTestServer({ idlePatience: 300 });
    const socket = await connect(server);
    const ended = disconnected(socket);
    const { version, room, id, secret } = joinRequest(1);
    const resume = { version, room, id, secret, ticket: 'made up', removed: [] };
    const asking = setInterval(() => {
      socket.emit('resume', resume, () => undefined);
    }, 100);
    expect(await ended).toBe('io server disconnect');
    clearInterval(asking);
    expect(await refusalsOf(server, 'idle')).toBe(1);
    expect(server.warnings()).toMatchObject([{ from: '127.0.0.1' }]);
    expect(server.warnings()[0]?.msg).toContain('came with a ticket that this server');
  });

  test('that sends more bytes than a peer has to is cut off', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ ok: true });
    const ended = disconnected(socket);
    // To nobody who could be its neighbour.
    const signals = Array.from({ length: 3 }, () => ({ type: 'answer', sdp: 'x'.repeat(16_000) }));
    const signal = { to: peerId(9), edge: 'successor', link: 7, signals };
    for (let sent = 0; sent < 500; sent += 1) socket.emit('signal', signal, () => undefined);
    await ended;
    expect(server.warnings().map(({ msg }) => msg)).toContain(
      'sends more bytes than a peer has to',
    );
    expect(await refusalsOf(server, 'too-many-bytes')).toBe(1);
  });
});

test('the limits in memory follow the connections that an address may have', async () => {
  const { handshakes, places, rooms } = limitsInMemory(1);
  for (const [limit, most] of [
    [handshakes, 2],
    [places, 2],
    [rooms, 1],
  ] as const) {
    for (let taken = 0; taken < most; taken += 1) expect(await limit.take('a')).toBe(true);
    expect(await limit.isReached('a')).toBe(true);
    expect(await limit.take('a')).toBe(false);
    expect(await limit.isReached('b')).toBe(false);
  }
});
