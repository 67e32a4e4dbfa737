/**
 * `npm run bench -- signaling [--runs N]`: what a join costs the signaling server, beside a bare relay on
 * Socket.IO (the floor) and PeerJS's server; and several of ours that share their rooms by Redis. Each server is
 * a process of its own, new in each run.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLIENTS } from './signaling-clients.mjs';

const path = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url));

const SERVERS = {
  ours: path('../dist/signaling-server/main.js'),
  floor: path('bare-relay.mjs'),
  peerjs: path('peerjs-server.mjs'),
};
export const CONTENDERS = Object.keys(SERVERS);

/** How many of our servers share the rooms. */
export const SHARING = [1, 2, 4];

/** How many rooms of how many members. */
export const SHAPES = [
  { rooms: 1, size: 2_000 },
  { rooms: 500, size: 20 },
];

/** Newcomers that are on their way at a time. */
const AT_ONCE = 32;

/** How many members leave, one after another. */
const LEAVES = 20;

/** How long what was said last may be on its way, in milliseconds. */
const REST = 300;

const MOST = '20000';
const ENVIRONMENT = {
  ...{ PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'silent' },
  ...{ MAX_CONNECTIONS: MOST, MAX_CONNECTIONS_PER_ADDRESS: MOST, MAX_PEERS_PER_ROOM: '10000' },
  SECRET: 'what all servers that are measured sign with',
};

const execute = promisify(execFile);

/** @returns {Promise<{ url: string, cpu: () => Promise<number>, stop: () => Promise<void> }>} a Redis; in µs */
async function startRedis() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const port = String(probe.address().port);
  probe.close();
  await once(probe, 'close');
  const options = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const redis = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = () => redis.kill('SIGKILL');
  process.once('exit', kill);
  for await (const line of createInterface(redis.stdout))
    if (line.includes('Ready to accept')) break;
  redis.stdout.resume();
  return {
    url: `redis://127.0.0.1:${port}`,
    cpu: async () => {
      const { stdout } = await execute('redis-cli', ['-p', port, 'info', 'cpu']);
      const of = (kind) => Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(stdout)[1]);
      return 1e6 * (of('sys') + of('user'));
    },
    stop: async () => {
      process.off('exit', kill);
      const ended = once(redis, 'exit');
      kill();
      await ended;
    },
  };
}

async function startServer(contender, environment = {}) {
  const server = spawn(
    process.execPath,
    ['--expose-gc', '--import', path('measured-process.mjs'), SERVERS[contender]],
    {
      env: { ...process.env, ...ENVIRONMENT, ...environment },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  );
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  for await (const line of createInterface(server.stdout)) {
    const url = /^listening on (\S+?)\/?$/.exec(line)?.[1];
    if (url === undefined) continue;
    server.stdout.resume();
    return {
      // Not by name, which may stand for two addresses.
      url: `${url.replace('localhost', '127.0.0.1')}/`,
      usage: async () => {
        server.send('usage');
        const [usage] = await once(server, 'message');
        return usage;
      },
      stop: async () => {
        process.off('exit', kill);
        const ended = once(server, 'exit');
        kill();
        await ended;
      },
    };
  }
  throw new Error(`the server of ${contender} did not start`);
}

/** A newcomer, until both sides of a link have heard of each other. Returns how long it took, in milliseconds. */
async function join(Client, { urls, version }, room, members) {
  const begun = performance.now();
  const client = new Client(urls[members.length % urls.length]);
  const neighbours = members.slice(-2);
  const isAnswered = new Promise((resolve) => {
    client.onAnswer = resolve;
  });
  const expected = await client.join(room, version, neighbours);
  members.push(client);
  if (client.answers < expected) await isAnswered;
  await client.settle();
  return performance.now() - begun;
}

/** @returns all members, and how long the join of each took */
async function fill(Client, server, { rooms, size }) {
  const all = Array.from({ length: rooms }, () => []);
  const waits = [];
  let next = 0;
  const one = async () => {
    while (next < rooms * size) {
      const room = next % rooms;
      next += 1;
      waits.push(await join(Client, server, `room-${room}`, all[room]));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return { all, waits };
}

/** Views that all members are told for each that leaves. */
async function viewsOfLeaves(all) {
  await pause(REST);
  const seen = () => all.flat().reduce((sum, { views }) => sum + views, 0);
  const before = seen();
  const leaving = Array.from({ length: LEAVES }, (_, at) => {
    const room = all[at % all.length];
    return room[(7 * at + 3) % room.length];
  });
  for (const client of new Set(leaving)) await client.leave();
  await pause(REST);
  return (seen() - before) / new Set(leaving).size;
}

/**
 * @param {string} contender
 * @param {{ rooms: number, size: number }} shape
 * @param {number} version of our protocol
 */
export async function measureSignaling(contender, shape, version) {
  return measure(contender, [await startServer(contender)], null, shape, version);
}

/**
 * @param {number} count of our servers that share their rooms
 * @param {{ rooms: number, size: number }} shape
 * @param {number} version of our protocol
 */
export async function measureSharing(count, shape, version) {
  const redis = await startRedis();
  try {
    const servers = [];
    for (let started = 0; started < count; started += 1)
      servers.push(await startServer('ours', { REDIS_URL: redis.url }));
    for (const { url } of servers)
      while ((await fetch(`${url}readyz`)).status !== 200) await pause(50);
    return await measure('ours', servers, redis, shape, version);
  } finally {
    await redis.stop();
  }
}

async function measure(contender, servers, redis, shape, version) {
  const usage = async () => {
    const all = await Promise.all(servers.map((server) => server.usage()));
    const sum = (key) => all.reduce((total, each) => total + each[key], 0);
    return { cpu: sum('cpu'), rss: sum('rss'), redis: (await redis?.cpu()) ?? 0 };
  };
  try {
    const urls = servers.map(({ url }) => url);
    const before = await usage();
    const begun = performance.now();
    const { all, waits } = await fill(CLIENTS[contender], { urls, version }, shape);
    const seconds = (performance.now() - begun) / 1_000;
    await pause(REST);
    const after = await usage();
    const sorted = waits.toSorted((one, other) => one - other);
    const count = sorted.length;
    return {
      rate: count / seconds,
      half: sorted[Math.floor(0.5 * count)],
      most: sorted[Math.floor(0.99 * count)],
      cpu: (after.cpu - before.cpu) / count,
      redis: (after.redis - before.redis) / count,
      memory: (after.rss - before.rss) / count / 1_000,
      views: contender === 'ours' ? await viewsOfLeaves(all) : null,
    };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
