/** What becomes of complaints about neighbours (member/SPEC.md, L12, L13, L16). */
import type { PeerId } from '../protocol/ids.ts';
import { isGone } from './absence.ts';
import { letGo } from './recovery.ts';
import { areNeighbours, find, has } from './room.ts';
import type { Asker, Charge, Eviction, OpenRoom, Seat } from './state.ts';
import { end, note, reply, schedule, type Turn } from './turn.ts';

/** How long a member may take to answer a probe, in milliseconds: 8 s of silence with what was before. */
export const PROBE_PATIENCE = 4_500;

/** How long a peer must have been a member before it is believed that another misbehaves. */
const STANDING = 10_000;

/** For how long an accusation counts, and one of silence, in milliseconds. */
const ACCUSATION_MEMORY = 600_000;
const SILENCE_MEMORY = 120_000;

/** How often a neighbour that answers the server may be silent on its links before that is a fault. */
const MAX_SILENCES = 3;

/** What lies between two such times at least, in milliseconds: one fault is told of again and again. */
const SILENCE_INTERVAL = 4_000;

/** Neighbours that the members at one address may get rid of by their word alone. */
const MAX_ACCUSATIONS = 2;

/**
 * Takes a complaint about a neighbour. A silent one goes if it does not answer the server, or has no
 * connection and its other neighbour does not hear it, either; one that misbehaves goes at once.
 */
export function complain(turn: Turn, open: OpenRoom, charge: Charge): void {
  const { asker, from, about, fault } = charge;
  const seat = open.seats.get(about);
  const isMember = has(open, about);
  if (seat === undefined || !isMember || !areNeighbours(open, from, about))
    reply(turn, asker, { ok: true, isMember });
  else if (fault === 'misbehaves')
    conclude(turn, open, charge, isAccused(turn, open, charge) ? 'accused' : null);
  else if (seat.session === null)
    conclude(turn, open, charge, isGone(open, charge, turn) ? 'unheard' : null);
  else ask(turn, open, seat, charge);
}

/** Asks a member to show that it is awake, unless it is being asked. */
function ask(turn: Turn, open: OpenRoom, seat: Seat, charge: Charge): void {
  const { until = turn.now + PROBE_PATIENCE, charges = [] } = seat.probe ?? {};
  if (seat.probe === null && seat.session !== null)
    turn.deliveries.push({ type: 'probe', session: seat.session });
  seat.probe = { until, charges: [...charges, charge] };
  schedule(turn, open, 'probes', until);
}

/** Members that have not answered in time go. The others are waited for. */
export function endProbes(turn: Turn, open: OpenRoom): void {
  const asked = [...open.seats].filter(
    ([, { probe }]) => probe !== null && probe.until <= turn.now,
  );
  for (const [id] of asked) decide(turn, open, id, false);
  const times = [...open.seats.values()].flatMap(({ probe }) => probe?.until ?? []);
  if (times.length > 0) schedule(turn, open, 'probes', Math.min(...times));
}

/**
 * A member has answered a probe, or not in time.
 * @param isAwake whether it has
 */
export function decide(turn: Turn, open: OpenRoom, about: PeerId, isAwake: boolean): void {
  const seat = open.seats.get(about);
  const charges = seat?.probe?.charges ?? [];
  if (seat !== undefined) seat.probe = null;
  for (const charge of charges) {
    if (!has(open, about)) reply(turn, charge.asker, { ok: true, isMember: false });
    else if (!isAwake) conclude(turn, open, charge, 'asleep');
    else conclude(turn, open, charge, isNoNeighbour(turn, open, charge) ? 'accused' : null);
  }
}

/** Whether a member has been one for long enough to be believed. */
function isHeard({ now }: Turn, open: OpenRoom, from: PeerId): boolean {
  // Who is whose neighbour is only said so yet; and anyone can come in to accuse others.
  const seated = find(open, from)?.seated ?? Infinity;
  return open.recollections === null && seated <= now - STANDING;
}

/** Replies to a complaint, and lets its subject go where there is a reason. */
function conclude(
  turn: Turn,
  open: OpenRoom,
  { asker, about: id }: Charge,
  reason: Eviction | null,
): void {
  reply(turn, asker, { ok: true, isMember: reason === null });
  if (reason === null) return;
  note(turn, open, { type: 'evicted', id, reason });
  end(turn, letGo(turn, open, id, false), 'evicted');
}

/** Whether a neighbour goes because a member says that it misbehaves. */
function isAccused(turn: Turn, open: OpenRoom, { from, asker }: Charge): boolean {
  return isHeard(turn, open, from) && isBelieved(turn, open, asker);
}

/** Whether a member gets rid of a neighbour by its word: anyone can be several members. */
function isBelieved(
  { state: { sessions, accusations }, now }: Turn,
  { name }: OpenRoom,
  { session }: Asker,
): boolean {
  for (const [each, times] of accusations)
    if (times.every((at) => now - at >= ACCUSATION_MEMORY)) accusations.delete(each);
  const address = sessions.get(session)?.address;
  if (address === undefined) return false;
  const accuser = `${name} ${address}`;
  const before = accusations.get(accuser) ?? [];
  const recent = before.filter((at) => now - at < ACCUSATION_MEMORY);
  if (recent.length >= MAX_ACCUSATIONS) return false;
  accusations.set(accuser, [...recent, now]);
  return true;
}

/** Whether a neighbour that is awake was found silent so often that it will not be a neighbour. */
function isNoNeighbour(turn: Turn, open: OpenRoom, { asker, from, about }: Charge): boolean {
  const { now } = turn;
  const seat = open.seats.get(from);
  if (seat === undefined || !isHeard(turn, open, from)) return false;
  const recent = seat.silences.filter(({ at }) => now - at < SILENCE_MEMORY);
  const before = recent.filter((each) => each.about === about);
  const last = before.at(-1);
  if (last !== undefined && now - last.at < SILENCE_INTERVAL) return false;
  seat.silences = [...recent, { about, at: now }];
  return before.length + 1 >= MAX_SILENCES && isBelieved(turn, open, asker);
}
