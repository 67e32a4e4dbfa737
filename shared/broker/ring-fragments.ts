/** Puts a ring together again from what its members remember of it. */
import type { PeerId } from '../protocol/ids.ts';
import type { Edge } from '../protocol/signaling.ts';

export interface Place {
  readonly successor: PeerId;
  readonly predecessor: PeerId;
}

/** What a member of a lost memory remembers of its place. */
export interface Recollection {
  readonly id: PeerId;
  readonly place: Place;
  /** Of the last view it was given: of two that disagree the later is right, first by era. */
  readonly era: number;
  readonly version: number;
  /** Peers it knows to be gone. */
  readonly removed: readonly PeerId[];
}

/**
 * Whom a member says to be its neighbour on an edge. One that it presumes departed itself has left
 * while no server was there to name another: that its place still names it means nothing.
 */
function neighbourOf({ place, removed }: Recollection, edge: Edge): PeerId | null {
  return removed.includes(place[edge]) ? null : place[edge];
}

/**
 * Joins what members say of their edges into one ring. Edges on which both ends agree come first,
 * then the later ones. What remains are chains, which are put one behind the other.
 * @param recollections one from each member
 * @param hasLeft who is known to be gone besides
 * @returns everyone in ring order, those who were only named as neighbours included; and whom
 *   members presume departed: the ring had closed over them before the memory was lost
 */
export function joinFragments(
  recollections: readonly Recollection[],
  hasLeft: (id: PeerId) => boolean,
): { readonly order: readonly PeerId[]; readonly gone: readonly PeerId[] } {
  const gone = goneOf(recollections);
  const next = new Map<PeerId, PeerId>();
  const taken = new Set<PeerId>();
  for (const { from, to } of edgesOf(recollections)) {
    if (next.has(from) || taken.has(to)) continue;
    next.set(from, to);
    taken.add(to);
  }
  const everyone = new Set([...recollections.map(({ id }) => id), ...next.keys(), ...taken]);
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

/**
 * Those that are let go. What one says of another is believed unless two others name that one as their
 * neighbour. Of a peer that is there itself only those are believed whom it names as its neighbours:
 * anyone else could have turned it out.
 */
function goneOf(recollections: readonly Recollection[]): ReadonlySet<PeerId> {
  const places = new Map(recollections.map(({ id, place }) => [id, place]));
  const followed = new Set(recollections.map((each) => neighbourOf(each, 'predecessor')));
  const led = new Set(recollections.map((each) => neighbourOf(each, 'successor')));
  const accused = recollections.flatMap(({ id, removed }) =>
    removed.filter((peer) => {
      const place = places.get(peer);
      return place === undefined || place.successor === id || place.predecessor === id;
    }),
  );
  return new Set(accused.filter((peer) => !followed.has(peer) || !led.has(peer)));
}

/** What each end says of its edges; first those of which both ends say the same, then the later. */
function edgesOf(recollections: readonly Recollection[]) {
  const places = new Map(recollections.map(({ id, place }) => [id, place]));
  return recollections
    .flatMap(({ id, place: { successor, predecessor }, era, version }) => {
      const view = { era, version };
      return [
        { ...view, from: id, to: successor, isMutual: places.get(successor)?.predecessor === id },
        { ...view, from: predecessor, to: id, isMutual: places.get(predecessor)?.successor === id },
      ];
    })
    .filter(({ from, to }) => from !== to)
    .sort(
      (a, b) => Number(b.isMutual) - Number(a.isMutual) || b.era - a.era || b.version - a.version,
    );
}
