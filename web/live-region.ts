/**
 * How long a live region stays empty before it is filled, in milliseconds: screen readers read out what
 * changes, and see what it is like only so often.
 */
export const EMPTY = 100;
