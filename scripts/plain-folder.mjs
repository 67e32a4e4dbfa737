/**
 * A folder for Vite, which takes a "#" or "?" in a path for a part of an address, and a "%" for an escape:
 * where the project's path contains one, a copy of the project in a temporary folder.
 */
import { rmSync } from 'node:fs';
import { copyFile, link, mkdir, mkdtemp, readdir, readlink, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, root } from './run.mjs';

const SPECIAL = /[#?%]/;

/** The character in the project's path that Vite does not accept; null where there is none. */
export const specialCharacter = () => SPECIAL.exec(root)?.[0] ?? null;

/** Generated files, which are not copied. */
const LEFT_OUT = ['.git', 'dist'];

/**
 * Fast, because files are linked where the file system can. They must not be written to.
 * @param {string} from
 * @param {string} to
 * @param {string[]} [leftOut]
 */
async function mirror(from, to, leftOut = []) {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (leftOut.includes(entry.name)) continue;
    const [here, there] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await mirror(here, there);
    else if (entry.isSymbolicLink()) await symlink(await readlink(here), there);
    else await link(here, there).catch(() => copyFile(here, there));
  }
}

/**
 * Does something in the project's folder, or in a copy that is removed afterwards.
 * @template T
 * @param {(folder: string) => Promise<T>} act
 */
export async function inPlainFolder(act) {
  const character = specialCharacter();
  if (character === null) return act(root);
  if (SPECIAL.test(tmpdir())) fail(`the path ${root} has a "${character}": move the project`);
  process.stderr.write(`Vite takes no path with a "${character}": working in a copy\n`);
  const folder = await mkdtemp(join(tmpdir(), 'ringleader-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // A failing command ends this script.
  process.on('exit', remove);
  await mirror(root, folder, LEFT_OUT);
  const result = await act(folder);
  process.off('exit', remove);
  remove();
  return result;
}
