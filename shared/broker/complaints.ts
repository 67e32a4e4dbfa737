/** What becomes of complaints about neighbours (member/SPEC.md, L12, L13, L16). */
import { arm, disarm } from '../machine/due-times.ts';
import type { PeerId } from '../protocol/ids.ts';
import { isGone } from './absence.ts';
import { letGo } from './recovery.ts';
import { areNeighbours, find, has } from './room.ts';
import type { Charge, OpenRoom, Probe, Seat } from './state.ts';
import { end, reply, type Turn } from './turn.ts';

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
  const isMember = has(open, about);
  if (!isMember || !areNeighbours(open, from, about)) {
    reply(turn, asker, { ok: true, isMember });
    return;
  }
  // Who is whose neighbour is only said so yet; and anyone can come in to accuse others.
  const seated = find(open, from)?.seated ?? Infinity;
  const isHeard = open.recollections === null && seated <= turn.now - STANDING;
  const seat = open.seats.get(about);
  if (fault === 'misbehaves')
    conclude(turn, open, charge, isHeard ? blame(turn, open, charge) : null);
  else if (seat === undefined || seat.session === null)
    conclude(turn, open, charge, isGone(open, charge, turn) ? about : null);
  else ask(turn, seat, { ...charge, room: open.name, session: seat.session, isHeard });
}

/** Asks a member to show that it is awake. */
function ask({ state, now, deliveries }: Turn, seat: Seat, probe: Probe): void {
  state.probed += 1;
  const { probed: number } = state;
  state.probes.set(number, probe);
  seat.probes = [...seat.probes, number];
  arm(state, { name: 'probe', probe: number, at: now + PROBE_PATIENCE });
  deliveries.push({ type: 'probe', session: probe.session, probe: number });
}

/** A connection that is lost does not answer; its neighbours are asked again as it ends. */
export function endProbes(turn: Turn, seat: Seat): void {
  const { state } = turn;
  const ended = new Set(seat.probes);
  if (ended.size === 0) return;
  seat.probes = [];
  disarm(state, (due) => due.name === 'probe' && ended.has(due.probe));
  for (const number of ended) {
    const probe = state.probes.get(number);
    state.probes.delete(number);
    if (probe !== undefined) reply(turn, probe.asker, { ok: true, isMember: true });
  }
}

/**
 * A probe was answered, or not in time.
 * @param isAwake whether it was
 */
export function judge(turn: Turn, number: number, isAwake: boolean): void {
  const probe = turn.state.probes.get(number);
  if (probe === undefined) return;
  disarm(turn.state, (due) => due.name === 'probe' && due.probe === number);
  turn.state.probes.delete(number);
  const { asker, room, about, session, isHeard } = probe;
  const open = turn.state.rooms.get(room);
  const seat = open?.seats.get(about);
  if (seat !== undefined) seat.probes = seat.probes.filter((each) => each !== number);
  if (open === undefined || !has(open, about)) {
    reply(turn, asker, { ok: true, isMember: false });
    return;
  }
  // Over another connection than the one that was asked, it has spoken meanwhile.
  const hasSpoken = isAwake || seat?.session !== session;
  const isBlamed = hasSpoken && isHeard && isNoNeighbour(turn, open, probe);
  const goes = isBlamed ? blame(turn, open, probe) : null;
  conclude(turn, open, probe, hasSpoken ? goes : about);
}

/** Answers a complaint, and lets the one go that has to, if one has. */
function conclude(turn: Turn, open: OpenRoom, { asker, about }: Charge, goes: PeerId | null): void {
  reply(turn, asker, { ok: true, isMember: goes !== about });
  if (goes !== null) end(turn, letGo(turn, open, goes, false), 'evicted');
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
  const recent = seat.silences.filter(
    (each) => each.about === about && now - each.at < SILENCE_MEMORY,
  );
  const last = recent.at(-1);
  if (last !== undefined && now - last.at < SILENCE_INTERVAL) return false;
  seat.silences = [...recent, { about, at: now }];
  return seat.silences.length >= MAX_SILENCES;
}
