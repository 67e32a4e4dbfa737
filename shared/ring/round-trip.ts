/**
 * How long the other end of a link takes to answer, smoothed as TCP does it: V. Paxson et al.,
 * RFC 6298, section 2, with its gains of 1/8 and 1/4.
 */
export class RoundTrip {
  #mean: number | null = null;
  #deviation = 0;

  /** @param sample one measured round trip, in milliseconds */
  measure(sample: number): void {
    if (this.#mean === null) {
      this.#mean = sample;
      this.#deviation = sample / 2;
      return;
    }
    this.#deviation += (Math.abs(this.#mean - sample) - this.#deviation) / 4;
    this.#mean += (sample - this.#mean) / 8;
  }

  /** In milliseconds; null before the first measurement. */
  get mean(): number | null {
    return this.#mean;
  }

  /** What hardly any round trip exceeds, in milliseconds; 0 before the first measurement. */
  get most(): number {
    return (this.#mean ?? 0) + 4 * this.#deviation;
  }
}
