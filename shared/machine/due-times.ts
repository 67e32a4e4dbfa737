/** Times at which a machine has something to do: its timers, as data. */

/** Something that is due at a time. */
interface Timed {
  readonly at: number;
}

/** A machine's state, as far as it is its due times. */
interface Timers<Due extends Timed> {
  /** In order of time; of two at the same time, first the one that was set first. */
  dues: Due[];
}

/** Has something happen at a time. */
export function arm<Due extends Timed>(timers: Timers<Due>, due: NoInfer<Due>): void {
  const { dues } = timers;
  // Binary search: a server has as many as it has rooms.
  let [from, to] = [0, dues.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((dues[middle]?.at ?? Infinity) <= due.at) from = middle + 1;
    else to = middle;
  }
  dues.splice(from, 0, due);
}

/** What matches does not happen any more. */
export function disarm<Due extends Timed>(
  timers: Timers<Due>,
  matches: (due: Due) => boolean,
): void {
  if (timers.dues.some(matches)) timers.dues = timers.dues.filter((due) => !matches(due));
}

/** Takes out the first whose time has come; undefined where there is none. */
export function takeDue<Due extends Timed>(timers: Timers<Due>, now: number): Due | undefined {
  const [first] = timers.dues;
  if (first === undefined || first.at > now) return undefined;
  timers.dues.shift();
  return first;
}

/** When the first is due; null where nothing is. */
export function firstTime(timers: Timers<Timed>): number | null {
  return timers.dues[0]?.at ?? null;
}
