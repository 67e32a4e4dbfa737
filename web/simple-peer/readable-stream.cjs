/**
 * What simple-peer needs of readable-stream where nobody pipes: an emitter of the chunks pushed into
 * it. The whole of that package and of Node's Buffer is most of simple-peer's own browser build.
 */
const { Emitter } = require('@socket.io/component-emitter');

exports.Duplex = class Duplex extends Emitter {
  _readableState = { ended: false };
  _writableState = { finished: false };

  constructor() {
    // Given options, an emitter would take them for the object to be one.
    super();
  }

  push(chunk) {
    if (chunk !== null) this.emit('data', chunk);
  }

  end() {
    this._writableState.finished = true;
  }
};
