/**
 * One time axis for what happened on many devices, whose clocks differ. Each clock is first corrected by
 * its known offset. Then a message cannot have been sent after its receipt, and what a peer did next cannot
 * have been earlier: L. Lamport, "Time, clocks, and the ordering of events in a distributed system", CACM
 * 21(7), 1978. Where the clocks say otherwise, the later event is moved by the least that is necessary.
 */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Happening, Script } from './recording.ts';

/** The least time that a message takes, in milliseconds: otherwise cause and effect would coincide. */
const LEAST_TRIP = 0.1;

interface Line {
  readonly peer: PeerId;
  readonly happenings: Happening[];
  /** How many of them have their time, and the last one's time. */
  done: number;
  now: number;
}

/**
 * The time of each event, by the server's clock.
 * @param matches for each receipt its sending
 */
export function timesOf(
  { happenings, offsets }: Script,
  matches: ReadonlyMap<Happening, Happening>,
): ReadonlyMap<Happening, number> {
  const times = new Map<Happening, number>();
  const lines = new Map<PeerId, Line>();
  for (const each of happenings) {
    const { peer } = each;
    const line = lines.get(peer) ?? { peer, happenings: [], done: 0, now: -Infinity };
    lines.set(peer, line);
    line.happenings.push(each);
  }
  // A peer that has left has no known clock any more; assume that it is within an hour of the others'.
  const fallback = Math.min(...offsets.values());
  const read = (each: Happening) => each.at + (offsets.get(each.peer) ?? fallback);

  /** Gives a line its times up to a receipt whose sending has none yet. Returns how many. */
  function advance(line: Line, isForced: boolean): number {
    const before = line.done;
    for (let next = line.happenings[line.done]; next !== undefined;) {
      const sending = matches.get(next);
      const sentAt = sending === undefined ? -Infinity : times.get(sending);
      if (sentAt === undefined && !(isForced && line.done === before)) break;
      line.now = Math.max(line.now, read(next), (sentAt ?? -Infinity) + LEAST_TRIP);
      times.set(next, line.now);
      line.done += 1;
      next = line.happenings[line.done];
    }
    return line.done - before;
  }

  for (;;) {
    let given = 0;
    for (const line of lines.values()) given += advance(line, false);
    if (given > 0) continue;
    // A cycle in which events wait for each other is impossible: a peer lies. The earliest goes first.
    const [stuck] = [...lines.values()]
      .flatMap((line) => {
        const next = line.happenings[line.done];
        return next === undefined ? [] : [{ line, at: read(next) }];
      })
      .sort((a, b) => a.at - b.at);
    if (stuck === undefined) return times;
    advance(stuck.line, true);
  }
}
