/** Builds page and server once before the end-to-end tests. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function setup(): void {
  // In a separate process: the test runner's NODE_ENV would make it a development build.
  const env = { ...process.env };
  delete env['NODE_ENV'];
  const build = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
  });
  if (build.status !== 0) throw new Error(`the build failed:\n${build.stdout}${build.stderr}`);
}
