/** How long a ring member waits for what, in milliseconds. */

/** From the return of the leader's lap to the next one. */
export const LAP_PAUSE = 1_000;

/** The least time without news of a leader after which a peer starts an election (SPEC.md, R7). */
export const LEADER_SILENCE = 3_000;

/**
 * How often that time is doubled, once for each term in which no leader was heard for more than one
 * lap: in a ring of hundreds a claim takes longer than the first patience.
 */
export const MAX_DOUBLINGS = 3;

/** How many laps may take as long as the last one did before the leader is given up. */
export const SILENT_LAPS = 4;

/** The most that laps may add to it, whatever they took: a peer may have slept in between. */
export const LONGEST_SILENCE = 15_000;

/**
 * How far the term of a message may be above a peer's own. Honest terms rise one by one; one that
 * leaps would soon use up the 32 bits there are.
 */
export const MAX_TERM_LEAP = 65_536;

/**
 * How long a link may take to open before the next attempt; doubled each time up to the last. A
 * browser's page can make about 500 connections in its life.
 */
export const FIRST_ATTEMPT = 6_000;
export const LAST_ATTEMPT = 120_000;

/** How long the other end may take to close a link after BYE. */
export const FAREWELL = 2_000;

/** Links that may be in the making on one edge; more offers than that are a fault or an attack. */
export const MAX_ATTEMPTS = 4;
