/**
 * Says how much JavaScript the first load of the page fetches, gzipped, and limits it: the page, which
 * holds its entry, and all that the entry imports, by and by too.
 */
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildPage } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root } from './run.mjs';

/** In bytes. */
const LIMIT = 110_000;

const read = (/** @type {string} */ path) => readFileSync(join(root, 'dist/web', path));
const kilobytes = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB`;

function firstScripts() {
  /** @type {Record<string, { file: string, imports?: string[], dynamicImports?: string[], isEntry?: boolean }>} */
  const chunks = JSON.parse(read('.vite/manifest.json').toString());
  const pending = Object.keys(chunks).filter((key) => chunks[key]?.isEntry);
  const files = new Set(['index.html']);
  for (const key of pending) {
    const chunk = chunks[key] ?? fail(`the manifest lacks ${key}`);
    const { file, imports = [], dynamicImports = [] } = chunk;
    // The build puts the entry into the page.
    if (chunk.isEntry !== true) files.add(file);
    pending.push(...[...imports, ...dynamicImports].filter((name) => !pending.includes(name)));
  }
  // A script that the page names by itself is in no manifest.
  const tags = read('index.html')
    .toString()
    .matchAll(/<(?:script|link)\b[^>]*>/g);
  for (const [tag] of tags) {
    const path = /\b(?:src|href)="([^"]+\.m?js)"/.exec(tag)?.[1];
    if (path !== undefined) files.add(posix.normalize(path.replace(/^\.?\//, '')));
  }
  return [...files].filter((file) => /\.(?:m?js|html)$/.test(file));
}

await ensureInstalled();
await buildPage();
const sizes = firstScripts().map((file) => ({ file, size: gzipSync(read(file)).length }));
const total = sizes.reduce((sum, { size }) => sum + size, 0);
for (const { file, size } of sizes) console.log(`${kilobytes(size).padStart(9)}  ${file}`);
console.log(`${kilobytes(total).padStart(9)}  of ${kilobytes(LIMIT)}, gzipped`);
if (!read('index.html').includes('id="program"')) fail('the page holds no program');
if (sizes.length === 1) fail('the page loads no JavaScript: the manifest is not understood');
if (total > LIMIT) fail(`the page's JavaScript is ${kilobytes(total - LIMIT)} too big`);
