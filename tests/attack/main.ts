/** `npm run attack`: see scripts/attack.mjs for its options. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { agreementOf, problemsOf, type Agreement, type Member } from '../chaos/agreement.ts';
import { Child } from '../chaos/child.ts';
import { ServerProcess } from '../chaos/server.ts';
import {
  ATTACKS,
  EFFECT,
  isOk,
  joinRequest,
  LATE_ROOM,
  RING_ROOM,
  STRIKE,
  watchRequest,
} from './attacks.ts';
import { probe, quantile } from './delays.ts';
import { honestWay, Stranger } from './strangers.ts';

/** The honest ring: processes, and peers in each. */
const PROCESSES = 3;
const SLOTS = 4;

/** How many members the other room has. */
const CROWD = 300;

/** Limits for the server: additional bytes of memory, and milliseconds until it answers. */
const MOST_MEMORY = 100_000_000;
const MOST_DELAY = 250;

/** The least share of the time that honest peers beside attackers in their ring follow one leader. */
const LEAST_LED = 0.99;

/** How long those may have none that come to a room of attackers, in seconds. */
const LONGEST_WITHOUT = 20;

/** Width of the column with the attack's name. */
const WIDTH = 14;

/** How long the ring may take to agree before each attack, in milliseconds. */
const PATIENCE = 60_000;

/** Milliseconds between two looks at the ring. */
const LOOKS = 1_000;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' } },
});
const seconds = Number(values.seconds);
const names = values.only === undefined ? Object.keys(ATTACKS) : [values.only];

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const children: Child[] = [];
const faults: string[] = [];

function start(name: string, path: string, ...parameters: readonly string[]): Child {
  const child = new Child(name, [process.execPath, script(path), ...parameters], {}, (what) => {
    faults.push(what);
  });
  children.push(child);
  return child;
}

async function membersOf(ring: readonly Child[]): Promise<Member[]> {
  const answers = await Promise.all(ring.map((child) => child.states()));
  return answers.flatMap((answer, at) =>
    (answer?.states ?? []).flatMap((state, slot) =>
      state === null ? [] : [{ name: `${at}/${slot}`, state }],
    ),
  );
}

async function problemsIn(ring: readonly Child[]): Promise<string[]> {
  const members = await membersOf(ring);
  const problems = problemsOf(members, 'direct').map(
    ({ member, what }) => `${member.name} ${what}`,
  );
  return members.length === PROCESSES * SLOTS ? problems : ['not all are members', ...problems];
}

async function startRing(server: ServerProcess, room: string): Promise<readonly Child[]> {
  const ring = Array.from({ length: PROCESSES }, (_, at) =>
    start(`${room} ${at}`, '../chaos/peers.js', server.url, room, String(SLOTS)),
  );
  await Promise.all(ring.map((child) => child.whenReady()));
  for (const child of ring)
    for (let slot = 0; slot < SLOTS; slot += 1) child.send({ type: 'join', slot });
  return ring;
}

/** Waits until the ring is one and agrees. */
async function settle(ring: readonly Child[]): Promise<void> {
  const limit = Date.now() + PATIENCE;
  for (;;) {
    const problems = await problemsIn(ring);
    if (problems.length === 0) return;
    if (Date.now() > limit) throw new Error(`the ring does not agree: ${problems.join(', ')}`);
    await pause(100);
  }
}

function describeDelays(sorted: readonly number[]): string {
  const [half, most] = [0.5, 0.99].map((share) => quantile(sorted, share).toFixed(1).padStart(6));
  return `/healthz p50 ${half} ms, p99 ${most} ms`;
}

const isSame = (one: Agreement, other: Agreement) =>
  one.leader === other.leader && one.term === other.term;

/** Whether others than the attackers can watch the ring, and open a room: what was wrong with that. */
async function visit(url: string): Promise<string[]> {
  const port = Number(new URL(url).port);
  const requests = [
    ['watch', watchRequest(RING_ROOM)],
    ['join', joinRequest(`visit-${randomUUID()}`)],
  ] as const;
  const wrong = await Promise.all(
    requests.map(async ([event, request]) => {
      const visitor = new Stranger(honestWay(port));
      await visitor.connected();
      const reply = await visitor.ask(event, request);
      if (event === 'join') await visitor.ask('leave');
      visitor.socket.terminate();
      return isOk(reply) ? [] : [`a visitor cannot ${event}: ${reply || 'no connection'}`];
    }),
  );
  return wrong.flat();
}

/** Whether the honest peers follow one leader. */
async function areLed(ring: readonly Child[]): Promise<boolean> {
  const members = await membersOf(ring);
  const leaders = new Set(members.map(({ state }) => state.leader));
  return members.length === PROCESSES * SLOTS && leaders.size === 1 && !leaders.has(null);
}

