import { expect, test } from 'vitest';
import { classicLine } from '../../shared/narration/classic-line.ts';
import { describe } from '../../shared/narration/describe.ts';
import { jsonLine } from '../../shared/narration/json-line.ts';
import { printable } from '../../shared/narration/printable.ts';
import type { RingEvent } from '../../shared/member/events.ts';
import { peerId } from '../support.ts';

/** Colours a terminal in two ways, ends a line in four, and turns what follows around. */
const HOSTILE = 'a\u001b[31mb\u009b31mc\r\nd\u0085e\u2028f\u202eg\u2066h\u007fi\u061cj';

const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

test('controls are written as JSON writes them, and nothing else is changed', () => {
  expect(printable('\u001b[31m\u009b\u202e\n')).toBe('\\u001b[31m\\u009b\\u202e\\u000a');
  const text = 'äöü “…” 東京 עברית العربية 👍 \\ "';
  expect(printable(text)).toBe(text);
});

const SELF = peerId(1);
const EVENTS: readonly RingEvent[] = [
  { type: 'error', message: HOSTILE },
  { type: 'refused', code: 'malformed', message: HOSTILE },
  { type: 'server', state: 'reconnecting', reason: HOSTILE },
  { type: 'dropped', from: peerId(2), reason: HOSTILE, count: 1 },
  {
    ...{ type: 'link', edge: 'successor', kind: 'direct', peer: peerId(2) },
    ...{ state: 'closed', reason: HOSTILE },
  },
];

test.each(EVENTS)('no control of a stranger is in the words or the line of %j', (event) => {
  const { what, why } = describe(event, SELF);
  const line = jsonLine(event, SELF, '2026-01-02T03:04:05.678Z');
  for (const text of [what, why, line, classicLine(event, SELF, 'now')])
    expect(text).not.toMatch(CONTROL);
  expect(JSON.parse(line)).toMatchObject({ id: SELF });
});
