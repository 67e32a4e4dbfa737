/** The layout of the space–time diagram: time across, a line for each peer. Geometry only. */
import { ticks } from 'd3-array';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { beginOf, type Arrow, type Election, type Hold, type PeerState } from './election.ts';

interface Line {
  readonly id: PeerId;
  readonly y: number;
  /** The first peer once more below the last: the ring closes there. */
  readonly isRepeated: boolean;
  /** Whether there is room for its name. */
  readonly isNamed: boolean;
  /** The peer's states, each with its begin and end. */
  readonly spans: readonly {
    readonly state: PeerState;
    readonly from: number;
    readonly to: number;
  }[];
}

/** A message that is held: from its arrival, or its creation, to its sending. */
interface DrawnHold {
  readonly hold: Hold;
  readonly from: number;
  readonly to: number;
  readonly y: number;
}

interface DrawnArrow {
  readonly arrow: Arrow;
  /** With an arrowhead, or the cross of one that goes no further; half of it where one end is not known. */
  readonly path: string;
  readonly look: 'claim' | 'elected' | 'ignored' | 'unseen';
}

export interface Diagram {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  /** The time at the right edge. */
  readonly extent: number;
  /** The position of the axis. */
  readonly bottom: number;
  readonly gap: number;
  /** The height of names. */
  readonly font: number;
  readonly lines: readonly Line[];
  readonly holds: readonly DrawnHold[];
  readonly arrows: readonly DrawnArrow[];
  readonly ticks: readonly { readonly x: number; readonly value: number }[];
}

/** Pixels between lines, from a ring of hundreds to one of two. */
const GAP = { least: 1.5, most: 56 };

const MARGIN = { top: 14, right: 28, bottom: 24 };

/** More arrows than this cannot be told apart, and they take time to draw. */
export const MAX_ARROWS = 4_000;

/** How much smaller names may be, to make room for all. */
const LEAST_NAME = 0.72;

/** The factor by which the time axis grows each time that it is too short. */
const GROWTH = 1.3;

/** The limits of a diagram, in pixels: the whole, the names at the left, and the height of a name. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly label: number;
  readonly font: number;
}

export function diagramOf(election: Election, frame: Frame): Diagram {
  const { peers } = election;
  const { width, height, label: left } = frame;
  const gap = Math.max(
    GAP.least,
    Math.min(
      GAP.most,
      (height - MARGIN.top - MARGIN.bottom - frame.font / 2) / (peers.length + 0.5),
    ),
  );
  const right = Math.max(left + 40, width - MARGIN.right);
  const extent = extentOf(election);
  const x = (time: number) => left + ((right - left) * time) / extent;
  const y = (row: number) => MARGIN.top + gap * row;
  const bottom = y(peers.length) + Math.max(gap, frame.font) / 2;
  const rows = new Map(peers.map((id, row) => [id, row]));
  const changes = changesByPeer(election);
  // Somewhat smaller names for all, or else names for some.
  const font = gap < frame.font * LEAST_NAME ? frame.font : Math.min(frame.font, gap);
  const named = namedRows(election, Math.ceil(font / gap));
  const lines = [...peers, ...peers.slice(0, 1)].map((id, row) => ({
    ...{ id, y: y(row), isRepeated: row === peers.length, isNamed: named.has(row) },
    // A state of no duration is not visible, and each of the others begins elsewhere.
    spans: spansOf(election, changes.get(id) ?? [])
      .map(({ state, from, to }) => ({ state, from: x(from), to: x(to) }))
      .filter(({ from, to }) => from < to),
  }));

  function draw(arrow: Arrow): DrawnArrow {
    const { sentAt, receivedAt, outcome, message } = arrow;
    const from = rows.get(arrow.from) ?? 0;
    const next = rows.get(arrow.to) ?? 0;
    // To the first peer's second line, so that no arrow goes all the way back.
    const to = next === 0 && from === peers.length - 1 ? peers.length : next;
    const start = { x: x(sentAt ?? receivedAt ?? 0), y: y(from) };
    const end = { x: x(receivedAt ?? sentAt ?? 0), y: y(to) };
    if (sentAt === null || receivedAt === null) {
      const half = { x: start.x, y: (start.y + end.y) / 2 };
      const path =
        receivedAt === null ? segment(start, half) : `${segment(half, end)}${head(half, end, gap)}`;
      return { arrow, path, look: 'unseen' };
    }
    const isIgnored = outcome === 'ignored';
    const tip = isIgnored ? cross(start, end, gap) : head(start, end, gap);
    return {
      arrow,
      path: `${segment(start, end)}${tip}`,
      look: isIgnored ? 'ignored' : message.type,
    };
  }

  return {
    ...{ width, height: bottom + MARGIN.bottom, left, right, extent, bottom, gap, font, lines },
    holds: election.holds.slice(0, MAX_ARROWS).map((hold) => ({
      ...{ hold, from: x(hold.from), to: x(hold.until), y: y(rows.get(hold.peer) ?? 0) },
    })),
    arrows: election.arrows.slice(0, MAX_ARROWS).map(draw),
    ticks: ticks(0, extent, Math.max(2, (right - left) / 110)).map((value) => ({
      value,
      x: x(value),
    })),
  };
}

/** The horizontal position of a moment. */
export function acrossOf({ left, right, extent }: Diagram, time: number): number {
  return left + ((right - left) * time) / extent;
}

