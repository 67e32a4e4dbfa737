/** Runs of the fuzzers: what `npm run fuzz` and the tests call. */
import { NodeFuzz } from './node.ts';
import { ParserFuzz } from './parsers.ts';

export const TARGETS = ['parsers', 'member'] as const;
export type Target = (typeof TARGETS)[number];

const AFTER_THE_END = 20;

export interface FuzzReport {
  readonly inputs: number;
  /** The number of inputs by result. */
  readonly counts: Readonly<Record<string, number>>;
  /** What is wrong, with the input at which it showed; null where nothing is. */
  readonly problem: string | null;
}

/**
 * One run; the same arguments give the same run.
 * @param seed any integer
 * @param inputs number of inputs
 */
export function fuzz(target: Target, seed: number, inputs: number): FuzzReport {
  return target === 'parsers' ? fuzzParsers(seed, inputs) : fuzzMember(seed, inputs);
}

function fuzzParsers(seed: number, inputs: number): FuzzReport {
  const run = new ParserFuzz(seed);
  const counts = () => ({ read: run.read, refused: run.refused });
  for (let given = 1; given <= inputs; given += 1)
    try {
      run.next();
    } catch (error) {
      return { inputs: given, counts: counts(), problem: `at input ${given}: ${inWords(error)}` };
    }
  return { inputs, counts: counts(), problem: null };
}

function fuzzMember(seed: number, inputs: number): FuzzReport {
  let given = 0;
  const counts = { works: 0, gone: 0 };
  try {
    const run = new NodeFuzz(seed);
    // A member that is gone gets some more inputs: it must not come to life again.
    for (let gone = 0; given < inputs && gone < AFTER_THE_END; gone += run.isGone ? 1 : 0) {
      given += 1;
      run.next();
    }
    counts[run.finish()] += 1;
    return { inputs: given, counts, problem: null };
  } catch (error) {
    return { inputs: given, counts, problem: `at input ${given}: ${inWords(error)}` };
  }
}

function inWords(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
