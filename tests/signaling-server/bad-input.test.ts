/**
 * Whatever a client sends, only this client sees the consequence: an error as the answer, or the end of its
 * connection. The log has one line about it, and a pair in the same room goes on undisturbed.
 */
import type { Socket } from 'socket.io-client';
import { describe, expect, test, vi } from 'vitest';
import { MAX_SIGNALING_MESSAGE_BYTES, SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import { defined, peerId } from '../support.ts';
import {
  ask,
  connect,
  disconnected,
  expectRing,
  handshake,
  joinRequest,
  rawWebSocket,
  refusals,
  ringOf,
  startTestServer,
  type RawWebSocket,
  type TestServer,
} from './test-server.ts';

/** How long, and how often, a condition is checked, in milliseconds. */
const WAIT = { timeout: 3_000, interval: 2 };

/** Performs a fault beside two peers of the room. */
async function besideAPair(
  server: TestServer,
  misbehave: () => Promise<void>,
  warnings = 1,
): Promise<void> {
  const ring = await ringOf(server, 2);
  const [first, second] = [defined(ring[0]), defined(ring[1])];
  const views = ring.map((each) => each.views.length);
  const signals = ring.map((each) => each.signals.length);

  await misbehave();
  // The end of a connection may reach its client before the server's own log.
  await vi.waitFor(() => {
    expect(server.warnings()).toHaveLength(warnings);
  }, WAIT);

  expect(await first.signal(second.id, 'successor', 'still here?')).toEqual({ ok: true });
  expect(await second.signal(first.id, 'successor', 'still here!')).toEqual({ ok: true });
  await Promise.all(ring.map((each) => each.settle()));
  expectRing(server, ring);
  expect(ring.map((each) => each.views.length)).toEqual(views);
  expect(ring.map((each) => each.signals.length)).toEqual(signals.map((count) => count + 1));
  expect(server.warnings()).toHaveLength(warnings);
  expect(server.warnings().every(({ level }) => level === 40)).toBe(true);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
}

function signalRequest(changes: object = {}) {
  const signals: unknown[] = [{ type: 'answer', sdp: '' }];
  return { to: peerId(1), edge: 'successor', link: 7, signals, ...changes };
}

function without(request: object, field: string): object {
  return Object.fromEntries(Object.entries(request).filter(([name]) => name !== field));
}

function nested(depth: number): unknown {
  let value: unknown = {};
  for (let at = 0; at < depth; at += 1) value = { value };
  return value;
}

const offersOf = (signals: unknown) => ({
  successor: { link: 1, signals },
  predecessor: { link: 2, signals: [{ type: 'offer', sdp: '' }] },
});
const offer = { type: 'offer', sdp: '' };
const candidate = (changes: object) => ({
  type: 'candidate',
  candidate: { candidate: '', sdpMLineIndex: 0, sdpMid: '0', ...changes },
});

/** Values that are no object of the right shape, for any event. */
const SHAPELESS: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['a number', 42],
  ['true', true],
  ['a string', 'join'],
  ['an empty string', ''],
  ['an array', [joinRequest(9)]],
  ['an empty object', {}],
  ['an object a thousand deep', nested(1_000)],
  [
    'an object of a thousand keys',
    Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`key ${at}`, at])),
  ],
  ['bytes', Buffer.from('bytes')],
  ['an object of bytes', { id: Buffer.from('bytes') }],
  [
    'all fields in __proto__',
    JSON.parse(`{"__proto__": ${JSON.stringify({ ...joinRequest(9), ...signalRequest() })}}`),
  ],
  ['all fields in constructor.prototype', { constructor: { prototype: joinRequest(9) } }],
];

