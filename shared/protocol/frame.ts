/**
 * Peer frames: what a message looks like on a data channel.
 *
 * ```
 * all      version(4 bits) type(4 bits) · flags u8
 * CLAIM    term u32 · hops u16 · priority u8 · uuid 16                      = 25 bytes
 * ELECTED  term u32 · hops u16 · priority u8 · uuid 16 · lap u32 · size u16 = 31 bytes
 * HELLO    term u32 · link u32 · uuid 16 · [hops, priority, uuid, lap, size as in ELECTED]
 * BYE      reason u8
 * HEARTBEAT count u16                                                       = 4 bytes
 * PACE     hop delay u16 · count u32 · uuid 16                              = 24 bytes
 * then     extensions: type u8 · length u16 · value, any number
 * ```
 * Numbers are big-endian. A receiver keeps extensions it does not know and relays them unread.
 */
import { ByteReader, ByteWriter, Truncated } from './bytes.ts';
import { parseLinkId, type Parsed, type PeerId } from './ids.ts';
import { MAX_HOP_DELAY, type Claim, type Decision, type PeerMessage } from './messages.ts';

const FRAME_VERSION = 1;

/** The largest frame in bytes; it also makes the frames of a flooding peer cheap to refuse. */
export const MAX_FRAME_BYTES = 4_096;

/** The most departures named in one HELLO. */
export const MAX_REMOVED_IN_HELLO = 16;

const TYPES = { claim: 1, elected: 2, hello: 3, bye: 4, heartbeat: 5, pace: 6 } as const;
const BYE_REASONS = ['leaving', 'relinked'] as const;
const FLAG_READY = 1;
const FLAG_DECIDED = 2;
const FLAG_REPLY = 1;
const EXTENSION_REMOVED = 1;
const MAX_TERM = 0xffff_fffe;

/** An extension as it was received: its type and value. */
export interface Extension {
  readonly type: number;
  readonly value: Uint8Array;
}

/** A message with the extensions that came with it and that this version does not know. */
export interface Frame<Message extends PeerMessage = PeerMessage> {
  readonly message: Message;
  readonly extensions: readonly Extension[];
}

/**
 * Writes a frame.
 * @param message to encode
 * @param extensions relayed as they are
 */
export function encodeFrame(
  message: PeerMessage,
  extensions: readonly Extension[] = [],
): Uint8Array {
  const writer = new ByteWriter().u8((FRAME_VERSION << 4) | TYPES[message.type]);
  writeBody(writer, message);
  for (const { type, value } of extensions) writer.u8(type).u16(value.length).bytes(value);
  return writer.finish();
}

function writeBody(writer: ByteWriter, message: PeerMessage): void {
  switch (message.type) {
    case 'claim':
      writer.u8(0).u32(message.term).u16(message.hops);
      writeClaim(writer, message.claim);
      return;
    case 'elected':
      writer.u8(0).u32(message.term);
      writeDecision(writer, message.decision);
      return;
    case 'hello':
      writer
        .u8((message.ready ? FLAG_READY : 0) | (message.decision === null ? 0 : FLAG_DECIDED))
        .u32(message.term)
        .u32(message.link)
        .id(message.id);
      if (message.decision !== null) writeDecision(writer, message.decision);
      writeRemoved(writer, message.removed.slice(-MAX_REMOVED_IN_HELLO));
      return;
    case 'bye':
      writer.u8(0).u8(BYE_REASONS.indexOf(message.reason));
      return;
    case 'heartbeat':
      writer.u8(message.isReply ? FLAG_REPLY : 0).u16(message.count);
      return;
    case 'pace':
      writer.u8(0).u16(message.hopDelay).u32(message.count).id(message.by);
      return;
  }
}

function writeClaim(writer: ByteWriter, claim: Claim): void {
  writer.u8(claim.priority).id(claim.id);
}

function writeDecision(writer: ByteWriter, { leader, lap, size, hops }: Decision): void {
  writer.u16(hops);
  writeClaim(writer, leader);
  writer.u32(lap).u16(size);
}

function writeRemoved(writer: ByteWriter, removed: readonly PeerId[]): void {
  if (removed.length === 0) return;
  writer.u8(EXTENSION_REMOVED).u16(removed.length * 16);
  for (const id of removed) writer.id(id);
}

/**
 * Reads a frame from whatever a peer sent. Never throws.
 * @param bytes as received
 * @returns the frame, or what is wrong with it in a few words
 */
export function parseFrame(bytes: Uint8Array): Parsed<Frame> {
  if (bytes.length > MAX_FRAME_BYTES)
    return bad(`${bytes.length} bytes, more than ${MAX_FRAME_BYTES}`);
  try {
    return readFrame(new ByteReader(bytes));
  } catch (error) {
    if (error instanceof Truncated) return bad(`truncated after ${bytes.length} bytes`);
    throw error;
  }
}

