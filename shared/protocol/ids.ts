/** The identifiers that travel between peers and the signaling server, as branded types. */
import * as v from 'valibot';

/**
 * A peer's uuid (RFC 9562) in lower case. It names one membership: a peer that comes back takes a new one.
 */
export const PeerIdSchema = v.pipe(
  v.string(),
  v.regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    'a peer id is a uuid in lower case',
  ),
  v.brand('PeerId'),
);
export type PeerId = v.InferOutput<typeof PeerIdSchema>;

/** Writes 32 hexadecimal digits as a uuid is written. */
export function hyphenated(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** A room's name as it appears in the page's address, in lower case: names ignore case. */
export const RoomNameSchema = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9_-]{1,64}$/,
    'a room name has 1 to 64 of the letters A to Z and a to z, digits, "-" and "_"',
  ),
  v.toLowerCase(),
  v.brand('RoomName'),
);
export type RoomName = v.InferOutput<typeof RoomNameSchema>;

export const MAX_LINK_ID = 0xffff_ffff;

/** One attempt at connecting two neighbours. Chosen at random by the offering end and never reused. */
export const LinkIdSchema = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.maxValue(MAX_LINK_ID),
  v.brand('LinkId'),
);
export type LinkId = v.InferOutput<typeof LinkIdSchema>;

/** A parsed value, or one sentence in plain words saying what is wrong with the input. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** Turns unknown input into a value of the schema's type, or an error. */
export function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
): Parsed<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, input, { abortEarly: true, abortPipeEarly: true });
  if (result.success) return { ok: true, value: result.output };
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  return { ok: false, error: path === null ? issue.message : `${path}: ${issue.message}` };
}

export type Parser<T> = (input: unknown) => Parsed<T>;

export function parserOf<Schema extends v.GenericSchema>(
  schema: Schema,
): Parser<v.InferOutput<Schema>> {
  return (input) => parse(schema, input);
}

/** Parses a uuid in any case into a {@link PeerId}. */
export function parsePeerId(input: unknown): Parsed<PeerId> {
  return parse(PeerIdSchema, typeof input === 'string' ? input.toLowerCase() : input);
}

/** Parses a room name in any case. */
export const parseRoomName: Parser<RoomName> = parserOf(RoomNameSchema);
export const parseLinkId: Parser<LinkId> = parserOf(LinkIdSchema);
