/** Time-outs that members, the server and the way between them agree on, in milliseconds. */

/** How long the server may take to reply to a request; after that no reply is expected any more. */
export const REPLY_PATIENCE = 8_000;

/**
 * The same for a newcomer's place: a peer that asks again comes as a new one with links of its own, which
 * a device that is too slow to hear the answer can do least.
 */
export const PLACE_PATIENCE = 20_000;

/**
 * How long a relayed link whose other end has lost the server may be silent: it cannot live until that
 * end is back at the server. The server waits as long for the word of those who have such a link.
 */
export const RELAYED_PROBE_SILENCE = 3_000;
