/**
 * `npm run simulate -- --seeds N [--from SEED] [--peers N]`: runs the shipped ring members through
 * simulated storms of faults, one for each seed and kind. The first seed that fails ends it; its trace and
 * the command that repeats it are printed.
 *
 * `npm run simulate -- --slow [--from SEED]`: large rings with slow hops instead. Each must have a leader
 * within four circuits, and at most one more term in the ten minutes after that.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root, run, tsc } from './run.mjs';

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: '1000' },
        from: { type: 'string', default: '0' },
        peers: { type: 'string', default: '5' },
        slow: { type: 'boolean', default: false },
      },
    });
    const { slow, ...others } = values;
    const numbers = { slow };
    for (const [name, value] of Object.entries(others)) {
      if (!/^\d{1,9}$/.test(value))
        throw new Error(`--${name} must be a whole number, not ${value}`);
      numbers[name] = Number(value);
    }
    return numbers;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

const { seeds, from, peers, slow } = readArguments();
await ensureInstalled();
mkdirSync(join(root, 'dist'), { recursive: true });
const { status, output } = await run([...tsc, '-b', 'shared']);
if (status !== 0) fail(`${output}the build failed`);
const load = (name) => import(pathToFileURL(join(root, 'dist/shared', name)).href);
const { runStorm, STORMS } = await load('simulation/storm.js');
const { describe } = await load('narration/describe.js');

if (slow) await runSlowRings();
else runStorms();

/** Peers, and the duration of a hop in milliseconds. */
async function runSlowRings() {
  const { SlowRing } = await load('simulation/slow-ring.js');
  for (const [count, hop] of [
    [100, 300],
    [300, 50],
    [1_000, 20],
  ]) {
    const ring = new SlowRing(from, hop);
    for (let joined = 0; joined < count; joined += 1) ring.world.join();
    const circuits = ring.agree();
    const terms = ring.rest(600_000);
    console.log(
      `${count} peers at ${hop} ms a hop: a leader after ${circuits.toFixed(2)} circuits, ${terms} more terms in ten minutes`,
    );
    if (circuits > 4 || terms > 1) fail(`again: npm run simulate -- --slow --from ${from}`);
  }
}

function runStorms() {
  let longest = 0;
  let events = 0;
  for (let seed = from; seed < from + seeds; seed += 1)
    for (const storm of STORMS) {
      const report = runStorm(storm, seed, peers);
      longest = Math.max(longest, report.settledAfter);
      events += report.trace.length;
      if (report.problems.length === 0) continue;
      for (const { at, peer, event } of report.trace) {
        const { what, why } = describe(event, peer);
        console.log(
          `${at.toFixed(0).padStart(8)} ms  ${peer.slice(0, 8)}  ${what}${why && ` (${why})`}`,
        );
      }
      console.log(`\n${storm}, seed ${seed}:\n${report.problems.join('\n')}`);
      fail(`\nagain: npm run simulate -- --seeds 1 --from ${seed} --peers ${peers}`);
    }
  console.log(
    `${seeds} seeds from ${from}, ${peers} peers: ${STORMS.length * seeds} storms, ${events} events, no fault; ` +
      `agreed at most ${(longest / 1000).toFixed(1)} s after the last fault`,
  );
}
