/** Finds out whether a mutant is caught by the storm or test in the table. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, run, tool } from '../run.mjs';
import { build } from './build.mjs';
import { MUTANTS } from './table.mjs';

/**
 * What is wrong with a storm.
 * @param {string} folder of the simulation to run, as {@link build} has written it
 * @param {import('./mutant.mjs').StormCatch['storm']} storm
 * @param {number} seed
 * @param {number} peers
 * @returns {Promise<string | undefined>}
 */
async function failure(folder, storm, seed, peers) {
  const { runStorm } = await import(pathToFileURL(join(folder, 'simulation/storm.js')).href);
  return runStorm(storm, seed, peers).problems[0];
}

/**
 * @param {number} number of a mutant that storms catch
 * @param {import('./mutant.mjs').StormCatch} range
 * @returns {Promise<string | null>} the first seed that fails, and its problem; null where none fails
 * @throws {Error} where the shipped code fails with that seed, too
 */
export async function caughtByStorm(number, { storm, from, seeds, peers }) {
  const folder = build(`${number}`, MUTANTS[number]);
  for (let seed = from; seed < from + seeds; seed += 1) {
    const problem = await failure(folder, storm, seed, peers);
    if (problem === undefined) continue;
    shipped ??= build('shipped');
    const asShipped = await failure(shipped, storm, seed, peers);
    if (asShipped === undefined) return `seed ${seed}: ${problem}`;
    throw new Error(`${storm}, seed ${seed}, ${peers} peers fails as shipped, too: ${asShipped}`);
  }
  return null;
}

/** The folder of the shipped simulation, once it is built. @type {string | undefined} */
let shipped;

/**
 * @param {number} number of a mutant that a test catches
 * @param {import('./mutant.mjs').TestCatch} test
 * @returns {Promise<string | null>} the name of the test that fails; null where it passes
 * @throws {Error} where there is no such test, or it cannot be run
 */
export async function caughtByTest(number, { file, test }) {
  const report = join(root, 'dist/mutants', `${number}.json`);
  const config = join(root, 'scripts/mutants/vitest.config.mjs');
  const pattern = test.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  const { output } = await run(
    [
      ...[
        ...tool('vitest/vitest.mjs'),
        'run',
        file,
        '--config',
        config,
        '--testNamePattern',
        pattern,
      ],
      ...['--reporter', 'json', '--outputFile', report],
    ],
    { env: { MUTANT: `${number}` } },
  );
  const results = readReport(report, output);
  const tests = results.filter(({ status }) => status === 'passed' || status === 'failed');
  if (tests.length === 0) throw new Error(`no test of ${file} is called ${test}\n${output}`);
  return tests.find(({ status }) => status === 'failed')?.fullName ?? null;
}

/**
 * @param {string} path
 * @param {string} output of the run
 * @returns {{ status: string, fullName: string }[]}
 */
function readReport(path, output) {
  try {
    const { testResults } = JSON.parse(readFileSync(path, 'utf8'));
    rmSync(path);
    return testResults.flatMap((/** @type {any} */ file) => file.assertionResults);
  } catch {
    throw new Error(`the tests could not be run\n${output}`);
  }
}
