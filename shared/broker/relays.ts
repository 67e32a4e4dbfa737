/** How much goes through the server between members that have no direct link. */
import { fullBucket, has, take, type Rate } from '../machine/token-bucket.ts';
import type { Signal } from '../protocol/signaling.ts';
import type { BrokerLimits, OpenRoom, Seat } from './state.ts';
import type { Turn } from './turn.ts';

/** Seconds whose bytes may come at once: an election is many messages within moments. */
const BURST = 8;

export function relayedRate({ relayedBytes }: BrokerLimits): Rate {
  return { burst: BURST * relayedBytes, perSecond: relayedBytes };
}

/** One member may use up a quarter of what its room may: others have links, too. */
const SHARE = 1 / 4;

function shareOf({ burst, perSecond }: Rate): Rate {
  return { burst: SHARE * burst, perSecond: SHARE * perSecond };
}

export function isFrames(signals: readonly Signal[]): boolean {
  return signals.some(({ type }) => type === 'frame');
}

/**
 * Counts the frames among a member's signals. Returns whether it, or its room, has had too many bytes of them;
 * then they are not counted.
 */
export function isTooMuch(
  { state, now }: Turn,
  { relayed }: OpenRoom,
  seat: Seat,
  signals: readonly Signal[],
): boolean {
  const bytes = signals.reduce(
    (sum, signal) => sum + (signal.type === 'frame' ? signal.frame.length : 0),
    0,
  );
  if (bytes === 0) return false;
  const ofRoom = relayedRate(state.limits);
  const own = shareOf(ofRoom);
  seat.relayed ??= fullBucket(own, now);
  if (!has(relayed, ofRoom, now, bytes) || !has(seat.relayed, own, now, bytes)) return true;
  take(relayed, ofRoom, now, bytes);
  take(seat.relayed, own, now, bytes);
  return false;
}
