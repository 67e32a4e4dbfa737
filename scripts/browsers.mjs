/** Finds the browsers that the tests drive, and installs one where the system offers a way. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fail, run } from './run.mjs';

const { env, platform } = process;
const PROGRAM_FILES = [env.ProgramFiles, env['ProgramFiles(x86)'], env.LOCALAPPDATA].filter(
  (folder) => folder !== undefined,
);

const BROWSERS = {
  chromium: {
    variable: 'CHROMIUM_PATH',
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    macApps: [
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ],
    windowsApps: ['Chromium/Application/chrome.exe', 'Google/Chrome/Application/chrome.exe'],
    packages: ['chromium'],
    cask: 'chromium',
  },
  firefox: {
    variable: 'FIREFOX_PATH',
    commands: ['firefox-esr', 'firefox'],
    macApps: ['/Applications/Firefox.app/Contents/MacOS/firefox'],
    windowsApps: ['Mozilla Firefox/firefox.exe'],
    packages: ['firefox-esr', 'firefox'],
    cask: 'firefox',
  },
};

/** @typedef {keyof typeof BROWSERS} Browser */

/** @param {string} name */
export function isBrowser(name) {
  return Object.hasOwn(BROWSERS, name);
}

/** The environment variable that tells the tests where a browser is. */
export const variableOf = (/** @type {Browser} */ name) => BROWSERS[name].variable;

/** @param {string[]} commands */
function findOnPath(commands) {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return commands.flatMap((command) => folders.map((folder) => join(folder, command)));
}

/**
 * @param {Browser} name
 * @returns {string | null} the path of the program
 */
export function findBrowser(name) {
  const { variable, commands, macApps, windowsApps } = BROWSERS[name];
  const given = env[variable];
  if (given !== undefined && given !== '') return existsSync(given) ? given : null;
  const windows = PROGRAM_FILES.flatMap((folder) => windowsApps.map((app) => join(folder, app)));
  const places = platform === 'win32' ? windows : findOnPath(commands);
  if (platform === 'darwin') places.push(...macApps);
  return places.find((path) => existsSync(path)) ?? null;
}

const succeeds = async (/** @type {string[]} */ ...command) => (await run(command)).status === 0;
const isCommand = (/** @type {string} */ command) =>
  findOnPath([command]).some((path) => existsSync(path));

/** The beginning of the command that installs something here; null where there is no way. */
async function installer() {
  if (platform === 'darwin' && isCommand('brew')) return ['brew'];
  if (!isCommand('apt-get')) return null;
  // A service that comes with a program is not started.
  const settings = ['DEBIAN_FRONTEND=noninteractive', 'SYSTEMD_OFFLINE=1', 'RUNLEVEL=1'];
  const apt = ['env', ...settings, 'apt-get'];
  if (process.getuid?.() === 0) return apt;
  return isCommand('sudo') && (await succeeds('sudo', '-n', 'true'))
    ? ['sudo', '-n', ...apt]
    : null;
}

/**
 * @param {string} name for people
 * @param {string[]} packages of apt; the first one available is taken
 * @param {string} [cask] of brew
 */
async function install(name, packages, cask) {
  const command = await installer();
  if (command === null) return '';
  process.stderr.write(`installing ${name}\n`);
  if (platform === 'darwin') return (await run([...command, 'install', '--cask', cask])).output;
  // An update may fail on one source of many; the installation shows whether that matters.
  let { output } = await run([...command, 'update']);
  for (const known of packages) {
    const result = await run([...command, 'install', '-y', '--no-install-recommends', known]);
    output += result.output;
    if (result.status === 0) break;
  }
  return output;
}

/**
 * @param {Browser} name
 * @returns {Promise<string>} the path of the program; ends this script where there is none
 */
export async function ensureBrowser(name) {
  const { variable } = BROWSERS[name];
  if (env[variable] && !existsSync(env[variable]))
    fail(`${variable} is ${env[variable]}, and there is no such file`);
  const found = findBrowser(name);
  if (found !== null) return found;
  const output = await install(name, BROWSERS[name].packages, BROWSERS[name].cask);
  return (
    findBrowser(name) ??
    fail(`${output}${name} is missing: install it, or set ${variable} to the path of its program`)
  );
}

/**
 * Installs a program that a Linux system may lack.
 * @param {string} command
 * @param {string} [name] of its package, where that is another
 */
export async function ensureCommand(command, name = command) {
  if (isCommand(command)) return;
  const output = platform === 'linux' ? await install(name, [name]) : '';
  if (!isCommand(command)) fail(`${output}${command} is missing: install ${name}`);
}
