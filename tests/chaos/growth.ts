/** Whether something grows from round to round. */

/** Samples left out at first: caches fill. */
const WARM_UP = 3;

/** The least number of further samples for a result. */
const MIN_SAMPLES = 12;

/**
 * The median of the slopes between any two samples (Theil and Sen): a few outliers do not matter.
 * @returns growth per sample, or null where there are too few samples
 */
export function growthOf(samples: readonly number[]): number | null {
  const steady = samples.slice(WARM_UP);
  if (steady.length < MIN_SAMPLES) return null;
  const slopes = steady.flatMap((later, at) =>
    steady.slice(0, at).map((earlier, before) => (later - earlier) / (at - before)),
  );
  return slopes.toSorted((one, other) => one - other)[Math.floor(slopes.length / 2)] ?? null;
}
