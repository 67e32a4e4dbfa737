/**
 * How long the other end of a link has taken to answer lately. Twice the longest of a few measurements
 * stands for what is likely, not the smoothed mean and deviations of RFC 6298: that takes some thirty
 * measurements to forget the first ones, which a page makes while it is being put together, and a
 * neighbour that dies within that time would be waited for that much longer. There is a
 * measurement every second or two.
 */

/** How many round trips are remembered. */
const REMEMBERED = 4;

/** A round trip that takes so many times the longest remembered one is hardly ever seen. */
const ALLOWED = 2;

/**
 * Adds a measured round trip.
 * @param samples milliseconds each, the newest last
 * @returns the samples that are remembered from now on
 */
export function withSample(samples: readonly number[], sample: number): readonly number[] {
  return [...samples, sample].slice(-REMEMBERED);
}

/** In milliseconds; null before the first measurement. */
export function meanRoundTrip(samples: readonly number[]): number | null {
  const { length } = samples;
  return length === 0 ? null : samples.reduce((sum, sample) => sum + sample) / length;
}

/** What hardly any round trip exceeds, in milliseconds; 0 before the first measurement. */
export function longestLikelyRoundTrip(samples: readonly number[]): number {
  return ALLOWED * Math.max(0, ...samples);
}
