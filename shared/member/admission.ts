/**
 * Which messages of the election a member takes from its predecessors: nothing forged, and no more than
 * its successor takes from it (SPEC.md, L16).
 */
import type { PeerId } from '../protocol/ids.ts';
import { originOf, type ElectionMessage } from '../protocol/messages.ts';
import type { Admission, Link } from './state.ts';
import { fullBucket, takeOne } from '../machine/token-bucket.ts';
import type { Turn } from './turn.ts';

/**
 * Messages from the predecessor. Each may cause another to the successor, where both together stay below
 * what one link may carry.
 */
const PRESENT = { burst: 1_500, perSecond: 400 };

/** The same from earlier predecessors, all together: they must not use up the present one's. */
const EARLIER = { burst: 500, perSecond: 100 };

export function initialAdmission(now: number): Admission {
  return { present: fullBucket(PRESENT, now), earlier: fullBucket(EARLIER, now) };
}

/** Whether there is room for another message: a peer that passes on a flood is taken for its source. */
export function admits({ member, now }: Turn, link: Link): boolean {
  const { admission, predecessor } = member;
  return link.peer === predecessor.target
    ? takeOne(admission.present, PRESENT, now)
    : takeOne(admission.earlier, EARLIER, now);
}

/** One hop is what a message has travelled that comes from its origin, and no other. */
export function isForged(message: ElectionMessage, from: PeerId): boolean {
  const hops = message.type === 'claim' ? message.hops : message.decision.hops;
  return (hops === 1) !== (originOf(message) === from);
}
