/**
 * The hop delay of the room (SPEC.md, C4): a register that any peer may set and the ring carries. The
 * setting with the greater count holds, of two with the same count that of the greater uuid.
 */
import type { PeerId } from '../protocol/ids.ts';
import { MAX_PACE_COUNT, type PaceMessage } from '../protocol/messages.ts';
import { fullBucket, takeOne, type TokenBucket } from '../machine/token-bucket.ts';

/** Settings that a peer takes and passes on. */
const SETTINGS = { burst: 40, perSecond: 10 };

/**
 * How far a count may be above the known one, which is 0 for a newcomer: otherwise one liar could make
 * its setting the last there is.
 */
const MAX_COUNT_LEAP = 16_384;

export interface HopDelay {
  /** The setting that holds; null where nobody has set any. */
  setting: PaceMessage | null;
  readonly bucket: TokenBucket;
}

export function initialHopDelay(now: number): HopDelay {
  return { setting: null, bucket: fullBucket(SETTINGS, now) };
}

/** In milliseconds. */
export function hopDelayOf({ setting }: HopDelay): number {
  return setting?.hopDelay ?? 0;
}

/** Sets it here. Returns the setting, for the others. */
export function setHopDelay(pace: HopDelay, hopDelay: number, by: PeerId): PaceMessage {
  const count = Math.min((pace.setting?.count ?? 0) + 1, MAX_PACE_COUNT);
  pace.setting = { type: 'pace', hopDelay, count, by };
  return pace.setting;
}

/** Takes another peer's setting. Returns whether it holds from now on, and is to be passed on. */
export function takeSetting(pace: HopDelay, setting: PaceMessage, now: number): boolean {
  const known = pace.setting;
  if (setting.count > (known?.count ?? 0) + MAX_COUNT_LEAP) return false;
  if (known !== null && !isNewer(setting, known)) return false;
  if (!takeOne(pace.bucket, SETTINGS, now)) return false;
  pace.setting = setting;
  return true;
}

function isNewer(a: PaceMessage, b: PaceMessage): boolean {
  return a.count === b.count ? a.by > b.by : a.count > b.count;
}
