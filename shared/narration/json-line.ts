/** Ring events as JSON lines: one object each, for programs that read a log. */
import type { PeerId } from '../protocol/ids.ts';
import type { ElectionMessage } from '../protocol/messages.ts';
import { describe } from './describe.ts';
import type { RingEvent } from '../member/events.ts';
import { printable } from './printable.ts';

/**
 * An event as one line of JSON, without the end of the line.
 * @param self the peer that tells it
 * @param at time of the event, as of ISO 8601
 * @param times how many like it in a row the line stands for
 */
export function jsonLine(event: RingEvent, self: PeerId, at: string, times = 1): string {
  const { what, why } = describe(event, self);
  const several = times === 1 ? {} : { times };
  return printable(JSON.stringify({ at, ...fieldsOf(event), id: self, ...several, what, why }));
}

type Fields = Readonly<Record<string, unknown>>;

/** An event's name and its own fields, but those that have another form here or are in the words. */
function fieldsOf(event: RingEvent): Fields {
  switch (event.type) {
    case 'neighbours': {
      const { predecessor, successor, removed } = event;
      return { event: 'neighbours', predecessor, successor, removed };
    }
    case 'link':
      return { event: 'link', [event.edge]: event.peer, link: event.kind, state: event.state };
    case 'started':
      return { event: 'election', term: event.term };
    case 'sent':
      return { event: 'sent', to: event.to, ...messageFields(event.message) };
    case 'received':
      return receivedFields(event);
    case 'unsent':
      return { event: 'unsent', ...messageFields(event.message), reason: event.reason };
    case 'leader':
      return { event: 'leader', leader: event.leader, term: event.term, size: event.size };
    case 'server':
      return { event: 'server', state: event.state };
    case 'dropped':
      return { event: 'error', from: event.from };
    case 'refused':
      return { event: 'error', code: event.code };
    case 'error':
    case 'holding':
      return { event: event.type };
    default: {
      const { type, ...own } = event;
      return { event: type, ...own };
    }
  }
}

function receivedFields({
  from,
  message,
  judgement: { outcome, reason, compared },
}: Extract<RingEvent, { type: 'received' }>): Fields {
  const event = outcome === 'ignored' ? 'ignored' : 'received';
  const comparison =
    compared === null ? {} : { comparedTo: compared.claim.id, comparison: compared.result };
  return { event, from, ...messageFields(message), outcome, reason, ...comparison };
}

/** A message as the classic programs have it, and who leads by it. */
function messageFields(message: ElectionMessage): Fields {
  const { term } = message;
  if (message.type === 'claim') return { uuid: message.claim.id, flag: 0, term };
  const { leader, size, lap } = message.decision;
  return { uuid: leader.id, flag: 1, term, leader: leader.id, size, lap };
}
