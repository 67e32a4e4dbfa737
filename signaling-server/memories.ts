/**
 * Which memories of a server its members may come back from: those of the processes just before this one.
 * One that was a member long ago has a ticket, too, and nothing to do with those who are there now.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { v4 as uuid } from 'uuid';

/** How many processes before: a server may have to be started several times. */
const KEPT = 3;

const IdsSchema = v.array(v.string());

export class Memories {
  /** Of this process. */
  readonly id = uuid();
  /** Of those before; null while they are not known, and any may have been one. */
  #before: readonly string[] | null = null;

  /** Whether a ticket of this incarnation may be one of a member. */
  accepts(incarnation: string): boolean {
    if (this.#before === null) return true;
    return [this.id, ...this.#before].some((id) => incarnation.startsWith(`${id}.`));
  }

  /**
   * Reads the memories of the servers before at the same port, and notes this one's.
   * @param folder that may be written
   * @throws Error as of node:fs
   */
  begin(folder: string, port: number): void {
    const path = join(folder, `memories-${port}.json`);
    const before = read(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const draft = `${path}.${this.id}`;
    writeFileSync(draft, JSON.stringify([this.id, ...before].slice(0, KEPT)));
    renameSync(draft, path);
    this.#before = before;
  }
}

/** Empty where there is no such file, or another one of its name. */
function read(path: string): readonly string[] {
  try {
    return v.parse(IdsSchema, JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return [];
  }
}
