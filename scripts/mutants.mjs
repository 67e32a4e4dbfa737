/**
 * `npm run mutants -- [--only RULE]`: changes one rule of the ring members or the broker at a time
 * (mutants/table.mjs), and demands that the storms or the test named there fail. Prints a table; one
 * that is not caught ends the command with status 1.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root } from './run.mjs';

function readArguments() {
  try {
    return parseArgs({ options: { only: { type: 'string' } } }).values;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

const { only } = readArguments();
await ensureInstalled();
const { build } = await import('./mutants/build.mjs');
const { caughtByStorm, caughtByTest, firstFailure } = await import('./mutants/catch.mjs');
const { MUTANTS } = await import('./mutants/table.mjs');

mkdirSync(join(root, 'dist/mutants'), { recursive: true });
const began = performance.now();
const shipped = build('shipped');
let tried = 0;
let missed = 0;
for (const [number, { rule, change, caughtBy }] of MUTANTS.entries()) {
  if (only !== undefined && rule !== only) continue;
  tried += 1;
  const isStorm = 'storm' in caughtBy;
  const failure = isStorm ? await firstFailure(shipped, caughtBy) : null;
  if (failure !== null) fail(`as shipped, ${JSON.stringify(caughtBy)} fails, too: ${failure}`);
  const caught = await (isStorm ? caughtByStorm(number, caughtBy) : caughtByTest(number, caughtBy));
  if (caught === null) missed += 1;
  const by = isStorm ? `storm ${caughtBy.storm}, ${caughtBy.peers} peers` : caughtBy.file;
  console.log(`${caught === null ? 'MISSED' : 'caught'}  ${rule.padEnd(4)}${change}`);
  console.log(`              ${by}: ${(caught ?? 'nothing fails').slice(0, 150)}`);
}
rmSync(join(root, 'dist/mutants'), { recursive: true });
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`\n${tried} mutants, ${missed} missed, ${seconds} s`);
if (tried === 0) fail(`no mutant is of rule ${only}`);
process.exitCode = missed === 0 ? 0 : 1;