/**
 * The length of the time axis. While an election is running it grows in steps, so that not everything has
 * to be drawn again at each event.
 */
function extentOf({ duration, isOver }: Election): number {
  const least = Math.max(duration, 1e-9);
  return isOver ? least : GROWTH ** Math.ceil(Math.log(least) / Math.log(GROWTH));
}

/** Rows whose names do not touch: the leader's, and each that is far enough from it and from the others. */
function namedRows({ peers, changes }: Election, apart: number): ReadonlySet<number> {
  const all = peers.length + 1;
  if (apart <= 1) return new Set(Array.from({ length: all }, (_, row) => row));
  const leader = changes.findLast(({ state }) => state === 'leader')?.peer;
  const first = Math.max(0, leader === undefined ? 0 : peers.indexOf(leader));
  const rows = Array.from({ length: all }, (_, row) => row);
  return new Set(rows.filter((row) => (row - first) % apart === 0));
}

/** The last message sent at or before a moment. */
export function lastArrow({ arrows }: Election, time: number): Arrow | undefined {
  return arrows.findLast((arrow) => beginOf(arrow) <= time);
}

function changesByPeer({ changes }: Election): ReadonlyMap<PeerId, Election['changes']> {
  const found = new Map<PeerId, Election['changes'][number][]>();
  for (const change of changes) {
    const own = found.get(change.peer);
    if (own === undefined) found.set(change.peer, [change]);
    else own.push(change);
  }
  return found;
}

function spansOf({ duration }: Election, own: Election['changes']) {
  const begins = [{ at: 0, state: 'idle' as const }, ...own];
  return begins.map(({ at, state }, index) => ({
    ...{ state, from: at },
    to: begins[index + 1]?.at ?? duration,
  }));
}

interface Point {
  readonly x: number;
  readonly y: number;
}

const round = (value: number) => Math.round(value * 100) / 100;
const point = ({ x, y }: Point) => `${round(x)} ${round(y)}`;

function segment(from: Point, to: Point): string {
  return `M${point(from)}L${point(to)}`;
}

/** The size of arrow ends. */
const tipOf = (gap: number) => Math.max(1.5, Math.min(6, gap / 4));

function head(from: Point, to: Point, gap: number): string {
  const size = tipOf(gap);
  const angle = Math.atan2(to.y - from.y, to.x - from.x);
  const [one, other] = [angle + 2.7, angle - 2.7].map((side) => ({
    x: to.x + size * Math.cos(side),
    y: to.y + size * Math.sin(side),
  }));
  return one === undefined || other === undefined ? '' : `${segment(one, to)}L${point(other)}`;
}

/** Just before the line of the peer at which the message ends. */
function cross(from: Point, to: Point, gap: number): string {
  const size = tipOf(gap) * 0.75;
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const back = Math.min(1, (size * 1.6) / length);
  const x = to.x - (to.x - from.x) * back;
  const y = to.y - (to.y - from.y) * back;
  return (
    segment({ x: x - size, y: y - size }, { x: x + size, y: y + size }) +
    segment({ x: x - size, y: y + size }, { x: x + size, y: y - size })
  );
}
