/** How long a ring member waits for what, in milliseconds. */

/** From the return of the leader's lap to the next one. */
export const LAP_PAUSE = 1_000;

/** The least time without news of a leader after which a peer starts an election (SPEC.md, R7). */
export const LEADER_SILENCE = 3_000;

/** How many laps may take as long as the last one did before the leader is given up. */
export const SILENT_LAPS = 4;

/** How long a link may take to open before the next attempt; doubled each time up to the last. */
export const FIRST_ATTEMPT = 6_000;
export const LAST_ATTEMPT = 24_000;

/** How long the other end may take to close a link after BYE. */
export const FAREWELL = 2_000;

/** Links that may be in the making on one edge; more offers than that are a fault or an attack. */
export const MAX_ATTEMPTS = 4;
