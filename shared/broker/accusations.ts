/** Whether a member is believed that complains of a neighbour that answers the server (member/SPEC.md, L16). */
import type { PeerId } from '../protocol/ids.ts';
import { find } from './room.ts';
import type { Asker, Charge, OpenRoom } from './state.ts';
import type { Turn } from './turn.ts';

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

/** Whether a neighbour goes because a member says that it misbehaves. */
export function isAccused(turn: Turn, open: OpenRoom, { from, asker }: Charge): boolean {
  return isHeard(turn, open, from) && isBelieved(turn, open, asker);
}

/** Whether a neighbour that is awake was found silent so often that it will not be a neighbour. */
export function isNoNeighbour(turn: Turn, open: OpenRoom, { asker, from, about }: Charge): boolean {
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

/** Whether a member has been one for long enough to be believed. */
function isHeard({ now }: Turn, open: OpenRoom, from: PeerId): boolean {
  // Who is whose neighbour is only said so yet; and anyone can come in to accuse others.
  const seated = find(open, from)?.seated ?? Infinity;
  return open.recollections === null && seated <= now - STANDING;
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
