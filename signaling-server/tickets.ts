/** Tickets that only this server can make, and others with its secret. */
import { sign, unsign } from 'cookie-signature';
import type { Tickets } from '../shared/broker/tickets.ts';
import { parseTicket, type Ticket } from '../shared/protocol/signaling.ts';

/** What else may be signed with the same secret is no ticket. */
const PURPOSE = 'ticket ';

/**
 * @param secret outlives this process, so that its tickets do
 * @param accepts whether a member may come back from an incarnation
 */
export function signedTickets(secret: string, accepts: (incarnation: string) => boolean): Tickets {
  return {
    seal: (ticket) => sign(PURPOSE + JSON.stringify(ticket), secret),
    open: (text) => {
      const signed = unsign(text, secret);
      const isTicket = signed !== false && signed.startsWith(PURPOSE);
      const ticket = isTicket ? read(signed.slice(PURPOSE.length)) : null;
      return ticket !== null && accepts(ticket.incarnation) ? ticket : null;
    },
  };
}

/** null for one that another version of this server has sealed. */
function read(json: string): Ticket | null {
  const ticket = parseTicket(JSON.parse(json));
  return ticket.ok ? ticket.value : null;
}
