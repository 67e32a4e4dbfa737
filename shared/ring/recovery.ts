/** Puts a ring together again from what its members remember of it. */
import type { PeerId } from '../protocol/ids.ts';

export interface Place {
  readonly successor: PeerId;
  readonly predecessor: PeerId;
}

/** What a member of a lost memory says. */
export interface Report {
  readonly id: PeerId;
  readonly place: Place;
  /** Of the last view it was given: of two that disagree the later is right. */
  readonly version: number;
  /** Peers it knows to be gone. */
  readonly removed: readonly PeerId[];
}

/** One half of what is known of an edge. */
interface HalfEdge {
  readonly from: PeerId;
  readonly to: PeerId;
  readonly version: number;
  /** Whether the peer at the other end says the same. */
  readonly isMutual: boolean;
}

/**
 * Joins what members say of their edges into one ring. Edges on which both ends agree come first,
 * then the later ones. What remains are chains, which are put one behind the other.
 * @param reports one from each member
 * @param hasLeft who is known to be gone besides
 * @returns everyone in ring order, those who were only named as neighbours included; and whom
 *   members hold for gone: the ring had closed over them before the memory was lost
 */
export function joinFragments(
  reports: readonly Report[],
  hasLeft: (id: PeerId) => boolean,
): { readonly order: readonly PeerId[]; readonly gone: readonly PeerId[] } {
  const edges = edgesOf(reports);
  const removed = new Set(reports.flatMap((report) => report.removed));
  const followed = new Set(reports.map(({ place }) => place.predecessor));
  const led = new Set(reports.map(({ place }) => place.successor));
  // What one says of another is believed unless two others hold that one for their neighbour.
  const gone = new Set([...removed].filter((id) => !followed.has(id) || !led.has(id)));
  const next = new Map<PeerId, PeerId>();
  const taken = new Set<PeerId>();
  for (const { from, to } of edges) {
    if (next.has(from) || taken.has(to)) continue;
    next.set(from, to);
    taken.add(to);
  }
  const everyone = new Set([...reports.map(({ id }) => id), ...next.keys(), ...taken]);
  const starts = [...everyone].filter((id) => !taken.has(id));
  const order = new Set<PeerId>();
  // First the chains that have a beginning, then circles, which have none.
  for (const start of [...starts, ...everyone])
    for (let at: PeerId | undefined = start; at !== undefined && !order.has(at); at = next.get(at))
      order.add(at);
  return {
    order: [...order].filter((id) => !gone.has(id) && !hasLeft(id)),
    gone: [...gone].filter((id) => !hasLeft(id)),
  };
}

function edgesOf(reports: readonly Report[]): HalfEdge[] {
  const places = new Map(reports.map(({ id, place }) => [id, place]));
  return reports
    .flatMap(({ id, place: { successor, predecessor }, version }) => [
      {
        from: id,
        to: successor,
        version,
        isMutual: places.get(successor)?.predecessor === id,
      },
      {
        from: predecessor,
        to: id,
        version,
        isMutual: places.get(predecessor)?.successor === id,
      },
    ])
    .filter(({ from, to }) => from !== to)
    .sort((a, b) => Number(b.isMutual) - Number(a.isMutual) || b.version - a.version);
}