function readFrame(reader: ByteReader): Parsed<Frame> {
  const versionAndType = reader.u8();
  const version = versionAndType >>> 4;
  if (version !== FRAME_VERSION) return bad(`version ${version}, not ${FRAME_VERSION}`);
  const body = readBody(reader, versionAndType & 0x0f, reader.u8());
  if (!body.ok) return body;
  const extensions = readExtensions(reader);
  return withKnownExtensions(body.value, extensions);
}

function readBody(reader: ByteReader, type: number, flags: number): Parsed<PeerMessage> {
  switch (type) {
    case TYPES.claim:
      return readClaimMessage(reader);
    case TYPES.elected:
      return readElected(reader);
    case TYPES.hello:
      return readHello(reader, flags);
    case TYPES.bye:
      return readBye(reader);
    case TYPES.heartbeat:
      return readHeartbeat(reader, flags);
    case TYPES.pace:
      return readPace(reader);
    default:
      return bad(`unknown type ${type}`);
  }
}

function readClaimMessage(reader: ByteReader): Parsed<PeerMessage> {
  const term = reader.u32();
  const hops = reader.u16();
  const claim = readClaim(reader);
  if (!isTerm(term)) return bad(`term ${term}`);
  if (hops === 0) return bad('0 hops');
  return { ok: true, value: { type: 'claim', term, claim, hops } };
}

function readElected(reader: ByteReader): Parsed<PeerMessage> {
  const term = reader.u32();
  const decision = readDecision(reader);
  if (!isTerm(term)) return bad(`term ${term}`);
  if (decision.size === 0) return bad('a ring of 0');
  if (decision.hops === 0) return bad('0 hops');
  if (decision.leader.priority === 0) return bad('a leader of priority 0');
  return { ok: true, value: { type: 'elected', term, decision } };
}

function readHello(reader: ByteReader, flags: number): Parsed<PeerMessage> {
  const term = reader.u32();
  const link = parseLinkId(reader.u32());
  const id = reader.id();
  const decision = (flags & FLAG_DECIDED) === 0 ? null : readDecision(reader);
  if (!link.ok) return bad('link 0');
  if (decision === null ? term > MAX_TERM : !isTerm(term)) return bad(`term ${term}`);
  if (decision?.size === 0) return bad('a ring of 0');
  if (decision?.leader.priority === 0) return bad('a leader of priority 0');
  return {
    ok: true,
    value: {
      type: 'hello',
      id,
      link: link.value,
      ready: (flags & FLAG_READY) !== 0,
      term,
      decision,
      removed: [],
    },
  };
}

function readBye(reader: ByteReader): Parsed<PeerMessage> {
  const code = reader.u8();
  const reason = BYE_REASONS[code];
  if (reason === undefined) return bad(`unknown reason ${code} to say goodbye`);
  return { ok: true, value: { type: 'bye', reason } };
}

function readHeartbeat(reader: ByteReader, flags: number): Parsed<PeerMessage> {
  const isReply = (flags & FLAG_REPLY) !== 0;
  return { ok: true, value: { type: 'heartbeat', isReply, count: reader.u16() } };
}

function readPace(reader: ByteReader): Parsed<PeerMessage> {
  const hopDelay = reader.u16();
  const count = reader.u32();
  const by = reader.id();
  if (hopDelay > MAX_HOP_DELAY) return bad(`a hop delay of ${hopDelay} ms`);
  if (count === 0) return bad('a setting without a count');
  return { ok: true, value: { type: 'pace', hopDelay, count, by } };
}

function readClaim(reader: ByteReader): Claim {
  return { priority: reader.u8(), id: reader.id() };
}

function readDecision(reader: ByteReader): Decision {
  const hops = reader.u16();
  const leader = readClaim(reader);
  return { hops, leader, lap: reader.u32(), size: reader.u16() };
}

function readExtensions(reader: ByteReader): Extension[] {
  const extensions: Extension[] = [];
  while (reader.remaining > 0) {
    const type = reader.u8();
    extensions.push({ type, value: reader.bytes(reader.u16()) });
  }
  return extensions;
}

/** Puts the extensions this version knows into the message they belong to. */
function withKnownExtensions(
  message: PeerMessage,
  extensions: readonly Extension[],
): Parsed<Frame> {
  if (message.type !== 'hello') return { ok: true, value: { message, extensions } };
  const removed: PeerId[] = [];
  for (const { type, value } of extensions) {
    if (type !== EXTENSION_REMOVED) continue;
    if (value.length % 16 !== 0 || value.length > 16 * MAX_REMOVED_IN_HELLO)
      return bad(`${value.length} bytes of removed peers`);
    const reader = new ByteReader(value);
    while (reader.remaining > 0) removed.push(reader.id());
  }
  const unknown = extensions.filter(({ type }) => type !== EXTENSION_REMOVED);
  return { ok: true, value: { message: { ...message, removed }, extensions: unknown } };
}

function isTerm(term: number): boolean {
  return term >= 1 && term <= MAX_TERM;
}

function bad(error: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error };
}
