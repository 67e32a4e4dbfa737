/** WebSockets that keep little of a message that is not complete yet. */
import { WebSocketServer, type ServerOptions } from 'ws';

/**
 * The most fragments of one message, and pieces of one fragment as they come from the network. Each kept
 * piece takes some hundred bytes, however small it is; the defaults allow 16,384 and 262,144. The longest
 * message has 45 pieces on an ordinary network.
 */
const MAX_FRAGMENTS = 128;
const MAX_PIECES = 1_024;

export class BoundedWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, maxFragments: MAX_FRAGMENTS, maxBufferedChunks: MAX_PIECES });
  }
}
