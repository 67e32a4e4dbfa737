/** Who is let in: by tokens, by `authorize`, by the secret of a room, and by its host. */
import { UnsecuredJWT } from 'jose';
import { io, type Socket } from 'socket.io-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseIceServers, SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import {
  byTokens,
  tokenOf,
  type AuthorizationRequest,
  type TokenContent,
} from '../../signaling-server/grants.ts';
import { defined, peerId, roomName, valueOf } from '../support.ts';
import {
  ask,
  connect,
  disconnected,
  joinRequest,
  startTestServer,
  TestPeer,
  type TestServer,
} from './test-server.ts';

const SECRET = 'thirty-two characters and a few more';
const ROOM = joinRequest(1).room;
const HOUR = 3_600_000;

function token(part: Partial<TokenContent> = {}, secret = SECRET): Promise<string> {
  const content = { room: ROOM, role: 'member', expires: Date.now() + HOUR, key: 'one' } as const;
  return tokenOf(secret, { ...content, ...part });
}

/** A client that brings a token, or anything in its place. */
async function bringing(server: TestServer, own: unknown): Promise<Socket> {
  const socket = io(server.url, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: { token: own },
  });
  onTestFinished(() => {
    socket.disconnect();
  });
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  return socket;
}

const withTokens = () => startTestServer({ authorize: byTokens(SECRET) });

const watch = (key: string | null = null, host: string | null = null) => ({
  ...{ version: SIGNALING_VERSION, room: ROOM, key, host },
});

describe('where tokens are required', () => {
  test('one for the room lets its holder join and come back', async () => {
    const server = await withTokens();
    const socket = await bringing(server, await token());
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ ok: true });
    expect(server.signaling.peers(ROOM)).toEqual([peerId(1)]);
  });

  test.each([
    ['no token', () => undefined, /lets in only those who have a link with a token/],
    ['something that is none', () => ({ a: 1 }), /lets in only those who have a link with a token/],
    ['text that is none', () => 'let me in', /not of this server/],
    [
      'one that was signed with another secret',
      () => token({}, `another ${SECRET}`),
      /not of this/,
    ],
    ['one that has expired', () => token({ expires: Date.now() - 1_000 }), /has expired/],
    ['one for another room', () => token({ room: roomName('elsewhere') }), /is for room elsewhere/],
    ['one for another peer', () => token({ id: peerId(2) }), /is for another peer/],
    ['one for watching', () => token({ role: 'watcher' }), /is for watching/],
    [
      'one without a signature',
      () => new UnsecuredJWT({ room: ROOM, role: 'member' }).setExpirationTime('1h').encode(),
      /not of this server/,
    ],
  ])('a client with %s does not join, is told why, and is counted', async (_, make, words) => {
    const server = await withTokens();
    const own: unknown = await make();
    const socket = await bringing(server, own);
    const reply = await ask(socket, 'join', joinRequest(1));
    expect(reply).toMatchObject({ ok: false, code: 'token' });
    expect(reply).toHaveProperty('message', expect.stringMatching(words));
    expect(server.signaling.peers(ROOM)).toEqual([]);
    expect(await metric(server, 'refusals_total{reason="token"}')).toBe(1);
    const [warning] = server.warnings();
    expect(warning).toMatchObject({ code: 'token' });
    expect(warning).toHaveProperty('remedy', expect.stringContaining('JOIN_SECRET'));
    if (typeof own === 'string') expect(JSON.stringify(server.warnings())).not.toContain(own);
  });

  test('one that has expired meanwhile does not bring its holder back, and ends no membership', async () => {
    const server = await withTokens();
    const expires = Date.now() + 2_000;
    const socket = await bringing(server, await token({ expires }));
    const joined = await ask(socket, 'join', joinRequest(1));
    const ticket = joined.ok && 'view' in joined ? joined.view.ticket : '';
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(expires), { timeout: 5_000 });
    expect(server.signaling.peers(ROOM)).toEqual([peerId(1)]);
    const again = await bringing(server, await token({ expires }));
    const { version, room, id, secret } = joinRequest(1);
    const resume = { version, room, id, secret, ticket, removed: [] };
    expect(await ask(again, 'resume', resume)).toMatchObject({ code: 'token' });
    const renewed = await bringing(server, await token());
    expect(await ask(renewed, 'resume', resume)).toMatchObject({ ok: true });
  });

  test('watching needs one, too, and being the host needs one that says so', async () => {
    const server = await withTokens();
    expect(await (await bringing(server, null)).emitWithAck('watch', watch())).toMatchObject({
      code: 'token',
    });
    const watcher = await bringing(server, await token({ role: 'watcher' }));
    expect(await watcher.emitWithAck('watch', watch())).toMatchObject({ ok: true });
    const claim = { ...watch(), order: { do: 'claim' } };
    expect(await ask(watcher, 'govern', claim)).toMatchObject({ code: 'not-host' });
    const byKey = { ...watch(null, 'a key of its own'), order: { do: 'claim' } };
    expect(await ask(watcher, 'govern', byKey)).toMatchObject({ code: 'not-host' });
    const host = await bringing(server, await token({ role: 'host' }));
    expect(await ask(host, 'govern', claim)).toMatchObject({ ok: true });
  });

  test('the holder of one that was turned out does not come back with it under another id', async () => {
    const server = await withTokens();
    const host = await bringing(server, await token({ role: 'host', key: 'host' }));
    await ask(host, 'govern', { ...watch(), order: { do: 'claim' } });
    const own = await token();
    const socket = await bringing(server, own);
    await ask(socket, 'join', joinRequest(1));
    await ask(host, 'govern', { ...watch(), order: { do: 'turn out', id: peerId(1) } });
    const again = await bringing(server, own);
    expect(await ask(again, 'join', joinRequest(2))).toMatchObject({ code: 'turned-out' });
    const other = await bringing(server, await token({ key: 'two' }));
    expect(await ask(other, 'join', joinRequest(3))).toMatchObject({ ok: true });
  });

  test('TURN servers are told of to those alone who have one', async () => {
    const turn = { turnUrls: ['turn:turn.example.org'], turnSecret: 'shared' };
    const server = await startTestServer({
      ...{ ...turn, stunUrls: ['stun:stun.example.org'], authorize: byTokens(SECRET) },
    });
    const told = async (own: string | null) => {
      const socket = io(server.url, {
        ...{ transports: ['websocket'], reconnection: false, forceNew: true, auth: { token: own } },
      });
      onTestFinished(() => {
        socket.disconnect();
      });
      const input: unknown = await new Promise((resolve) => {
        socket.once('ice', resolve);
      });
      return valueOf(parseIceServers(input));
    };
    const stun = { urls: ['stun:stun.example.org'] };
    expect(await told(null)).toEqual([stun]);
    const [first, second, ...others] = await told(await token());
    expect([first, second?.urls, others]).toEqual([stun, turn.turnUrls, []]);
    expect(second?.username).toMatch(/^\d+:/);
    expect(second?.credential).toMatch(/^[\w+/]+=*$/);
  });
});