const REQUESTS: readonly (readonly [string, string, unknown])[] = [
  ...SHAPELESS.flatMap(([name, payload]) =>
    ['join', 'resume', 'signal'].map((event) => [event, name, payload] as const),
  ),
  ...Object.entries({
    'no id': without(joinRequest(9), 'id'),
    'an id in upper case': { ...joinRequest(9), id: 'ABCDEF00-0000-4000-8000-000000000009' },
    'an id that is no uuid': { ...joinRequest(9), id: '9' },
    'an id with more behind it': { ...joinRequest(9), id: `${peerId(9)}\n` },
    'an array as id': { ...joinRequest(9), id: [peerId(9)] },
    'version as a string': { ...joinRequest(9), version: '1' },
    'an empty room name': { ...joinRequest(9), room: '' },
    'a room name that is too long': { ...joinRequest(9), room: 'r'.repeat(65) },
    'a room name with a slash': { ...joinRequest(9), room: `lobby/${peerId(1)}` },
    'a room name with an accent': { ...joinRequest(9), room: 'café' },
    'a room name with a line break': { ...joinRequest(9), room: 'lobby\n' },
    '__proto__ with a dot as room name': { ...joinRequest(9), room: '__proto__.x' },
    'a number as room': { ...joinRequest(9), room: 1 },
    'a short secret': { ...joinRequest(9), secret: 'short' },
    'a long secret': { ...joinRequest(9), secret: 's'.repeat(65) },
    'an extra key': { ...joinRequest(9), leader: true },
    'an extra key that is very long': { ...joinRequest(9), ['k'.repeat(50_000)]: true },
    'no offers': { ...joinRequest(9), offers: {} },
    'an extra key in the offers': { ...joinRequest(9), offers: { ...offersOf([offer]), third: 3 } },
    'no signals': { ...joinRequest(9), offers: offersOf([]) },
    'too many signals': { ...joinRequest(9), offers: offersOf(Array(65).fill(offer)) },
    'signals as an object': { ...joinRequest(9), offers: offersOf({ 0: offer, length: 1 }) },
    'an sdp that is too long': {
      ...joinRequest(9),
      offers: offersOf([{ type: 'offer', sdp: 'v'.repeat(16_385) }]),
    },
  }).map(([name, payload]) => ['join', name, payload] as const),
  ...Object.entries({
    'no addressee': without(signalRequest(), 'to'),
    'an addressee in upper case': signalRequest({ to: 'ABCDEF00-0000-4000-8000-000000000001' }),
    'a sender': signalRequest({ from: peerId(2) }),
    'a room': signalRequest({ room: 'lobby' }),
    'an edge of its own making': signalRequest({ edge: 'toString' }),
    'link 0': signalRequest({ link: 0 }),
    'a link that is no integer': signalRequest({ link: 1.5 }),
    'a link beyond 32 bits': signalRequest({ link: 2 ** 32 }),
    'a link as a string': signalRequest({ link: '7' }),
    'no signals': signalRequest({ signals: [] }),
    'too many signals': signalRequest({ signals: Array(65).fill(offer) }),
    'a signal of an unknown type': signalRequest({ signals: [{ type: 'rollback', sdp: '' }] }),
    'a signal of a type that is very long': signalRequest({
      signals: [{ type: 't'.repeat(50_000) }],
    }),
    'a signal with an extra key': signalRequest({ signals: [{ ...offer, html: '' }] }),
    'a candidate that is too long': signalRequest({
      signals: [candidate({ candidate: 'c'.repeat(1_025) })],
    }),
    'a candidate with a line that is no line': signalRequest({
      signals: [candidate({ sdpMLineIndex: -1 })],
    }),
    'a candidate with an extra key': signalRequest({ signals: [candidate({ priority: 1 })] }),
  }).map(([name, payload]) => ['signal', name, payload] as const),
];

