/**
 * Builds the server into dist/signaling-server, the command into dist/terminal and the pages into dist/web, where
 * out of date.
 */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ensureInstalled } from './ensure-installed.mjs';
import { inPlainFolder } from './plain-folder.mjs';
import { fail, isMain, root, run, tsc } from './run.mjs';

const SOURCES = ['shared', 'signaling-server', 'terminal', 'peer', 'web'];
const SETTINGS = ['package-lock.json', 'tsconfig.base.json', 'vite.config.ts'];

/** What was built from which sources: a digest of the sources next to each result. */
const SERVER = {
  make: () => runOrFail([...tsc, '-b', 'signaling-server', 'terminal']),
  result: 'dist/signaling-server/main.js',
  digest: 'dist/signaling-server/.sources',
};
const PAGE = {
  make: () => inPlainFolder(makePages),
  result: 'dist/web/index.html',
  digest: 'dist/web/.vite/sources',
};

/**
 * @param {string[]} command
 * @param {string} [cwd]
 */
async function runOrFail(command, cwd) {
  const { status, output } = await run(command, { cwd });
  if (status !== 0) fail(`${output}the build failed`);
}

async function makePages(/** @type {string} */ folder) {
  const vite = [process.execPath, join(folder, 'node_modules/vite/bin/vite.js')];
  await runOrFail([...vite, 'build', '--logLevel', 'warn'], folder);
  if (folder === root) return;
  rmSync(join(root, 'dist/web'), { recursive: true, force: true });
  cpSync(join(folder, 'dist/web'), join(root, 'dist/web'), { recursive: true });
}

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
async function buildTarget({ make, result, digest: path }, digest) {
  const stamp = join(root, path);
  const isBuilt = existsSync(join(root, result)) && existsSync(stamp);
  if (isBuilt && readFileSync(stamp, 'utf8') === digest) return;
  await make();
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
