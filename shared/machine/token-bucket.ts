/** A token bucket: a burst at once, and so much more in each second. */

export interface Rate {
  /** Tokens in a full bucket. */
  readonly burst: number;
  readonly perSecond: number;
}

export interface TokenBucket {
  /** Tokens left at the moment `at`. */
  level: number;
  at: number;
}

export function fullBucket({ burst }: Rate, now: number): TokenBucket {
  return { level: burst, at: now };
}

/** Takes an amount, or what is left where that is less. Returns what it took. */
export function take(bucket: TokenBucket, rate: Rate, now: number, amount: number): number {
  refill(bucket, rate, now);
  const taken = Math.min(amount, bucket.level);
  bucket.level -= taken;
  return taken;
}

/** Whether there is so much. */
export function has(bucket: TokenBucket, rate: Rate, now: number, amount: number): boolean {
  refill(bucket, rate, now);
  return bucket.level >= amount;
}

/** Takes one whole token, if there is one. */
export function takeOne(bucket: TokenBucket, rate: Rate, now: number): boolean {
  if (!hasOne(bucket, rate, now)) return false;
  bucket.level -= 1;
  return true;
}

/** Whether there is one whole token. */
export function hasOne(bucket: TokenBucket, rate: Rate, now: number): boolean {
  return has(bucket, rate, now, 1);
}

/** Whether nothing is missing. */
export function isFull(bucket: TokenBucket, rate: Rate, now: number): boolean {
  refill(bucket, rate, now);
  return bucket.level === rate.burst;
}

/** Puts one back. */
export function putBack(bucket: TokenBucket, rate: Rate, now: number): void {
  refill(bucket, rate, now);
  bucket.level = Math.min(bucket.level + 1, rate.burst);
}

function refill(bucket: TokenBucket, { burst, perSecond }: Rate, now: number): void {
  const earned = ((now - bucket.at) / 1_000) * perSecond;
  bucket.level = Math.min(bucket.level + earned, burst);
  bucket.at = now;
}