describe('a request in bad shape is refused as malformed', () => {
  test.each(REQUESTS)('%s with %s', async (event, _, payload) => {
    const server = await startTestServer();
    const socket = await connect(server);
    await besideAPair(server, async () => {
      expect(await ask(socket, event, payload)).toMatchObject({ ok: false, code: 'malformed' });
    });
    expect(socket.connected).toBe(true);
    expect(JSON.stringify(server.warnings()).length).toBeLessThan(1_500);
  });

  test.each(REQUESTS.filter(([event]) => event === 'signal'))(
    '%s with %s, from a member',
    async (event, _, payload) => {
      const server = await startTestServer();
      const socket = await connect(server);
      await ask(socket, 'join', joinRequest(9));
      const before = server.signaling.peers(joinRequest(9).room);
      expect(await ask(socket, event, payload)).toMatchObject({ ok: false, code: 'malformed' });
      expect(server.signaling.peers(joinRequest(9).room)).toEqual(before);
      expect(server.warnings()).toHaveLength(1);
    },
  );

  test('a join of another version, as such', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    await besideAPair(server, async () => {
      for (const version of [0, SIGNALING_VERSION - 1, SIGNALING_VERSION + 1]) {
        const reply = await ask(socket, 'join', { ...joinRequest(9), version, more: 'to come' });
        expect(reply).toMatchObject({ ok: false, code: 'version' });
      }
    });
  });

  test('and leaves no trace on the prototype of objects', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    const payload: unknown = JSON.parse(
      '{"__proto__": {"polluted": 1}, "constructor": {"polluted": 1}}',
    );
    await ask(socket, 'join', payload);
    await ask(socket, 'signal', payload);
    expect('polluted' in {}).toBe(false);
  });

  test.each(['', 'constructor', '__proto__', 'toString', 'view', 'message', 'x'.repeat(10_000)])(
    'the unknown event %j',
    async (event) => {
      const server = await startTestServer();
      const socket = await connect(server);
      await besideAPair(server, async () => {
        expect(await ask(socket, event.slice(0), { any: 'thing' })).toMatchObject({
          ok: false,
          code: 'malformed',
        });
      });
    },
  );
});

describe('an event that cannot be answered ends the connection', () => {
  const events: readonly (readonly [string, string, readonly unknown[]])[] = [
    ['join', 'no parameters', []],
    ['join', 'no acknowledgement', [joinRequest(9)]],
    ['join', 'a string for an acknowledgement', [joinRequest(9), 'reply']],
    ['join', 'an object for an acknowledgement', [joinRequest(9), { call: 1, apply: 1 }]],
    ['join', 'one parameter too many', [joinRequest(9), {}, () => undefined]],
    ['join', 'an acknowledgement alone', [() => undefined]],
    ['signal', 'no parameters', []],
    ['signal', 'no acknowledgement', [signalRequest()]],
    ['signal', 'a number for an acknowledgement', [signalRequest(), 1]],
    ['signal', 'an acknowledgement alone', [() => undefined]],
    ['leave', 'no acknowledgement', []],
    ['leave', 'null for an acknowledgement', [null]],
    ['leave', 'a parameter', [{ why: 'bored' }, () => undefined]],
    ['leave', 'bytes', [Buffer.from('bytes')]],
    ['shout', 'no acknowledgement', ['hello']],
    ['shout', 'no parameters', []],
  ];

  test.each(events)('%s with %s', async (event, _, parameters) => {
    const server = await startTestServer();
    const socket = await connect(server);
    await besideAPair(server, async () => {
      const end = disconnected(socket);
      socket.emit(event, ...parameters);
      expect(await end).toBe('io server disconnect');
    });
  });
});

describe('faults', () => {
  /** Sends the same fault repeatedly without waiting. */
  const repeat = (socket: Socket, times: number) =>
    Promise.allSettled(Array.from({ length: times }, () => ask(socket, 'join', null)));

  test('up to twenty are answered, and the client may then do better', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    const replies = await repeat(socket, 20);
    expect(replies.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ ok: true });
    expect(server.warnings()).toHaveLength(1);
  });

  test('twenty-one end the connection, the last one answered, what follows unheard', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    await besideAPair(server, async () => {
      const end = disconnected(socket);
      const replies = repeat(socket, 30);
      expect(await end).toBe('io server disconnect');
      const answered = (await replies).filter(({ status }) => status === 'fulfilled');
      expect(answered).toHaveLength(21);
    });
  });

  test("that are nobody's, such as a neighbour just gone, are not counted", async () => {
    const server = await startTestServer();
    const [first] = await ringOf(server, 1);
    for (let time = 0; time < 30; time += 1) await first?.settle();
    expect(first?.connected).toBe(true);
    expect(server.warnings()).toEqual([]);
  });
});

