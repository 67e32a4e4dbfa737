/** What becomes of complaints about neighbours (member/SPEC.md, L12, L13, L16). */
import type { PeerId } from '../protocol/ids.ts';
import { isGone } from './absence.ts';
import { letGo } from './recovery.ts';
import { areNeighbours, find, has } from './room.ts';
import type { Charge, Eviction, OpenRoom, Seat } from './state.ts';
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

/** Neighbours that one member may get rid of by its word alone; with one more it goes itself. */
const MAX_ACCUSATIONS = 2;

/**
 * Takes a complaint about a neighbour. A silent one goes if it does not answer the server, or has no
 * connection and its other neighbour does not hear it, either; one that misbehaves goes at once, but
 * one that says so too often goes itself.
 */
export function complain(turn: Turn, open: OpenRoom, charge: Charge): void {
  const { asker, from, about, fault } = charge;
  const seat = open.seats.get(about);
  if (seat === undefined || !areNeighbours(open, from, about))
    reply(turn, asker, { ok: true, isMember: has(open, about) });
  else if (fault === 'misbehaves')
    conclude(turn, open, charge, isHeard(turn, open, from) ? blame(turn, open, charge) : null);
  else if (seat.session === null)
    conclude(turn, open, charge, isGone(open, charge, turn) ? about : null, 'unheard');
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
    else {
      const goes = isAwake ? answered(turn, open, charge) : about;
      conclude(turn, open, charge, goes, isAwake ? undefined : 'asleep');
    }
  }
}

/** Which of the two has to go where one is awake that the other does not hear, if one has. */
function answered(turn: Turn, open: OpenRoom, charge: Charge): PeerId | null {
  const counts = isHeard(turn, open, charge.from) && isNoNeighbour(turn, open, charge);
  return counts ? blame(turn, open, charge) : null;
}

/** Whether a member is believed that another misbehaves. */
function isHeard({ now }: Turn, open: OpenRoom, from: PeerId): boolean {
  // Who is whose neighbour is only said so yet; and anyone can come in to accuse others.
  const seated = find(open, from)?.seated ?? Infinity;
  return open.recollections === null && seated <= now - STANDING;
}

/** Answers a complaint, and lets the one go that has to, if one has. */
function conclude(
  turn: Turn,
  open: OpenRoom,
  { asker, from, about }: Charge,
  goes: PeerId | null,
  reason: Eviction = goes === from ? 'accuser' : 'accused',
): void {
  reply(turn, asker, { ok: true, isMember: goes !== about });
  if (goes === null) return;
  note(turn, open, { type: 'evicted', id: goes, reason });
  end(turn, letGo(turn, open, goes, false), 'evicted');
}

/** Which of the two has to go. */
function blame({ now }: Turn, { seats }: OpenRoom, { from, about }: Charge): PeerId {
  const accuser = seats.get(from);
  if (accuser === undefined) return about;
  const recent = accuser.accusations.filter((at) => now - at < ACCUSATION_MEMORY);
  accuser.accusations = [...recent, now];
  return accuser.accusations.length > MAX_ACCUSATIONS ? from : about;
}

/** Whether a neighbour that is awake was found silent so often that it will not be a neighbour. */
function isNoNeighbour({ now }: Turn, { seats }: OpenRoom, { from, about }: Charge): boolean {
  const seat = seats.get(from);
  if (seat === undefined) return false;
  const recent = seat.silences.filter(({ at }) => now - at < SILENCE_MEMORY);
  const before = recent.filter((each) => each.about === about);
  const last = before.at(-1);
  if (last !== undefined && now - last.at < SILENCE_INTERVAL) return false;
  seat.silences = [...recent, { about, at: now }];
  return before.length + 1 >= MAX_SILENCES;
}
