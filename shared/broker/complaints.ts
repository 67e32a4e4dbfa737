/**
 * What becomes of complaints about neighbours (member/SPEC.md, L12, L13, L16). A member with a connection is
 * probed: the server offers it a link through the server, as its predecessor would, and takes the answer
 * itself. One that sleeps does not answer, nor does one that only speaks to the server and makes no links.
 */
import { parseFrame } from '../protocol/frame.ts';
import { MAX_LINK_ID, parseLinkId, type LinkId, type PeerId } from '../protocol/ids.ts';
import type { Signal, SignalRequest } from '../protocol/signaling.ts';
import { isGone } from './absence.ts';
import { isAccused, isNoNeighbour } from './accusations.ts';
import { letGo } from './recovery.ts';
import { areNeighbours, find, has } from './room.ts';
import type { Charge, Eviction, OpenRoom, Probe } from './state.ts';
import { deliver, end, note, reply, schedule, type Turn } from './turn.ts';

/** How long a member may take to answer a probe, in milliseconds: 8 s of silence with what was before. */
export const PROBE_PATIENCE = 4_500;

/**
 * For how long an answer holds, in milliseconds: a member takes only so many links through the server from
 * one neighbour.
 */
export const PROBE_INTERVAL = 4_000;

/** Newcomers beyond a silent one that are probed together with it. */
const MAX_BEYOND = 64;

/**
 * Takes a complaint about a neighbour. A silent one goes if it does not answer a probe, or has no
 * connection and its other neighbour does not hear it, either; one that misbehaves goes at once.
 */
export function complain(turn: Turn, open: OpenRoom, charge: Charge): void {
  const { asker, from, about, fault } = charge;
  const seat = open.seats.get(about);
  const isMember = has(open, about);
  if (seat === undefined || !isMember || !areNeighbours(open, from, about))
    reply(turn, asker, { ok: true, isMember });
  else if (fault === 'misbehaves') ask(turn, open, from, charge);
  else if (seat.session === null)
    conclude(turn, open, charge, isGone(open, charge, turn) ? 'unheard' : null);
  else ask(turn, open, about, charge);
}

/**
 * Probes a member on which a complaint depends, unless it is being probed or has just answered: its subject, or
 * one that accuses another. Where the subject is a newcomer those beyond it are probed as well: several that
 * make no links may stand next to each other.
 */
function ask(turn: Turn, open: OpenRoom, id: PeerId, charge: Charge): void {
  const seat = open.seats.get(id);
  if (seat === undefined) return;
  if (seat.probe === null && turn.now >= seat.answeredAt + PROBE_INTERVAL) {
    const beyond = id === charge.about ? newcomersBeyond(open, charge) : [];
    for (const each of [id, ...beyond]) probe(turn, open, each);
  }
  if (seat.probe === null) weigh(turn, open, charge);
  else seat.probe = { ...seat.probe, charges: [...seat.probe.charges, charge] };
}

/** The newcomers in a row that begins with the subject of a complaint, seen from the one that complains. */
function newcomersBeyond({ ring }: OpenRoom, { from, about }: Charge): readonly PeerId[] {
  const at = ring.findIndex(({ id }) => id === about);
  const isForward = ring.at(at - 1)?.id === from;
  const onwards = [...ring.slice(at), ...ring.slice(0, at)];
  const row = isForward ? onwards : [...onwards.slice(0, 1), ...onwards.slice(1).toReversed()];
  const stop = row.findIndex(({ id, isSettled }) => isSettled || id === from);
  const newcomers = stop === -1 ? row : row.slice(0, stop);
  return newcomers.slice(1, 1 + MAX_BEYOND).map(({ id }) => id);
}