describe('what breaks the protocols beneath ends the connection', () => {
  const bytes = (...values: readonly number[]) => Uint8Array.from(values);

  /** Each has opened a WebSocket; some have a Socket.IO connection too. */
  const breaches: readonly (readonly [string, (raw: RawWebSocket) => void])[] = [
    [
      'text of no protocol',
      (raw) => {
        raw.sendText('hello');
      },
    ],
    [
      'an empty text',
      (raw) => {
        raw.sendText('');
      },
    ],
    [
      'an engine.io packet of an unknown type',
      (raw) => {
        raw.sendText('9');
      },
    ],
    [
      'JSON',
      (raw) => {
        raw.sendText('{"__proto__": {"polluted": 1}}');
      },
    ],
    [
      'bytes that nothing announced',
      (raw) => {
        raw.sendBinary(bytes(1, 2, 3));
      },
    ],
    [
      'a Socket.IO packet of an unknown type',
      (raw) => {
        raw.sendText('49');
      },
    ],
    [
      'an event without a name',
      (raw) => {
        raw.sendText('42[]');
      },
    ],
    [
      'an event whose name is an object',
      (raw) => {
        raw.sendText('42[{"toString":1},{}]');
      },
    ],
    [
      'an event that is an object',
      (raw) => {
        raw.sendText('42{"0":"join"}');
      },
    ],
    [
      'an event of half a JSON',
      (raw) => {
        raw.sendText('42["join",');
      },
    ],
    [
      'an event with a reserved name',
      (raw) => {
        raw.sendText('420["disconnect"]');
      },
    ],
    [
      'an event named newListener',
      (raw) => {
        raw.sendText('420["newListener",{}]');
      },
    ],
    [
      'text where bytes were announced',
      (raw) => {
        raw.sendText('451-["join",{"_placeholder":true,"num":0}]');
        raw.sendText('42["join"]');
      },
    ],
    [
      'bytes under a number they do not have',
      (raw) => {
        raw.sendText('451-["join",{"_placeholder":true,"num":7}]');
        raw.sendBinary(bytes(1));
      },
    ],
    [
      'bytes under a name for a number',
      (raw) => {
        raw.sendText('451-["join",{"_placeholder":true,"num":"__proto__"}]');
        raw.sendBinary(bytes(1));
      },
    ],
    [
      'more attachments than are allowed',
      (raw) => {
        raw.sendText('4599999-["join"]');
      },
    ],
    [
      'a message that is too large',
      (raw) => {
        raw.sendText('2'.padEnd(MAX_SIGNALING_MESSAGE_BYTES + 1));
      },
    ],
    [
      'a message in more fragments than anybody sends',
      (raw) => {
        const fragment = (opcode: number) => [opcode, 0x81, 0, 0, 0, 0, 0x78];
        raw.write(bytes(...fragment(1), ...Array.from({ length: 200 }, () => fragment(0)).flat()));
      },
    ],
    [
      'a frame that is not masked',
      (raw) => {
        raw.write(bytes(0x81, 0x01, 0x32));
      },
    ],
    [
      'a frame with reserved bits',
      (raw) => {
        raw.write(bytes(0xf1, 0x80, 0, 0, 0, 0));
      },
    ],
    [
      'a frame that claims to be huge',
      (raw) => {
        raw.write(bytes(0x81, 0xff, 0, 0xff, 0, 0, 0, 0, 0, 0));
      },
    ],
    [
      'text that is no UTF-8',
      (raw) => {
        raw.write(bytes(0x81, 0x82, 0, 0, 0, 0, 0xc0, 0xaf));
      },
    ],
  ];

  test.each(breaches)('%s, before anything else', async (_, misbehave) => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const raw = await rawWebSocket(server);
      await raw.receive('0{"sid"');
      misbehave(raw);
      await raw.closed;
    });
  });

  test.each(breaches)('%s, once connected', async (_, misbehave) => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const raw = await rawWebSocket(server);
      raw.sendText('40');
      await raw.receive('40{"sid"');
      misbehave(raw);
      await raw.closed;
    });
  });

  test('a second connection within the first', async () => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const raw = await rawWebSocket(server);
      raw.sendText('40');
      await raw.receive('40{"sid"');
      raw.sendText('40');
      await raw.closed;
    });
  });

  test('an event before the connection', async () => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const raw = await rawWebSocket(server);
      await raw.receive('0{"sid"');
      raw.sendText('420["leave"]');
      await raw.closed;
    });
  });

  test('a member that breaks them is gone from the ring as any other', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 1);
    const raw = await rawWebSocket(server);
    raw.sendText('40');
    await raw.receive('40{"sid"');
    raw.sendText(`420["join",${JSON.stringify(joinRequest(9))}]`);
    await raw.receive('430[{"ok":true');
    raw.sendText('42[');
    await raw.closed;
    await vi.waitFor(() => {
      expect(ring[0]?.view.removed).toEqual([joinRequest(9).id]);
    });
    expect(server.warnings()).toHaveLength(1);
  });

  test('a message larger than is taken, from a client that keeps to the protocol', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    await besideAPair(server, async () => {
      const end = disconnected(socket);
      socket.emit('join', 'x'.repeat(MAX_SIGNALING_MESSAGE_BYTES), () => undefined);
      expect(await end).toBe('transport close');
    });
  });
});

