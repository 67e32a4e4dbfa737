/** The log in words, and as files. */
import type { PeerId } from '../shared/protocol/ids.ts';
import { classicLine } from '../shared/narration/classic-line.ts';
import { describe, type Description } from '../shared/narration/describe.ts';
import { jsonLine } from '../shared/narration/json-line.ts';
import { nameOf, shortId } from '../shared/narration/names.ts';
import type { LogRecord } from './ring-member.ts';

/** What the page calls peers: others also by their names, which are easier to tell apart. */
export function callOf(self: PeerId): (id: PeerId) => string {
  return (id) => (id === self ? shortId(id) : `${shortId(id)} (${nameOf(id)})`);
}

/** Each record is put into words once: a search reads thousands at each keystroke. */
const words = new WeakMap<LogRecord, Description>();
const texts = new WeakMap<LogRecord, string>();

export function wordsOf(record: LogRecord): Description {
  const known = words.get(record);
  if (known !== undefined) return known;
  const said = describe(record.event, record.self, callOf(record.self));
  words.set(record, said);
  return said;
}

const UUIDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** The text that a search reads: the words, and the whole uuids that they shorten. */
function textOf(record: LogRecord): string {
  const known = texts.get(record);
  if (known !== undefined) return known;
  const { kind, what, why } = wordsOf(record);
  const ids = JSON.stringify(record.event).match(UUIDS) ?? [];
  const text = [kind, what, why, ...ids].join(' ').toLowerCase();
  texts.set(record, text);
  return text;
}

/** The number of records of each kind, for the kinds that occur. */
export function countKinds(log: readonly LogRecord[]): Map<Description['kind'], number> {
  const counts = new Map<Description['kind'], number>();
  for (const record of log) {
    const { kind } = wordsOf(record);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/**
 * The records that the reader wants to see.
 * @param kinds all, if there are none
 * @param query words that must all occur
 */
export function filterLog(
  log: readonly LogRecord[],
  kinds: ReadonlySet<Description['kind']>,
  query: string,
): readonly LogRecord[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (kinds.size === 0 && wanted.length === 0) return log;
  return log.filter((record) => {
    if (kinds.size > 0 && !kinds.has(wordsOf(record).kind)) return false;
    return wanted.every((word) => textOf(record).includes(word));
  });
}

/**
 * The log as a classic program would have written it, oldest line first.
 * @param log newest first
 */
export function classicLog(log: readonly LogRecord[]): string {
  return lines(log, ({ event, self, at }) => classicLine(event, self, new Date(at).toISOString()));
}

/**
 * The log as JSON lines, oldest first.
 * @param log newest first
 */
export function jsonLog(log: readonly LogRecord[]): string {
  return lines(log, ({ event, self, at, times }) =>
    jsonLine(event, self, new Date(at).toISOString(), times),
  );
}

function lines(log: readonly LogRecord[], line: (record: LogRecord) => string): string {
  return log
    .map((record) => `${line(record)}\n`)
    .toReversed()
    .join('');
}
