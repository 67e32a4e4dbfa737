/** Forty real peers at two real servers, which die, are replaced, and lose their Redis. */
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  agreementOf,
  describeMember,
  problemsOf,
  type Agreement,
  type Member,
} from '../chaos/agreement.ts';
import { Child } from '../chaos/child.ts';
import { defined } from '../support.ts';
import { balance } from './balancer.ts';
import { startRedis } from './redis-server.ts';

const MAIN = fileURLToPath(new URL('../../dist/signaling-server/main.js', import.meta.url));

const PEERS = fileURLToPath(new URL('../../dist/tests/chaos/peers.js', import.meta.url));

const SECRET = 'what all servers of this test sign with';

/** How long the ring may take to agree after the last fault, in milliseconds. */
const PATIENCE = 10_000;

/** Peers are in processes of ten. */
const PROCESSES = 4;
const EACH = 10;

/** The shipped server, which shares rooms with others. */
class SharingServer {
  readonly port: number;
  readonly #redisUrl: string;
  readonly #onFault: (what: string) => void;
  #child: Child | null = null;
  #lives = 0;

  constructor(port: number, redisUrl: string, onFault: (what: string) => void) {
    this.port = port;
    this.#redisUrl = redisUrl;
    this.#onFault = onFault;
  }

  async start(): Promise<void> {
    this.#lives += 1;
    const child = new Child(
      `server at ${this.port}, life ${this.#lives}`,
      [process.execPath, MAIN],
      {
        HOST: '127.0.0.1',
        PORT: String(this.port),
        REDIS_URL: this.#redisUrl,
        SECRET,
        LOG_LEVEL: 'warn',
      },
      this.#onFault,
    );
    this.#child = child;
    await this.ready();
  }

  async ready(): Promise<void> {
    await vi.waitFor(async () => {
      expect((await fetch(`http://127.0.0.1:${this.port}/readyz`)).status).toBe(200);
    }, WAIT);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    await this.#child?.kill(signal);
    this.#child = null;
  }
}

const WAIT = { timeout: PATIENCE, interval: 50 };

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  probe.close();
  await once(probe, 'close');
  return address.port;
}

async function membersOf(processes: readonly Child[]): Promise<Member[]> {
  const answers = await Promise.all(processes.map((child) => child.states()));
  return answers.flatMap((answer, at) =>
    defined(answer ?? undefined).states.flatMap((state, slot) =>
      state === null ? [] : [{ name: `p${at}.${slot}`, state }],
    ),
  );
}

test('forty peers at two servers stay one ring under one leader, whichever dies', async () => {
  const faults: string[] = [];
  const onFault = (what: string) => void faults.push(what);
  const redis = await startRedis();
  onTestFinished(() => redis.end());
  const ports = [await freePort(), await freePort()];
  const servers = ports.map((port) => new SharingServer(port, redis.url, onFault));
  onTestFinished(async () => {
    await Promise.all(servers.map((server) => server.kill()));
  });
  await Promise.all(servers.map((server) => server.start()));
  const balancer = await balance(ports);
  onTestFinished(() => balancer.close());
  const url = `http://127.0.0.1:${balancer.port}`;
  const processes = Array.from({ length: PROCESSES }, (_, at) => {
    const command = [process.execPath, PEERS, url, 'hall', String(EACH), 'direct'];
    const child = new Child(`p${at}`, command, {}, onFault);
    onTestFinished(() => child.kill());
    return child;
  });

  /** Until all are one ring. Returns what they agree on. */
  const agreed = async (after: string): Promise<Agreement> => {
    const begun = performance.now();
    const sight = await vi.waitFor(async () => {
      const members = await membersOf(processes);
      expect(members).toHaveLength(PROCESSES * EACH);
      const problems = problemsOf(members, 'direct').map(
        ({ member, what }) => `${member.name} ${what}\n${describeMember(member)}`,
      );
      expect(problems.slice(0, 5)).toEqual([]);
      return members;
    }, WAIT);
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
    console.log(`${after}: one ring under one leader after ${seconds} s`);
    return agreementOf(sight);
  };
  const expectSame = (now: Agreement, before: Agreement) => {
    expect(now.leader).toBe(before.leader);
    expect(now.ids).toEqual(before.ids);
    expect(faults).toEqual([]);
  };

  for (const child of processes) {
    await child.whenReady();
    for (let slot = 0; slot < EACH; slot += 1) child.send({ type: 'join', slot });
  }
  const first = await agreed('forty join');
  const [one, other] = servers;
  for (const server of [one, other]) {
    await server?.kill();
    expectSame(await agreed('SIGKILL of one server'), first);
    await server?.start();
  }
  await redis.kill();
  await redis.start();
  expectSame(await agreed('Redis is started again with nothing in it'), first);
  for (const server of [one, other]) {
    await server?.kill('SIGTERM');
    await server?.start();
    expectSame(await agreed('one server is replaced'), first);
  }
});