describe('unusual events over a connection made by hand', () => {
  async function connected(server: TestServer): Promise<RawWebSocket> {
    const raw = await rawWebSocket(server);
    raw.sendText('40');
    await raw.receive('40{"sid"');
    return raw;
  }

  test.each([
    ['an event named error', '420["error",{}]', '430[{"ok":false,"code":"malformed"'],
    ['an event whose name is a number', '420[42,{}]', '430[{"ok":false,"code":"malformed"'],
    [
      'an array thirty thousand deep',
      `420["join",${'['.repeat(30_000)}${']'.repeat(30_000)}]`,
      '430[{"ok":false,"code":"malformed"',
    ],
    [
      '__proto__ beside an unknown key',
      '420["join",{"__proto__":{"x":1},"x":1}]',
      '430[{"ok":false',
    ],
  ])('%s is refused as malformed', async (_, packet, reply) => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const raw = await connected(server);
      raw.sendText(packet);
      await raw.receive(reply);
    });
  });

  test('an event whose name is a number and that cannot be answered ends the connection', async () => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const raw = await connected(server);
      raw.sendText('42[42]');
      await raw.closed;
    });
  });

  test('an answer to nothing that was asked is ignored', async () => {
    const server = await startTestServer();
    await besideAPair(
      server,
      async () => {
        const raw = await connected(server);
        raw.sendText('437[{"ok":true}]');
        raw.sendText('421["leave"]');
        await raw.receive('431[{"ok":true}]');
      },
      0,
    );
  });
});

