/**
 * The signaling protocol: Socket.IO events between a peer and the signaling server.
 *
 * A peer sends `join` once, then `signal` as its links need, and `leave` when it leaves; after a lost
 * connection it sends `resume`. With `settle` it says that it knows the ring's term, with `complain` it
 * complains about a neighbour, and with `lookup` it asks whether a peer is a member. Each is acknowledged.
 * The server sends `view` whenever the peer's place changes, and passes `signal`s on with the sender filled
 * in. With `check` it asks about a neighbour whose connection it has lost. At the beginning of each connection,
 * and later again, `ice` names servers that help peers of different networks to reach each other.
 *
 * What peers send is parsed strictly. What the server sends may have fields that a page does not know, so
 * that a server can be upgraded under open pages.
 */
import * as v from 'valibot';
import { MAX_FRAME_BYTES } from './frame.ts';
import {
  LinkIdSchema,
  parse,
  parserOf,
  PeerIdSchema,
  RoomNameSchema,
  type Parsed,
  type Parser,
  type PeerId,
} from './ids.ts';
import { POLICIES } from './messages.ts';

/** Raised when an old page can no longer talk to a new server, or the other way round. */
export const SIGNALING_VERSION = 5;

/** Limits in characters and items; a real session description is about 500 characters. */
const MAX_SDP_LENGTH = 16_384;
const MAX_CANDIDATE_LENGTH = 1_024;

/** The most signals of one link in one message. */
export const MAX_SIGNALS_PER_MESSAGE = 64;

/** The largest Socket.IO message accepted, in bytes. */
export const MAX_SIGNALING_MESSAGE_BYTES = 65_536;

/** Bytes as they are given to Socket.IO, and as a browser and Node receive them from it. */
const BytesSchema = v.pipe(
  v.union([v.instance(Uint8Array), v.instance(ArrayBuffer)], 'a frame is bytes'),
  v.transform((bytes): Uint8Array =>
    bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes,
  ),
  v.maxLength(MAX_FRAME_BYTES, `a frame has ${MAX_FRAME_BYTES} bytes at most`),
);

const SignalSchema = v.variant('type', [
  v.strictObject({
    type: v.picklist(['offer', 'answer']),
    sdp: v.pipe(v.string(), v.maxLength(MAX_SDP_LENGTH)),
  }),
  v.strictObject({
    type: v.literal('candidate'),
    candidate: v.strictObject({
      candidate: v.pipe(v.string(), v.maxLength(MAX_CANDIDATE_LENGTH)),
      sdpMLineIndex: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(64))),
      sdpMid: v.nullable(v.pipe(v.string(), v.maxLength(64))),
    }),
  }),
  v.strictObject({ type: v.picklist(['relay', 'closed']) }),
  v.strictObject({ type: v.literal('frame'), frame: BytesSchema }),
]);
/**
 * One step towards a link, or a frame of a link through the server. `offer`, `answer` and `candidate` are
 * WebRTC's (RFC 8829, RFC 8838). `relay` offers and answers a link whose frames go through the server as
 * `frame`, until it is `closed`.
 */
export type Signal = v.InferOutput<typeof SignalSchema>;

const SignalsSchema = v.pipe(
  v.array(SignalSchema),
  v.minLength(1),
  v.maxLength(MAX_SIGNALS_PER_MESSAGE),
);

/** Which of a peer's two edges: towards its successor or towards its predecessor. */
const EdgeSchema = v.picklist(['successor', 'predecessor']);
export type Edge = v.InferOutput<typeof EdgeSchema>;

/** The same edge as seen from its other end. */
export function opposite(edge: Edge): Edge {
  return edge === 'successor' ? 'predecessor' : 'successor';
}

const ofLink = { link: LinkIdSchema, signals: SignalsSchema };

const OfferSchema = v.strictObject(ofLink);
/** An offer made before the neighbour is known: a link id and the signals gathered so far. */
export type Offer = v.InferOutput<typeof OfferSchema>;

/** A place, and the proof that it is the sender's. */
const place = {
  room: RoomNameSchema,
  id: PeerIdSchema,
  secret: v.pipe(v.string(), v.minLength(16), v.maxLength(64)),
};

export const PolicySchema = v.picklist(POLICIES);

/** What a client knows besides the name of a room; null where it knows nothing else. */
export const RoomKeySchema = v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(128)));

