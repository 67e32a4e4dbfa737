/** engine.io-client's list of its own transports: none, since the pages bring the one they use. */
export const transports = {};
