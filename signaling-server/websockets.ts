/** WebSockets that keep little of a message that is not whole yet. */
import { WebSocketServer, type ServerOptions } from 'ws';

/**
 * Fragments of one message, and pieces of one fragment as they come from the network. Keeping each takes
 * some hundred bytes, however small it is; by default there may be 16,384 and 262,144. The longest
 * message that may come has 45 pieces on an ordinary network.
 */
const MAX_FRAGMENTS = 128;
const MAX_PIECES = 1_024;

export class BoundedWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, maxFragments: MAX_FRAGMENTS, maxBufferedChunks: MAX_PIECES });
  }
}
