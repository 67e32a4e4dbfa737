/** The server as a separate process: what it prints, and how it ends. */
import { execFile, spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { createConnection, createServer, isIPv6 } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import packageFile from '../../package.json' with { type: 'json' };
import { defined } from '../support.ts';
import { joinRequest } from './test-server.ts';

/** How long a condition is checked, in milliseconds. */
const WAIT = { timeout: 10_000 };

const ROOT = dirname(dirname(import.meta.dirname));

/** A copy of the built server, to which each test may add a page. */
let folder = '';

beforeAll(async () => {
  const typescript = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  await promisify(execFile)(process.execPath, [typescript, '-b', 'signaling-server'], {
    cwd: ROOT,
  });
  folder = await mkdtemp(join(tmpdir(), 'ringleader-'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const part of ['shared', 'signaling-server'])
    await cp(join(ROOT, 'dist', part), join(folder, 'dist', part), { recursive: true });
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

const WAITING = { timeout: 10_000, interval: 1 };

const machine = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
const HOSTS = [
  ['0.0.0.0', 'localhost'],
  ['127.0.0.1', 'localhost'],
  ['localhost', (await lookup('localhost')).address === '::1' ? '[::1]' : 'localhost'],
  // Other systems have only one of these addresses.
  ...(process.platform === 'linux' ? [['127.0.1.1', '127.0.1.1']] : []),
  ...(machine.some(({ address }) => address === '::1')
    ? [
        ['::', 'localhost'],
        ['::1', '[::1]'],
      ]
    : []),
  ...machine
    .filter(({ address, internal }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => [address, isIPv6(address) ? `[${address}]` : address]),
];

/** Makes a process run some lines first. */
async function withPreload(lines: string): Promise<string> {
  const path = join(folder, 'preload.cjs');
  await writeFile(path, lines);
  return `--require=${path}`;
}

interface ServerProcess {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The port, as soon as it is printed. */
  port(): Promise<number>;
  signal(name: 'SIGINT' | 'SIGTERM'): void;
  /** The exit status; null where a signal killed it. */
  readonly status: Promise<number | null>;
}

interface Circumstances {
  /** Whether its stderr is read; `gone` where the reader has gone. */
  readonly reads?: 'yes' | 'no' | 'gone';
  /** How many files and connections it may have open. */
  readonly descriptors?: number;
}

function start(
  environment: Readonly<Record<string, string>>,
  { reads = 'yes', descriptors }: Circumstances = {},
): ServerProcess {
  const command = [process.execPath, join(folder, 'dist/signaling-server/main.js')];
  const limited = ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh', ...command];
  const [file = '', ...parameters] = descriptors === undefined ? command : limited;
  const child = spawn(file, parameters, {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  if (reads === 'yes')
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  if (reads === 'gone') child.stderr.destroy();
  const status = new Promise<number | null>((resolve) =>
    child.once(reads === 'yes' ? 'close' : 'exit', resolve),
  );
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    port: () =>
      vi.waitFor(
        () => {
          const found = /^listening on http:\/\/localhost:(\d+)$/m.exec(stdout);
          return Number(defined(found?.[1]));
        },
        { timeout: 10_000, interval: 1 },
      ),
    signal: (name) => child.kill(name),
    status,
  };
}

/** The lines of a server's log. */
function linesOf({ stderr }: ServerProcess): unknown[] {
  return stderr()
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

function connect(port: number): Socket {
  const client = io(`http://127.0.0.1:${port}`, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
  });
  onTestFinished(() => {
    client.disconnect();
  });
  return client;
}

/** The answer to a request for the page; nothing where the connection ends before. */
function answerOf(port: number, agent: Agent | false = false): Promise<string> {
  return new Promise((resolve) => {
    get({ port, host: '127.0.0.1', agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.once('end', () => {
        resolve(text);
      });
    }).on('error', () => {
      resolve('');
    });
  });
}

describe('the server', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'prints where it listens, and ends with status 0 on %s while a client is connected',
    async (name) => {
      const server = start({ PORT: '0' });
      const port = await server.port();
      expect(port).toBeGreaterThan(0);
      const client = connect(port);
      await new Promise<void>((resolve) => client.once('connect', resolve));
      const end = new Promise((resolve) => client.once('disconnect', resolve));

      server.signal(name);
      expect(await server.status).toBe(0);
      await end;
      expect(server.stdout()).toBe(
        `listening on http://localhost:${port}\non a projector  http://localhost:${port}/watch\n`,
      );
      expect(server.stderr()).toBe('');
    },
  );

  test.each(['no', 'gone'] as const)(
    'serves and ends as ever where its log has no reader: %s',
    async (reads) => {
      const server = start({ PORT: '0', LOG_LEVEL: 'debug' }, { reads });
      const client = connect(await server.port());
      await client.emitWithAck('join', joinRequest(1));
      const { id: to } = joinRequest(2);
      const signals = [{ type: 'answer', sdp: '' }];
      // A line each; the system buffers some hundreds of thousands of bytes of them.
      const refused = Array.from({ length: 3_000 }, () =>
        client.emitWithAck('signal', { to, edge: 'successor', link: 7, signals }),
      );
      expect((await Promise.all(refused)).at(-1)).toMatchObject({ code: 'not-a-neighbour' });
      server.signal('SIGTERM');
      expect(await server.status).toBe(0);
    },
  );

  test('outlives the want of descriptors, and serves the page that it has', async () => {
    const server = start({ PORT: '0' }, { descriptors: 64 });
    const port = await server.port();
    const page = join(folder, 'dist/web');
    onTestFinished(() => rm(page, { recursive: true }));
    await mkdir(page);
    await writeFile(join(page, 'index.html'), 'x'.repeat(1_000_000));
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => {
      kept.destroy();
    });
    const lengthOnKept = async () => (await answerOf(port, kept)).length;
    expect(await lengthOnKept()).toBe(1_000_000);
    const sockets = Array.from({ length: 100 }, () => {
      const socket = createConnection(port, '127.0.0.1').pause();
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(4));
      return socket;
    });
    await vi.waitFor(async () => {
      expect(await lengthOnKept()).toBe(1_000_000);
      expect(await answerOf(port)).toBe('');
    }, WAIT);
    for (const length of [10, 20]) {
      await writeFile(join(page, 'index.html'), 'y'.repeat(length));
      expect(await lengthOnKept()).toBe(1_000_000);
    }
    for (const socket of sockets) socket.destroy();
    // Connections that came in between may have to be accepted and ended first.
    await vi.waitFor(async () => {
      expect(await answerOf(port)).toBe('y'.repeat(20));
    }, WAIT);
    server.signal('SIGTERM');
    expect(await server.status).toBe(0);
    // However many connections came, and however often the page was asked for.
    expect(server.stderr().match(/hardly any file descriptors are left/g)).toHaveLength(1);
    expect(server.stderr().match(/"the page cannot be read"/g)).toHaveLength(1);
    expect(linesOf(server).length).toBeLessThanOrEqual(4);
  });

  test('may be ended as soon as it has printed where it listens', async () => {
    const server = start({ PORT: '0' });
    await server.port();
    server.signal('SIGTERM');
    expect(await server.status).toBe(0);
  });

  test.each(HOSTS)(
    'where HOST is %s, prints addresses that answer, the first at %s',
    async (host, name) => {
      const server = start({ PORT: '0', HOST: defined(host) });
      const printed = await vi.waitFor(() => {
        expect(server.stdout()).toMatch(/\/watch\n$/);
        return Array.from(server.stdout().matchAll(/http:\S+/g), ([url]) => url);
      }, WAITING);
      const [first = '', ...others] = printed;
      expect(first).toBe(`http://${name}:${new URL(first).port}`);
      expect(others.at(-1)).toBe(`${first}/watch`);
      for (const url of printed) expect((await fetch(new URL('/healthz', url))).status).toBe(200);
    },
  );

  test('says where it is below a base path, and answers there', async () => {
    const server = start({ PORT: '0', BASE_PATH: '/ring' });
    await vi.waitFor(() => {
      expect(server.stdout()).toMatch(
        /^listening on http:\/\/localhost:(\d+)\/ring\/\non a projector {2}http:\/\/localhost:\1\/ring\/watch\n$/,
      );
    }, WAITING);
    const url = defined(/http:\S+/.exec(server.stdout())?.[0]);
    expect((await fetch(`${url}healthz`)).status).toBe(200);
  });

  test('says where it is by its public address, and where its metrics are', async () => {
    const server = start({
      ...{ PORT: '0', HOST: '0.0.0.0', METRICS_PORT: '0' },
      PUBLIC_URL: 'https://ring.example.org/ring',
    });
    const port = await server.port();
    await vi.waitFor(() => {
      expect(server.stdout()).toMatch(/ port \d+\n$/);
    }, WAITING);
    const metrics = defined(/ port (\d+)\n$/.exec(server.stdout())?.[1]);
    expect(server.stdout()).toBe(
      `listening on http://localhost:${port}\n` +
        'for everybody   https://ring.example.org/ring/\n' +
        'on a projector  https://ring.example.org/ring/watch\n' +
        `metrics         at /metrics on port ${metrics}\n`,
    );
    expect((await fetch(`http://127.0.0.1:${metrics}/metrics`)).status).toBe(200);
  });

  test('tells in its log that it starts, where, and that it ends', async () => {
    const server = start({ PORT: '0', LOG_LEVEL: 'info' });
    const port = await server.port();
    server.signal('SIGTERM');
    expect(await server.status).toBe(0);
    const { version } = packageFile;
    expect(linesOf(server)).toMatchObject([
      { level: 30, msg: 'started', version, port, here: `http://localhost:${port}`, others: [] },
      { level: 30, msg: 'ending' },
      { level: 30, msg: 'ended' },
    ]);
  });

  test('has no control character of a stranger in its log', async () => {
    const server = start({ PORT: '0', LOG_LEVEL: 'debug' });
    const port = await server.port();
    const hostile = 'a\u001b[31m\u009b31m\u0085\r\n\u2028\u202e\u2066\u007f';
    const client = connect(port);
    await client.emitWithAck(hostile, hostile);
    await client.emitWithAck('join', { ...joinRequest(1), [hostile]: hostile });
    await client.emitWithAck('join', { ...joinRequest(1), policy: hostile });
    const origin = 'http://\u009b31m\u0085';
    const extraHeaders = { origin, host: '\u009b31m' };
    const options = { transports: ['websocket'], reconnection: false, extraHeaders };
    const refused = io(`http://127.0.0.1:${port}`, options);
    await new Promise((resolve) => refused.once('connect_error', resolve));
    server.signal('SIGTERM');
    expect(await server.status).toBe(0);
    expect(server.stderr()).toContain('\\u009b31m');
    expect(server.stderr()).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/u);
    // Each line is JSON all the same.
    expect(linesOf(server).length).toBeGreaterThan(4);
  });

  test('starts where the system does not tell its addresses, and says so', async () => {
    const server = start({
      PORT: '0',
      HOST: '0.0.0.0',
      NODE_OPTIONS: await withPreload(
        "require('node:os').networkInterfaces = () => { throw new Error('not here'); };" +
          "require('node:module').syncBuiltinESMExports();",
      ),
    });
    const port = await server.port();
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect(server.stdout()).toMatch(/^on the network {2}other addresses are not known: not here$/m);
  });

  test('is never at a port that browsers block, where it may choose', async () => {
    const server = start({
      PORT: '0',
      NODE_OPTIONS: await withPreload(
        'let isFirst = true;' +
          "const { Server } = require('node:net');" +
          'const { listen } = Server.prototype;' +
          'Server.prototype.listen = function (port, ...more) {' +
          '  const chosen = port === 0 && isFirst ? 10080 : port;' +
          '  isFirst = false;' +
          '  return listen.call(this, chosen, ...more);' +
          '};',
      ),
    });
    const port = await server.port();
    expect(port).not.toBe(10_080);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });

  test.each(['PORT', 'METRICS_PORT'])(
    'says in one line that the port of %s is busy, with status 1',
    async (name) => {
      const blocker = createServer().listen(0, '127.0.0.1');
      onTestFinished(() => {
        blocker.close();
      });
      await once(blocker, 'listening');
      const address = blocker.address();
      const port = typeof address === 'string' ? address : String(address?.port);
      const server = start({ PORT: '0', [name]: port });
      expect(await server.status).toBe(1);
      expect(server.stderr()).toBe(`port ${port} is in use; choose another with ${name}\n`);
      expect(server.stdout()).toBe('');
    },
  );

  test.each([
    ['PORT', 'abc', 'PORT must be a whole number from 0 to 65535, but is "abc"\n'],
    ['PORT', '6000', 'PORT must be a port that browsers do not block, but is "6000"\n'],
    ['BASE_PATH', 'ring', 'BASE_PATH must be a path such as /ring/, but is "ring"\n'],
    ['LOG_LEVEL', 'a\nb', 'LOG_LEVEL must be silent, error, warn, info or debug, but is "a\\nb"\n'],
  ])('says in one line that %s is wrong, with status 1', async (name, value, line) => {
    const server = start({ PORT: '0', [name]: value });
    expect(await server.status).toBe(1);
    expect(server.stderr()).toBe(line);
    expect(server.stdout()).toBe('');
  });

  test('says in one line that there is no such host, with status 1', async () => {
    const server = start({ PORT: '0', HOST: '192.0.2.1' });
    expect(await server.status).toBe(1);
    expect(server.stderr()).toMatch(/^[^\n]*192\.0\.2\.1[^\n]*\n$/);
  });

  test('serves signaling without the page, and the page as soon as it is built', async () => {
    const server = start({ PORT: '0' });
    const url = `http://127.0.0.1:${await server.port()}`;
    const response = await fetch(url);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('the page is not built');
    expect((await fetch(`${url}/healthz`)).status).toBe(200);

    const page = join(folder, 'dist/web');
    onTestFinished(() => rm(page, { recursive: true }));
    await mkdir(page);
    await writeFile(join(page, 'index.html'), '<!doctype html>');
    expect(await (await fetch(url)).text()).toBe('<!doctype html>');
  });
});
