/** How much goes through the server between members that have no direct link. */
import { take, type Rate } from '../machine/token-bucket.ts';
import type { Signal } from '../protocol/signaling.ts';
import type { BrokerLimits, OpenRoom } from './state.ts';
import type { Turn } from './turn.ts';

/** Seconds whose bytes may come at once: an election is many messages within moments. */
const BURST = 8;

export function relayedRate({ relayedBytes }: BrokerLimits): Rate {
  return { burst: BURST * relayedBytes, perSecond: relayedBytes };
}

/** Counts the frames among a member's signals. Returns whether the room has had too many bytes of them. */
export function isTooMuch(
  { state, now }: Turn,
  { relayed }: OpenRoom,
  signals: readonly Signal[],
): boolean {
  const bytes = signals.reduce(
    (sum, signal) => sum + (signal.type === 'frame' ? signal.frame.length : 0),
    0,
  );
  return bytes > 0 && take(relayed, relayedRate(state.limits), now, bytes) < bytes;
}
