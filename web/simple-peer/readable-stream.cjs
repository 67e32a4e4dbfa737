/**
 * What simple-peer needs of readable-stream where nothing is piped: an emitter of the chunks pushed into
 * it. That package and Node's Buffer would be most of simple-peer's own browser build.
 */
const { Emitter } = require('@socket.io/component-emitter');

exports.Duplex = class Duplex extends Emitter {
  _readableState = { ended: false };
  _writableState = { finished: false };

  constructor() {
    // An emitter would take options for the object to turn into an emitter.
    super();
  }

  push(chunk) {
    if (chunk !== null) this.emit('data', chunk);
  }

  end() {
    this._writableState.finished = true;
  }
};
