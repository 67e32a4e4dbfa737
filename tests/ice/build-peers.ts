/** Builds page, server and the peers that run in homes. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setup as buildPage } from '../e2e/build-page.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function setup(): void {
  buildPage();
  const compiler = 'node_modules/typescript/bin/tsc';
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-b', 'tests/chaos'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the build of the peers failed:\n${stdout}`);
}
