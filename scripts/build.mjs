/** Builds the server into dist/signaling-server and the page into dist/web, where out of date. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, isMain, root, run, tsc, vite } from './run.mjs';

const SOURCES = ['shared', 'signaling-server', 'peer', 'web'];
const SETTINGS = ['package-lock.json', 'tsconfig.base.json', 'vite.config.ts'];

/** What was built from what: a digest of the sources next to each result. */
const SERVER = {
  commands: [[...tsc, '-b', 'signaling-server']],
  result: 'dist/signaling-server/main.js',
  digest: 'dist/signaling-server/.sources',
};
const PAGE = {
  // The second adds to what the first has made.
  commands: [
    [...vite, 'build', '--logLevel', 'warn'],
    [...vite, 'build', '--logLevel', 'warn', '--mode', 'watch'],
  ],
  result: 'dist/web/index.html',
  digest: 'dist/web/.vite/sources',
};

/** By content, so that deleted files count and new dates alone do not. */
function digestOfSources() {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  );
  const hash = createHash('sha256');
  for (const file of [...files.sort(), ...SETTINGS])
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

/**
 * @param {typeof SERVER} target
 * @param {string} digest
 */
async function buildTarget({ commands, result, digest: path }, digest) {
  const stamp = join(root, path);
  const isBuilt = existsSync(join(root, result)) && existsSync(stamp);
  if (isBuilt && readFileSync(stamp, 'utf8') === digest) return;
  for (const command of commands) {
    const { status, output } = await run(command);
    if (status !== 0) fail(`${output}the build failed`);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

export async function buildPage() {
  await buildTarget(PAGE, digestOfSources());
}

export async function build() {
  const digest = digestOfSources();
  await buildTarget(SERVER, digest);
  await buildTarget(PAGE, digest);
}

if (isMain(import.meta.url)) {
  await ensureInstalled();
  await build();
}
