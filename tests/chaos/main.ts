/** `npm run chaos`: see scripts/chaos.mjs for its options. */
import { parseArgs } from 'node:util';
import type { Browser } from 'puppeteer-core';
import { FAR, ISOLATED, lossyNetwork, PLAIN, requireLossy, type Network } from './network.ts';
import { Run, Violation } from './run.ts';
import { launchBrowser } from './tabs.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    peers: { type: 'string', default: '32' },
    tabs: { type: 'string', default: '3' },
    network: { type: 'string', default: 'plain' },
  },
});

const minutes = Number(values.minutes);
const seed = Number(values.seed);
const peers = Number(values.peers);
const tabs = Number(values.tabs);
const again = `npm run chaos -- --seed ${seed} --minutes ${minutes} --peers ${peers} --tabs ${tabs} --network ${values.network}`;

async function makeNetwork(): Promise<Network> {
  switch (values.network) {
    case 'isolated':
      return ISOLATED;
    case 'far':
      return FAR;
    case 'lossy':
      requireLossy();
      return lossyNetwork();
    default:
      return PLAIN;
  }
}

async function launch(): Promise<Browser | null> {
  if (tabs === 0) return null;
  const path = process.env['CHROMIUM_PATH'];
  if (path === undefined) throw new Error('CHROMIUM_PATH is not set; run this by npm run chaos');
  return launchBrowser(path);
}

console.log(`seed ${seed}; again: ${again}`);
const network = await makeNetwork();
const browser = await launch();
const run = new Run({ minutes, seed, peers, tabs, network, browser });

/** Only the first reason to end counts. */
const ending = { hasBegun: false };

async function end(status: number, tell: () => Promise<void> = () => Promise.resolve()) {
  if (ending.hasBegun) return;
  ending.hasBegun = true;
  try {
    await tell();
  } finally {
    await run.end();
    await browser?.close();
    await network.close();
    process.exit(status);
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void end(130);
  });
async function fail(error: unknown): Promise<void> {
  await end(1, async () => {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    try {
      await run.report(error instanceof Violation ? error : new Violation(what));
    } catch (second) {
      console.log(`\nthere is no more to tell: ${String(second)}`);
    }
    console.log(`\nseed ${seed}; again: ${again}`);
  });
}

// Unhandled rejections come here too.
process.on('uncaughtException', (error) => {
  void fail(error);
});

try {
  await run.run();
  await end(0);
} catch (error) {
  await fail(error);
}
