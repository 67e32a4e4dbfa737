/**
 * Recordings as JSON lines. Each begins with a line that tells how its member began, and each turn is a
 * line; bytes are written as `{ "hex": "0a1b" }`.
 */
import * as v from 'valibot';
import type { RingEvent } from '../member/events.ts';
import type { Input } from '../member/turn.ts';
import { parse, PeerIdSchema, RoomNameSchema, type Parsed } from '../protocol/ids.ts';
import { POLICIES } from '../protocol/messages.ts';
import type { RecordedTurn, Recording } from './recording.ts';

const BeginningSchema = v.strictObject({
  config: v.strictObject({
    room: RoomNameSchema,
    policy: v.picklist(POLICIES),
    priority: v.number(),
    key: v.nullable(v.string()),
    connections: v.number(),
  }),
  identity: v.strictObject({ id: PeerIdSchema, secret: v.string() }),
  now: v.number(),
});

/** What a member was given and told: of a run of one's own, so that only the kind is looked at. */
const TurnSchema = v.strictObject({
  input: v.custom<Input>(hasType, 'an input has a type'),
  moment: v.strictObject({ now: v.number(), date: v.number() }),
  draws: v.array(v.number()),
  events: v.array(v.custom<RingEvent>(hasType, 'an event has a type')),
});

/** The lines of recordings, without the end of the last one. */
export function linesOf(recordings: readonly Recording[]): string {
  return recordings
    .flatMap(({ config, identity, now, turns }) => [{ config, identity, now }, ...turns])
    .map((line) => encode(line))
    .join('\n');
}

/** Reads what {@link linesOf} wrote. */
export function parseRecordings(text: string): Parsed<readonly Recording[]> {
  const recordings: (Recording & { turns: RecordedTurn[] })[] = [];
  for (const [at, line] of text.trimEnd().split('\n').entries()) {
    const json = decode(line);
    const beginning = parse(BeginningSchema, json);
    if (beginning.ok) {
      recordings.push({ ...beginning.value, turns: [] });
      continue;
    }
    const turn = parse(TurnSchema, json);
    const recording = recordings.at(-1);
    if (recording === undefined) return { ok: false, error: `line 1: ${beginning.error}` };
    if (!turn.ok) return { ok: false, error: `line ${at + 1}: ${turn.error}` };
    recording.turns.push(turn.value);
  }
  return { ok: true, value: recordings };
}

/**
 * Plain data as JSON: the same text for what is equal.
 * @param indent spaces for each level; all in one line by default
 */
export function encode(data: unknown, indent = 0): string {
  return JSON.stringify(data, (_, value: unknown) => writable(value), indent);
}

function writable(value: unknown): unknown {
  if (value instanceof Uint8Array)
    return { hex: Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('') };
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}

/** Undefined for what is no JSON. */
function decode(line: string): unknown {
  try {
    return JSON.parse(line, (_, value: unknown) => bytesOf(value) ?? value);
  } catch {
    return undefined;
  }
}

function bytesOf(value: unknown): Uint8Array | null {
  if (typeof value !== 'object' || value === null || !('hex' in value)) return null;
  const { hex } = value;
  if (typeof hex !== 'string') return null;
  const digits = hex.match(/../g) ?? [];
  return Uint8Array.from(digits, (byte) => Number.parseInt(byte, 16));
}

function hasType(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value;
}
