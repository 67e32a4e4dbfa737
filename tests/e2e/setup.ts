/** Builds page and server, and serves the showcase, once before the end-to-end tests. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { serveShowcase } from './showcase-server.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // In a process of its own: the test runner's NODE_ENV would make it a development build.
  const env = { ...process.env };
  delete env['NODE_ENV'];
  const build = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
  });
  if (build.status !== 0) throw new Error(`the build failed:\n${build.stdout}${build.stderr}`);
  const showcase = await serveShowcase(project.name);
  project.provide('showcase', showcase.url);
  return () => showcase.close();
}
