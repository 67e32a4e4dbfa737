/** Installs the packages of package-lock.json where node_modules holds anything else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, isMain, npm, root, run } from './run.mjs';

/**
 * @param {string} path
 * @returns {Map<string, { version: string, optional?: boolean, devOptional?: boolean }>}
 */
function packagesIn(path) {
  const { packages } = JSON.parse(readFileSync(join(root, path), 'utf8'));
  return new Map(Object.entries(packages).filter(([name]) => name !== ''));
}

/**
 * By content, not by date: a checkout or a copy gives files new dates, and a needless `npm ci` removes
 * node_modules from under every running program.
 */
function isInstalled() {
  try {
    const wanted = packagesIn('package-lock.json');
    const installed = packagesIn('node_modules/.package-lock.json');
    const isRight = ([name, { version }]) => wanted.get(name)?.version === version;
    const isThere = ([name, { optional }]) => optional === true || installed.has(name);
    return [...installed].every(isRight) && [...wanted].every(isThere);
  } catch {
    return false;
  }
}

export async function ensureInstalled() {
  if (isInstalled()) return;
  process.stderr.write('installing packages\n');
  const options = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const clean = await run([...npm(), 'ci', ...options]);
  if (clean.status === 0) return;
  // npm ci refuses a lock file without the optional packages of other systems, such as one written from an
  // incomplete registry. npm install takes the same versions and does not change the file.
  const lenient = await run([...npm(), 'install', '--no-save', ...options]);
  if (lenient.status !== 0) fail(`${clean.output}${lenient.output}npm could not install`);
}

if (isMain(import.meta.url)) await ensureInstalled();
