/** The secret that the server signs with. It outlives the process, so that members get their places again. */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { v4 as uuid } from 'uuid';

const BYTES = 32;

/** Fewer characters could be guessed. */
export const SHORTEST_SECRET = 32;

export function newSecret(): string {
  return randomBytes(BYTES).toString('base64url');
}

/** Where a service, or else this user, keeps what outlives a process. */
export function stateFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const { STATE_DIRECTORY = '', XDG_STATE_HOME = '' } = environment;
  // systemd names several with colons between.
  const [ofService = ''] = STATE_DIRECTORY.split(':');
  if (ofService !== '') return ofService;
  const ofUser = XDG_STATE_HOME === '' ? join(homedir(), '.local', 'state') : XDG_STATE_HOME;
  return join(ofUser, 'ringleader');
}

/**
 * Reads the secret from a file in a folder; makes both where they are not there.
 * @throws Error as of node:fs where it cannot, or with one clear line where the file has no secret
 */
export function secretIn(folder: string): string {
  const path = join(folder, 'secret');
  if (!existsSync(path)) make(folder, path);
  const secret = readFileSync(path, 'utf8').trim();
  if (secret.length >= SHORTEST_SECRET) return secret;
  throw new Error(`${path} has no secret of at least ${SHORTEST_SECRET} characters; delete it`);
}

/** It is complete before it has its name: another server may begin at the same time. */
function make(folder: string, path: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${uuid()}`;
  writeFileSync(draft, `${newSecret()}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!isThere(error)) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function isThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}
