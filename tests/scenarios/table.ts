/** The members of a ring at one moment, as a table to read. */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { RingState } from '../../shared/member/events.ts';
import { withNames } from './names.ts';

interface Column {
  readonly title: string;
  readonly read: (state: RingState) => string | number | null;
}

const COLUMNS: readonly Column[] = [
  { title: 'peer', read: ({ id }) => id },
  { title: 'role', read: ({ role }) => role },
  { title: 'term', read: ({ term }) => term },
  { title: 'leader', read: ({ leader }) => leader },
  { title: 'hops', read: ({ hopsFromLeader }) => hopsFromLeader },
  { title: 'size', read: ({ size }) => size },
  {
    title: 'successor',
    read: ({ successor, successorLink }) => neighbour(successor, successorLink),
  },
  {
    title: 'predecessor',
    read: ({ predecessor, predecessorLink }) => neighbour(predecessor, predecessorLink),
  },
  // Nothing is said of a connected server.
  { title: 'server', read: ({ server }) => (server === 'connected' ? '' : server) },
];

function neighbour(id: PeerId | null, link: RingState['successorLink']): string | null {
  return id === null || link === 'none' || link === 'direct' ? id : `${id} (${link})`;
}

/** Each member followed by its successor, as a student would draw them. */
export function inRingOrder(states: readonly RingState[]): RingState[] {
  const rest = [...states].sort((a, b) => (a.id < b.id ? -1 : 1));
  const ordered: RingState[] = [];
  for (let next = rest.shift(); next !== undefined;) {
    ordered.push(next);
    const { successor } = next;
    const at = rest.findIndex(({ id }) => id === successor);
    next = at < 0 ? rest.shift() : rest.splice(at, 1)[0];
  }
  return ordered;
}

export function table(states: readonly RingState[]): string[] {
  const columns = COLUMNS.map(({ title, read }) => {
    const cells = states.map((state) => withNames(String(read(state) ?? '-')));
    const width = Math.max(title.length, ...cells.map(({ length }) => length));
    return {
      cells: [title, ...cells].map((cell) => cell.padEnd(width)),
      isSaid: cells.some(Boolean),
    };
  }).filter(({ isSaid }) => isSaid);
  return ['', ...states].map((_, row) =>
    columns
      .map(({ cells }) => cells[row] ?? '')
      .join('  ')
      .trimEnd(),
  );
}
