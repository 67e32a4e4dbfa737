/** Tickets that only this server can make, and others with its secret. */
import { sign, unsign } from 'cookie-signature';
import type { Tickets } from '../shared/broker/tickets.ts';
import { parseTicket, type Ticket } from '../shared/protocol/signaling.ts';

/** What else may be signed with the same secret is no ticket. */
const PURPOSE = 'ticket ';

/**
 * @param secret outlives this process, so that its tickets do
 * @param onUnknown called with a ticket that was not sealed with the secret
 */
export function signedTickets(secret: string, onUnknown: () => void): Tickets {
  return {
    seal: (ticket) => sign(PURPOSE + JSON.stringify(ticket), secret),
    open: (text) => {
      const signed = unsign(text, secret);
      if (signed !== false && signed.startsWith(PURPOSE)) return read(signed.slice(PURPOSE.length));
      onUnknown();
      return null;
    },
  };
}

/** null for one that another version of this server has sealed. */
function read(json: string): Ticket | null {
  const ticket = parseTicket(JSON.parse(json));
  return ticket.ok ? ticket.value : null;
}
