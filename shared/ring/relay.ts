/**
 * Links whose frames go through the signaling server, for neighbours that no direct connection can
 * be made between. Both ends keep to the same steps as with WebRTC: an offer, an answer, frames.
 */
import type { Signal } from '../protocol/signaling.ts';
import type { Clock, Link, LinkHandlers, OpenLink } from './ports.ts';

/** @param clock to make the offer with, once whoever opens the link has taken hold of it */
export function relayedLinks(clock: Clock): OpenLink {
  return (initiator, handlers) => {
    const link = new RelayedLink(initiator, handlers);
    if (initiator)
      clock.after(0, () => {
        link.offer();
      });
    return link;
  };
}

class RelayedLink implements Link {
  readonly #initiator: boolean;
  readonly #handlers: LinkHandlers;
  #phase: 'connecting' | 'open' | 'closed' = 'connecting';
  #bytesSent = 0;
  #bytesReceived = 0;

  constructor(initiator: boolean, handlers: LinkHandlers) {
    this.#initiator = initiator;
    this.#handlers = handlers;
  }

  offer(): void {
    if (this.#phase === 'connecting') this.#handlers.onSignal({ type: 'relay' });
  }

  signal(signal: Signal): void {
    switch (signal.type) {
      case 'relay':
        if (this.#phase !== 'connecting') return;
        if (!this.#initiator) this.#handlers.onSignal({ type: 'relay' });
        this.#phase = 'open';
        this.#handlers.onOpen();
        return;
      case 'frame':
        if (this.#phase !== 'open') return;
        this.#bytesReceived += signal.frame.length;
        this.#handlers.onFrame(signal.frame);
        return;
      case 'closed':
        if (this.#phase === 'closed') return;
        this.#phase = 'closed';
        this.#handlers.onClose('closed by the other end');
        return;
      // Steps of a direct connection, which this is not.
      case 'offer':
      case 'answer':
      case 'candidate':
        return;
    }
  }

  send(frame: Uint8Array): void {
    if (this.#phase !== 'open') return;
    this.#bytesSent += frame.length;
    this.#handlers.onSignal({ type: 'frame', frame });
  }

  close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#handlers.onSignal({ type: 'closed' });
  }

  /** In the words of WebRTC's counts of a data channel. */
  stats(): Promise<readonly unknown[]> {
    const counts = { bytesSent: this.#bytesSent, bytesReceived: this.#bytesReceived };
    return Promise.resolve([{ type: 'data-channel', ...counts }]);
  }
}
