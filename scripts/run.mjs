/** Shared by the other scripts: the project's folder, and running a command. */
import './node-version.cjs';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A file of an installed package, run by this same Node: no shell, no .cmd files on Windows. */
export const tool = (/** @type {string} */ path) => [
  process.execPath,
  join(root, 'node_modules', path),
];

export const tsc = tool('typescript/bin/tsc');

/** npm, through the file that npm itself started us with, if it did. */
export function npm() {
  const { npm_execpath: path } = process.env;
  // Other package managers put their own file there.
  if (path !== undefined && basename(path) === 'npm-cli.js' && existsSync(path))
    return [process.execPath, path];
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm'];
}

/**
 * Runs a command. SIGTERM and SIGINT end it along with this process.
 * @param {string[]} command
 * @param {{ show?: boolean, env?: Record<string, string>, cwd?: string }} [options]
 *   show: on this process's output as it comes, instead of collected in the result
 *   cwd: where to run it; by default the project's folder
 */
export function run([file = '', ...args], { show = false, env = {}, cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      shell: file.endsWith('.cmd'),
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    const stop = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    process.on('SIGINT', stop).on('SIGTERM', stop);
    const end = (/** @type {number} */ status) => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      resolve({ status, output });
    };
    child.on('error', (error) => {
      output += `${error.message}\n`;
      end(127);
    });
    child.on('close', (status) => end(status ?? 1));
  });
}

/** Builds shared/. Returns what imports one of its modules, by its path in the build. */
export async function buildShared() {
  mkdirSync(join(root, 'dist'), { recursive: true });
  const { status, output } = await run([...tsc, '-b', 'shared']);
  if (status !== 0) fail(`${output}the build failed`);
  return (/** @type {string} */ path) =>
    import(pathToFileURL(join(root, 'dist/shared', path)).href);
}

/** Ends this script with one clear line. */
export function fail(/** @type {string} */ message) {
  process.stderr.write(`${message.trimEnd()}\n`);
  process.exit(1);
}

/** Whether a script was started directly, not imported by another. */
export const isMain = (/** @type {string} */ url) =>
  process.argv[1] !== undefined && fileURLToPath(url) === realpathSync(process.argv[1]);
