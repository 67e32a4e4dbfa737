/** How long a ring member waits for what, in milliseconds. */

/** From the return of the leader's lap to the next one. */
export const LAP_PAUSE = 1_000;

/** The least time without news of a leader after which a peer starts an election (SPEC.md, R7). */
export const LEADER_SILENCE = 3_000;

/**
 * Up to what that time is doubled at least, once for each term in which no leader was heard for more
 * than one lap.
 */
export const SHORTEST_LONG_WAIT = 8 * LEADER_SILENCE;

/** How many circuits may take as long as the last one did before the leader is presumed lost. */
export const SILENT_LAPS = 4;

/** The most that this many may come to; of a circuit that takes longer, only two. */
export const LONGEST_SILENCE = 15_000;

/** What a hop takes at most in a ring that is counted on, on average over its links. */
export const LONGEST_HOP = 1_000;

/**
 * How far the term of a message may be above a peer's own. Honest terms rise one by one; one that
 * leaps would soon use up the 32 bits there are. Where only some can follow a leap, as they have not
 * made one of late, the ring is in two parts for as long as the others take at the rate below.
 */
export const MAX_TERM_LEAP = 8_192;

/** By how much messages may lift a term in each second, once such a leap has been made. */
export const TERM_RATE = 1_000;

/** The greatest term that is believed by a peer that never knew a leader. */
export const MAX_FIRST_TERM = 2 ** 31;

/**
 * How long a link may take to open before the next attempt; doubled each time up to the last, as each
 * counts in the page's budget of connections (PAGE_BURST, PAGE_RATE).
 */
export const FIRST_ATTEMPT = 6_000;
export const LAST_ATTEMPT = 120_000;

/** How long the other end may take to close a link after BYE. */
export const FAREWELL = 2_000;

/** How long a peer that vanishes keeps its ends of links, which would be heard to close. */
export const LINGER = 15_000;

/** Links that may be in the making on one edge; more offers than that are a fault or an attack. */
export const MAX_ATTEMPTS = 4;

/**
 * Direct links that are made with one neighbour at once, and in each second after that, whoever
 * offers them. Honest attempts take the last wait, on both edges where there are only two peers.
 */
export const LINK_BURST = 16;
export const LINK_RATE = 1 / 60;

/** Direct links that a page makes at once, with all its neighbours, and in each second after that. */
export const PAGE_BURST = 450;
export const PAGE_RATE = 1 / 10;

/**
 * How long a direct link may take before one through the server is offered as well: where the device
 * has not made any, and where the last one came up. Where it did not, nothing is waited for.
 */
export const RELAY_SOON = 500;
export const RELAY_LATE = 2_000;

/** After how long a relayed link that does not come up is offered again; doubled up to the last. */
export const FIRST_RELAY_RETRY = 4_000;
export const LAST_RELAY_RETRY = 8_000;

/** After so long without a frame a link is asked for a sign of life. */
export const HEARTBEAT_INTERVAL = 1_000;

/** So is one that carries frames all the time, after so long: its round trip may be another by now. */
export const MEASURE_INTERVAL = 2_000;

/** The least silence that makes a link suspect; to it comes what the round trips suggest. */
export const LINK_SILENCE = 3_500;

/** What is added to the longest likely round trip before a link is suspect. */
export const SILENCE_MARGIN = 1_000;

/** The same for a link whose other end has lost the server: then nothing else may be to come. */
export const PROBE_SILENCE = 250;
export const PROBE_MARGIN = 200;

/** The same for a relayed link: it cannot live until the other end is back at the server. */
export const RELAYED_PROBE_SILENCE = 3_000;

/**
 * How long a predecessor may say nothing of the election to a peer that is ready, beyond the wait after
 * which it starts by R7 if it hears nothing itself: timers of a page in the background are late by a
 * minute.
 */
export const MUTE = 84_000;

/** The longest round trip that is believed; whatever took more was spent asleep. */
export const LONGEST_ROUND_TRIP = 8_000;

/** A heartbeat's timer that comes after so long shows that this peer was asleep. */
export const OVERSLEPT = 2_500;

/** A timer of a quarter second that comes so much later shows that this peer is too busy, */
export const LATE = 100;

/** or, up to here, that its page is hidden: browsers run the timers of those once a second. */
export const HIDDEN_LATE = 1_200;

/** How long the server may take to reply to a request; after that no reply is expected any more. */
export const REPLY_PATIENCE = 8_000;

/**
 * The same for a place: who asks again comes as a new peer with links of its own, which a device that is
 * too slow to hear the answer can do least.
 */
export const PLACE_PATIENCE = 20_000;

/** How long one complaint about a neighbour stands before the next. */
export const COMPLAINT_INTERVAL = 5_000;

/** How often it is said that one cannot be made. */
export const UNREPORTED_INTERVAL = 60_000;

/** The same for a question about a peer that is presumed departed. */
export const DOUBT_INTERVAL = 5_000;

/** How many peers that are presumed departed are asked about in that time: a liar can name any. */
export const MAX_DOUBTS = 16;

/**
 * How long after it has heard of a leader a peer asks the server about it: all hear of it at the same
 * time, and the announcement is to go round first. It asks no more often than that, either.
 */
export const LOOKUP_DELAY = 1_500;

/** How long a link may be open before the other end has said HELLO. */
export const HELLO_SILENCE = 8_000;

/** Frames that one link may carry at once, and in each second after that. */
export const FRAME_BURST = 4_000;
export const FRAME_RATE = 1_000;

/** Heartbeats that are answered on one link at once, and in each second after that. */
export const ANSWER_BURST = 20;
export const ANSWER_RATE = 5;

/**
 * Relayed links that are made with one neighbour at once, and in each second after that, whoever
 * offers them: each makes this peer send signals.
 */
export const RELAYED_BURST = 16;
export const RELAYED_RATE = 1 / 2;

/**
 * How long a link must have been in use to count as one that lasted. Who lets all come up and none
 * last is no neighbour.
 */
export const LASTING = 5_000;

/**
 * Messages of the election that a member takes in at once, and in each second after that. Each may
 * cause another to its successor, where both together stay below what one link may carry.
 */
export const INTAKE_BURST = 1_500;
export const INTAKE_RATE = 400;

/** The same from predecessors of before, all together: they must not use up the present one's. */
export const EARLIER_INTAKE_BURST = 500;
export const EARLIER_INTAKE_RATE = 100;

/** Frames that cannot be used; with one more on the same link the neighbour is cut off. */
export const MAX_FAULTS = 20;

/** Signals that are taken for one direct link: a description, and a candidate for each address. */
export const MAX_SIGNALS = 128;
