/** Plain HTTP: health, metrics and the page. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { io } from 'socket.io-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import packageFile from '../../package.json' with { type: 'json' };
import { defined } from '../support.ts';
import {
  joinRequest,
  member,
  peer,
  refusals,
  ringOf,
  ROOM,
  startTestServer,
  type TestPeer,
  type TestServer,
} from './test-server.ts';

/** How long a condition is checked, in milliseconds. */
const WAIT = { timeout: 5_000 };

const INDEX = '<!doctype html><title>Ring</title>';

/** A server whose page folder lies beside a file that must not be served. */
async function startPageServer(): Promise<{ server: TestServer; page: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'ringleader-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const page = join(folder, 'web');
  await mkdir(page);
  await writeFile(join(page, 'index.html'), INDEX);
  await writeFile(join(folder, 'package.json'), 'a secret');
  return { server: await startTestServer({ pageFolder: page }), page };
}

/** Sends bytes as they are, which `fetch` would normalise, and reads until the server is done. */
async function sendBytes(server: TestServer, text: string): Promise<string> {
  const socket = createConnection(server.port, '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (received += piece));
  socket.write(text);
  await once(socket, 'close');
  return received;
}

const connectionsOf = ({ httpServer }: TestServer) =>
  promisify(httpServer.getConnections.bind(httpServer))();

const get = (server: TestServer, target: string, header = '', host = 'x') =>
  sendBytes(
    server,
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${header}\r\n`,
  );

/** The JSON of an answer. */
function bodyOf(answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
}

describe('/healthz', () => {
  test('tells a page whether its origin may connect, and by what name the server was called', async () => {
    const server = await startTestServer({ allowedOrigins: ['https://friend.example'] });
    const ask = async (origin: string) => {
      const query = new URLSearchParams({ origin }).toString();
      const body: unknown = await (await fetch(`${server.url}/healthz?${query}`)).json();
      return body;
    };
    const host = `127.0.0.1:${server.port}`;
    for (const origin of [server.url, 'https://friend.example'])
      expect(await ask(origin)).toMatchObject({ host, allowsHost: true, allowsOrigin: true });
    for (const origin of ['https://foe.example', 'null', ''])
      expect(await ask(origin)).toMatchObject({ host, allowsHost: true, allowsOrigin: false });
  });

  test('tells a page whether the server may be called by the name that came with its request', async () => {
    const server = await startTestServer({ publicUrl: 'https://ring.example.org' });
    const query = new URLSearchParams({ origin: 'https://ring.example.org' }).toString();
    for (const [host, allowsHost] of [
      ['ring.example.org', true],
      ['RING.example.org:8443', true],
      ['evil.example', false],
    ] as const)
      expect(bodyOf(await get(server, `/healthz?${query}`, '', host))).toMatchObject({
        ...{ host, allowsHost, allowsOrigin: true },
      });
  });

  test('says in JSON how many rooms and peers there are', async () => {
    const server = await startTestServer();
    await ringOf(server, 2);
    const response = await fetch(`${server.url}/healthz?now`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const body: unknown = await response.json();
    expect(body).toMatchObject({ status: 'ok', rooms: 1, peers: 2 });
    expect(body).toHaveProperty('uptime', expect.any(Number));
  });
});

describe('/readyz', () => {
  const status = async (server: TestServer) => {
    const response = await fetch(`${server.url}/readyz`);
    return [response.status, await response.json()] as const;
  };

  test('says that the server is ready, once there is a page', async () => {
    const { server, page } = await startPageServer();
    expect(await status(server)).toEqual([200, { status: 'ready' }]);
    await rm(page, { recursive: true });
    const reason = 'the page is not built';
    expect(await status(server)).toEqual([503, { status: 'not ready', reason }]);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('says while the server ends that it is not', async () => {
    const { server } = await startPageServer();
    const socket = createConnection(server.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.write('GET /readyz HTTP/1.1\r\nHost: x\r\n');
    await vi.waitFor(async () => {
      expect(await connectionsOf(server)).toBe(1);
    }, WAIT);
    // What has begun is answered before the server is closed.
    const closed = server.signaling.close();
    socket.write('\r\n');
    await vi.waitFor(() => {
      expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    }, WAIT);
    expect(answer).toContain('{"status":"not ready","reason":"the server is ending"}');
    socket.destroy();
    await closed;
  });
});

describe('/metrics', () => {
  test('counts what there is and what has happened, for Prometheus', async () => {
    const server = await startTestServer({ peersPerRoom: 2 });
    const [first] = await ringOf(server, 1);
    const second = await member(server, 2);
    await first?.relay(second.id, 'successor', new Uint8Array(100));
    expect(await (await peer(server, 3)).join()).toMatchObject({ ok: false });
    await second.leave();

    const response = await fetch(`${server.url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const lines = (await response.text()).split('\n');
    expect(lines).toContain('# TYPE ringleader_peers gauge');
    expect(lines).toContain('ringleader_rooms 1');
    expect(lines).toContain('ringleader_peers 1');
    for (const line of [
      'sockets 3',
      'spectators 0',
      'joins_total 2',
      'leaves_total 1',
      'resumes_total 0',
      'recoveries_total 0',
      'evictions_total{reason="no answer"} 0',
      'refusals_total{reason="room-full"} 1',
      'refusals_total{reason="origin"} 0',
      'relayed_frames_total 1',
      'relayed_bytes_total 100',
      `build_info{version="${packageFile.version}"} 1`,
    ])
      expect(lines).toContain(`ringleader_${line}`);
    for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds'])
      expect(lines.some((line) => line.startsWith(`${name} `))).toBe(true);
    // To count these takes the longer the more is open.
    expect(lines.join()).not.toMatch(/process_open_fds|nodejs_active/);
  });

  test('are at their own port and no more at the other, where they have one', async () => {
    const server = await startTestServer({ metricsPort: 0 });
    const url = `http://127.0.0.1:${server.metricsPort}`;
    expect(await (await fetch(`${url}/metrics?x`)).text()).toContain('ringleader_peers 0');
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  test('are collected once for all who ask within a second', async () => {
    const { signaling } = await startTestServer();
    const first = signaling.metrics.scrape();
    expect(signaling.metrics.scrape()).toBe(first);
    expect((await first).text.toString()).toContain('ringleader_peers 0');
  });
});

describe('the log', () => {
  test('tells of a recovery, and of evictions with their reason', async () => {
    const before = await startTestServer();
    const ring = await ringOf(before, 3);
    await before.signaling.close();
    const server = await startTestServer();
    const back = await Promise.all(
      ring.map(async ({ request, views }, at) => {
        const again = await peer(server, at + 1, request);
        again.views.push(...views);
        return again;
      }),
    );
    for (const each of back) expect(await each.resume()).toMatchObject({ ok: true });
    await vi.waitFor(() => {
      expect(server.notices()).toMatchObject([
        { msg: 'recovery begun', room: ROOM },
        { msg: 'recovery ended', room: ROOM, members: 3 },
      ]);
    }, WAIT);
    const [first, second] = back;
    defined(second).isAwake = false;
    const about = defined(second).id;
    expect(await defined(first).complain(about, 'silent')).toMatchObject({ isMember: false });
    expect(server.notices().at(-1)).toMatchObject({
      ...{ msg: 'evicted', room: ROOM, id: about, reason: 'no answer' },
    });
    const lines = (await server.signaling.metrics.scrape()).text.toString().split('\n');
    for (const line of [
      'recoveries_total 1',
      'resumes_total 3',
      'evictions_total{reason="no answer"} 1',
    ])
      expect(lines).toContain(`ringleader_${line}`);
  });
});

describe('/addresses', () => {
  const ADDRESSES = ['http://192.0.2.7:3000', 'http://198.51.100.7:3000/ring/'];

  test.each(['localhost', 'localhost:3000', 'ring.localhost', '127.0.0.1:3000', '[::1]:3000'])(
    'tells a page at %s, on this computer, where other devices reach the server',
    async (host) => {
      const server = await startTestServer({ addresses: ADDRESSES });
      const answer = await get(server, '/addresses', '', host);
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(answer).toMatch(/^content-type: application\/json\r$/im);
      expect(bodyOf(answer)).toEqual({ addresses: ADDRESSES });
    },
  );

  test.each([
    'X-Forwarded-For: 192.0.2.7',
    'Forwarded: for=192.0.2.7',
    'Via: 1.1 x',
    'X-Real-IP: x',
  ])(
    'tells one nothing whose request comes through a proxy on this computer: %s',
    async (header) => {
      const server = await startTestServer({ addresses: ADDRESSES });
      const answer = await get(server, '/addresses', `${header}\r\n`, 'localhost');
      expect(bodyOf(answer)).toEqual({ addresses: [] });
    },
  );

  test('tells one nothing whose request comes by HTTP/1.0, as nginx may send those of others', async () => {
    const server = await startTestServer({ addresses: ADDRESSES });
    const request = 'GET /addresses HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n';
    expect(bodyOf(await sendBytes(server, request))).toEqual({ addresses: [] });
  });

  test.each(['example.org', 'localhost.example.org', '192.0.2.7:3000', '127.example.org', 'x'])(
    'tells a page at %s nothing: it may be anybody’s',
    async (host) => {
      const server = await startTestServer({ addresses: ADDRESSES });
      const answer = await get(server, '/addresses', '', host);
      expect(bodyOf(answer)).toEqual({ addresses: [] });
    },
  );
});

describe('where PUBLIC_URL is set', () => {
  const publicUrl = 'https://ring.example.org/ring/';
  const PATHS = ['/', '/assets/x.js', '/addresses', '/nothing'];
  const statusOf = (answer: string) => Number(answer.split(' ')[1]);

  test.each(['evil.example', '192.0.2.7:3000', 'ring.example.org.evil.example', '', 'a b"c'])(
    'a request for the host %j is told where the server is',
    async (host) => {
      const server = await startTestServer({ publicUrl });
      for (const path of PATHS) {
        const answer = await get(server, path, '', host);
        expect(statusOf(answer)).toBe(421);
        expect(answer).toContain(`this server is at ${publicUrl}, but the Host header`);
        expect(answer).toContain(`"${host}"`);
      }
      const leave = 'POST /leave HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n';
      expect(statusOf(await sendBytes(server, `${leave}Host: ${host}\r\n\r\n`))).toBe(421);
      expect(server.warnings()).toMatchObject([{ host }]);
      expect(await refusals(server, 'host')).toBe(PATHS.length + 1);
    },
  );

  test.each([
    'ring.example.org',
    'Ring.Example.org:8443',
    'localhost:3000',
    '127.0.0.1',
    '[::1]:3000',
  ])('a request for the host %s is answered', async (host) => {
    const server = await startTestServer({ publicUrl });
    expect(statusOf(await get(server, '/nothing', '', host))).toBe(404);
    expect(server.warnings()).toEqual([]);
  });

  test('a request for localhost that a proxy passes on is refused', async () => {
    const server = await startTestServer({ publicUrl });
    const answer = await get(server, '/', 'X-Forwarded-For: 192.0.2.7\r\n', 'localhost');
    expect(statusOf(answer)).toBe(421);
  });

  test.each(['/healthz', '/readyz', '/metrics'])('%s is answered for any host', async (path) => {
    const { page } = await startPageServer();
    const server = await startTestServer({ publicUrl, pageFolder: page });
    expect(statusOf(await get(server, path, '', 'evil.example'))).toBe(200);
  });
});

describe('the headers', () => {
  test.each(['/', '/?room=x', '/index.html', '/nothing', '/healthz'])(
    'of %s let a page do nothing but what it has to, and nobody show it in a frame',
    async (path) => {
      const { server } = await startPageServer();
      const { headers } = await fetch(server.url + path);
      const policy = headers.get('content-security-policy')?.split('; ') ?? [];
      expect(policy).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "script-src 'self'",
          "style-src 'self'",
          "base-uri 'none'",
          "form-action 'none'",
          "frame-ancestors 'none'",
        ]),
      );
      expect(policy.join()).not.toMatch(/unsafe|https?:|\*/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    },
  );

  test('let those frame a page that are allowed to', async () => {
    const frameAncestors = ['https://lms.example.org', 'https://*.example.net'];
    const server = await startTestServer({ frameAncestors });
    const { headers } = await fetch(server.url);
    expect(headers.get('content-security-policy')).toContain(
      'frame-ancestors https://lms.example.org https://*.example.net',
    );
  });
});

