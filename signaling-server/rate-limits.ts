/** What may come from one address in a minute. */
import {
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible';
import { refusal } from '../shared/broker/turn.ts';
import { inTime } from './in-time.ts';
import type { Refusal } from '../shared/protocol/signaling.ts';

/** Counts by address, in this process or in a store that several share. */
export interface RateLimit {
  /** Counts one more. Returns whether it may come. */
  take(address: string): Promise<boolean>;
  /** One that was counted came to nothing. */
  giveBack(address: string): void;
  /** Whether the next one would be too many. */
  isReached(address: string): Promise<boolean>;
}

export interface RateLimits {
  readonly handshakes: RateLimit;
  /** Requests for a place: joins and resumes. */
  readonly places: RateLimit;
  /** Rooms opened. */
  readonly rooms: RateLimit;
}

/** Seconds. */
const MINUTE = 60;

/** How long a store may take to count one, in milliseconds. */
const PATIENCE = 1_000;

/**
 * A limit that one of the library's limiters counts.
 * @param onFault called where it cannot: that is not a limit reached
 */
export function rateLimit(
  limiter: RateLimiterAbstract,
  onFault: (error: unknown) => void,
): RateLimit {
  return {
    take: async (address) => {
      try {
        await inTime(limiter.consume(address), PATIENCE);
        return true;
      } catch (error) {
        if (error instanceof RateLimiterRes) return false;
        onFault(error);
        return true;
      }
    },
    giveBack: (address) => {
      inTime(limiter.reward(address), PATIENCE).catch(onFault);
    },
    isReached: async (address) => {
      try {
        const known = await inTime(limiter.get(address), PATIENCE);
        return known !== null && known.remainingPoints <= 0;
      } catch (error) {
        onFault(error);
        return false;
      }
    },
  };
}

/**
 * Limits for addresses that may have so many connections at a time: each may be made twice in a minute, and
 * open a room once.
 */
export function limitsInMemory(connections: number): RateLimits {
  return limitsBy(connections, (_, points) =>
    rateLimit(new RateLimiterMemory({ points, duration: MINUTE }), () => undefined),
  );
}

/**
 * The same, counted in Redis for all servers that share it; by each in its memory while it does not answer.
 * @param client of ioredis
 * @param prefix of all keys
 */
export function limitsInRedis(connections: number, client: object, prefix: string): RateLimits {
  return limitsBy(connections, (name, points) => {
    const limits = { points, duration: MINUTE };
    const insuranceLimiter = new RateLimiterMemory(limits);
    const keyPrefix = `${prefix}${name}`;
    const shared = { ...limits, storeClient: client, keyPrefix, insuranceLimiter };
    // One that has had too much is not asked about again.
    const limiter = new RateLimiterRedis({ ...shared, inMemoryBlockOnConsumed: points + 1 });
    return rateLimit(limiter, () => undefined);
  });
}

function limitsBy(
  connections: number,
  limitOf: (name: string, points: number) => RateLimit,
): RateLimits {
  return {
    handshakes: limitOf('handshakes', 2 * connections),
    places: limitOf('places', 2 * connections),
    rooms: limitOf('rooms', connections),
  };
}

/** What one address may have too much of, in words for its people. */
const TOO_MUCH = {
  'too-many-joins': 'too many peers of your network asked for a place within a minute',
  'too-many-rooms': 'your network has opened too many rooms within a minute',
  'too-many-spectators': 'your network has as many pages that watch as it may have',
};

export type Limit = keyof typeof TOO_MUCH;

export function tooMuch(limit: Limit): Refusal {
  return refusal('try-again', TOO_MUCH[limit]);
}
