/** The part of `npm run mutants` that takes seconds: those that storms catch. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('each mutant fits the sources, and storms catch those that they are to catch', async () => {
  const command = ['scripts/mutants.mjs', '--by', 'storms'];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  expect(stdout).toMatch(/\n\d\d mutants, 0 missed/);
});
