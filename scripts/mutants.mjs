/**
 * `npm run mutants -- [--only RULE] [--by storms|tests]`: changes one rule of the ring members or the
 * broker at a time (mutants/table.mjs), and requires that the storms or the test named there fail. Prints a
 * table; the status is 1 where a mutant is not caught, or no longer fits the sources.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root } from './run.mjs';

function readArguments() {
  try {
    const options = { only: { type: 'string' }, by: { type: 'string' } };
    const { values } = parseArgs({ options });
    if (!['storms', 'tests', undefined].includes(values.by))
      throw new Error(`--by must be storms or tests, not ${values.by}`);
    return values;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

const { only, by } = readArguments();
await ensureInstalled();
const { patched } = await import('./mutants/build.mjs');
const { caughtByStorm, caughtByTest } = await import('./mutants/catch.mjs');
const { MUTANTS } = await import('./mutants/table.mjs');

for (const mutant of MUTANTS) patched(mutant);
mkdirSync(join(root, 'dist/mutants'), { recursive: true });
const began = performance.now();
let tried = 0;
let missed = 0;
for (const [number, { rule, change, caughtBy }] of MUTANTS.entries()) {
  const isStorm = 'storm' in caughtBy;
  // `L3` names all of its group.
  if (only !== undefined && ![rule, rule.replace(/[a-z]$/, '')].includes(only)) continue;
  if (by !== undefined && isStorm !== (by === 'storms')) continue;
  tried += 1;
  const caught = await (isStorm ? caughtByStorm(number, caughtBy) : caughtByTest(number, caughtBy));
  if (caught === null) missed += 1;
  const means = isStorm ? `storm ${caughtBy.storm}, ${caughtBy.peers} peers` : caughtBy.file;
  console.log(`${caught === null ? 'MISSED' : 'caught'}  ${rule.padEnd(5)}${change}`);
  console.log(`              ${means}: ${(caught ?? 'nothing fails').slice(0, 150)}`);
}
rmSync(join(root, 'dist/mutants'), { recursive: true });
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`\n${tried} mutants, ${missed} missed, ${seconds} s`);
if (tried === 0) fail('there is no such mutant');
process.exitCode = missed === 0 ? 0 : 1;
