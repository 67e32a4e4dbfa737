/** The part of `npm run mutants` that takes seconds: those that storms catch. */
import { execFile } from 'node:child_process';
import { expect, test } from 'vitest';

/** The output of a script, whatever its status. */
function outputOf(...command: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, command, (_, stdout, stderr) => {
      resolve(stdout + stderr);
    });
  });
}

// Seconds of processor time, on a machine that may be busy.
test('each mutant fits the sources, and storms catch those that they are to catch', async () => {
  const output = await outputOf('scripts/mutants.mjs', '--by', 'storms');
  expect(output).toMatch(/\n\d\d mutants, 0 missed/);
}, 300_000);
