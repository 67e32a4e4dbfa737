/** Ring events as JSON lines: one object each, for programs that read a log. */
import type { PeerId } from '../protocol/ids.ts';
import { describe } from './describe.ts';
import type { RingEvent } from '../member/events.ts';

/**
 * An event as one line of JSON, without the end of the line.
 * @param self the peer that tells it
 * @param at time of the event, as of ISO 8601
 * @param times how many like it in a row the line stands for
 */
export function jsonLine(event: RingEvent, self: PeerId, at: string, times = 1): string {
  const { what, why } = describe(event, self);
  const count = times === 1 ? {} : { times };
  return JSON.stringify({ at, ...fieldsOf(event), id: self, ...count, what, why });
}

/** What there is to say of an event beside time and teller, first its name. */
function fieldsOf(event: RingEvent): Readonly<Record<string, unknown>> {
  switch (event.type) {
    case 'joined':
      return { event: 'joined', room: event.room };
    case 'neighbours': {
      const { predecessor, successor, removed } = event;
      return { event: 'neighbours', predecessor, successor, removed };
    }
    case 'link': {
      const { edge, peer, state, kind } = event;
      return { event: 'link', [edge]: peer, link: kind, state };
    }
    case 'started':
      return { event: 'election', term: event.term };
    case 'sent':
      return { event: 'sent', to: event.to, ...messageFields(event.message) };
    case 'received': {
      const { outcome, reason, compared } = event.judgement;
      return {
        event: outcome === 'ignored' ? 'ignored' : 'received',
        from: event.from,
        ...messageFields(event.message),
        outcome,
        reason,
        ...(compared === null
          ? {}
          : { comparedTo: compared.claim.id, comparison: compared.result }),
      };
    }
    case 'leader': {
      const { leader, term, size } = event;
      return { event: 'leader', leader, term, size };
    }
    case 'server':
      return { event: 'server', state: event.state };
    case 'left':
    case 'vanished':
      return { event: event.type };
    case 'confirmation':
      return { event: 'confirmation', leader: event.leader, isConfirmed: event.isConfirmed };
    case 'era':
      return { event: 'era', era: event.era };
    case 'unsent':
      return { event: 'unsent', ...messageFields(event.message), reason: event.reason };
    case 'pace':
      return { event: 'pace', hopDelay: event.hopDelay, by: event.by };
    case 'complained':
      return { event: 'complained', about: event.about, fault: event.fault };
    case 'returned':
      return { event: 'returned', peer: event.peer };
    case 'dropped':
      return { event: 'error', from: event.from };
    case 'refused':
      return { event: 'error', code: event.code };
    case 'error':
    case 'holding':
    case 'ring':
    case 'spent':
      return { event: event.type };
  }
}

/** A message as the classic programs have it, and who leads by it. */
function messageFields(
  message: Extract<RingEvent, { type: 'sent' }>['message'],
): Readonly<Record<string, unknown>> {
  const { term } = message;
  if (message.type === 'claim') return { uuid: message.claim.id, flag: 0, term };
  const { leader, size, lap } = message.decision;
  return { uuid: leader.id, flag: 1, term, leader: leader.id, size, lap };
}
