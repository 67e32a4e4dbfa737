/**
 * The signaling protocol: Socket.IO events between a peer and the signaling server.
 *
 * A peer sends `join` once, then `signal` as its links need, and `leave` when it leaves; after a lost
 * connection it sends `resume`. With `settle` it says that it knows the ring's term, with `report` it
 * complains about a neighbour, and with `lookup` it asks whether a peer is a member. Each is acknowledged.
 * The server sends `view` whenever the peer's place changes, and passes `signal`s on with the sender filled
 * in. With `check` it asks about a neighbour whose connection it has lost, and with `probe` whether the
 * peer itself is there.
 *
 * What peers send is parsed strictly. What the server sends may have fields that a page does not know, so
 * that a server can be upgraded under open pages.
 */
import * as v from 'valibot';
import { MAX_FRAME_BYTES } from './frame.ts';
import {
  LinkIdSchema,
  parserOf,
  PeerIdSchema,
  RoomNameSchema,
  type Parser,
  type PeerId,
} from './ids.ts';
import { POLICIES } from './messages.ts';

/** Raised when an old page can no longer talk to a new server, or the other way round. */
export const SIGNALING_VERSION = 2;

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
  v.check(
    ({ length }) => length <= MAX_FRAME_BYTES,
    `a frame has ${MAX_FRAME_BYTES} bytes at most`,
  ),
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

const OfferSchema = v.strictObject({
  link: LinkIdSchema,
  signals: SignalsSchema,
});
/** An offer made before the neighbour is known: a link id and the signals gathered so far. */
export type Offer = v.InferOutput<typeof OfferSchema>;

const VersionSchema = v.literal(
  SIGNALING_VERSION,
  'this page and this server are of different versions',
);
const SecretSchema = v.pipe(v.string(), v.minLength(16), v.maxLength(64));

/** The peer that asks, and the room and id that it asks for. */
const claimant = {
  version: VersionSchema,
  room: RoomNameSchema,
  id: PeerIdSchema,
  secret: SecretSchema,
};

const PolicySchema = v.picklist(POLICIES);

