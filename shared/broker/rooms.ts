/** Which rooms there are: opened by the first that comes, closed behind the last, or forgotten. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import { leave } from './places.ts';
import { disarm } from './dues.ts';
import { newRoom } from './room.ts';
import type { Broker, OpenRoom, SessionId } from './state.ts';
import { drop, get, newTable, put } from './table.ts';
import { announce, unseat, type Turn } from './turn.ts';

/** How many forgotten rooms are told from those that were empty at the end. */
const MAX_FORGOTTEN = 1_000;

/** A room that was empty counts its versions anew: that takes another incarnation. */
export function openRoom({ state, now }: Turn, name: RoomName, policy: Policy): OpenRoom {
  state.opened += 1;
  const open: OpenRoom = {
    name,
    room: newRoom(`${state.incarnation}.${state.opened}`, state.latestEra),
    policy,
    openedAt: now,
    presentAt: now,
    seats: newTable(),
    pending: [],
    assignedAt: null,
    eraToldAt: null,
    hasRecovered: false,
    lookups: [],
  };
  put(state.rooms, name, open);
  put(state.spellings, name.toLowerCase(), [...spellingsOf(state, name), name]);
  return open;
}

/**
 * Lets one that has a seat go; the room is closed behind the last.
 * @param isGoodbye whether it goes by its own word
 * @returns its session, if it has one
 */
export function remove(
  turn: Turn,
  open: OpenRoom,
  id: PeerId,
  isGoodbye: boolean,
): SessionId | null {
  const session = unseat(turn, open, id);
  open.pending = open.pending.filter(({ request }) => request.id !== id);
  announce(turn, open, leave(open.room, id, isGoodbye, turn));
  if (open.seats.size === 0) closeRoom(turn, open);
  return session;
}

/** Closes a room that may still be a ring, somewhere out of reach. */
export function forget(turn: Turn, open: OpenRoom): void {
  closeRoom(turn, open);
  const { state } = turn;
  const forgotten = { name: open.name, incarnation: open.room.incarnation };
  state.forgotten = [...state.forgotten, forgotten].slice(-MAX_FORGOTTEN);
}

export function hasForgotten({ state }: Turn, name: RoomName, incarnation: string): boolean {
  return state.forgotten.some((room) => room.name === name && room.incarnation === incarnation);
}

export function closeRoom(turn: Turn, open: OpenRoom): void {
  const { state } = turn;
  for (const name of ['assign', 'checks', 'recovery', 'era'] as const)
    disarm(turn, { name, room: open.name });
  state.latestEra = Math.max(state.latestEra, open.room.era);
  drop(state.rooms, open.name);
  const others = spellingsOf(state, open.name).filter((other) => other !== open.name);
  if (others.length > 0) put(state.spellings, open.name.toLowerCase(), others);
  else drop(state.spellings, open.name.toLowerCase());
}

/** The fullest room of another spelling, for one that is alone in its own: phones capitalise. */
export function otherSpelling(
  { state }: Turn,
  { name, room }: OpenRoom,
): { readonly otherSpelling?: RoomName } {
  if (room.ring.length !== 1) return {};
  const membersOf = (other: RoomName) => get(state.rooms, other)?.room.ring.length ?? 0;
  const [fullest] = spellingsOf(state, name)
    .filter((other) => other !== name && membersOf(other) > 0)
    .toSorted((one, other) => membersOf(other) - membersOf(one));
  return fullest === undefined ? {} : { otherSpelling: fullest };
}

function spellingsOf({ spellings }: Broker, name: RoomName): readonly RoomName[] {
  return get(spellings, name.toLowerCase()) ?? [];
}