describe('a server that authorizes in its own way', () => {
  test('is asked once for each connection, with what is known of it', async () => {
    const asked: AuthorizationRequest[] = [];
    const server = await startTestServer({
      authorize: (request) => {
        asked.push(request);
        return Promise.resolve('not today');
      },
    });
    const socket = await bringing(server, 'a badge');
    for (const number of [1, 2])
      expect(await ask(socket, 'join', joinRequest(number))).toEqual({
        ...{ ok: false, code: 'token', message: 'not today' },
      });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ token: 'a badge', address: '127.0.0.1' });
  });

  test('that cannot decide puts the client off, and asks again', async () => {
    let isBroken = true;
    const grant = {
      room: null,
      id: null,
      name: null,
      role: 'member',
      expires: null,
      key: null,
    } as const;
    const server = await startTestServer({
      authorize: () =>
        isBroken ? Promise.reject(new Error('no database')) : Promise.resolve(grant),
    });
    const socket = await connect(server);
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ code: 'try-again' });
    expect(server.warnings()).toContainEqual(expect.objectContaining({ error: 'no database' }));
    isBroken = false;
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ ok: true });
  });
});

describe('a room with a secret and a host', () => {
  const KEY = 'the secret of the room';
  const HOST = 'the key of the host';
  const order = (what: object) => ({ ...watch(KEY, HOST), order: what });

  async function hosted() {
    const server = await startTestServer();
    const host = await connect(server);
    expect(await ask(host, 'govern', order({ do: 'claim' }))).toMatchObject({ ok: true });
    return { server, host };
  }

  test('lets in and lets watch those who know the secret', async () => {
    const { server } = await hosted();
    const socket = await connect(server);
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ code: 'room-secret' });
    expect(await socket.emitWithAck('watch', watch())).toMatchObject({ code: 'room-secret' });
    expect(await ask(socket, 'join', joinRequest(1, { key: KEY }))).toMatchObject({ ok: true });
    const spectator = await connect(server);
    expect(await spectator.emitWithAck('watch', watch(KEY))).toMatchObject({ ok: true });
  });

  test('is watched no more by those who came before it had a secret, and do not know it', async () => {
    const server = await startTestServer();
    const spy = await connect(server);
    const orders: unknown[] = [];
    spy.on('order', (told: unknown) => orders.push(told));
    expect(await spy.emitWithAck('watch', watch())).toMatchObject({ ok: true });
    const ended = disconnected(spy);
    const host = await connect(server);
    expect(await ask(host, 'govern', order({ do: 'claim' }))).toMatchObject({ ok: true });
    const socket = await connect(server);
    expect(await ask(socket, 'join', joinRequest(1, { key: KEY }))).toMatchObject({ ok: true });
    expect(await ended).toBe('io server disconnect');
    expect(orders).toEqual([]);
  });

  test('has one page of its host that no limit counts, and no more', async () => {
    const server = await startTestServer({ spectatorsPerRoom: 2, spectators: 4 });
    const host = await connect(server);
    await ask(host, 'govern', order({ do: 'claim' }));
    const replies: unknown[] = [];
    for (let each = 0; each < 4; each += 1)
      replies.push(await (await connect(server)).emitWithAck('watch', watch(KEY, HOST)));
    expect(replies).toMatchObject([{ ok: true }, { ok: true }, { ok: false }, { ok: false }]);
    const elsewhere = { ...watch(), room: roomName('elsewhere') };
    const other = await connect(server, { localAddress: '127.0.0.2' });
    expect(await other.emitWithAck('watch', elsewhere)).toMatchObject({ ok: true });
  });

  test('keeps its keys out of tickets, log and metrics', async () => {
    const { server } = await hosted();
    const socket = await connect(server);
    const reply = await ask(socket, 'join', joinRequest(1, { key: KEY }));
    const stranger = await connect(server);
    await ask(stranger, 'govern', {
      ...watch('another secret', 'another key'),
      order: { do: 'lock' },
    });
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const all = JSON.stringify([reply, server.warnings(), server.notices(), metrics]);
    for (const secret of [KEY, HOST, 'another secret', 'another key'])
      expect(all).not.toContain(secret);
  });

  test('admits its host to watch where no one else may', async () => {
    const server = await startTestServer({ spectatorsPerRoom: 0 });
    const host = await connect(server);
    await ask(host, 'govern', order({ do: 'claim' }));
    expect(await host.emitWithAck('watch', watch(KEY, HOST))).toMatchObject({ ok: true });
    const other = await connect(server);
    expect(await other.emitWithAck('watch', watch(KEY, 'a guess'))).toMatchObject({ ok: false });
  });

  test('has the page of a peer that is turned out told so when it comes back', async () => {
    const { server, host } = await hosted();
    const out = new TestPeer(await connect(server), joinRequest(1, { key: KEY }));
    await out.join();
    await ask(host, 'govern', order({ do: 'turn out', id: peerId(1) }));
    expect(await out.disconnected).toBe('io server disconnect');
    const again = await connect(server);
    const { version, room, id, secret } = joinRequest(1);
    const resume = { version, room, id, secret, ticket: '', removed: [] };
    expect(await ask(again, 'resume', resume)).toMatchObject({ code: 'turned-out' });
    expect(await metric(server, 'evictions_total{reason="turned out"}')).toBe(1);
  });

  test('has no orders taken from strangers', async () => {
    const { server } = await hosted();
    const stranger = await connect(server);
    for (const what of [{ do: 'lock' }, { do: 'claim' }, { do: 'turn out', id: peerId(1) }])
      for (const key of [null, 'a guess'])
        expect(await ask(stranger, 'govern', { ...watch(KEY, key), order: what })).toMatchObject({
          code: 'not-host',
        });
  });
});

async function metric(server: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = defined(text.split('\n').find((each) => each.startsWith(`ringleader_${name} `)));
  return Number(line.split(' ').at(-1));
}
