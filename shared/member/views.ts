/** What a view does to links (SPEC.md, L1). */
import type { Edge, View } from '../protocol/signaling.ts';
import { bindOffer, grantLink } from './make-link.ts';
import { aimPredecessor } from './predecessor.ts';
import { isNeighbour } from './queries.ts';
import { dropDeparted } from './receiving.ts';
import { learnEra, unsettle } from './settling.ts';
import type { Link, Offers } from './state.ts';
import { aimSuccessor } from './successor.ts';
import { tell, type Turn } from './turn.ts';

/**
 * Obeys a view unless it is older than the last one of the same memory of the server.
 * @param offers a newcomer's own
 */
export function applyView(turn: Turn, view: View, offers?: Offers): void {
  const { member } = turn;
  const known = member.place.view;
  if (known?.incarnation === view.incarnation && view.version < known.version) return;
  for (const edge of ['successor', 'predecessor'] as const)
    if (view[edge].id !== known?.[edge].id) grantLink(turn, view[edge].id);
  if (known !== null && known.incarnation !== view.incarnation) unsettle(turn);
  member.place.view = view;
  learnEra(turn, view.era);
  if (isNews(known, view))
    tell(turn, {
      type: 'neighbours',
      successor: view.successor.id,
      predecessor: view.predecessor.id,
      removed: view.removed,
      version: view.version,
    });
  dropDeparted(turn, view.removed);
  const { successor, predecessor } = view;
  aimPredecessor(turn, predecessor.id, chosen(turn, offers, 'predecessor', view));
  aimSuccessor(turn, successor, chosen(turn, offers, 'successor', view));
  const { neighbours } = member;
  neighbours.broken = neighbours.broken.filter((peer) => isNeighbour(member, peer));
}

function isNews(known: View | null, view: View): boolean {
  return (
    view.successor.id !== known?.successor.id ||
    view.predecessor.id !== known.predecessor.id ||
    view.removed.length > 0
  );
}

/** This peer's own offer on an edge, where the view has chosen it: it has an addressee now. */
function chosen(turn: Turn, offers: Offers | undefined, edge: Edge, view: View): Link | null {
  const { id, link } = view[edge];
  const offer = offers?.[edge] ?? null;
  if (offer === null || id === turn.member.identity.id) return null;
  return offer.id === link ? bindOffer(turn, offer, id) : null;
}
