/** Times at which a broker has something to do: its timers, as data. */
import type { RoomName } from '../protocol/ids.ts';

/** What may be due in a room: one of each name at a time. */
export type RoomTask =
  /** Places for the newcomers of a burst. */
  | 'assign'
  /** Questions to neighbours of members without a connection. */
  | 'checks'
  /** The end of waiting for the members of a lost memory. */
  | 'recovery'
  /** A later era, told to all. */
  | 'era';

/** What a due time is for. */
export type Task =
  | { readonly name: RoomTask; readonly room: RoomName }
  /** A member has not shown that it is awake. */
  | { readonly name: 'probe'; readonly probe: number };

export type Due = Task & { readonly at: number };

/** In order of time; of two at the same time, the one that was set first. */
export type Dues = Due[];

/** Sets a due time, in place of the one for the same. */
export function arm(dues: Dues, due: Due): void {
  disarm(dues, due);
  const later = dues.findIndex(({ at }) => at > due.at);
  dues.splice(later === -1 ? dues.length : later, 0, due);
}

export function disarm(dues: Dues, task: Task): void {
  const at = dues.findIndex((due) => isSame(due, task));
  if (at !== -1) dues.splice(at, 1);
}

export function isArmed(dues: Dues, task: Task): boolean {
  return dues.some((due) => isSame(due, task));
}

/** Takes out the earliest of those whose time has come; undefined where there is none. */
export function takeDue(dues: Dues, now: number): Due | undefined {
  const [first] = dues;
  return first !== undefined && first.at <= now ? dues.shift() : undefined;
}

function isSame(one: Task, other: Task): boolean {
  if (one.name === 'probe') return other.name === 'probe' && one.probe === other.probe;
  return other.name !== 'probe' && one.name === other.name && one.room === other.room;
}