/** Offers a member a link through the server, as its predecessor. */
function probe(turn: Turn, open: OpenRoom, id: PeerId): void {
  const seat = open.seats.get(id);
  const from = find(open, id)?.place.predecessor;
  if (seat === undefined || seat.session === null || seat.probe !== null) return;
  if (from === undefined || from === id) return;
  const until = turn.now + PROBE_PATIENCE;
  seat.probe = { until, from, link: newLinkId(turn), charges: [] };
  tell(turn, open, id, seat.probe, { type: 'relay' });
  schedule(turn, open, 'probes', until);
}

/** One that nobody knows: a neighbour could have made a link of this id with the member before. */
function newLinkId({ random }: Turn): LinkId {
  const id = parseLinkId(1 + Math.floor(random() * MAX_LINK_ID));
  if (!id.ok) throw new Error(id.error);
  return id.value;
}

function tell(turn: Turn, open: OpenRoom, to: PeerId, { from, link }: Probe, signal: Signal): void {
  const delivery = { from, edge: 'predecessor' as const, link, signals: [signal] };
  deliver(turn, open, [{ to, type: 'signal', signal: delivery }]);
}

/**
 * Takes signals of the link by which a member is probed. It is there once it has said HELLO.
 * @returns whether they were of such a link, and are not to be passed on
 */
export function takeAnswer(
  turn: Turn,
  open: OpenRoom,
  id: PeerId,
  { link, signals }: SignalRequest,
): boolean {
  const probed = open.seats.get(id)?.probe;
  if (probed?.link !== link) return false;
  if (signals.some((signal) => isHello(signal, id, link))) {
    decide(turn, open, id, true);
    tell(turn, open, id, probed, { type: 'closed' });
  }
  return true;
}

function isHello(signal: Signal, id: PeerId, link: LinkId): boolean {
  const parsed = signal.type === 'frame' ? parseFrame(signal.frame) : null;
  if (parsed?.ok !== true) return false;
  const { message } = parsed.value;
  return message.type === 'hello' && message.id === id && message.link === link;
}

/** Members that have not answered in time go. The others are waited for. */
export function endProbes(turn: Turn, open: OpenRoom): void {
  const asked = [...open.seats].filter(([, seat]) => (seat.probe?.until ?? Infinity) <= turn.now);
  for (const [id] of asked) decide(turn, open, id, false);
  const times = [...open.seats.values()].flatMap((seat) => seat.probe?.until ?? []);
  if (times.length > 0) schedule(turn, open, 'probes', Math.min(...times));
}

/**
 * A member has answered a probe, or not in time.
 * @param isThere whether it has
 */
export function decide(turn: Turn, open: OpenRoom, id: PeerId, isThere: boolean): void {
  const seat = open.seats.get(id);
  if (seat === undefined || seat.probe === null) return;
  const { charges } = seat.probe;
  seat.probe = null;
  if (!isThere) {
    for (const { asker, about } of charges)
      reply(turn, asker, { ok: true, isMember: about !== id && has(open, about) });
    evict(turn, open, id, 'no answer');
    return;
  }
  seat.answeredAt = turn.now;
  for (const charge of charges) weigh(turn, open, charge);
}

/** Decides on a complaint, now that the member on which it depends has answered. */
function weigh(turn: Turn, open: OpenRoom, charge: Charge): void {
  const { asker, about, fault } = charge;
  if (!has(open, about)) {
    reply(turn, asker, { ok: true, isMember: false });
    return;
  }
  const isBelieved = fault === 'misbehaves' ? isAccused : isNoNeighbour;
  conclude(turn, open, charge, isBelieved(turn, open, charge) ? 'accused' : null);
}

/** Replies to a complaint, and lets its subject go where there is a reason. */
function conclude(
  turn: Turn,
  open: OpenRoom,
  { asker, about }: Charge,
  reason: Eviction | null,
): void {
  reply(turn, asker, { ok: true, isMember: reason === null });
  if (reason !== null) evict(turn, open, about, reason);
}

function evict(turn: Turn, open: OpenRoom, id: PeerId, reason: Eviction): void {
  note(turn, open, { type: 'evicted', id, reason });
  end(turn, letGo(turn, open, id, false), 'evicted');
}
