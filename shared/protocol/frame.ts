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
import { ByteReader, ByteWriter, InvalidFrame } from './bytes.ts';
import { parseLinkId, type Parsed, type PeerId } from './ids.ts';
import {
  MAX_HOP_DELAY,
  type Claim,
  type Decision,
  type HelloMessage,
  type PeerMessage,
} from './messages.ts';

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

/** @param extensions relayed as they are */
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
 * @returns the frame, or what is wrong with it in a few words
 */
export function parseFrame(bytes: Uint8Array): Parsed<Frame> {
  try {
    return { ok: true, value: readFrame(bytes) };
  } catch (error) {
    if (error instanceof InvalidFrame) return { ok: false, error: error.message };
    throw error;
  }
}

function readFrame(bytes: Uint8Array): Frame {
  if (bytes.length > MAX_FRAME_BYTES)
    throw new InvalidFrame(`${bytes.length} bytes, more than ${MAX_FRAME_BYTES}`);
  const reader = new ByteReader(bytes);
  const versionAndType = reader.u8();
  const version = versionAndType >>> 4;
  if (version !== FRAME_VERSION) throw new InvalidFrame(`version ${version}, not ${FRAME_VERSION}`);
  const message = readBody(reader, versionAndType & 0x0f, reader.u8());
  const extensions = readExtensions(reader);
  if (message.type !== 'hello') return { message, extensions };
  const isKnown = ({ type }: Extension) => type === EXTENSION_REMOVED;
  const removed = extensions.filter(isKnown).flatMap(({ value }) => readRemoved(value));
  const unknown = extensions.filter((extension) => !isKnown(extension));
  return { message: { ...message, removed }, extensions: unknown };
}

function readBody(reader: ByteReader, type: number, flags: number): PeerMessage {
  switch (type) {
    case TYPES.claim: {
      const term = readTerm(reader);
      const hops = readHops(reader);
      return { type: 'claim', term, claim: readClaim(reader), hops };
    }
    case TYPES.elected: {
      const term = readTerm(reader);
      return { type: 'elected', term, decision: readDecision(reader, readHops(reader)) };
    }
    case TYPES.hello:
      return readHello(reader, flags);
    case TYPES.bye: {
      const code = reader.u8();
      const reason = BYE_REASONS[code];
      if (reason === undefined) throw new InvalidFrame(`unknown reason ${code} to say goodbye`);
      return { type: 'bye', reason };
    }
    case TYPES.heartbeat: {
      const isReply = (flags & FLAG_REPLY) !== 0;
      return { type: 'heartbeat', isReply, count: reader.u16() };
    }
    case TYPES.pace: {
      const hopDelay = reader.u16();
      const count = reader.u32();
      if (hopDelay > MAX_HOP_DELAY) throw new InvalidFrame(`a hop delay of ${hopDelay} ms`);
      if (count === 0) throw new InvalidFrame('a setting without a count');
      return { type: 'pace', hopDelay, count, by: reader.id() };
    }
    default:
      throw new InvalidFrame(`unknown type ${type}`);
  }
}

/** The `removed` of a HELLO is in an extension. */
function readHello(reader: ByteReader, flags: number): HelloMessage {
  const isDecided = (flags & FLAG_DECIDED) !== 0;
  const term = readTerm(reader, isDecided ? 1 : 0);
  const link = parseLinkId(reader.u32());
  if (!link.ok) throw new InvalidFrame('link 0');
  const id = reader.id();
  const decision = isDecided ? readDecision(reader, reader.u16()) : null;
  const ready = (flags & FLAG_READY) !== 0;
  return { type: 'hello', id, link: link.value, ready, term, decision, removed: [] };
}

function readTerm(reader: ByteReader, least = 1): number {
  const term = reader.u32();
  if (term < least || term > MAX_TERM) throw new InvalidFrame(`term ${term}`);
  return term;
}

function readHops(reader: ByteReader): number {
  const hops = reader.u16();
  if (hops === 0) throw new InvalidFrame('0 hops');
  return hops;
}

function readClaim(reader: ByteReader): Claim {
  return { priority: reader.u8(), id: reader.id() };
}

function readDecision(reader: ByteReader, hops: number): Decision {
  const leader = readClaim(reader);
  if (leader.priority === 0) throw new InvalidFrame('a leader of priority 0');
  const lap = reader.u32();
  const size = reader.u16();
  if (size === 0) throw new InvalidFrame('a ring of 0');
  return { hops, leader, lap, size };
}

function readExtensions(reader: ByteReader): Extension[] {
  const extensions: Extension[] = [];
  while (reader.remaining > 0) {
    const type = reader.u8();
    extensions.push({ type, value: reader.bytes(reader.u16()) });
  }
  return extensions;
}

function readRemoved(value: Uint8Array): PeerId[] {
  if (value.length % 16 !== 0 || value.length > 16 * MAX_REMOVED_IN_HELLO)
    throw new InvalidFrame(`${value.length} bytes of removed peers`);
  const reader = new ByteReader(value);
  return Array.from({ length: value.length / 16 }, () => reader.id());
}
