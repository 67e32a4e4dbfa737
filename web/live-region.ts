/**
 * How long a live region stays empty before it is filled, in milliseconds: screen readers read out changes,
 * and look for them only from time to time.
 */
export const EMPTY = 100;
