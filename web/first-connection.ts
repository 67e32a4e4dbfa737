/**
 * The connection to the server that index.html opens in its first line: it is on its way before the
 * program has been read, and the program takes it over.
 */
import { WebSocket as WebSocketTransport } from 'engine.io-client';

declare global {
  interface Window {
    /** What index.html opens, and what came over it before it was taken. */
    firstConnection?: WebSocket & { heard: MessageEvent[] };
  }
}

/**
 * Socket.IO's packet that asks for the main namespace, which index.html sends as soon as it can: the
 * answer is there by the time that the program would have asked, a round trip less before the join.
 */
const CONNECT = '40';

/** The first connection, once, while it is of use. */
export function takeFirstConnection(): Window['firstConnection'] {
  const first = window.firstConnection;
  delete window.firstConnection;
  return first;
}

/** Socket.IO's way over a WebSocket, which begins with the first connection. */
export class FirstTransport extends WebSocketTransport {
  override createSocket(
    url: string,
    protocols: string | string[] | undefined,
    options: Record<string, unknown>,
  ): unknown {
    const first = takeFirstConnection();
    const isOfUse = first?.url === url && first.readyState <= WebSocket.OPEN;
    if (!isOfUse) return super.createSocket(url, protocols, options);
    // What has been asked for already is not asked for again: the first thing that would be sent.
    first.send = (data) => {
      Reflect.deleteProperty(first, 'send');
      if (data !== CONNECT) first.send(data);
    };
    // Once whoever asks for it listens.
    queueMicrotask(() => {
      if (first.readyState === WebSocket.OPEN) first.onopen?.(new Event('open'));
      for (const message of first.heard) first.onmessage?.(message);
    });
    return first;
  }
}
