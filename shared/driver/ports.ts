/** What a ring member needs from the world around it. The browser, Node and the simulator provide it. */
import type { ServerNews } from '../member/turn.ts';
import type { Request, Signal } from '../protocol/signaling.ts';

export interface Clock {
  /** Milliseconds since any fixed moment; never falls. */
  now(): number;
  /**
   * Calls back once, `milliseconds` from now or later.
   * @returns a function that cancels the call
   */
  after(milliseconds: number, call: () => void): () => void;
}

/** One end of a connection between two neighbours. Methods do nothing once it is closed. */
export interface Link {
  /** Takes in what the other end's `onSignal` gave out; a description that is none ends the link. */
  signal(signal: Signal): void;
  /** Sends one frame, in order and whole, or loses the link. */
  send(frame: Uint8Array): void;
  /** Lets go at once: what was just sent may be lost. `onClose` is not called. */
  close(): void;
  /** What the platform counts of it, in its own words. Expensive; call on demand. */
  stats?(): Promise<readonly unknown[]>;
}

export interface LinkHandlers {
  /** A signal for the other end. */
  onSignal(signal: Signal): void;
  /** Frames can be sent from now on. The end that does not initiate may be told by a first frame alone. */
  onOpen(): void;
  /**
   * One frame as the other end sent it, never trusted; empty where the other end sent text. Frames can be
   * sent from now on, too.
   */
  onFrame(frame: Uint8Array): void;
  /** The connection failed, or the other end closed it. Nothing follows. */
  onClose(reason: string): void;
}

/**
 * Makes one end of a link.
 * @param initiator whether this end makes the offer
 * @throws Error where links cannot be made at all, as without WebRTC
 */
export type OpenLink = (initiator: boolean, handlers: LinkHandlers) => Link;

/**
 * The way to the signaling server. It reconnects by itself until it is closed, also where no reply to
 * `join` comes within PLACE_PATIENCE, or none to `resume` within REPLY_PATIENCE. A reply to anything else
 * may never come: it is not waited for beyond that time, nor once the connection is lost.
 */
export interface Signaling {
  /** There is a connection from each `connected` to the next `disconnected`, or to the end of the way. */
  connect(onNews: (news: ServerNews) => void): void;
  /**
   * Sends a request. The reply is as it came, never trusted. A request made without a connection is dropped:
   * it is never sent later, and its reply never comes.
   */
  ask(request: Request, onReply: (reply: unknown) => void): void;
  /** Gives up the place in the ring and closes the connection. */
  leave(): void;
  /** Closes the connection without a word, as if the process were killed. */
  drop(): void;
}