describe('the page', () => {
  test('is served at /, whatever the query', async () => {
    const { server } = await startPageServer();
    for (const path of ['/', '/?room=lobby', '/index.html']) {
      const response = await fetch(server.url + path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html;charset=utf-8');
      expect(await response.text()).toBe(INDEX);
    }
  });

  test('is not sent again to a browser that has it', async () => {
    const { server } = await startPageServer();
    const { headers } = await fetch(server.url);
    const again = await fetch(server.url, {
      headers: { 'if-none-match': headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  });

  test('is answered to HEAD without a body', async () => {
    const { server } = await startPageServer();
    const response = await fetch(server.url, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe(String(INDEX.length));
    expect(await response.text()).toBe('');
  });

  test('is sent compressed to those who take that, where the build has compressed it', async () => {
    const { server, page } = await startPageServer();
    await writeFile(join(page, 'index.html.gz'), gzipSync(INDEX));
    await writeFile(join(page, 'watch.html'), 'watch');
    // A build ends by writing the digest of its sources.
    await mkdir(join(page, '.vite'));
    await writeFile(join(page, '.vite/sources'), 'abc');
    const etags = new Set<string | null>();
    for (const [accepted, encoding] of [
      ['gzip, br', 'gzip'],
      ['br;q=1.0, gzip;q=0.8', 'gzip'],
      ['gzip;q=0, identity', null],
      ['identity', null],
    ] as const) {
      const response = await fetch(server.url, { headers: { 'accept-encoding': accepted } });
      expect(response.headers.get('content-encoding')).toBe(encoding);
      expect(response.headers.get('vary')).toBe('accept-encoding');
      expect(response.headers.get('cache-control')).toBe('no-cache');
      expect(await response.text()).toBe(INDEX);
      etags.add(response.headers.get('etag'));
    }
    expect(etags.size).toBe(2);
    const plain = await fetch(`${server.url}/watch`);
    expect(plain.headers.get('content-encoding')).toBe(null);
    expect(plain.headers.get('content-type')).toBe('text/html;charset=utf-8');
    expect(await plain.text()).toBe('watch');
    expect((await fetch(`${server.url}/index.html.gz`)).status).toBe(404);
  });

  test('has files that may be kept for ever, as their names change with them', async () => {
    const { server, page } = await startPageServer();
    await mkdir(join(page, 'assets'));
    await writeFile(join(page, 'assets/page-abc.js'), 'page()');
    await writeFile(join(page, 'index.html'), `${INDEX}<script src="assets/page-abc.js"></script>`);
    const { headers } = await fetch(`${server.url}/assets/page-abc.js`);
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(headers.get('content-type')).toBe('text/javascript;charset=utf-8');
  });

  test('does not bring what the tools keep beside it', async () => {
    const { server, page } = await startPageServer();
    await mkdir(join(page, '.vite'));
    await writeFile(join(page, '.vite/manifest.json'), '{}');
    await writeFile(join(page, '.vite/sources'), 'abc');
    await writeFile(join(page, '.env'), 'SECRET=abc');
    for (const path of ['/.vite/manifest.json', '/.vite/sources', '/.env', '/.vite'])
      expect((await fetch(server.url + path)).status).toBe(404);
  });

  test.skipIf(!existsSync('/dev/fd'))(
    'leaves no file open, however many loads of it are cut off',
    async () => {
      const { server, page } = await startPageServer();
      await writeFile(join(page, 'index.html'), 'x'.repeat(4_000_000));
      const open = () => readdirSync('/dev/fd').length;
      const before = open();
      for (let time = 0; time < 20; time += 1) {
        const socket = createConnection(server.port, '127.0.0.1');
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
        await once(socket, 'data');
        socket.destroy();
      }
      await vi.waitFor(() => {
        expect(open()).toBeLessThanOrEqual(before);
      }, WAIT);
    },
  );

  test('that is not built is said to be so in plain words, and the rest works', async () => {
    const server = await startTestServer({ pageFolder: '/nowhere/at/all' });
    const response = await fetch(`${server.url}/?room=lobby`);
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe('the page is not built; build it with "npm run build"\n');
    await ringOf(server, 2);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('that goes away while the server runs is missed in plain words', async () => {
    const { server, page } = await startPageServer();
    expect((await fetch(server.url)).status).toBe(200);
    await rm(page, { recursive: true });
    expect((await fetch(server.url)).status).toBe(503);
  });

  test('that is built anew while the server runs is served whole', async () => {
    const { server, page } = await startPageServer();
    const longer = `${INDEX}<p>More than before`;
    await writeFile(join(page, 'index.html'), longer);
    expect(await (await fetch(server.url)).text()).toBe(longer);
  });

  test.each(['bytes=10-5', 'bytes=9999-', 'bytes=-5', 'bytes=x-y', 'nonsense'])(
    'is served whole, and the server lives on, where the range %s of it is asked for',
    async (range) => {
      const { server } = await startPageServer();
      expect(await get(server, '/', `Range: ${range}\r\n`)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect((await fetch(server.url)).status).toBe(200);
    },
  );
});

describe('below a base path', () => {
  async function startBelow() {
    const { page } = await startPageServer();
    return startTestServer({ pageFolder: page, basePath: '/class/ring/' });
  }

  test.each([
    ['/class/ring/', 200],
    ['/class/ring/?room=lobby', 200],
    ['/class/ring/healthz', 200],
    ['/class/ring/metrics', 200],
    ['/class/ring/addresses', 200],
    ['/class/ring/nothing', 404],
    ['/', 404],
    ['/class/', 404],
    ['/healthz', 404],
    ['/class/ringhealthz', 404],
    ['/class/ring/class/ring/', 404],
    ['/class/ring/../ring/', 404],
  ])('%s answers %i', async (target, status) => {
    const server = await startBelow();
    expect(await get(server, target)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test('the path without its last slash leads to it, with the query', async () => {
    const server = await startBelow();
    const answer = await get(server, '/class/ring?room=x');
    expect(answer).toMatch(/^HTTP\/1\.1 307 /);
    expect(answer).toMatch(/^location: \/class\/ring\/\?room=x\r$/m);
  });

  test('members join and say goodbye there, and nowhere else', async () => {
    const server = await startBelow();
    const path = '/class/ring/socket.io';
    const client = io(server.url, { path, transports: ['websocket'], reconnection: false });
    onTestFinished(() => {
      client.disconnect();
    });
    const request = joinRequest(1);
    const { room, id, secret } = request;
    expect(await client.emitWithAck('join', request)).toMatchObject({ ok: true });
    const leave = (target: string) =>
      fetch(server.url + target, { method: 'POST', body: JSON.stringify({ room, id, secret }) });
    expect((await leave('/leave')).status).toBe(404);
    expect(server.signaling.peers(ROOM)).toEqual([id]);
    expect((await leave('/class/ring/leave')).status).toBe(204);
    expect(server.signaling.peers(ROOM)).toEqual([]);
  });
});

describe('a connection', () => {
  const requests = (count: number) => 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count);

  test('may bring some requests at once, and more after their answers', async () => {
    const server = await startTestServer();
    const socket = createConnection(server.port, '127.0.0.1');
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => (received += text));
    for (let time = 1; time <= 3; time += 1) {
      socket.write(requests(4));
      await vi.waitFor(() => {
        expect(received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(time * 4);
      }, WAIT);
    }
    socket.destroy();
    expect(server.warnings()).toEqual([]);
  });

  test.each(['/healthz', '/metrics', '/', '/socket.io/'])(
    'that asks for %s a thousand times at once is ended',
    async (path) => {
      const { server } = await startPageServer();
      await sendBytes(server, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(1_000));
      expect(server.warnings().map(({ msg }) => msg)).toContain('asks faster than it reads');
      expect((await fetch(server.url)).status).toBe(200);
    },
  );

  test('for something other than signaling is ended, also by a client that keeps its half', async () => {
    const server = await startTestServer();
    const socket = createConnection({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => {
      socket.destroy();
    });
    socket.write(
      'GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    await once(socket, 'end');
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    await vi.waitFor(async () => {
      expect(await connectionsOf(server)).toBe(0);
    }, WAIT);
  });

  test('on which nothing is read is ended, and so is one on which nothing comes', async () => {
    const { server, page } = await startPageServer();
    await writeFile(join(page, 'index.html'), 'x'.repeat(4_000_000));
    const { httpServer } = server;
    // This test does not wait for the half minute.
    expect(httpServer.timeout).toBeGreaterThan(0);
    expect(httpServer.timeout).toBeLessThanOrEqual(60_000);
    httpServer.timeout = 100;
    const sockets = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(4), ''].map((text) => {
      const socket = createConnection(server.port, '127.0.0.1');
      onTestFinished(() => {
        socket.destroy();
      });
      socket.pause().write(text);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await vi.waitFor(async () => {
      expect(await connectionsOf(server)).toBe(0);
    }, WAIT);
  });
});

describe('anything else', () => {
  test('that cannot be accepted ends nothing, and is said once a minute', async () => {
    const server = await startTestServer();
    for (let time = 0; time < 3; time += 1)
      server.httpServer.emit('error', new Error('accept EMFILE'));
    expect(server.warnings()).toMatchObject([{ msg: 'cannot accept', error: 'accept EMFILE' }]);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('that cannot be answered is said to be so, and the server lives on', async () => {
    const server = await startTestServer();
    const fault = new Error('broken');
    vi.spyOn(server.signaling.metrics, 'scrape').mockRejectedValue(fault);
    vi.spyOn(server.signaling, 'size', 'get').mockImplementation(() => {
      throw fault;
    });
    for (const path of ['/metrics', '/healthz']) {
      const response = await fetch(server.url + path);
      expect(response.status).toBe(500);
      expect(await response.text()).toBe('the server cannot answer this\n');
    }
    expect(server.warnings()).toMatchObject([
      { msg: 'a request cannot be answered', error: 'Error: broken' },
    ]);
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
  });

  test('is not found, in plain words', async () => {
    const { server } = await startPageServer();
    const response = await fetch(`${server.url}/nothing`);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe('there is nothing here\n');
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])(
    '%s is not allowed, in plain words',
    async (method) => {
      const { server } = await startPageServer();
      for (const path of ['/', '/healthz', '/metrics', '/nothing']) {
        const response = await fetch(server.url + path, { method });
        expect(response.status).toBe(405);
        expect(response.headers.get('allow')).toBe('GET, HEAD');
        expect(await response.text()).toBe('only GET is answered here\n');
      }
    },
  );

  test.each([
    '/../package.json',
    '/./../package.json',
    '//../package.json',
    '/x/../../package.json',
    '/%2e%2e/package.json',
    '/%2E%2E%2Fpackage.json',
    '/..%2fpackage.json',
    '/..%5cpackage.json',
    '/..\\package.json',
    '/%252e%252e/package.json',
    '/%c0%ae%c0%ae/package.json',
    '/..%00/package.json',
    '/../web/../package.json',
    '/../web-else',
    '../package.json',
    '/%E0%A4%A',
    '/__proto__',
    '/constructor',
    'http://x/../package.json',
  ])('%s does not lead out of the page folder', async (target) => {
    const { server } = await startPageServer();
    const answer = await get(server, target);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toContain('a secret');
    expect((await fetch(server.url)).status).toBe(200);
  });

  test('that is no HTTP at all is turned away', async () => {
    const { server } = await startPageServer();
    expect(await sendBytes(server, 'EHLO example.org\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect((await fetch(server.url)).status).toBe(200);
  });
});

describe('/leave', () => {
  /** Says goodbye for a peer like a page that is being closed. */
  const sayLeave = (server: TestServer, body: unknown) =>
    fetch(`${server.url}/leave`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const goodbye = ({ request: { room, id, secret } }: TestPeer) => ({ room, id, secret });

  test('lets a member go that says so with its secret (L7d)', async () => {
    const server = await startTestServer();
    const [first, second] = await ringOf(server, 2);
    const leaver = defined(second);
    expect((await sayLeave(server, goodbye(leaver))).status).toBe(204);
    expect(server.signaling.peers(ROOM)).toEqual([defined(first).id]);
  });

  test('lets one go whose connection has ended already', async () => {
    const server = await startTestServer();
    const [, second] = await ringOf(server, 2);
    const leaver = defined(second);
    leaver.drop();
    expect((await sayLeave(server, goodbye(leaver))).status).toBe(204);
    expect(server.signaling.peers(ROOM)).not.toContain(leaver.id);
    // A second goodbye is no fault: a page says it in two ways.
    expect((await sayLeave(server, goodbye(leaver))).status).toBe(204);
    expect(server.warnings()).toEqual([]);
  });

  test('turns out nobody whose secret the sender does not know', async () => {
    const server = await startTestServer();
    const [first, second] = await ringOf(server, 2);
    const secret = defined(second).request.secret;
    const response = await sayLeave(server, { ...goodbye(defined(first)), secret });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('not the secret');
    expect(server.signaling.peers(ROOM)).toHaveLength(2);
  });

  test.each(['', 'goodbye', '{}', '[1]', '{"room":"lobby","id":7}'])(
    'refuses %j in plain words',
    async (body) => {
      const server = await startTestServer();
      const response = await sayLeave(server, body);
      expect(response.status).toBe(400);
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    },
  );

  test('does not read a body without end', async () => {
    const server = await startTestServer();
    const response = await sayLeave(server, 'x'.repeat(100_000));
    expect(response.status).toBe(413);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});
