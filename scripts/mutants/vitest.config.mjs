/** Runs tests on the mutant whose number in the table is MUTANT. */
import { defineConfig } from 'vitest/config';
import { root } from '../run.mjs';
import { patched } from './build.mjs';
import { MUTANTS } from './table.mjs';

const mutant = MUTANTS[Number(process.env['MUTANT'])];
if (mutant === undefined) throw new Error('MUTANT is no number of a mutant');

export default defineConfig({
  root,
  plugins: [
    {
      name: 'mutant',
      enforce: 'pre',
      transform: (code, id) =>
        id.endsWith(`/shared/${mutant.file}`) ? { code: patched(mutant, code), map: null } : null,
    },
  ],
  test: {
    include: ['tests/{broker,election,instances,member,simulation}/**/*.test.ts'],
    testTimeout: 60_000,
    isolate: false,
  },
});
