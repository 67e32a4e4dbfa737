/** With what members prove their places to a server that has lost its memory (member/SPEC.md, L14). */
import type { PeerId } from '../protocol/ids.ts';
import type { ResumeRequest, Ticket } from '../protocol/signaling.ts';
import type { UnsealedView } from './room.ts';
import type { Asker, Broker, Delivery, OpenRoom } from './state.ts';

/** Makes tickets that nobody else can make. */
export interface Tickets {
  seal(ticket: Ticket): string;
  /** null for what was not sealed here, or by another server with the same key. */
  open(text: string): Ticket | null;
}

/** The part of a turn that has to do with tickets. */
interface TicketTurn {
  readonly tickets: Tickets;
  readonly state: Broker;
  readonly deliveries: Delivery[];
}

/** The ticket that comes with a request, if it is the member's own. */
export function ticketOf(
  { tickets, state, deliveries }: TicketTurn,
  { session }: Asker,
  { room, id, ticket: text }: ResumeRequest,
): Ticket | null {
  const ticket = tickets.open(text);
  if (ticket?.room !== room || ticket.id !== id) {
    if (text !== '') deliveries.push({ type: 'ticket refused', session });
    return null;
  }
  // A room that is opened later may be of the same ring.
  state.latestEra = Math.max(state.latestEra, ticket.era);
  return ticket;
}

/** The ticket that goes with a view. */
export function sealTicket(
  tickets: Tickets,
  { name: room, policy, era, facts }: OpenRoom,
  id: PeerId,
  { incarnation, version, successor, predecessor }: UnsealedView,
): string {
  const neighbours = { successor: successor.id, predecessor: predecessor.id };
  return tickets.seal({ room, id, policy, incarnation, era, version, ...neighbours, facts });
}
