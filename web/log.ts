/** The log in words. */
import { classicLine, describe, type Description } from '../shared/ring/describe.ts';
import type { LogRecord } from './ring-member.ts';

export function wordsOf({ event, self }: LogRecord): Description {
  return describe(event, self);
}

/**
 * The log as a classic program would have written it, oldest line first.
 * @param log newest first
 */
export function classicLog(log: readonly LogRecord[]): string {
  return log
    .map(({ event, self, at }) => `${classicLine(event, self, new Date(at).toISOString())}\n`)
    .toReversed()
    .join('');
}
