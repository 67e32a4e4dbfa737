/** The part of `npm run fuzz` that goes over sockets: see scripts/fuzz.mjs. */
import { join } from 'node:path';
import { readArguments } from './arguments.mjs';
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root, run, tsc } from './run.mjs';

const FORMS = { sockets: /^[1-9]\d{0,8}$/, from: /^\d{1,9}$/, servers: /^https?:\S+$/ };

export async function fuzzSockets() {
  const given = readArguments(FORMS);
  await ensureInstalled();
  await build();
  const compiled = await run([...tsc, '-b', 'tests/attack']);
  if (compiled.status !== 0) fail(`${compiled.output}the build failed`);
  const parameters = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
  const main = join(root, 'dist/tests/attack/fuzz-sockets.js');
  const { status } = await run([process.execPath, main, ...parameters], { show: true });
  process.exitCode = status;
}
