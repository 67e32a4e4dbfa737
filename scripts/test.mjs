/**
 * Runs the tests: `node scripts/test.mjs [--browsers none|chromium|firefox,…] [vitest's arguments]`.
 * The tests find the browsers by CHROMIUM_PATH and FIREFOX_PATH.
 */
import { join } from 'node:path';
import { ensureBrowser, isBrowser, provideCommand, variableOf } from './browsers.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { inPlainFolder } from './plain-folder.mjs';
import { fail, run } from './run.mjs';

/** The tests that need several kinds of browser: a command of their own. */
const MIXED = 'mixed';

/** Programs that the tests of a project start. */
const PROGRAMS = { proxies: ['openssl', 'nginx', 'caddy', 'haproxy'] };

const args = process.argv.slice(2);
const at = args.indexOf('--browsers');
const [, list = ''] = at === -1 ? [] : args.splice(at, 2);
const browsers = (list === '' ? 'chromium' : list).split(',').filter((name) => name !== 'none');
for (const name of browsers) if (!isBrowser(name)) fail(`${name} is no browser known here`);
const isAll = !args.some((arg) => /^--project\b/.test(arg));
if (isAll) args.push('--project', `!${MIXED}`);

await ensureInstalled();
for (const [project, programs] of Object.entries(PROGRAMS)) {
  if (!isAll && !args.includes(project)) continue;
  const problem = await firstMissing(programs);
  if (problem === null) continue;
  // Only some systems offer them.
  if (!isAll || process.env.CI === 'true') fail(problem);
  process.stderr.write(`left out are the tests of the project "${project}": ${problem}\n`);
  args.push('--project', `!${project}`);
}
const env = {};
for (const name of browsers) env[variableOf(name)] = await ensureBrowser(name);
const { status } = await inPlainFolder((folder) => {
  const vitest = [process.execPath, join(folder, 'node_modules/vitest/vitest.mjs')];
  return run([...vitest, 'run', ...args], { show: true, env, cwd: folder });
});
process.exitCode = status;

/** What is wrong with the first of these programs that cannot be had; null where all are there. */
async function firstMissing(/** @type {string[]} */ programs) {
  for (const name of programs) {
    const problem = await provideCommand(name);
    if (problem !== null) return problem;
  }
  return null;
}
