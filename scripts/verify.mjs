/**
 * `npm run verify`: explores every configuration of the election to its end and tries every mutant.
 * `--only TEXT` takes those whose names hold the text; `--no-mutants` leaves the second part out.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root, run, tsc } from './run.mjs';

const CHECKER = 'dist/shared/simulation/checker';
const args = process.argv.slice(2);
const only = args.includes('--only') ? (args[args.indexOf('--only') + 1] ?? '') : '';

await ensureInstalled();
mkdirSync(join(root, 'dist'), { recursive: true });
const { status, output } = await run([...tsc, '-b', 'shared']);
if (status !== 0) fail(`${output}the build failed`);

/** @param {string} name */
const load = (name) => import(pathToFileURL(join(root, CHECKER, name)).href);
const { explore } = await load('explore.js');
const { ALL, QUICK } = await load('configurations.js');
const { MUTANTS, MutantTrial } = await load('mutants.js');

const row = (/** @type {(string | number)[]} */ [name = '', ...cells]) =>
  console.log(String(name).padEnd(50) + cells.map((cell) => String(cell).padStart(12)).join(''));

/** @param {{ fault: string, trace: readonly string[] }} finding */
function show({ fault, trace }) {
  console.log(`\n  ${fault}:\n${trace.map((line) => `    ${line}`).join('\n')}\n`);
}

const chosen = ALL.filter((/** @type {{ name: string }} */ { name }) => name.includes(only));
if (chosen.length === 0) fail(`no configuration has "${only}" in its name`);

let states = 0;
let transitions = 0;
let findings = 0;
const start = performance.now();
row(['configuration', 'states', 'transitions', 'calm', 'needing R7', 'time-outs', 'seconds']);
for (const configuration of chosen) {
  const began = performance.now();
  const report = explore(configuration);
  const late = report.calm - report.agreed;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  row([
    ...[report.name, report.states, report.transitions, report.calm, late, report.timeouts],
    seconds,
  ]);
  states += report.states;
  transitions += report.transitions;
  if (report.needsTimeout !== null) show(report.needsTimeout);
  if (report.finding === null) continue;
  findings += 1;
  show(report.finding);
}
row(['in all', states, transitions, '', '', '', ((performance.now() - start) / 1000).toFixed(1)]);
console.log(findings === 0 ? 'nothing found' : `${findings} faults found`);

if (!args.includes('--no-mutants')) {
  const trial = new MutantTrial(QUICK);
  for (const mutant of MUTANTS) {
    const { configuration, fault, last } = trial.try(mutant);
    console.log(`\n${mutant.rule} without: ${mutant.without}`);
    if (configuration === null) console.log('  nothing breaks');
    else console.log(`  ${configuration}: ${fault}\n  ${last}`);
  }
}
process.exitCode = findings === 0 ? 0 : 1;
