/** Where things stand in the space–time diagram: time across, a line for each peer. Geometry only. */
import { ticks } from 'd3-array';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { beginOf, type Arrow, type Election, type PeerState } from './election.ts';

interface Line {
  readonly id: PeerId;
  readonly y: number;
  /** The first peer once more below the last: the ring closes there. */
  readonly isRepeated: boolean;
  /** What the peer is, from where to where. */
  readonly spans: readonly {
    readonly state: PeerState;
    readonly from: number;
    readonly to: number;
  }[];
}

interface DrawnArrow {
  readonly arrow: Arrow;
  /** With its head, or the cross of one that goes no further; half of it where one end is not known. */
  readonly path: string;
  readonly look: 'claim' | 'elected' | 'ignored' | 'unseen';
}

export interface Diagram {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  /** Where the axis is. */
  readonly bottom: number;
  readonly gap: number;
  readonly lines: readonly Line[];
  readonly arrows: readonly DrawnArrow[];
  readonly ticks: readonly { readonly x: number; readonly value: number }[];
}

/** Pixels between lines, from a ring of thousands to one of two, and of all lines together at least. */
const GAP = { least: 2, most: 40, all: 320 };

const MARGIN = { top: 14, right: 18, bottom: 30 };

/** More arrows than that nobody can tell apart, and they take time to draw. */
export const MAX_ARROWS = 4_000;

/**
 * @param width of the whole, in pixels
 * @param height that all lines together are to have, about
 * @param label width of the names at the left
 */
export function diagramOf(
  election: Election,
  width: number,
  height: number,
  label: number,
): Diagram {
  const { peers, duration } = election;
  const gap = Math.max(
    GAP.least,
    Math.min(GAP.most, Math.max(GAP.all, height) / (peers.length + 1)),
  );
  const left = label;
  const right = Math.max(left + 40, width - MARGIN.right);
  const x = (time: number) => left + ((right - left) * time) / Math.max(duration, 1e-9);
  const y = (row: number) => MARGIN.top + gap * row;
  const bottom = y(peers.length) + gap / 2;
  const rows = new Map(peers.map((id, row) => [id, row]));
  const lines = [...peers, ...peers.slice(0, 1)].map((id, row) => ({
    ...{ id, y: y(row), isRepeated: row === peers.length },
    spans: spansOf(election, id).map(({ state, from, to }) => ({
      ...{ state, from: x(from), to: x(to) },
    })),
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
    ...{ width, height: bottom + MARGIN.bottom, left, right, bottom, gap, lines },
    arrows: election.arrows.slice(0, MAX_ARROWS).map(draw),
    ticks: ticks(0, duration, Math.max(2, (right - left) / 110)).map((value) => ({
      value,
      x: x(value),
    })),
  };
}

/** A moment's place across. */
export function acrossOf({ left, right }: Diagram, { duration }: Election, time: number): number {
  return left + ((right - left) * time) / Math.max(duration, 1e-9);
}

/** The last message that was sent at a moment or before. */
export function lastArrow({ arrows }: Election, time: number): Arrow | undefined {
  return arrows.findLast((arrow) => beginOf(arrow) <= time);
}

function spansOf({ changes, duration }: Election, id: PeerId) {
  const own = changes.filter(({ peer }) => peer === id);
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

/** How large the ends of arrows are. */
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

/** Just before the line of the peer that lets the message go no further. */
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