const FactsSchema = v.object({
  /** Digests of the keys of the room and of its host; null where it was opened without. */
  key: RoomKeySchema,
  host: RoomKeySchema,
  isLocked: v.boolean(),
  /** Grows with each change. */
  revision: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** Ids and grants that its host has turned out, the latest. */
  turnedOut: v.pipe(v.array(v.pipe(v.string(), v.maxLength(40))), v.maxLength(24)),
});
/** What is so in a room as long as it exists, and survives the server's memory in its members' tickets. */
export type Facts = v.InferOutput<typeof FactsSchema>;

export const VersionSchema = v.literal(
  SIGNALING_VERSION,
  'this page and this server are of different versions',
);

const JoinRequestSchema = v.strictObject({
  version: VersionSchema,
  ...place,
  policy: PolicySchema,
  key: RoomKeySchema,
  offers: v.strictObject({ successor: OfferSchema, predecessor: OfferSchema }),
});
/**
 * `join`: a newcomer asks for a place and brings an offer for the link to each of its neighbours. It
 * chooses the secret itself; a member can resume on another connection only with its secret. The policy
 * counts only where the room is new; the reply names the one in force.
 */
export type JoinRequest = v.InferOutput<typeof JoinRequestSchema>;

/** The most departures named in one `resume`. */
export const MAX_REMOVED_IN_RESUME = 16;

const IncarnationSchema = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const wholeFrom = (least: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(least));
const EraSchema = wholeFrom(0);
const ViewVersionSchema = wholeFrom(1);

const TicketTextSchema = v.pipe(v.string(), v.maxLength(2_048));

const ResumeRequestSchema = v.strictObject({
  version: VersionSchema,
  ...place,
  ticket: TicketTextSchema,
  removed: v.pipe(v.array(PeerIdSchema), v.maxLength(MAX_REMOVED_IN_RESUME)),
});
/**
 * `resume`: a member whose connection was lost asks for the place it still holds. A server that has lost
 * its memory needs the rest: the last ticket it gave to the member, and the peers last known to be gone.
 */
export type ResumeRequest = v.InferOutput<typeof ResumeRequestSchema>;

const TicketSchema = v.object({
  room: RoomNameSchema,
  id: PeerIdSchema,
  policy: PolicySchema,
  incarnation: IncarnationSchema,
  era: EraSchema,
  version: ViewVersionSchema,
  successor: PeerIdSchema,
  predecessor: PeerIdSchema,
  facts: FactsSchema,
});
/**
 * What the server knows of a member's place: with it the member gets the place again from a server that has
 * lost its memory. `era` is the latest of the room. The server seals it, and nobody else reads or makes one.
 */
export type Ticket = v.InferOutput<typeof TicketSchema>;

export const LeaveRequestSchema = v.strictObject(place);
/**
 * A member leaves, and says so over HTTP: when a page is being closed, its last message on the connection
 * may not arrive. Only the secret proves the sender.
 */
export type LeaveRequest = v.InferOutput<typeof LeaveRequestSchema>;

const SignalRequestSchema = v.strictObject({ to: PeerIdSchema, edge: EdgeSchema, ...ofLink });
/** `signal` from a peer; `edge` is the sender's own. */
export type SignalRequest = v.InferOutput<typeof SignalRequestSchema>;

export const SignalDeliverySchema = v.object({ from: PeerIdSchema, edge: EdgeSchema, ...ofLink });
/** `signal` to a peer; `from` is filled in by the server, `edge` is the recipient's own. */
export type SignalDelivery = v.InferOutput<typeof SignalDeliverySchema>;

const ComplaintSchema = v.strictObject({
  about: PeerIdSchema,
  fault: v.picklist(['silent', 'unlinked', 'misbehaves']),
});
/**
 * `complain`: something is wrong with a neighbour. Its links are `silent`, or no direct link with it ever opened
 * (`unlinked`), or it `misbehaves` past all limits. The reply says whether the neighbour is still a member.
 */
export type Complaint = v.InferOutput<typeof ComplaintSchema>;
export type Fault = Complaint['fault'];

const GovernRequestSchema = v.strictObject({
  version: VersionSchema,
  room: RoomNameSchema,
  /** null for one that governs by its token. */
  host: RoomKeySchema,
  /** That of the room, where this opens it. */
  key: RoomKeySchema,
  order: v.variant('do', [
    /** Be its host: where the room has nobody in it, with this key from now on. */
    v.strictObject({ do: v.literal('claim') }),
    /** Let nobody in, or everybody again. */
    v.strictObject({ do: v.picklist(['lock', 'unlock']) }),
    v.strictObject({ do: v.literal('turn out'), id: PeerIdSchema }),
  ]),
});
/** `govern`: what the host of a room wants, who need not be a member. */
export type GovernRequest = v.InferOutput<typeof GovernRequestSchema>;

