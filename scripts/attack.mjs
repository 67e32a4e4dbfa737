/**
 * `npm run attack -- [--seconds N] [--only NAME]`: strangers attack the built server beside a ring of
 * twelve peers, each attack for a minute. Prints for each what it cost; the status is 1 where the server or
 * the ring does not withstand it.
 */
import { join } from 'node:path';
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { readArguments } from './arguments.mjs';
import { fail, root, run, tsc } from './run.mjs';

const FORMS = { seconds: /^\d{1,4}$/, only: /^[a-z-]+$/ };

const given = readArguments(FORMS);
await ensureInstalled();
await build();
const compiled = await run([...tsc, '-b', 'tests/attack']);
if (compiled.status !== 0) fail(`${compiled.output}the build failed`);
const parameters = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
const main = join(root, 'dist/tests/attack/main.js');
const { status } = await run([process.execPath, main, ...parameters], { show: true });
process.exitCode = status;
