/** What is so in a room as long as it exists: its key, its host, and whom that keeps out (member/SPEC.md, L19). */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Facts, Refusal, Ticket } from '../protocol/signaling.ts';
import { refusal, type Turn } from './turn.ts';

/**
 * How long a room without members is kept for its host, in milliseconds: a day after the last has gone; before
 * the first comes for less, as anybody can ask for any number of rooms.
 */
export const RESERVED = { after: 86_400_000, before: 1_800_000 };

export const NO_FACTS: Facts = {
  key: null,
  host: null,
  isLocked: false,
  revision: 0,
  turnedOut: [],
};

/** Whether two are of one room at different times. Its keys stay the same as long as it exists. */
export function areOfOneRoom(one: Facts, other: Facts): boolean {
  return one.key === other.key && one.host === other.host;
}

function newer(one: Facts, other: Facts): Facts {
  return one.revision > other.revision ? one : other;
}

/** What is so in a room, whether it has members or not; null where there is no such room. */
export function factsOf({ state, now }: Pick<Turn, 'state' | 'now'>, name: RoomName): Facts | null {
  const open = state.rooms.get(name);
  if (open !== undefined) return open.facts;
  const kept = state.reserved.get(name);
  return kept !== undefined && kept.until > now ? kept.facts : null;
}

/**
 * What is so in a room that a ticket opens; null where the ticket is of another room of that name. A claim that
 * came while members of a lost memory could come back gives way to them.
 */
export function factsFor({ state, now }: Turn, { room, facts }: Ticket): Facts | null {
  const kept = state.reserved.get(room);
  if (kept === undefined || kept.until <= now) return facts;
  if (areOfOneRoom(kept.facts, facts)) return newer(kept.facts, facts);
  return kept.isEarly ? facts : null;
}

/**
 * Keeps what is so in a room without members, no shorter than it is kept already.
 * @param claim where nobody has come yet: by whom it was claimed, and whether members of a lost memory may still
 *   come back
 */
export function reserve(
  { state, now }: Turn,
  name: RoomName,
  facts: Facts,
  milliseconds: number,
  claim: { readonly isEarly: boolean; readonly address: string } | null = null,
): void {
  for (const [each, { until }] of state.reserved) if (until <= now) state.reserved.delete(each);
  const before = state.reserved.get(name);
  const until = Math.max(before?.until ?? 0, now + milliseconds);
  const isEarly = before?.isEarly ?? claim?.isEarly ?? false;
  state.reserved.set(name, { facts, until, isEarly, address: claim?.address ?? null });
}

/** Whether somebody governs a room: by its key, or by a token. */
export function isGoverned({ host, isLocked, turnedOut }: Facts): boolean {
  return host !== null || isLocked || turnedOut.length > 0;
}

/** Why a client may neither come in nor watch: it does not know the secret of the room. */
export function refusalOfKey(facts: Facts, key: string | null): Refusal | null {
  if (facts.key === key) return null;
  return refusal(
    'room-secret',
    facts.key === null
      ? 'this room was opened without the secret that is in the link'
      : 'this room opens only with the secret that is in its link',
  );
}

/** Why a newcomer may not come in; null where it may, as far as the room's host is concerned. */
export function refusalOfNewcomer(
  facts: Facts | null,
  key: string | null,
  grant: string | null,
): Refusal | null {
  if (facts === null) return null;
  const refused = refusalOfKey(facts, key);
  if (refused !== null) return refused;
  if (grant !== null && facts.turnedOut.includes(grant)) return TURNED_OUT;
  return facts.isLocked ? refusal('locked', 'its host lets nobody else in at the moment') : null;
}

export const TURNED_OUT = refusal('turned-out', 'the host of this room has turned this peer out');

export function isTurnedOut(facts: Facts | null, id: PeerId, grant: string | null): boolean {
  const turnedOut = facts?.turnedOut ?? [];
  return turnedOut.includes(id) || (grant !== null && turnedOut.includes(grant));
}
