/** How many round trips are remembered: a few seconds' worth, as heartbeats come one in a second or two. */
const REMEMBERED = 4;

/**
 * How long the other end of a link has lately taken to answer. The greatest of a few measurements
 * stands for what is likely, not the smoothed mean and deviations of RFC 6298: that takes some twenty
 * measurements to forget the first ones, which a page makes while it is being put together, and a
 * neighbour that dies within that time would be waited for that much longer.
 */
export class RoundTrip {
  readonly #samples: number[] = [];

  /** @param sample one measured round trip, in milliseconds */
  measure(sample: number): void {
    this.#samples.push(sample);
    if (this.#samples.length > REMEMBERED) this.#samples.shift();
  }

  /** In milliseconds; null before the first measurement. */
  get mean(): number | null {
    const { length } = this.#samples;
    return length === 0 ? null : this.#samples.reduce((sum, sample) => sum + sample) / length;
  }

  /** What hardly any round trip exceeds, in milliseconds; 0 before the first measurement. */
  get most(): number {
    return Math.max(0, ...this.#samples);
  }
}
