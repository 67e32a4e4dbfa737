/** What simple-peer needs of Node's Buffer: to look at the bytes of a message. */
exports.Buffer = { from: (bytes) => new Uint8Array(bytes) };
