/** Links over WebRTC, by simple-peer. The one place that works around its peculiarities. */
import type { Instance, Options, SignalData } from 'simple-peer';
import type { Signal } from '../shared/protocol/signaling.ts';
import type { Link, LinkHandlers, OpenLink } from '../shared/driver/ports.ts';
import type { IceServers } from './ice-servers.ts';

/** simple-peer's constructor: a browser and Node load different builds of it. */
export type SimplePeerConstructor = new (options?: Options) => Instance;

/** A TCP candidate that accepts no connections (RFC 6544): useless where the other end has no other kind. */
const ACTIVE_TCP = / tcptype active\b/;

export interface LinkOptions {
  /** A link waits until they are known. simple-peer's own default is never used. */
  readonly iceServers: IceServers;
  /** `relay` for links through a TURN server alone. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy;
  /** An implementation of WebRTC, where the platform has none of its own. */
  readonly wrtc?: NonNullable<Options['wrtc']>;
}

/**
 * Makes links of simple-peer connections.
 * @param SimplePeer its constructor
 */
export function simplePeerLinks(
  SimplePeer: SimplePeerConstructor,
  { iceServers, iceTransportPolicy = 'all', ...platform }: LinkOptions,
): OpenLink {
  /**
   * Connected as soon as it is. simple-peer would first search the connection's statistics for the
   * addresses, which nobody here needs, and that takes as long as making the connection.
   */
  class Connection extends SimplePeer {
    getStats(tell: (error: null, reports: readonly object[]) => void): void {
      tell(null, [{ type: 'candidate-pair', selected: true }]);
    }
  }
  return (initiator, handlers) => {
    const link = new SimplePeerLink(initiator, handlers);
    const make = (servers: readonly RTCIceServer[]) =>
      new Connection({
        ...platform,
        initiator,
        trickle: true,
        // Keeps frames apart: each message is one chunk.
        objectMode: true,
        config: { iceServers: [...servers], iceTransportPolicy },
      });
    let isLate = false;
    iceServers.whenKnown((servers) => {
      if (isLate) link.beginLate(() => make(servers));
      else link.begin(make(servers));
    });
    isLate = true;
    return link;
  };
}

class SimplePeerLink implements Link {
  readonly #isInitiator: boolean;
  readonly #handlers: LinkHandlers;
  /** null before it is made. */
  #peer: Instance | null = null;
  /** What came before that. */
  #early: Signal[] = [];
  #isClosed = false;
  #failure = 'the connection was closed';

  constructor(isInitiator: boolean, handlers: LinkHandlers) {
    this.#isInitiator = isInitiator;
    this.#handlers = handlers;
  }

  begin(peer: Instance): void {
    this.#peer = peer;
    this.#listen(peer);
    for (const signal of this.#early.splice(0)) this.signal(signal);
  }

  /** The same for one that has had to wait: where no connection can be made it is closed. */
  beginLate(make: () => Instance): void {
    if (this.#isClosed) return;
    try {
      this.begin(make());
    } catch (error) {
      this.#isClosed = true;
      this.#handlers.onClose(error instanceof Error ? error.message : String(error));
    }
  }

  #listen(peer: Instance): void {
    const handlers = this.#handlers;
    peer.on('signal', (data) => {
      const signal = toSignal(data);
      if (signal !== null && !this.#isClosed) handlers.onSignal(signal);
    });
    // On the answering end, Chromium calls the channel open a moment before the layer below it is open, and
    // silently loses what is sent in that moment. So that end waits for a first frame: it comes at once,
    // and only when both layers are open.
    if (this.#isInitiator)
      peer.on('connect', () => {
        if (!this.#isClosed) handlers.onOpen();
      });
    peer.on('data', (data: unknown) => {
      if (this.#isClosed) return;
      // Text is not a frame; the reader refuses an empty one.
      handlers.onFrame(data instanceof Uint8Array ? data : new Uint8Array());
    });
    // An error is always followed by close.
    peer.on('error', (error) => {
      this.#failure = error.message;
    });
    peer.on('close', () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      handlers.onClose(this.#failure);
    });
  }

  signal(signal: Signal): void {
    if (this.#isClosed) return;
    if (this.#peer === null) {
      this.#early.push(signal);
      return;
    }
    try {
      // As text, which simple-peer takes too; its types ask for a whole RTCIceCandidate.
      this.#peer.signal(JSON.stringify(signal));
    } catch (error) {
      this.#fail(error);
    }
  }

  send(frame: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      this.#peer?.send(frame);
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#peer?.destroy();
  }

  /** Statistics of the connection itself: simple-peer's own way to them is disabled, see above. */
  async stats(): Promise<readonly unknown[]> {
    if (this.#peer === null || this.#isClosed) return [];
    const connection: unknown = Reflect.get(this.#peer, '_pc');
    if (!isCounting(connection)) return [];
    return [...(await connection.getStats()).values()];
  }

  /** A bad signal or a channel that is closing ends the link, as any other failure does. */
  #fail(error: unknown): void {
    this.#peer?.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Whether it is a connection with statistics. */
function isCounting(
  connection: unknown,
): connection is { getStats(): Promise<ReadonlyMap<string, unknown>> } {
  return typeof connection === 'object' && connection !== null && 'getStats' in connection;
}

/** The signals that simple-peer wants to send, as far as a data channel needs them. */
function toSignal(data: SignalData): Signal | null {
  switch (data.type) {
    case 'offer':
    case 'answer':
      return data.sdp === undefined ? null : { type: data.type, sdp: data.sdp };
    case 'candidate': {
      const { candidate, sdpMLineIndex, sdpMid } = data.candidate;
      if (candidate === '' || ACTIVE_TCP.test(candidate)) return null;
      return {
        type: 'candidate',
        candidate: { candidate, sdpMLineIndex: sdpMLineIndex ?? null, sdpMid: sdpMid ?? null },
      };
    }
    default:
      return null;
  }
}