/** Watches how much of an attack's time the honest peers follow one leader, and whether they do afterwards. */
async function measure(ring: readonly Child[]): Promise<Set<string>> {
  const limit = Date.now() + seconds * 1_000;
  let looks = 0;
  let led = 0;
  while (Date.now() < limit) {
    await pause(LOOKS / 10);
    looks += 1;
    if (await areLed(ring)) led += 1;
  }
  const share = led / looks;
  console.log(`${''.padEnd(WIDTH)}one leader in ${(100 * share).toFixed(1)} % of ${looks} looks`);
  return new Set(share < LEAST_LED ? ['it has one leader for too little of the time'] : []);
}

/** Has honest peers come to a room of strangers; returns what was wrong with that. */
async function comeLate(server: ServerProcess): Promise<Set<string>> {
  await pause(LOOKS);
  const ring = await startRing(server, LATE_ROOM);
  const begun = Date.now();
  while (!(await areLed(ring)) && Date.now() - begun < PATIENCE) await pause(LOOKS / 10);
  const taken = (Date.now() - begun) / 1_000;
  console.log(`${''.padEnd(WIDTH)}one leader after ${taken.toFixed(1)} s`);
  const wrong = await measure(ring);
  await Promise.all(ring.map((child) => child.kill()));
  return taken > LONGEST_WITHOUT ? wrong.add('it has no leader for too long') : wrong;
}

/** Watches the ring for the time of an attack; returns what was wrong with it. */
async function lookAt(
  url: string,
  ring: readonly Child[],
  before: Agreement,
): Promise<Set<string>> {
  const wrong = new Set<string>();
  const limit = Date.now() + seconds * 1_000;
  while (Date.now() < limit) {
    await pause(Math.min(LOOKS, limit - Date.now()));
    for (const problem of await problemsIn(ring)) wrong.add(problem);
    for (const problem of await visit(url)) wrong.add(problem);
    const now = agreementOf(await membersOf(ring));
    if (!isSame(before, now)) wrong.add(`the leader was ${before.leader}, and is ${now.leader}`);
  }
  return wrong;
}

/** Runs an attack; returns what the server did not withstand. */
async function attack(
  name: string,
  server: ServerProcess,
  ring: readonly Child[],
): Promise<readonly string[]> {
  const agreement = agreementOf(await membersOf(ring));
  const before = (await server.memory())?.rss ?? Infinity;
  const strangers = start(name, 'attacker.js', name, new URL(server.url).port);
  const stopProbing = probe(server.url);
  const { isInRing = false, isFirst = false } = ATTACKS[name] ?? {};
  const watch = () => (isInRing ? measure(ring) : lookAt(server.url, ring, agreement));
  const wrong = await (isFirst ? comeLate(server) : watch());
  const delays = await stopProbing();
  const during = (await server.memory())?.rss ?? Infinity;
  await strangers.kill();

  const lines = strangers.output.split('\n');
  const [blows, effects] = [STRIKE, EFFECT].map(
    (mark) => lines.filter((line) => line === mark).length,
  );
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0).padStart(4);
  console.log(
    `${name.padEnd(WIDTH)}${describeDelays(delays)}   ` +
      `memory ${megabytes(before)} ->${megabytes(during)} MB   ` +
      `ring ${wrong.size === 0 ? 'undisturbed' : 'disturbed'}   ${blows} strikes, ${effects} with effect`,
  );
  const breaches = [...wrong, ...faults.splice(0)];
  if (effects === 0) breaches.push('no strike had its effect: this shows nothing of the server');
  if (during - before > MOST_MEMORY) breaches.push('it takes more memory than it may');
  if (!(quantile(delays, 0.99) < MOST_DELAY)) breaches.push('it answers too late');
  return breaches;
}

/** The delays without an attack, for comparison. */
async function quiet(server: ServerProcess): Promise<void> {
  const stopProbing = probe(server.url);
  await pause(Math.min(seconds, 10) * 1_000);
  console.log(`${'no attack'.padEnd(WIDTH)}${describeDelays(await stopProbing())}`);
}

async function run(): Promise<boolean> {
  const server = new ServerProcess('127.0.0.1', (what) => {
    faults.push(what);
  });
  try {
    await server.start();
    const ring = await startRing(server, RING_ROOM);
    await settle(ring);
    const crowd = start('crowd', 'crowd.js', String(CROWD), new URL(server.url).port);
    await crowd.whenReady();
    await quiet(server);
    // An attack on a server without its ring and its crowd would show nothing.
    for (const fault of faults) console.log(`before the first attack: ${fault}`);
    if (faults.length > 0) return false;
    let isUnharmed = true;
    for (const name of names) {
      await settle(ring);
      const breaches = await attack(name, server, ring);
      for (const breach of breaches) console.log(`  ${breach}`);
      isUnharmed &&= breaches.length === 0;
    }
    return isUnharmed;
  } finally {
    await Promise.all(children.filter((child) => !child.hasEnded).map((child) => child.kill()));
    await server.kill();
  }
}

process.exit((await run()) ? 0 : 1);
