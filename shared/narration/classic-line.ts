/** Ring events as the lines that a classic Chang-Roberts program would print. */
import type { PeerId } from '../protocol/ids.ts';
import type { ElectionMessage } from '../protocol/messages.ts';
import type { RingEvent } from '../member/events.ts';
import { describe, explanation, ORDINARY } from './describe.ts';

/**
 * The line of a classic program's log, with whole uuids.
 * @param time of the event in the form in which it is written
 */
export function classicLine(event: RingEvent, self: PeerId, time: string): string {
  const { what, why } = describe(event, self);
  return `${time} ${classicText(event) ?? (why === '' ? what : `${what} (${why})`)}`;
}

function classicText(event: RingEvent): string | null {
  switch (event.type) {
    case 'sent':
      return `Sent: ${classicMessage(event.message)}`;
    case 'received': {
      const { outcome, compared } = event.judgement;
      const verb = outcome === 'ignored' ? 'Ignored' : 'Received';
      const result =
        compared === null ? '' : `, ${compared.result}, compared to ${compared.claim.id}`;
      return `${verb}: ${classicMessage(event.message)}${result} (${explanation(event.judgement)})`;
    }
    case 'joined':
      return `This peer is ${event.id}, room ${event.room}`;
    case 'leader':
      return `leader is ${event.leader}, term=${event.term}`;
    case 'link':
      if (event.state !== 'open') return null;
      return `${event.edge === 'successor' ? 'Connected to' : 'Accepted'} ${event.peer}`;
    default:
      return null;
  }
}

function classicMessage(message: ElectionMessage): string {
  const flag = message.type === 'claim' ? 0 : 1;
  const { id, priority } = message.type === 'claim' ? message.claim : message.decision.leader;
  const rank = priority === ORDINARY ? '' : `, priority=${priority}`;
  return `uuid=${id}, flag=${flag}, term=${message.term}${rank}`;
}
