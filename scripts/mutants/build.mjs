/** The simulation, built with one of the sources under it changed. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { root } from '../run.mjs';

/** @typedef {Pick<import('./mutant.mjs').Mutant, 'file' | 'find' | 'replace'>} Patch */

/** What the simulation is made of, below shared/. */
const FOLDERS = [
  'broker',
  'driver',
  'election',
  'instances',
  'machine',
  'member',
  'protocol',
  'simulation',
  'simulation/judges',
];

/**
 * The source of a file with a patch.
 * @param {Patch} patch
 * @param {string} [source] what the file holds
 * @throws {Error} where the text to be replaced is not there exactly once
 */
export function patched({ file, find, replace }, source = read(file)) {
  const times = source.split(find).length - 1;
  if (times !== 1) throw new Error(`shared/${file} has this ${times} times, not once: ${find}`);
  return source.replace(find, () => replace);
}

/** Built once: most of them are the same in all mutants. @type {Map<string, string> | undefined} */
let shipped;

/**
 * Writes the simulation as it is shipped, or a mutant.
 * @param {string} name of its folder
 * @param {Patch} [patch]
 * @returns {string} the folder, laid out as shared/
 * @throws {Error} where the patch does not fit, or is no TypeScript
 */
export function build(name, patch) {
  shipped ??= new Map(sources().map((file) => [file, transpiled(file, read(file))]));
  const files = new Map(shipped);
  if (patch !== undefined) files.set(patch.file, transpiled(patch.file, patched(patch)));
  // Below the project, where its packages are found.
  const folder = join(root, 'dist/mutants', name);
  rmSync(folder, { recursive: true, force: true });
  for (const [file, text] of files) {
    const path = join(folder, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return folder;
}

/** @returns {string[]} */
function sources() {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, 'shared', folder))
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${folder}/${file}`),
  );
}

/** @param {string} file below shared/ */
function read(file) {
  return readFileSync(join(root, 'shared', file), 'utf8');
}

/**
 * @param {string} file
 * @param {string} source
 */
function transpiled(file, source) {
  const { outputText, diagnostics = [] } = ts.transpileModule(source, {
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  const [error] = diagnostics;
  if (error === undefined) return outputText;
  throw new Error(`shared/${file}: ${ts.flattenDiagnosticMessageText(error.messageText, ' ')}`);
}