const NeighbourSchema = v.object({ id: PeerIdSchema, link: v.nullable(LinkIdSchema) });
/**
 * A neighbour and the link already on offer between the two; null where there is none. Then the predecessor
 * of the two makes the offer, unless it has a link already.
 */
export type Neighbour = v.InferOutput<typeof NeighbourSchema>;

export const ViewSchema = v.object({
  incarnation: IncarnationSchema,
  era: v.nullable(EraSchema),
  version: ViewVersionSchema,
  size: wholeFrom(1),
  successor: NeighbourSchema,
  predecessor: NeighbourSchema,
  removed: v.pipe(v.array(PeerIdSchema), v.maxLength(256)),
  ticket: TicketTextSchema,
});
/**
 * A peer's place in the ring. `incarnation` changes when the server has lost its memory. `era` and the term
 * together order the leaders of the room (election/SPEC.md, R9): milliseconds since 1970 by the server's
 * clock, or null for a peer that has not settled. `size` is the number of members. `version` grows with
 * every change of the room. `removed` names the peers gone since this peer's last view. In a ring of one
 * both neighbours are the peer itself. `ticket` is a sealed {@link Ticket}, to come back with.
 */
export type View = v.InferOutput<typeof ViewSchema>;

/**
 * The most members a room may have now, when the last view told this size. With one more, all members that
 * know less are told.
 */
export function mostMembers(size: number): number {
  return 2 * size + 12;
}

