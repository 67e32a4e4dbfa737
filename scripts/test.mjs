/**
 * Runs the tests: `node scripts/test.mjs [--browsers none|chromium|firefox,…] [vitest's arguments]`.
 * The tests find the browsers by CHROMIUM_PATH and FIREFOX_PATH.
 */
import { join } from 'node:path';
import { ensureBrowser, ensureCommand, isBrowser, variableOf } from './browsers.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { inPlainFolder } from './plain-folder.mjs';
import { fail, run } from './run.mjs';

/** The standard tests. Others have commands of their own: they need root on Linux, or further programs. */
const STANDARD = ['unit', 'verify', 'server', 'e2e', 'timed', 'chaos'];

/** Programs that tests need besides browsers, by the commands and their packages. */
const PROGRAMS = {
  redis: { 'redis-server': 'redis-server' },
  ice: { turnserver: 'coturn', iptables: 'iptables' },
  proxies: { openssl: 'openssl', nginx: 'nginx', caddy: 'caddy', haproxy: 'haproxy' },
};

const args = process.argv.slice(2);
const at = args.indexOf('--browsers');
const [, list = ''] = at === -1 ? [] : args.splice(at, 2);
const browsers = (list === '' ? 'chromium' : list).split(',').filter((name) => name !== 'none');
for (const name of browsers) if (!isBrowser(name)) fail(`${name} is no browser known here`);
if (!args.some((arg) => /^--project\b/.test(arg)))
  args.push(...STANDARD.flatMap((name) => ['--project', name]));

await ensureInstalled();
const env = {};
for (const name of browsers) env[variableOf(name)] = await ensureBrowser(name);
for (const [project, programs] of Object.entries(PROGRAMS))
  if (args.includes(project))
    for (const [command, name] of Object.entries(programs)) await ensureCommand(command, name);
const { status } = await inPlainFolder((folder) => {
  const vitest = [process.execPath, join(folder, 'node_modules/vitest/vitest.mjs')];
  return run([...vitest, 'run', ...args], { show: true, env, cwd: folder });
});
process.exitCode = status;
