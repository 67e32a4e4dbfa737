/** The signals by which links are made (SPEC.md, L10), and those of relayed links (L11). */
import type { PeerId } from '../protocol/ids.ts';
import type { Edge, Signal, SignalDelivery } from '../protocol/signaling.ts';
import type { LinkKind } from './events.ts';
import { signalOut } from './link.ts';
import { isTaken, makeEnd } from './make-link.ts';
import { acceptFromPredecessor } from './predecessor.ts';
import { findLink } from './queries.ts';
import { lost, opened, receiveFrame } from './receiving.ts';
import type { Link, Member } from './state.ts';
import { addAttempt } from './successor.ts';
import type { Turn } from './turn.ts';

/** Signals that are taken for one direct link: a description, and a candidate for each address. */
const MAX_SIGNALS = 128;

/** Links that may be in the making; more offers than that are a fault or an attack. */
const MAX_ATTEMPTS = 4;

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
  const link = makeEnd(turn, { id, edge, kind, peer: from, isInitiator: false });
  if (link === null) return;
  if (edge === 'successor') addAttempt(member, link);
  else acceptFromPredecessor(turn, link);
  takeSignals(turn, link, signals);
}

/** Whether a link that a peer offers on an edge may be tried. */
function isWanted(member: Member, edge: Edge, from: PeerId): boolean {
  return edge === 'successor'
    ? member.successor.target === from && member.successor.attempts.length < MAX_ATTEMPTS
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
      return lost(turn, link, 'closed through the server');
    // Steps of a direct connection, which this is not.
    case 'offer':
    case 'answer':
    case 'candidate':
      return;
  }
}
