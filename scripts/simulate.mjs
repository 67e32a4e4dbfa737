/**
 * `npm run simulate -- --seeds N [--from SEED] [--peers N] [--within SECONDS]`: runs the shipped ring
 * members through simulated storms of faults, one for each seed and kind. The first seed that fails ends it;
 * its trace and the command that repeats it are printed. It runs once more to record each peer: npm run
 * replay plays that file. With `--within` a ring that agrees later after the last fault fails, too.
 *
 * `npm run simulate -- --slow [--from SEED]`: large rings with slow hops instead. Each must have a leader
 * within four circuits, and at most one more term in the ten minutes after that.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';
import { buildShared, fail, root } from './run.mjs';

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: '1000' },
        from: { type: 'string', default: '0' },
        peers: { type: 'string', default: '5' },
        within: { type: 'string' },
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

const { seeds, from, peers, within = Infinity, slow } = readArguments();
const limit = within === Infinity ? '' : ` --within ${within}`;
await ensureInstalled();
const load = await buildShared();
const { runStorm, STORMS } = await load('simulation/storm.js');
const { describe } = await load('narration/describe.js');
const { linesOf } = await load('simulation/recording-file.js');

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
      const report = runOnce(storm, seed);
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
      console.log(`\neach peer again, input by input: npm run replay -- ${record(storm, seed)}`);
      fail(`again: npm run simulate -- --seeds 1 --from ${seed} --peers ${peers}${limit}`);
    }
  console.log(
    `${seeds} seeds from ${from}, ${peers} peers: ${STORMS.length * seeds} storms, ${events} events, no fault; ` +
      `agreed at most ${(longest / 1000).toFixed(1)} s after the last fault`,
  );
}

/** An error thrown in a storm is a problem like others. */
function runOnce(storm, seed, onRecording = undefined) {
  try {
    return runStorm(storm, seed, peers, { within: within * 1_000, onRecording });
  } catch (error) {
    return { problems: [error.stack], settledAfter: 0, trace: [] };
  }
}

/** Runs a storm once more, and writes what happens to each peer. Returns the name of the file. */
function record(storm, seed) {
  const recordings = [];
  runOnce(storm, seed, (recording) => recordings.push(recording));
  const file = `dist/recordings/${storm}-${seed}-${peers}.jsonl`;
  mkdirSync(join(root, 'dist/recordings'), { recursive: true });
  writeFileSync(join(root, file), `${linesOf(recordings)}\n`);
  return file;
}
