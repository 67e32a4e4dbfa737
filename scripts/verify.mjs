/**
 * `npm run verify`: explores every configuration to its end, of the shipped member and broker and of rings
 * whose successors change for no reason, and tries every mutant of the election. `--only TEXT` takes the
 * configurations, or with `--no-configurations` the mutants, whose names contain the text; `--no-mutants`
 * leaves the second part out; `--traces` shows how each mutant is caught.
 */
import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureInstalled } from './ensure-installed.mjs';
import { buildShared, fail, root } from './run.mjs';

const CHECKER = 'simulation/checker';
const args = process.argv.slice(2);
const only = args.includes('--only') ? (args[args.indexOf('--only') + 1] ?? '') : '';

await ensureInstalled();
await buildShared();

/** @param {string} folder @param {string} name */
const load = (folder, name) =>
  import(pathToFileURL(join(root, 'dist', folder, CHECKER, name)).href);
const system = {
  ...(await load('shared', 'system/explore.js')),
  ...(await load('shared', 'system/configurations.js')),
};
const rewiring = {
  ...(await load('shared', 'rewiring/explore.js')),
  ...(await load('shared', 'rewiring/configurations.js')),
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
    const late = report.calm - (report.agreed ?? report.calm);
    const { timeouts = 0 } = report;
    const counts = [report.states, report.transitions, report.calm, late, timeouts];
    row([report.name, ...counts, seconds(began)]);
    states += report.states;
    transitions += report.transitions;
    for (const found of [report.needsTimeout ?? null, report.finding]) {
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
  const rewired = chosenOf(rewiring.ALL);
  if (whole.length + rewired.length === 0) fail(`no configuration has "${only}" in its name`);
  return (
    exploreAll('Member and broker as shipped', whole, system.explore) +
    exploreAll('Successors that change for no reason', rewired, rewiring.explore)
  );
}

/** The election in the copy: it is the shipped one unless another is installed, which may call it. */
const HOOK = `import { step as shipped } from './shipped-step.js';
let installed = null;
export function install(step) {
  installed = step;
}
export function step(state, input) {
  const now = installed ?? shipped;
  installed = null;
  try {
    return now(state, input);
  } finally {
    installed = now === shipped ? null : now;
  }
}
`;

/** A copy of the checker, and of all that it checks, in which members may take another step. */
async function loadChangeable() {
  const copy = join(root, 'dist/changeable');
  rmSync(copy, { recursive: true, force: true });
  cpSync(join(root, 'dist/shared'), copy, { recursive: true });
  renameSync(join(copy, 'election/step.js'), join(copy, 'election/shipped-step.js'));
  writeFileSync(join(copy, 'election/step.js'), HOOK);
  const { install } = await import(pathToFileURL(join(copy, 'election/step.js')).href);
  const { MUTANTS, MutantTrial } = await load('changeable', 'mutants.js');
  return { MUTANTS, trial: new MutantTrial(install, system.QUICK, rewiring.QUICK) };
}

/** How many mutants differ in nothing from the shipped election, without a justification. */
async function tryMutants() {
  const { MUTANTS, trial } = await loadChangeable();
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
const missed = args.includes('--no-mutants') ? 0 : await tryMutants();
const memory = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(
  `\n${findings === 0 ? 'nothing found' : `${findings} faults found`}; ${seconds()} s, ${memory} MB of memory at most`,
);
process.exitCode = findings + missed === 0 ? 0 : 1;
