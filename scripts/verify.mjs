/**
 * `npm run verify`: explores every configuration to its end, of the shipped member and broker and of the
 * election alone, and tries every mutant of the election. `--only TEXT` takes the configurations, or with `--no-configurations` the mutants, whose names contain the text;
 * `--no-mutants` leaves the second part out; `--traces` shows how each mutant is caught.
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
const system = {
  ...(await load('system/explore.js')),
  ...(await load('system/configurations.js')),
};

const start = performance.now();
const seconds = (since = start) => ((performance.now() - since) / 1000).toFixed(1);

/** @param {(string | number)[]} cells */
function row([name = '', ...cells]) {
  console.log(String(name).padEnd(66) + cells.map((cell) => String(cell).padStart(12)).join(''));
}

/** @param {readonly string[]} trace */
const show = (trace) => console.log(`${trace.map((line) => `    ${line}`).join('\n')}\n`);

/**
 * @param {readonly { name: string }[]} configurations
 * @returns those that are meant
 */
const chosenOf = (configurations) => configurations.filter(({ name }) => name.includes(only));

/**
 * How many configurations have a fault.
 * @param {string} title
 * @param {readonly { name: string }[]} chosen
 * @param {(configuration: { name: string }) => any} exploreOne
 */
function exploreAll(title, chosen, exploreOne) {
  const start = performance.now();
  let states = 0;
  let transitions = 0;
  let findings = 0;
  console.log(`\n${title}`);
  row(['configuration', 'states', 'transitions', 'calm', 'needing R7', 'time-outs', 'seconds']);
  for (const configuration of chosen) {
    const began = performance.now();
    const report = exploreOne(configuration);
    const late = report.calm - report.agreed;
    const counts = [report.states, report.transitions, report.calm, late, report.timeouts];
    row([report.name, ...counts, seconds(began)]);
    states += report.states;
    transitions += report.transitions;
    for (const found of [report.needsTimeout, report.finding]) {
      if (found === null) continue;
      findings += 1;
      console.log(`\n  ${found.fault}:`);
      show(found.trace);
    }
  }
  row([`${chosen.length} configurations`, states, transitions, '', '', '', seconds(start)]);
  return findings;
}

/** Everything that is to be explored. */
function exploreBoth() {
  const whole = chosenOf(system.ALL);
  const election = chosenOf(ALL);
  if (whole.length + election.length === 0) fail(`no configuration has "${only}" in its name`);
  return (
    exploreAll('Member and broker as shipped', whole, system.explore) +
    exploreAll('The election alone, with links that are modelled', election, explore)
  );
}

/** How many mutants differ in nothing from the shipped election, without a justification. */
function tryMutants() {
  const trial = new MutantTrial(QUICK);
  let missed = 0;
  let justified = 0;
  let tried = 0;
  for (const mutant of MUTANTS) {
    const name = `${mutant.rule} ${mutant.without}`;
    if (args.includes('--no-configurations') && !name.includes(only)) continue;
    tried += 1;
    const began = performance.now();
    const caught = trial.try(mutant);
    const isCaught = caught !== null && caught.kind !== 'undecided';
    if (!isCaught && mutant.justification === undefined) missed += 1;
    else if (!isCaught) justified += 1;
    console.log(`\n${mutant.rule} without: ${mutant.without}`);
    console.log(`  ${caught === null ? 'nothing breaks' : `${caught.kind}: ${caught.fault}`}`);
    if (!isCaught) console.log(`  ${mutant.justification ?? 'and without a justification'}`);
    console.log(`  ${caught === null ? '' : `${caught.configuration}, `}${seconds(began)} s`);
    if (caught !== null && args.includes('--traces')) show(caught.trace);
  }
  const caughtAll = tried - missed - justified;
  console.log(`\n${tried} mutants: ${caughtAll} caught, ${justified} justified, ${missed} missed`);
  return missed;
}

const findings = args.includes('--no-configurations') ? 0 : exploreBoth();
const missed = args.includes('--no-mutants') ? 0 : tryMutants();
const memory = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(
  `\n${findings === 0 ? 'nothing found' : `${findings} faults found`}; ${seconds()} s, ${memory} MB of memory at most`,
);
process.exitCode = findings + missed === 0 ? 0 : 1;
