/** Times at which a broker has something to do: its timers, as data. */
import type { RoomName } from '../protocol/ids.ts';
import { drop, get, newTable, put, type Table } from './table.ts';

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

/** What a due time is for. `probe`: a member has not shown that it is awake. */
export type Task =
  | { readonly name: RoomTask; readonly room: RoomName }
  | { readonly name: 'probe'; readonly probe: number };

export type Due = Task & { readonly at: number };

export interface Dues {
  /** In order of time; of two at the same time, first the one that was set first. */
  readonly order: Due[];
  /** When each is due: there may be one for each of ten thousand rooms. */
  readonly times: Table<number>;
}

interface Timers {
  readonly state: { readonly dues: Dues };
  readonly now: number;
}

export function newDues(): Dues {
  return { order: [], times: newTable() };
}

/** Does something so many milliseconds from now, and not when it was to be done before. */
export function arm(timers: Timers, task: Task, wait: number): void {
  disarm(timers, task);
  const { order, times } = timers.state.dues;
  const at = timers.now + wait;
  order.splice(
    countWhile(order, (due) => due.at <= at),
    0,
    { ...task, at },
  );
  put(times, keyOf(task), at);
}

export function disarm({ state: { dues } }: Timers, task: Task): void {
  const { order, times } = dues;
  const key = keyOf(task);
  const at = drop(times, key);
  if (at === undefined) return;
  let index = countWhile(order, (due) => due.at < at);
  for (let due = order[index]; due !== undefined && keyOf(due) !== key; due = order[index])
    index += 1;
  order.splice(index, 1);
}

export function isArmed({ state: { dues } }: Timers, task: Task): boolean {
  return get(dues.times, keyOf(task)) !== undefined;
}

/** When the first is due; null where nothing is. */
export function firstOf({ order }: Dues): number | null {
  return order[0]?.at ?? null;
}

/** Takes out the earliest of those whose time has come; undefined where there is none. */
export function takeDue(timers: Timers): Due | undefined {
  const [first] = timers.state.dues.order;
  if (first === undefined || first.at > timers.now) return undefined;
  disarm(timers, first);
  return first;
}

/** How many at the beginning are so, where none is behind the first that is not. */
function countWhile(order: readonly Due[], isSo: (due: Due) => boolean): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const due = order[middle];
    if (due !== undefined && isSo(due)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyOf(task: Task): string {
  return `${task.name} ${task.name === 'probe' ? task.probe : task.room}`;
}
