/** What simple-peer needs of Node's Buffer: access to the bytes of a message. */
exports.Buffer = { from: (bytes) => new Uint8Array(bytes) };
