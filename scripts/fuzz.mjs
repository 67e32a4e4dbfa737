/**
 * `npm run fuzz -- --inputs N [--from SEED] [--only TARGET]`: gives the shipped parsers, and a running ring
 * member, N inputs each that no honest peer or server would send, in runs of one seed each. The first seed
 * that fails ends it; the command that repeats the seed is printed.
 *
 * `npm run fuzz -- --sockets N [--from SEED] [--servers URL,URL]`: N inputs over real sockets to the built
 * server beside an honest ring, or to servers that run already.
 */
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';
import { fuzzSockets } from './fuzz-sockets.mjs';
import { buildShared, fail } from './run.mjs';

/** Inputs per seed. */
const RUN = 500;

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        inputs: { type: 'string', default: '1000000' },
        from: { type: 'string', default: '0' },
        only: { type: 'string', default: '' },
      },
    });
    for (const name of ['inputs', 'from'])
      if (!/^\d{1,9}$/.test(values[name]))
        throw new Error(`--${name} must be a whole number, not ${values[name]}`);
    return { inputs: Number(values.inputs), from: Number(values.from), only: values.only };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

if (process.argv.includes('--sockets')) {
  await fuzzSockets();
  process.exit();
}

const { inputs, from, only } = readArguments();
await ensureInstalled();
const load = await buildShared();
const { fuzz, TARGETS } = await load('simulation/fuzz/fuzz.js');
const targets = TARGETS.filter((/** @type {string} */ target) => only === '' || target === only);
if (targets.length === 0) fail(`--only takes ${TARGETS.join(' or ')}`);

for (const target of targets) {
  const began = performance.now();
  /** @type {Record<string, number>} */
  const counts = {};
  let given = 0;
  let seed = from;
  for (; given < inputs; seed += 1) {
    const report = fuzz(target, seed, Math.min(RUN, inputs - given));
    given += report.inputs;
    for (const [name, count] of Object.entries(report.counts))
      counts[name] = (counts[name] ?? 0) + count;
    if (report.problem === null) continue;
    console.log(`${target}, seed ${seed}: ${report.problem}`);
    fail(`\nagain: npm run fuzz -- --inputs ${RUN} --from ${seed} --only ${target}`);
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const sums = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  console.log(
    `${target}: ${given} inputs, seeds ${from} to ${seed - 1}: ${sums.join(', ')}; ${seconds} s`,
  );
}
