/**
 * What instances say to each other. A client's connection ends at one instance, its edge, and its room is at
 * another, its owner. Between the two is a link, which the edge opens: asks go up, what the owner says down.
 * Envelopes of a link are numbered, both ways from 0; one that is missing ends the link.
 */
import * as v from 'valibot';
import type { Told } from '../broker/room.ts';
import type { InstanceId } from './directory.ts';
import { parserOf, PeerIdSchema, RoomNameSchema, type Parser } from '../protocol/ids.ts';
import {
  LeaveRequestSchema,
  ReplyToSchema,
  RequestSchema,
  RoomKeySchema,
  SignalDeliverySchema,
  ViewSchema,
  type ReplyTo,
  type Request,
} from '../protocol/signaling.ts';
import {
  OrderSchema,
  TraceSchema,
  TracesSchema,
  WatchReplySchema,
  type WatchReply,
} from '../protocol/watch.ts';

/** Another one for envelopes that instances of before cannot read. */
const ENVELOPE_VERSION = 1;

const CountSchema = v.pipe(v.number(), v.safeInteger());
const NameSchema = v.pipe(v.string(), v.maxLength(128));

/** What a client asks of a room, parsed. */
export type Ask =
  | Request
  | v.InferOutput<typeof WatchAskSchema>
  | v.InferOutput<typeof TraceAskSchema>
  | v.InferOutput<typeof GoodbyeSchema>;

/** Digests of the keys that a spectator knows, and whether it is the host by what it was let in by. */
const WatchAskSchema = v.object({
  type: v.literal('watch'),
  body: v.object({ key: RoomKeySchema, host: RoomKeySchema, isHost: v.boolean() }),
});
const TraceAskSchema = v.object({ type: v.literal('trace'), body: TraceSchema });
/** A member leaves that has no connection. */
const GoodbyeSchema = v.object({ type: v.literal('goodbye'), body: LeaveRequestSchema });

const AskSchema: v.GenericSchema<unknown, Ask> = v.variant('type', [
  RequestSchema,
  WatchAskSchema,
  TraceAskSchema,
  GoodbyeSchema,
]);

const AskedSchema = v.object({
  type: v.literal('ask'),
  /** The client's connection, and the number of what it asks, both of the edge's choice. */
  session: CountSchema,
  number: CountSchema,
  room: RoomNameSchema,
  /** The client's, as limits count it. */
  address: NameSchema,
  /** What the client was let in by, if that has a name. */
  grant: v.nullable(NameSchema),
  ask: AskSchema,
  /** Whether it has come back already from one that is not the owner. */
  isReturned: v.boolean(),
});
/** An ask, and whose it is. */
export type Asked = v.InferOutput<typeof AskedSchema>;

const ofClient = { session: CountSchema };
const ofAsk = { ...ofClient, number: CountSchema };

const AnswerSchema: v.GenericSchema<unknown, ReplyTo | WatchReply> = v.union([
  WatchReplySchema.options[0],
  ReplyToSchema,
]);

const ToldSchema: v.GenericSchema<unknown, Told> = v.variant('type', [
  v.object({ type: v.literal('view'), view: ViewSchema }),
  v.object({ type: v.literal('signal'), signal: SignalDeliverySchema }),
  v.object({ type: v.literal('check'), peer: PeerIdSchema }),
]);

const SaidSchema = v.variant('type', [
  v.object({ type: v.literal('reply'), ...ofAsk, reply: AnswerSchema }),
  v.object({ type: v.literal('push'), ...ofClient, told: ToldSchema }),
  v.object({
    type: v.literal('end'),
    ...ofClient,
    why: v.picklist(['evicted', 'replaced']),
  }),
  v.object({ type: v.literal('ticket refused'), ...ofClient }),
  v.object({ type: v.literal('watched'), ...ofClient, isWatched: v.boolean() }),
  /** To spectators, who say by the number that they have taken it. */
  v.object({ type: v.literal('order'), ...ofAsk, order: OrderSchema }),
  v.object({ type: v.literal('traces'), ...ofAsk, traces: TracesSchema }),
]);
/** What a client is told. */
export type Said = v.InferOutput<typeof SaidSchema>;

const ItemSchema = v.variant('type', [
  AskedSchema,
  v.object({ type: v.literal('taken'), ...ofAsk }),
  v.object({ type: v.literal('closed'), ...ofClient }),
  SaidSchema,
  /** The room is not this instance's. */
  v.object({ type: v.literal('returned'), asked: AskedSchema }),
]);
export type Item = v.InferOutput<typeof ItemSchema>;

const EnvelopeSchema = v.object({
  version: v.literal(ENVELOPE_VERSION),
  from: NameSchema,
  to: NameSchema,
  /** Whether it comes from the edge or from the owner. */
  way: v.picklist(['up', 'down']),
  /** Chosen by the edge; a later link has a greater one. */
  link: CountSchema,
  number: CountSchema,
  items: v.array(ItemSchema),
  /** Whether the link has ended. Nothing follows. */
  isEnd: v.boolean(),
});
export type Envelope = Readonly<v.InferOutput<typeof EnvelopeSchema>>;

export const parseEnvelope: Parser<Envelope> = parserOf(EnvelopeSchema);

/** Names a process after it has begun anew so often. Those that cannot read each other's envelopes differ. */
export function instanceId(name: string, generation: number): InstanceId {
  return `${ENVELOPE_VERSION}/${name}.${generation}`;
}

/** The name of the process of an instance. */
export function nameIn(id: InstanceId): string {
  return id.slice(id.indexOf('/') + 1, id.lastIndexOf('.'));
}

/** Whether an instance reads what this one says. */
export function isReader(id: InstanceId): boolean {
  return id.startsWith(`${ENVELOPE_VERSION}/`);
}

/** Without its version. */
export function envelope(parts: Omit<Envelope, 'version'>): Envelope {
  return { version: ENVELOPE_VERSION, ...parts };
}
