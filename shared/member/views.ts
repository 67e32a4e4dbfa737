/** What a view does to links (SPEC.md, L1), and the signals by which links are made (L10). */
import type { PeerId } from '../protocol/ids.ts';
import { type Edge, type Signal, type SignalDelivery, type View } from '../protocol/signaling.ts';
import { findLink, isNeighbour } from './edges.ts';
import type { LinkKind } from './events.ts';
import { grantLink } from './link-budget.ts';
import { answerLink, bindOffer, isTaken } from './make-link.ts';
import { acceptFromPredecessor, aimPredecessor } from './predecessor.ts';
import { dropDeparted, lost, opened, receiveFrame } from './receiving.ts';
import { learnEra, unsettle } from './settling.ts';
import { signalOut } from './link.ts';
import type { Link, Member, Offers } from './state.ts';
import { addAttempt, aimSuccessor, hasRoomForAttempt } from './successor.ts';
import { tell, type Turn } from './turn.ts';

/** Signals that are taken for one direct link: a description, and a candidate for each address. */
const MAX_SIGNALS = 128;

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

// --- signals ------------------------------------------------------------------------------------

/** A neighbour's step towards a link, or of a relayed one. */
export function receiveSignals(
  turn: Turn,
  { from, edge, link: id, signals }: SignalDelivery,
): void {
  const { member } = turn;
  const known = findLink(member, id);
  if (known !== undefined) {
    if (known.edge === edge && known.peer === from) takeSignals(turn, known, signals);
    return;
  }
  // An id names one link for good; and the answer to a relayed offer that was given up looks like an offer.
  if (isTaken(member, id)) return;
  const kind = kindOffered(signals);
  if (kind === null || !isWanted(member, edge, from)) return;
  const link = answerLink(turn, edge, from, kind, id);
  if (link === null) return;
  if (edge === 'successor') addAttempt(member, link);
  else acceptFromPredecessor(turn, link);
  takeSignals(turn, link, signals);
}

/** Whether a link that a peer offers on an edge may be tried. */
function isWanted(member: Member, edge: Edge, from: PeerId): boolean {
  return edge === 'successor'
    ? member.successor.target === from && hasRoomForAttempt(member)
    : member.predecessor.target === from;
}

/** What kind of link the signals offer, if they do. */
function kindOffered([first]: readonly Signal[]): LinkKind | null {
  if (first?.type === 'offer') return 'direct';
  return first?.type === 'relay' ? 'relayed' : null;
}

function takeSignals(turn: Turn, link: Link, signals: readonly Signal[]): void {
  for (const signal of signals) {
    if (link.stage.name === 'closed') return;
    link.signals += 1;
    if (link.kind === 'relayed') takeRelayed(turn, link, signal);
    else if (link.signals <= MAX_SIGNALS)
      turn.outputs.push({ do: 'signal', link: link.id, signal });
  }
}

/** A step of a relayed link: an offer, an answer, frames, and its end (SPEC.md, L11). */
function takeRelayed(turn: Turn, link: Link, signal: Signal): void {
  switch (signal.type) {
    case 'relay':
      if (link.stage.name !== 'connecting') return;
      if (!link.isInitiator) signalOut(turn, link, [{ type: 'relay' }]);
      opened(turn, link);
      return;
    case 'frame':
      if (link.stage.name === 'connecting') return;
      link.bytesReceived += signal.frame.length;
      receiveFrame(turn, link, signal.frame);
      return;
    case 'closed':
      return lost(turn, link, 'closed by the other end');
    // Steps of a direct connection, which this is not.
    case 'offer':
    case 'answer':
    case 'candidate':
      return;
  }
}
