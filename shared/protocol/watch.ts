/**
 * The spectators' part of the signaling protocol: Socket.IO events between the server and pages that look
 * at a ring without joining it, and the traces that its members send for them.
 *
 * A spectator sends `watch` once. The server sends it `order`, the peers in ring order and the room's
 * policy, whenever that changes, and `traces`, the latest traces of the members. The spectator
 * acknowledges each; one that does not soon misses entries. With `watched` the server tells the members of
 * a room that it has a spectator, again when a new spectator must learn their state, and that the last one
 * has gone. Members send `trace` only in between.
 */
import * as v from 'valibot';
import { parserOf, PeerIdSchema, RoomNameSchema, type Parser } from './ids.ts';
import { MAX_HOP_DELAY } from './messages.ts';
import {
  PolicySchema,
  REFUSALS,
  RefusalSchema,
  RoomKeySchema,
  VersionSchema,
  type Reply,
} from './signaling.ts';

/** The most entries in one trace of a peer; some 250 bytes each. */
export const MAX_ENTRIES = 64;

/** The most peers in an order, and traces in one message; more than the server allows or sends. */
const MAX_ORDER = 10_000;
const MAX_TRACES = 4_096;

const wholeUpTo = (most: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(most));

/** Milliseconds by the sender's clock, whose zero only the sender knows. */
const MomentSchema = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e13));
const TermSchema = wholeUpTo(0xffff_ffff);
const CountSchema = wholeUpTo(Number.MAX_SAFE_INTEGER);

const TracedMessageSchema = v.strictObject({
  type: v.picklist(['claim', 'elected']),
  term: TermSchema,
  /** The peer whose claim or leadership it carries. */
  origin: PeerIdSchema,
  priority: wholeUpTo(0xff),
  hops: wholeUpTo(0xffff),
  /** Of an announcement; 0 for a claim. */
  lap: wholeUpTo(0xffff_ffff),
});
/** A message of an election, with the fields that identify it. */
export type TracedMessage = v.InferOutput<typeof TracedMessageSchema>;

const ofMessage = { at: MomentSchema, message: TracedMessageSchema };

const EntrySchema = v.variant('type', [
  v.strictObject({ type: v.literal('sent'), ...ofMessage, to: PeerIdSchema }),
  v.strictObject({
    type: v.literal('received'),
    ...ofMessage,
    from: PeerIdSchema,
    outcome: v.picklist(['forwarded', 'ignored', 'answered', 'elected', 'completed']),
    // Shown to spectators, and in the files that they save.
    reason: v.pipe(v.string(), v.regex(/^[ -~]{0,64}$/, 'a reason is plain text')),
  }),
  v.strictObject({
    /** A message that the hop delay holds here for so long before it is sent. */
    type: v.literal('holding'),
    ...ofMessage,
    milliseconds: wholeUpTo(MAX_HOP_DELAY),
  }),
  v.strictObject({
    type: v.literal('state'),
    at: MomentSchema,
    role: v.picklist(['joining', 'follower', 'candidate', 'leader', 'offline']),
    term: TermSchema,
    leader: v.nullable(PeerIdSchema),
    /** To its successor. */
    link: v.picklist(['none', 'connecting', 'direct', 'relayed']),
  }),
]);
/** Something that happened to a peer; `state` is its state from then on. */
export type TraceEntry = v.InferOutput<typeof EntrySchema>;

export const TraceSchema = v.strictObject({
  /** The sender's clock when it sent this. */
  at: MomentSchema,
  /** The number of the first entry, counted from 0 when the peer began to send traces. */
  first: CountSchema,
  entries: v.pipe(v.array(EntrySchema), v.minLength(1), v.maxLength(MAX_ENTRIES)),
  /** Entries left out since the trace before this, because there were too many. */
  lost: CountSchema,
});
/** `trace`: what has happened to a peer, in order. The server knows whose it is. */
export type Trace = v.InferOutput<typeof TraceSchema>;

const WatchRequestSchema = v.strictObject({
  version: VersionSchema,
  room: RoomNameSchema,
  key: RoomKeySchema,
  /** Of the host, who is never one spectator too many; null for all others. */
  host: RoomKeySchema,
});
/** `watch`: asks to follow a room, which need not exist yet. */
export type WatchRequest = v.InferOutput<typeof WatchRequestSchema>;

export const OrderSchema = v.object({
  /** In ring order. */
  peers: v.pipe(v.array(PeerIdSchema), v.maxLength(MAX_ORDER), v.readonly()),
  /** The room's policy; null where there is no room. */
  policy: v.nullable(PolicySchema),
});
/** The members of a room. */
export type Order = v.InferOutput<typeof OrderSchema>;

export const WatchReplySchema = v.variant('ok', [
  v.object({ ok: v.literal(true), order: OrderSchema }),
  // An unknown code is a refusal, too.
  v.object({ ...RefusalSchema.entries, code: v.fallback(v.picklist(REFUSALS), 'malformed') }),
]);
export type WatchReply = v.InferOutput<typeof WatchReplySchema>;

export const TracesSchema = v.object({
  traces: v.pipe(
    v.array(v.object({ peer: PeerIdSchema, at: MomentSchema, trace: TraceSchema })),
    v.maxLength(MAX_TRACES),
  ),
  missed: CountSchema,
});
/**
 * What the members of a room have sent since the last time; `at` is when it came, by the server's clock.
 * `missed` entries are not in it: the spectator was too slow, or there were too many.
 */
export type Traces = v.InferOutput<typeof TracesSchema>;
export type PeerTrace = Traces['traces'][number];

/** Events by which a peer sends its trace, besides those of signaling.ts. */
export interface TracerToServer {
  trace: (trace: Trace, reply: (reply: Reply) => void) => void;
}

/** Events by which the server asks for traces; without one, the room has no spectator. */
export interface ServerToTracer {
  watched: (isWatched: boolean) => void;
}

/** Events a spectator may send. */
export interface SpectatorToServer {
  watch: (request: WatchRequest, reply: (reply: WatchReply) => void) => void;
}

/** Events the server may send to a spectator; each is acknowledged. */
export interface ServerToSpectator {
  order: (order: Order, taken: () => void) => void;
  traces: (traces: Traces, taken: () => void) => void;
}

export const parseWatchRequest: Parser<WatchRequest> = parserOf(WatchRequestSchema);
export const parseWatchReply: Parser<WatchReply> = parserOf(WatchReplySchema);
export const parseTrace: Parser<Trace> = parserOf(TraceSchema);
export const parseOrder: Parser<Order> = parserOf(OrderSchema);
export const parseTraces: Parser<Traces> = parserOf(TracesSchema);
