/** When a machine without I/O handles an input: durations by one clock, the calendar by another. */
export interface Moment {
  /** Milliseconds since any fixed moment; never falls. */
  readonly now: number;
  /** Milliseconds since 1970; may be set back or forward. */
  readonly date: number;
}
