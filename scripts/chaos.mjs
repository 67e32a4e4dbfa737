/**
 * `npm run chaos -- [--minutes N] [--seed S] [--peers N] [--tabs N] [--network NAME]`: a ring of real peers
 * in Node processes and Chromium tabs, under the faults that the seed draws. The first violated check ends
 * it, with the state of every peer. The networks: `plain`; `lossy`; `isolated`, in which all links are
 * relayed; `far`, which is isolated with 300 ms a hop and no faults.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBrowser, ensureCommand, variableOf } from './browsers.mjs';
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { readArguments } from './arguments.mjs';
import { fail, root, run, tsc } from './run.mjs';

const WHOLE = /^\d{1,9}$/;
const FORMS = {
  minutes: /^\d{1,4}(\.\d+)?$/,
  seed: WHOLE,
  peers: WHOLE,
  tabs: WHOLE,
  network: /^(plain|lossy|isolated|far)$/,
};

const given = readArguments(FORMS);
await ensureInstalled();
const env = {};
if (given.network === 'lossy') await ensureCommand('iptables');
if (given.tabs !== '0') env[variableOf('chromium')] = await ensureBrowser('chromium');
mkdirSync(join(root, 'dist'), { recursive: true });
await build();
const compiled = await run([...tsc, '-b', 'tests/chaos']);
if (compiled.status !== 0) fail(`${compiled.output}the build failed`);
const parameters = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
const main = join(root, 'dist/tests/chaos/main.js');
const { status } = await run([process.execPath, main, ...parameters], { show: true, env });
process.exitCode = status;
