/**
 * What a mutant is: one rule changed by a patch, and what catches it. A patch is a text that must occur
 * exactly once in a source file, and its replacement.
 */

/**
 * A run of simulated storms, of which at least one must fail.
 * @typedef {{ storm: string, from: number, seeds: number, peers: number }} StormCatch
 *
 * A test that must fail: its file, and its name or the beginning of it.
 * @typedef {{ file: string, test: string }} TestCatch
 *
 * @typedef {object} Mutant
 * @property {string} rule of SPEC.md
 * @property {string} change what the mutant does
 * @property {string} file below shared/
 * @property {string} find
 * @property {string} replace
 * @property {StormCatch | TestCatch} caughtBy
 */

/**
 * @param {string} name of the storm
 * @param {number} from the first seed
 * @returns {StormCatch}
 */
export const storm = (name, from, seeds = 20, peers = 5) => ({ storm: name, from, seeds, peers });

/**
 * @param {string} file below tests/
 * @param {string} name
 * @returns {TestCatch}
 */
export const test = (file, name) => ({ file: `tests/${file}.test.ts`, test: name });
