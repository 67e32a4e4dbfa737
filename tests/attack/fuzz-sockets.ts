/** `npm run fuzz -- --sockets N`: see scripts/fuzz-sockets.mjs for its options. */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Child } from '../chaos/child.ts';
import { ServerProcess } from '../chaos/server.ts';
import type { MemberState } from '../chaos/messages.ts';
import { RING_ROOM } from './attacks.ts';
import { probe, quantile } from './delays.ts';
import { refusalsAt, sumOf, unaccounted, Visitors } from './visits.ts';

/** Peers of the honest ring. */
const SLOTS = 4;

/** Visits at a time, and addresses that they come from. */
const AT_ONCE = 32;
const ADDRESSES = 2_000;

/** Limits for the server: additional bytes of memory, and milliseconds until it answers. */
const MOST_MEMORY = 100_000_000;
const MOST_DELAY = 250;

const PATIENCE = 60_000;
const LOOKS = 250;

/** How long what the last visits left behind may take to go, in milliseconds. */
const REST = 3_000;

const { values } = parseArgs({
  options: {
    sockets: { type: 'string', default: '200000' },
    from: { type: 'string', default: '0' },
    /** Addresses of servers that run already. */
    servers: { type: 'string' },
  },
});
const inputs = Number(values.sockets);
const from = Number(values.from);

const faults: string[] = [];
const onFault = (what: string) => {
  faults.push(what);
};

async function statesOf(ring: Child): Promise<readonly MemberState[]> {
  return ((await ring.states())?.states ?? []).flatMap((state) => (state === null ? [] : [state]));
}

/** The leader that all follow; null where they follow none, or several. */
async function leaderOf(ring: Child): Promise<string | null> {
  const states = await statesOf(ring);
  const leaders = new Set(states.map(({ leader }) => leader));
  const [leader = null] = leaders;
  return states.length === SLOTS && leaders.size === 1 ? leader : null;
}

async function settled(ring: Child): Promise<string> {
  const limit = Date.now() + PATIENCE;
  for (;;) {
    const leader = await leaderOf(ring);
    const states = await statesOf(ring);
    if (leader !== null && states.every(({ size }) => size === SLOTS)) return leader;
    if (Date.now() > limit) throw new Error('the honest ring does not agree');
    await pause(100);
  }
}

/** Makes visits until so many inputs were sent; returns the seed after the last. */
async function visitAll(visitors: Visitors, ports: readonly number[]): Promise<number> {
  let seed = from;
  const one = async () => {
    while (visitors.inputs < inputs) {
      const at = seed;
      seed += 1;
      const address = at % ADDRESSES;
      const way = {
        port: ports[at % ports.length] ?? 0,
        from: `127.0.${2 + Math.floor(address / 200)}.${1 + (address % 200)}`,
      };
      await visitors.visit(at, way);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return seed;
}

/** Watches whether the ring keeps its leader; returns what ends it and tells in how many looks it had not. */
function watch(ring: Child, leader: string): () => Promise<string> {
  const over = new AbortController();
  let looks = 0;
  let others = 0;
  const done = (async () => {
    while (!over.signal.aborted) {
      looks += 1;
      if ((await leaderOf(ring)) !== leader) others += 1;
      await pause(LOOKS);
    }
  })();
  return async () => {
    over.abort();
    await done;
    if (others > 0) faults.push(`the ring had another leader, or none, in ${others} looks`);
    return `one leader in ${looks - others} of ${looks} looks`;
  };
}

const described = (counts: ReadonlyMap<string, number>) =>
  [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');

async function run(): Promise<void> {
  const server = values.servers === undefined ? new ServerProcess('127.0.0.1', onFault) : null;
  let ring: Child | null = null;
  try {
    await server?.start();
    const urls = server === null ? (values.servers ?? '').split(',') : [server.url];
    const script = fileURLToPath(new URL('../chaos/peers.js', import.meta.url));
    const parameters = [urls[0] ?? '', RING_ROOM, String(SLOTS), 'direct'];
    ring = new Child('ring', [process.execPath, script, ...parameters], {}, onFault);
    await ring.whenReady();
    for (let slot = 0; slot < SLOTS; slot += 1) ring.send({ type: 'join', slot });
    const leader = await settled(ring);
    const counted = async () => sumOf(await Promise.all(urls.map(refusalsAt)));
    const before = await counted();
    const memory = (await server?.memory())?.rss ?? 0;
    const stopProbing = probe(urls[0] ?? '');
    const stopWatching = watch(ring, leader);
    const begun = performance.now();
    const visitors = new Visitors((await statesOf(ring))[0]?.id ?? leader);
    const next = await visitAll(
      visitors,
      urls.map((url) => Number(new URL(url).port)),
    );
    const seconds = (performance.now() - begun) / 1_000;
    await pause(REST);
    const led = await stopWatching();
    const delays = await stopProbing();
    const after = await counted();
    const grown = ((await server?.memory())?.rss ?? 0) - memory;
    const late = quantile(delays, 0.99);
    console.log(
      `${visitors.inputs} inputs, seeds ${from} to ${next - 1}, ${seconds.toFixed(1)} s; ` +
        `${visitors.closed} visits were not let in`,
    );
    console.log(`heard: ${described(visitors.outcomes)}`);
    const difference = new Map(
      [...after].map(([reason, count]) => [reason, count - (before.get(reason) ?? 0)]),
    );
    console.log(`counted: ${described(difference)}`);
    console.log(
      `${led}; memory ${(grown / 1e6).toFixed(0)} MB more; ` +
        `/healthz p50 ${quantile(delays, 0.5).toFixed(1)} ms, p99 ${late.toFixed(1)} ms`,
    );
    faults.push(...unaccounted(visitors.outcomes, before, after));
    if (grown > MOST_MEMORY) faults.push('it takes more memory than it may');
    if (!(late < MOST_DELAY)) faults.push('it answers too late');
  } finally {
    await ring?.kill();
    await server?.kill();
  }
}

await run();
for (const fault of faults) console.log(`  ${fault}`);
if (faults.length > 0) console.log(`again: npm run fuzz -- --sockets ${inputs} --from ${from}`);
process.exit(faults.length === 0 ? 0 : 1);