const JoinRequestSchema = v.strictObject({
  ...claimant,
  policy: PolicySchema,
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
const EraSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const ViewVersionSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

const ResumeRequestSchema = v.strictObject({
  ...claimant,
  policy: PolicySchema,
  place: v.strictObject({
    incarnation: IncarnationSchema,
    era: v.nullable(EraSchema),
    version: ViewVersionSchema,
    successor: PeerIdSchema,
    predecessor: PeerIdSchema,
  }),
  removed: v.pipe(v.array(PeerIdSchema), v.maxLength(MAX_REMOVED_IN_RESUME)),
});
/**
 * `resume`: a member whose connection was lost asks for the place it still holds. A server that has lost
 * its memory needs the rest: the member's last view and the peers last known to be gone.
 */
export type ResumeRequest = v.InferOutput<typeof ResumeRequestSchema>;

const LeaveRequestSchema = v.strictObject({
  room: RoomNameSchema,
  id: PeerIdSchema,
  secret: SecretSchema,
});
/**
 * A member leaves, and says so over HTTP: when a page is being closed, its last message on the connection
 * may not arrive. Only the secret proves the sender.
 */
export type LeaveRequest = v.InferOutput<typeof LeaveRequestSchema>;

const SignalRequestSchema = v.strictObject({
  to: PeerIdSchema,
  edge: EdgeSchema,
  link: LinkIdSchema,
  signals: SignalsSchema,
});
/** `signal` from a peer; `edge` is the sender's own. */
export type SignalRequest = v.InferOutput<typeof SignalRequestSchema>;

const SignalDeliverySchema = v.object({
  from: PeerIdSchema,
  edge: EdgeSchema,
  link: LinkIdSchema,
  signals: SignalsSchema,
});
/** `signal` to a peer; `from` is filled in by the server, `edge` is the recipient's own. */
export type SignalDelivery = v.InferOutput<typeof SignalDeliverySchema>;

const ReportSchema = v.strictObject({
  about: PeerIdSchema,
  fault: v.picklist(['silent', 'unlinked', 'misbehaves']),
});
/**
 * `report`: a complaint about a neighbour. Its links are `silent`, or no direct link with it ever opened
 * (`unlinked`), or it `misbehaves` past all limits. The reply says whether the neighbour is still a member.
 */
export type Report = v.InferOutput<typeof ReportSchema>;

const NeighbourSchema = v.object({ id: PeerIdSchema, link: v.nullable(LinkIdSchema) });
/**
 * A neighbour and the link already on offer between the two; null where there is none. Then the predecessor
 * of the two makes the offer, unless it has a link already.
 */
export type Neighbour = v.InferOutput<typeof NeighbourSchema>;

const ViewSchema = v.object({
  incarnation: IncarnationSchema,
  era: v.nullable(EraSchema),
  version: ViewVersionSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  successor: NeighbourSchema,
  predecessor: NeighbourSchema,
  removed: v.pipe(v.array(PeerIdSchema), v.maxLength(256)),
});
/**
 * A peer's place in the ring. `incarnation` changes when the server has lost its memory. `era` and the term
 * together order the leaders of the room (SPEC.md, R9): milliseconds since 1970 by the server's clock, or
 * null for a peer that has not settled. `size` is the number of members. `version` grows with every change
 * of the room. `removed` names the peers gone since this peer's last view. In a ring of one both neighbours
 * are the peer itself.
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
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

const RefusalSchema = v.object({
  ok: v.literal(false),
  code: v.picklist(REFUSALS),
  message: v.pipe(v.string(), v.maxLength(500)),
});
export type Refusal = v.InferOutput<typeof RefusalSchema>;

const JoinReplySchema = v.variant('ok', [
  v.object({
    ok: v.literal(true),
    view: ViewSchema,
    policy: PolicySchema,
  }),
  RefusalSchema,
]);
export type JoinReply = v.InferOutput<typeof JoinReplySchema>;

const ReplySchema = v.variant('ok', [v.object({ ok: v.literal(true) }), RefusalSchema]);
export type Reply = v.InferOutput<typeof ReplySchema>;

const SettleReplySchema = v.variant('ok', [
  v.object({ ok: v.literal(true), era: EraSchema }),
  RefusalSchema,
]);
/** The era of the room in which the member acts from now on, if it leads. */
export type SettleReply = v.InferOutput<typeof SettleReplySchema>;

const MembershipReplySchema = v.variant('ok', [
  v.object({ ok: v.literal(true), isMember: v.boolean() }),
  RefusalSchema,
]);
/** Whether the peer that was asked or complained about is a member of the room. */
export type MembershipReply = v.InferOutput<typeof MembershipReplySchema>;

/** Events a peer may send. Their arguments are what the sender promises, not what arrives. */
export interface PeerToServer {
  join: (request: JoinRequest, reply: (reply: JoinReply) => void) => void;
  resume: (request: ResumeRequest, reply: (reply: JoinReply) => void) => void;
  signal: (request: SignalRequest, reply: (reply: Reply) => void) => void;
  /** The peer knows the leader of the ring's term. Until then it is a newcomer. */
  settle: (reply: (reply: SettleReply) => void) => void;
  report: (report: Report, reply: (reply: MembershipReply) => void) => void;
  lookup: (peer: PeerId, reply: (reply: MembershipReply) => void) => void;
  leave: (reply: (reply: Reply) => void) => void;
}

/** Events the server may send. */
export interface ServerToPeer {
  view: (view: View) => void;
  signal: (delivery: SignalDelivery) => void;
  /** The server has lost the connection of this neighbour: is it heard on its links? */
  check: (peer: PeerId) => void;
  /** Acknowledged by every page that is awake. */
  probe: (reply: () => void) => void;
}

export const parseJoinRequest: Parser<JoinRequest> = parserOf(JoinRequestSchema);
export const parseResumeRequest: Parser<ResumeRequest> = parserOf(ResumeRequestSchema);
export const parseLeaveRequest: Parser<LeaveRequest> = parserOf(LeaveRequestSchema);
export const parseSignalRequest: Parser<SignalRequest> = parserOf(SignalRequestSchema);
export const parseReport: Parser<Report> = parserOf(ReportSchema);
export const parseJoinReply: Parser<JoinReply> = parserOf(JoinReplySchema);
export const parseReply: Parser<Reply> = parserOf(ReplySchema);
export const parseSettleReply: Parser<SettleReply> = parserOf(SettleReplySchema);
export const parseMembershipReply: Parser<MembershipReply> = parserOf(MembershipReplySchema);
export const parseView: Parser<View> = parserOf(ViewSchema);
export const parseSignalDelivery: Parser<SignalDelivery> = parserOf(SignalDeliverySchema);
