/** Control over the links between peers: messages can be observed, held, lost or cut. */
import { encodeFrame, parseFrame } from '../../shared/protocol/frame.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { ElectionMessage, PeerMessage } from '../../shared/protocol/messages.ts';
import type { Link, LinkHandlers, OpenLink } from '../../shared/driver/ports.ts';
import { letterOf } from './names.ts';

export interface Listener {
  /** A message has arrived. */
  heard(at: PeerId, from: PeerId, message: PeerMessage): void;
  /** A message will not arrive now, or never. */
  stopped(from: PeerId, to: PeerId, message: ElectionMessage, how: 'held back' | 'lost'): void;
}

/** One end of a link, as its owner sees it. */
interface End {
  readonly self: PeerId;
  readonly handlers: LinkHandlers;
  readonly link: Link;
  /** The peer at the other end, once it has said HELLO. */
  peer: PeerId | null;
  /** What has arrived and is held, in order. */
  readonly held: (() => void)[];
  /** Nothing arrives any more. */
  isDeaf: boolean;
}

export class Wires {
  readonly #listener: Listener;
  readonly #ends = new Set<End>();
  /** Directions such as A->B. */
  readonly #holding = new Set<string>();
  readonly #losing = new Set<string>();

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** @param self whose links these are, at the time a link is made */
  tap(openLink: OpenLink, self: () => PeerId): OpenLink {
    return (initiator, handlers) => {
      const link = openLink(initiator, {
        ...handlers,
        onFrame: (bytes) => {
          if (!end.isDeaf) this.#arrive(end, bytes);
        },
        onClose: (reason) => {
          if (end.isDeaf) return;
          // A goodbye that is held holds the end of the link, too.
          this.#passOrHold(end, () => {
            this.#ends.delete(end);
            handlers.onClose(reason);
          });
        },
      });
      const end: End = { self: self(), handlers, link, peer: null, held: [], isDeaf: false };
      this.#ends.add(end);
      return {
        signal: (signal) => {
          link.signal(signal);
        },
        send: (frame) => {
          link.send(frame);
        },
        close: () => {
          this.#ends.delete(end);
          link.close();
        },
      };
    };
  }

  /** From the next CLAIM or ELECTED on, nothing of the election and no goodbye arrives. */
  hold(from: string, to: string): void {
    this.#holding.add(direction(from, to));
  }

  /** Lets the oldest held message arrive. */
  deliver(from: string, to: string): void {
    const end = this.#endsOf(from, to).find(({ held }) => held.length > 0);
    if (end === undefined) throw new Error(`nothing is held on ${direction(from, to)}`);
    end.held.shift()?.();
  }

  /** Lets everything held arrive, and everything that follows. */
  release(from: string, to: string): void {
    if (!this.#holding.delete(direction(from, to)))
      throw new Error(`${direction(from, to)} is not held`);
    for (const end of this.#endsOf(from, to))
      while (this.#ends.has(end) && end.held.length > 0) end.held.shift()?.();
  }

  /** The next CLAIM or ELECTED vanishes. */
  lose(from: string, to: string): void {
    this.#losing.add(direction(from, to));
  }

  /** Every link between the two breaks, at both ends at once. */
  cut(one: string, other: string): void {
    const ends = this.#linksOf(one, other);
    for (const end of ends) {
      this.#ends.delete(end);
      end.link.close();
    }
    for (const end of ends) end.handlers.onClose('the connection broke');
  }

  /** Nothing gets through on the present links between the two. Others can be made. */
  silence(one: string, other: string): void {
    for (const end of this.#linksOf(one, other)) end.isDeaf = true;
  }

  /** Sends a message that its sender does not know of. Returns both ends. */
  forge(from: string, to: string, message: ElectionMessage): { from: PeerId; to: PeerId } {
    const [end] = this.#endsOf(to, from);
    if (end === undefined || end.peer === null)
      throw new Error(`there is no link between ${from} and ${to}`);
    end.link.send(encodeFrame(message));
    return { from: end.self, to: end.peer };
  }

  /** Nothing reaches a peer any more. */
  forget(self: PeerId): void {
    for (const end of this.#ends) if (end.self === self) this.#ends.delete(end);
  }

  /** All ends of the links between the two. */
  #linksOf(one: string, other: string): End[] {
    const ends = [...this.#endsOf(one, other), ...this.#endsOf(other, one)];
    if (ends.length === 0) throw new Error(`there is no link between ${one} and ${other}`);
    return ends;
  }

  /** The receiving ends of what `from` sends to `to`. */
  #endsOf(from: string, to: string): End[] {
    return [...this.#ends].filter(
      ({ self, peer }) => peer !== null && letterOf(self) === to && letterOf(peer) === from,
    );
  }

  #arrive(end: End, bytes: Uint8Array): void {
    const frame = parseFrame(bytes);
    const arrive = () => {
      if (frame.ok && end.peer !== null)
        this.#listener.heard(end.self, end.peer, frame.value.message);
      end.handlers.onFrame(bytes);
    };
    if (!frame.ok) {
      arrive();
      return;
    }
    const { message } = frame.value;
    switch (message.type) {
      case 'claim':
      case 'elected':
        if (!this.#isStopped(end, message, arrive)) arrive();
        return;
      case 'bye':
        this.#passOrHold(end, arrive);
        return;
      case 'hello':
        end.peer = message.id;
        arrive();
        return;
      default:
        arrive();
    }
  }

  #isStopped(end: End, message: ElectionMessage, arrive: () => void): boolean {
    if (end.peer === null) return false;
    const way = direction(letterOf(end.peer), letterOf(end.self));
    const isLost = this.#losing.delete(way);
    const isHeld = !isLost && (this.#holding.has(way) || end.held.length > 0);
    if (isHeld) end.held.push(arrive);
    if (isHeld || isLost)
      this.#listener.stopped(end.peer, end.self, message, isHeld ? 'held back' : 'lost');
    return isHeld || isLost;
  }

  #passOrHold(end: End, pass: () => void): void {
    if (end.held.length > 0) end.held.push(pass);
    else pass();
  }
}

function direction(from: string, to: string): string {
  return `${from}->${to}`;
}
