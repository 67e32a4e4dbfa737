/** Ids for tests, made through the same parsers that guard the program. */
import {
  parseLinkId,
  parsePeerId,
  parseRoomName,
  type LinkId,
  type Parsed,
  type PeerId,
  type RoomName,
} from '../shared/protocol/ids.ts';

/** The value, where a test cannot go on without it. */
export function valueOf<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** The sentence that says what is wrong; fails where nothing is. */
export function errorOf<T>(parsed: Parsed<T>): string {
  if (parsed.ok) throw new Error(`accepted: ${JSON.stringify(parsed.value)}`);
  return parsed.error;
}

/** A value that must be there. */
export function defined<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('nothing there');
  return value;
}

/** A peer id that compares with others like its number. */
export function peerId(number: number): PeerId {
  return valueOf(parsePeerId(`00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`));
}

export function linkId(number: number): LinkId {
  return valueOf(parseLinkId(number));
}

export function roomName(name: string): RoomName {
  return valueOf(parseRoomName(name));
}
