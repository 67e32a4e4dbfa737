/** What becomes of complaints about neighbours (member/SPEC.md, L12, L13, L16). */
import type { PeerId } from '../protocol/ids.ts';
import type { Complaint } from '../protocol/signaling.ts';
import { RELAYED_PROBE_SILENCE } from '../protocol/timeouts.ts';
import { isGoneByWordOf } from './places.ts';
import { arm, disarm } from './dues.ts';
import { recoverIfWhole } from './recovery.ts';
import { areNeighbours, has, hasBeenHereSince } from './room.ts';
import { remove } from './rooms.ts';
import type { Asker, OpenRoom, Probe, Seat, SessionId } from './state.ts';
import { drop, get, put } from './table.ts';
import { end, reply, roomOf, type Turn } from './turn.ts';

/** How long a member may take to answer a probe, in milliseconds: 8 s of silence with what was before. */
export const PROBE_PATIENCE = 4_500;

/**
 * How long an absent member is safe from the word of those who cannot know: as long as a neighbour on a
 * relayed link, who is one of them, listens before it complains.
 */
const GRACE = RELAYED_PROBE_SILENCE;

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
export function complain(
  turn: Turn,
  open: OpenRoom,
  asker: Asker,
  from: PeerId,
  { about, fault }: Complaint,
): void {
  const { room } = open;
  const isMember = has(room, about);
  if (!isMember || !areNeighbours(room, from, about)) {
    reply(turn, asker, { ok: true, isMember });
    return;
  }
  // Who is whose neighbour is only said so yet; and anyone can come in to accuse others.
  const isHeard = room.recollections === null && hasBeenHereSince(room, from, turn.now - STANDING);
  const seat = get(open.seats, about);
  const session = seat?.session ?? null;
  if (fault === 'misbehaves')
    conclude(turn, open, asker, about, isHeard ? blame(turn, open, from, about) : null);
  else if (seat === undefined || session === null) {
    const isGone = isGoneByWordOf(room, from, fault === 'silent', about, turn.now - GRACE);
    conclude(turn, open, asker, about, isGone ? about : null);
  } else {
    const probe = ask(turn, { asker, room: open.name, from, about, session, isHeard });
    seat.probes = [...seat.probes, probe];
  }
}

/** Asks a member to show that it is awake. Returns the number of the probe. */
function ask(turn: Turn, probe: Probe): number {
  const { state, deliveries } = turn;
  state.probed += 1;
  const { probed: number } = state;
  put(state.probes, number, probe);
  arm(turn, { name: 'probe', probe: number }, PROBE_PATIENCE);
  deliveries.push({ type: 'probe', session: probe.session, probe: number });
  return number;
}

/** A client has answered a probe. */
export function probed(turn: Turn, session: SessionId, number: number): void {
  if (get(turn.state.probes, number)?.session === session) judge(turn, number, true);
}

/** A probe was not answered in time. */
export function probeOverdue(turn: Turn, number: number): void {
  judge(turn, number, false);
}

/** A connection that is lost does not answer; its neighbours are asked again as it ends. */
export function endProbes(turn: Turn, seat: Seat): void {
  for (const number of seat.probes) {
    const probe = endProbe(turn, number);
    if (probe !== undefined) reply(turn, probe.asker, { ok: true, isMember: true });
  }
  seat.probes = [];
}

function endProbe(turn: Turn, number: number): Probe | undefined {
  disarm(turn, { name: 'probe', probe: number });
  return drop(turn.state.probes, number);
}

function judge(turn: Turn, number: number, isAwake: boolean): void {
  const probe = endProbe(turn, number);
  if (probe === undefined) return;
  const { asker, room, from, about, session, isHeard } = probe;
  const open = roomOf(turn, room);
  const seat = open && get(open.seats, about);
  if (open === undefined || seat === undefined || !has(open.room, about)) {
    reply(turn, asker, { ok: true, isMember: false });
    return;
  }
  seat.probes = seat.probes.filter((each) => each !== number);
  // Over another connection than the one that was asked, it has spoken meanwhile.
  const hasSpoken = isAwake || seat.session !== session;
  const isBlamed = hasSpoken && isHeard && isNoNeighbour(turn, open, from, about);
  const goes = isBlamed ? blame(turn, open, from, about) : null;
  conclude(turn, open, asker, about, hasSpoken ? goes : about);
}

/** Answers a complaint, and lets the one go that has to, if one has. */
function conclude(
  turn: Turn,
  open: OpenRoom,
  asker: Asker,
  about: PeerId,
  goes: PeerId | null,
): void {
  reply(turn, asker, { ok: true, isMember: goes !== about });
  if (goes === null) return;
  end(turn, remove(turn, open, goes, false), 'evicted');
  recoverIfWhole(turn, open);
}

/** Which of the two has to go. */
function blame({ now }: Turn, open: OpenRoom, from: PeerId, about: PeerId): PeerId {
  const accuser = get(open.seats, from);
  if (accuser === undefined) return about;
  const recent = accuser.accusations.filter(({ at }) => now - at < ACCUSATION_MEMORY);
  accuser.accusations = [...recent, { about, at: now }];
  return accuser.accusations.length > MAX_ACCUSATIONS ? from : about;
}

/** Whether a neighbour that is awake was found silent so often that it will not be a neighbour. */
function isNoNeighbour({ now }: Turn, open: OpenRoom, from: PeerId, about: PeerId): boolean {
  const seat = get(open.seats, from);
  if (seat === undefined) return false;
  const recent = seat.silences.filter(
    (each) => each.about === about && now - each.at < SILENCE_MEMORY,
  );
  const last = recent.at(-1);
  if (last !== undefined && now - last.at < SILENCE_INTERVAL) return false;
  seat.silences = [...recent, { about, at: now }];
  return seat.silences.length >= MAX_SILENCES;
}