/** Why a request was refused; the sentence that comes with it is meant for people. */
export const REFUSALS = [
  'malformed',
  'version',
  'id-taken',
  'place-lost',
  'room-full',
  'already-joined',
  'not-joined',
  'not-a-neighbour',
  /** Nothing is wrong with the request, but the server cannot take it now. */
  'try-again',
  /** This server passes no frames on between peers. */
  'no-relay',
  /** The connection was not let in, or not for this. */
  'token',
  /** The room was opened with another secret, or without one. */
  'room-secret',
  /** The host of the room lets nobody else in. */
  'locked',
  /** The host of the room has turned this peer out. */
  'turned-out',
  /** Only the host of the room may do this. */
  'not-host',
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

export const RefusalSchema = v.object({
  ok: v.literal(false),
  code: v.picklist(REFUSALS),
  message: v.pipe(v.string(), v.maxLength(500)),
});
export type Refusal = v.InferOutput<typeof RefusalSchema>;

const replyWith = <Entries extends v.ObjectEntries>(entries: Entries) =>
  v.variant('ok', [v.object({ ok: v.literal(true), ...entries }), RefusalSchema]);

const JoinReplySchema = replyWith({ view: ViewSchema, policy: PolicySchema });
export type JoinReply = v.InferOutput<typeof JoinReplySchema>;

const GovernReplySchema = replyWith({ isLocked: v.boolean() });
export type GovernReply = v.InferOutput<typeof GovernReplySchema>;

const ReplySchema = replyWith({});
export type Reply = v.InferOutput<typeof ReplySchema>;

const SettleReplySchema = replyWith({ era: EraSchema, ticket: TicketTextSchema });
/** The era of the room in which the member acts from now on, if it leads, and a ticket that has it. */
export type SettleReply = v.InferOutput<typeof SettleReplySchema>;

const MembershipReplySchema = replyWith({ isMember: v.boolean() });
/** Whether the peer that was asked or complained about is a member of the room. */
export type MembershipReply = v.InferOutput<typeof MembershipReplySchema>;

/** What a peer may ask: what comes with it, and the reply to it. Nothing comes with `settle` and `leave`. */
const REQUESTS = {
  join: { body: JoinRequestSchema, reply: JoinReplySchema },
  resume: { body: ResumeRequestSchema, reply: JoinReplySchema },
  signal: { body: SignalRequestSchema, reply: ReplySchema },
  /** The peer knows the leader of the ring's term. Until then it is a newcomer. */
  settle: { body: v.null(), reply: SettleReplySchema },
  complain: { body: ComplaintSchema, reply: MembershipReplySchema },
  lookup: { body: PeerIdSchema, reply: MembershipReplySchema },
  leave: { body: v.null(), reply: ReplySchema },
  govern: { body: GovernRequestSchema, reply: GovernReplySchema },
};

export type RequestType = keyof typeof REQUESTS;

/** An event of a peer, and what comes with it. */
export const RequestSchema = v.variant('type', [
  v.object({ type: v.literal('join'), body: JoinRequestSchema }),
  v.object({ type: v.literal('resume'), body: ResumeRequestSchema }),
  v.object({ type: v.literal('signal'), body: SignalRequestSchema }),
  v.object({ type: v.literal('settle'), body: v.null() }),
  v.object({ type: v.literal('complain'), body: ComplaintSchema }),
  v.object({ type: v.literal('lookup'), body: PeerIdSchema }),
  v.object({ type: v.literal('leave'), body: v.null() }),
  v.object({ type: v.literal('govern'), body: GovernRequestSchema }),
]);

/** The one that fits best comes first: what a schema does not know is left out. */
export const ReplyToSchema = v.union([
  JoinReplySchema,
  GovernReplySchema,
  SettleReplySchema,
  MembershipReplySchema,
  ReplySchema,
]);

export function isRequestType(event: string): event is RequestType {
  return Object.hasOwn(REQUESTS, event);
}

/** An event of a peer, and what comes with it. */
export type Request<Type extends RequestType = RequestType> = {
  [T in Type]: { readonly type: T; readonly body: v.InferOutput<(typeof REQUESTS)[T]['body']> };
}[Type];

export type ReplyTo<Type extends RequestType = RequestType> = {
  [T in Type]: v.InferOutput<(typeof REQUESTS)[T]['reply']>;
}[Type];

/** With what a peer will leave the place that it asks for; null where it asks for none. */
export function claimOf(request: Request): LeaveRequest | null {
  if (request.type !== 'join' && request.type !== 'resume') return null;
  const { room, id, secret } = request.body;
  return { room, id, secret };
}

/** By which way a link goes: directly, through a TURN server, or through this server; or there is none. */
export const LINK_WAYS = ['none', 'direct', 'turn', 'relayed'] as const;
const LinkWaySchema = v.picklist(LINK_WAYS);
/** `way`: by which way the link to a peer's successor goes now, for those who run the server. */
export type LinkWay = v.InferOutput<typeof LinkWaySchema>;

/** A STUN or TURN server as RFC 7064 and RFC 7065 name it. */
const IceUrlSchema = v.pipe(v.string(), v.maxLength(256), v.regex(/^(?:stun|turn)s?:[^\s/]+$/));

const CredentialSchema = v.optional(v.pipe(v.string(), v.maxLength(512)));

const IceServersSchema = v.pipe(
  v.array(
    v.object({
      urls: v.pipe(v.array(IceUrlSchema), v.minLength(1), v.maxLength(16)),
      username: CredentialSchema,
      credential: CredentialSchema,
    }),
  ),
  v.maxLength(16),
);
/**
 * STUN and TURN servers for the links made from now on, as WebRTC takes them. Credentials hold for a while:
 * later ones come before they expire.
 */
export type IceServers = v.InferOutput<typeof IceServersSchema>;

/** Events a peer may send: what comes with the request, unless it is nothing, and what takes the reply. */
export type PeerToServer = Record<RequestType | 'way', (...parameters: unknown[]) => void>;

/** Events the server may send. */
export interface ServerToPeer {
  view: (view: View) => void;
  signal: (delivery: SignalDelivery) => void;
  /** The server has lost the connection of this neighbour: is it heard on its links? */
  check: (peer: PeerId) => void;
  ice: (servers: IceServers) => void;
}

export const parseLinkWay: Parser<LinkWay> = parserOf(LinkWaySchema);
export const parseIceServers: Parser<IceServers> = parserOf(IceServersSchema);
export const parseTicket: Parser<Ticket> = parserOf(TicketSchema);
export const parseLeaveRequest: Parser<LeaveRequest> = parserOf(LeaveRequestSchema);
export const parseView: Parser<View> = parserOf(ViewSchema);
export const parseSignalDelivery: Parser<SignalDelivery> = parserOf(SignalDeliverySchema);

export function parseRequest<T extends RequestType>(type: T, body: unknown): Parsed<Request<T>> {
  const parsed = parse(REQUESTS[type].body, body);
  return parsed.ok ? { ok: true, value: { type, body: parsed.value } } : parsed;
}

export function parseReplyTo<T extends RequestType>(type: T, reply: unknown): Parsed<ReplyTo<T>> {
  return parse(REQUESTS[type].reply, reply);
}
