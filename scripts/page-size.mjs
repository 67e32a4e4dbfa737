/**
 * Prints what the first visit of the page fetches, gzipped, and limits it: index.html, its program and
 * style sheets, and everything that these import, also later.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildPage } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root } from './run.mjs';

/** Limits for what the program imports at once, and for everything, in bytes. */
const LIMITS = { first: 51_500, all: 110_000 };

const PAGE = 'index.html';

const read = (/** @type {string} */ path) => readFileSync(join(root, 'dist/web', path));
const kilobytes = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/**
 * @param {boolean} isLater whether dynamic imports count
 * @returns {Map<string, number>} the files and their sizes
 */
function filesOf(isLater) {
  /** @type {Record<string, { file: string, css?: string[], imports?: string[], dynamicImports?: string[] }>} */
  const chunks = JSON.parse(read('.vite/manifest.json').toString());
  const files = new Set([PAGE]);
  const pending = [PAGE];
  for (const key of pending) {
    const chunk = chunks[key] ?? fail(`the manifest lacks ${key}`);
    const { file, css = [], imports = [], dynamicImports = [] } = chunk;
    for (const name of [file, ...css]) files.add(name);
    const more = isLater ? [...imports, ...dynamicImports] : imports;
    pending.push(...more.filter((name) => !pending.includes(name)));
  }
  return new Map([...files].map((file) => [file, gzipSync(read(file), { level: 9 }).length]));
}

const sumOf = (/** @type {Map<string, number>} */ sizes) =>
  [...sizes.values()].reduce((sum, size) => sum + size, 0);

await ensureInstalled();
await buildPage();
const all = filesOf(true);
const totals = { first: sumOf(filesOf(false)), all: sumOf(all) };
for (const [file, size] of all) console.log(`${kilobytes(size).padStart(9)}  ${file}`);
for (const name of /** @type {const} */ (['first', 'all']))
  console.log(
    `${kilobytes(totals[name]).padStart(9)}  ${name}, of ${kilobytes(LIMITS[name])}, gzipped`,
  );
if (all.size < 3) fail('the page loads no JavaScript: the manifest is not understood');
for (const name of /** @type {const} */ (['first', 'all']))
  if (totals[name] > LIMITS[name])
    fail(`the page (${name}) is ${kilobytes(totals[name] - LIMITS[name])} too big`);
