/** A member's questions as the broker is asked them, and its replies as a member is answered. */
import type { AnyReply, Request } from '../../../broker/state.ts';
import type { Answer, Ask } from '../../../member/turn.ts';
import type { Parsed } from '../../../protocol/ids.ts';
import {
  parseJoinReply,
  parseMembershipReply,
  parseReply,
  parseSettleReply,
} from '../../../protocol/signaling.ts';

export function requestOf(ask: Ask): Request {
  switch (ask.of) {
    case 'join':
      return { type: 'join', request: ask.request };
    case 'resume':
      return { type: 'resume', request: ask.request };
    case 'signal':
      return { type: 'signal', request: ask.request };
    case 'settle':
      return { type: 'settle' };
    case 'report':
      return { type: 'report', report: ask.report };
    case 'lookup':
      return { type: 'lookup', peer: ask.peer };
  }
}

/** The answer that a reply is; null where it changes nothing, as a signal that was passed on. */
export function answerTo(to: Ask, given: AnyReply): Answer | null {
  switch (to.of) {
    case 'join':
    case 'resume':
      return { of: 'place', reply: sure(parseJoinReply(given)) };
    case 'signal': {
      const reply = sure(parseReply(given));
      return reply.ok ? null : { of: 'signal', to, reply };
    }
    case 'settle':
      return { of: 'settle', to, reply: sure(parseSettleReply(given)) };
    case 'report':
      return { of: 'report', to, reply: sure(parseMembershipReply(given)) };
    case 'lookup':
      return { of: 'lookup', to, reply: sure(parseMembershipReply(given)) };
  }
}

function sure<Value>(parsed: Parsed<Value>): Value {
  if (!parsed.ok) throw new Error(`the broker gives an invalid reply: ${parsed.error}`);
  return parsed.value;
}
