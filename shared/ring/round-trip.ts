/** How many round trips are remembered. */
const REMEMBERED = 4;

/** One that is as long again hardly ever comes. */
const ALLOWED = 2;

/**
 * How long the other end of a link has lately taken to answer. Twice the longest of a few measurements
 * stands for what is likely, not the smoothed mean and deviations of RFC 6298: that takes some thirty
 * measurements to forget the first ones, which a page makes while it is being put together, and a
 * neighbour that dies within that time would be waited for that much longer. There is a
 * measurement every second or two.
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
    return ALLOWED * Math.max(0, ...this.#samples);
  }
}