describe('a handshake', () => {
  test.each([
    ['an unknown transport', 'EIO=4&transport=carrier-pigeon', 400],
    ['polling', 'EIO=4&transport=polling', 400],
    ['a session that does not exist', 'EIO=4&transport=websocket&sid=none', 400],
    ['no parameters', '', 400],
  ])('with %s is refused', async (_, query, status) => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      expect(await handshake(server, {}, query)).toMatchObject({ status });
    });
  });

  test('is told of in the log once a minute where it is bad, and counted', async () => {
    const server = await startTestServer();
    for (let time = 0; time < 40; time += 1)
      expect(await handshake(server, {}, '')).toMatchObject({ status: 400 });
    expect(server.warnings()).toHaveLength(1);
    await server.signaling.close();
    expect(server.warnings()).toHaveLength(2);
    expect(server.warnings().at(-1)).toMatchObject({ kind: 'breach', leftOut: 39 });
  });

  test('with the id of a session is refused, and the session goes on where it is', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    await ask(socket, 'join', joinRequest(9));
    const sid = defined(socket.io.engine.id);
    for (const query of [`EIO=4&transport=websocket&sid=${sid}`, 'EIO=4&transport=websocket&sid='])
      expect(await handshake(server, {}, query)).toMatchObject({ status: 400 });
    // Not as a WebSocket, either: such a request would wait for its answer for ever.
    const target = `${server.url}/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    expect((await fetch(target)).status).toBe(400);
    expect(await ask(socket, 'leave')).toEqual({ ok: true });
  });

  test('with an old protocol leads to nothing', async () => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const raw = await rawWebSocket(server, { query: 'EIO=3&transport=websocket' });
      await raw.closed;
    });
  });

  test.each([
    'https://elsewhere.example',
    'http://127.0.0.1:1',
    'http://127.0.0.1.elsewhere.example',
    'null',
    'no origin at all',
  ])('from a page of the origin "%s" is refused', async (origin) => {
    const server = await startTestServer();
    await besideAPair(server, async () => {
      const { status, text } = await handshake(server, { origin });
      expect(status).toBe(400);
      expect(text).toContain(`"${origin}"`);
    });
    expect(server.warnings()).toMatchObject([{ origin, host: `127.0.0.1:${server.port}` }]);
    expect(await refusals(server, 'origin')).toBe(1);
    expect(await refusals(server, 'malformed')).toBe(0);
    // The compared values, and what helps.
    const [warning] = server.warnings();
    for (const part of [`"${origin}"`, `"127.0.0.1:${server.port}"`, 'ALLOWED_ORIGINS'])
      expect(warning?.['msg']).toContain(part);
  });

  test('by another name than that of PUBLIC_URL is refused, whatever its origin', async () => {
    const publicUrl = 'https://ring.example.org/ring/';
    const server = await startTestServer({ publicUrl, allowedOrigins: ['*'] });
    await besideAPair(server, async () => {
      for (const host of [
        'evil.example',
        'ring.example.org.evil.example',
        `10.0.0.5:${server.port}`,
      ]) {
        const { status, text } = await handshake(server, { host, origin: `http://${host}` });
        expect(status).toBe(400);
        for (const part of [publicUrl, `"${host}"`, 'PUBLIC_URL']) expect(text).toContain(part);
      }
    });
    expect(server.warnings()).toMatchObject([{ host: 'evil.example' }]);
    expect(await refusals(server, 'host')).toBe(3);
    expect(await refusals(server, 'malformed')).toBe(0);
  });

  test('by the name of PUBLIC_URL is accepted, also from its page where a proxy changes the name', async () => {
    const server = await startTestServer({ publicUrl: 'https://ring.example.org:8443' });
    const origin = 'https://ring.example.org:8443';
    for (const host of ['ring.example.org:8443', 'ring.example.org', `127.0.0.1:${server.port}`])
      expect(await handshake(server, { host, origin })).toMatchObject({ status: 101 });
    expect(server.warnings()).toEqual([]);
  });

  test("from the server's own page, from a program, or from an allowed page is accepted", async () => {
    const friend = 'https://friend.example';
    const server = await startTestServer({ allowedOrigins: [friend] });
    const origins = [{ origin: server.url }, {}, { origin: friend }];
    for (const headers of origins)
      expect(await handshake(server, headers)).toMatchObject({ status: 101 });
    expect(await handshake(server, { origin: 'https://foe.example' })).toMatchObject({
      status: 400,
    });
    const socket = await connect(server, { headers: { origin: friend } });
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ ok: true });
  });

  test('from any page is accepted where all are allowed', async () => {
    const server = await startTestServer({ allowedOrigins: ['*'] });
    for (const origin of ['https://foe.example', 'null'])
      expect(await handshake(server, { origin })).toMatchObject({ status: 101 });
    expect(server.warnings()).toEqual([]);
  });
});
