/** Forty real peers at two real servers, which die, are replaced, and lose their Redis. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { expect, onTestFinished, test, vi } from 'vitest';
import { agreementOf, describeMember, problemsOf, type Member } from '../chaos/agreement.ts';
import { Child } from '../chaos/child.ts';
import { LEASE_LASTS } from '../../shared/instances/directory.ts';
import { defined } from '../support.ts';
import { balance } from './balancer.ts';
import { startRedis } from './redis-server.ts';

const MAIN = fileURLToPath(new URL('../../dist/signaling-server/main.js', import.meta.url));

const PEERS = fileURLToPath(new URL('../../dist/tests/chaos/peers.js', import.meta.url));

const SECRET = 'what all servers of this test sign with';

/** How long the ring may take to agree after the last fault, in milliseconds. */
const PATIENCE = 10_000;

/** How long all must be well, and how often they are looked at, in milliseconds: who has no place hears it by then. */
const SETTLED = 2_500;
const LOOK = 100;

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

const HealthSchema = v.object({ peers: v.number() });

/** Whether the servers know all peers. */
async function problemsAt(servers: readonly SharingServer[]): Promise<readonly string[]> {
  const answers = await Promise.allSettled(
    servers.map(async ({ port }) => {
      const response = await fetch(`http://127.0.0.1:${port}/healthz`);
      return v.parse(HealthSchema, await response.json()).peers;
    }),
  );
  const peers = answers.reduce(
    (sum, answer) => sum + (answer.status === 'fulfilled' ? answer.value : 0),
    0,
  );
  return peers === PROCESSES * EACH ? [] : [`the servers know ${peers} peers`];
}

/** What keeps them from being one ring. */
function problemsIn(members: readonly Member[]): readonly string[] {
  if (members.length !== PROCESSES * EACH) return [`there are ${members.length}`];
  return problemsOf(members, 'direct').map(
    ({ member, what }) => `${member.name} ${what}\n${describeMember(member)}`,
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

  for (const child of processes) {
    await child.whenReady();
    for (let slot = 0; slot < EACH; slot += 1) child.send({ type: 'join', slot });
  }
  const first = agreementOf(
    await vi.waitFor(async () => {
      const members = await membersOf(processes);
      expect(problemsIn(members)).toEqual([]);
      return members;
    }, WAIT),
  );

  /** Looks at all again and again: nobody loses its id or its leader. Until all is well again, and stays so. */
  const expectNoHarm = async (fault: string): Promise<void> => {
    const begun = performance.now();
    let wellSince: number | null = null;
    for (;;) {
      const members = await membersOf(processes);
      const now = performance.now() - begun;
      expect(agreementOf(members)).toEqual({ ...first, term: agreementOf(members).term });
      expect(new Set(members.map(({ state }) => state.leader))).toEqual(new Set([first.leader]));
      const trouble = [...problemsIn(members), ...(await problemsAt(servers))];
      wellSince = trouble.length === 0 ? (wellSince ?? now) : null;
      // What has not begun yet begins within the lease of a server.
      if (wellSince !== null && now > wellSince + SETTLED && now > LEASE_LASTS + SETTLED) break;
      if (now > PATIENCE) expect(trouble).toEqual([]);
      await pause(LOOK);
    }
    expect(faults).toEqual([]);
    const seconds = (wellSince / 1_000).toFixed(1);
    console.log(`${fault}: all are connected again after ${seconds} s`);
  };

  const [one, other] = servers;
  for (const server of [one, other]) {
    await server?.kill();
    await expectNoHarm('SIGKILL of one server');
    await server?.start();
  }
  await redis.kill();
  await redis.start();
  await expectNoHarm('Redis is started again with nothing in it');
  for (const server of [one, other]) {
    await server?.kill('SIGTERM');
    await server?.start();
    await expectNoHarm('one server is replaced');
  }
});
