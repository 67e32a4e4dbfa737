/** `npm run check`: every static check, each on a line; the output of those that fail. */
import { availableParallelism } from 'node:os';
import { ensureInstalled } from './ensure-installed.mjs';
import { root, run, tool, tsc } from './run.mjs';

const FOLDERS = [
  'shared',
  'signaling-server',
  'peer',
  'terminal',
  'web',
  'tests',
  'bench',
  'scripts',
];

/** The slowest first, so that the others fill the time. */
const steps = {
  lint: [...tool('eslint/bin/eslint.js'), '--max-warnings', '0', '.'],
  types: [...tsc, '-b'],
  'page types': [
    ...tool('svelte-check/bin/svelte-check'),
    ...['--workspace', 'web', '--tsconfig', 'tsconfig.json', '--fail-on-warnings'],
  ],
  imports: [
    ...tool('dependency-cruiser/bin/dependency-cruise.mjs'),
    ...['--output-type', 'err-long', ...FOLDERS, 'vite.config.ts', 'vitest.config.ts'],
  ],
  'unused code': tool('knip/bin/knip.js'),
  'page size': [process.execPath, `${root}/scripts/page-size.mjs`],
  format: [...tool('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'],
};

await ensureInstalled();

let passed = 0;
let failed = 0;

/**
 * @param {string} name
 * @param {string[]} command
 */
async function check(name, command) {
  const start = performance.now();
  const { status, output } = await run(command, { env: { NO_COLOR: '1' } });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(12)}${seconds.padStart(6)} s`);
  if (status === 0) passed += 1;
  else {
    failed += 1;
    console.log(`\n${output.trim().replaceAll(/^/gm, '      ')}\n`);
  }
}

const queue = Object.entries(steps);
async function work() {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await check(...next);
}
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
