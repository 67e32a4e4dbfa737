/** A link to one neighbour: its life from offer to goodbye, and messages instead of bytes. */
import { encodeFrame, parseFrame, type Extension, type Frame } from '../protocol/frame.ts';
import type { LinkId, PeerId } from '../protocol/ids.ts';
import type {
  ElectionMessage,
  HeartbeatMessage,
  HelloMessage,
  PeerMessage,
} from '../protocol/messages.ts';
import { MAX_SIGNALS_PER_MESSAGE, type Signal } from '../protocol/signaling.ts';
import { Allowance } from './allowance.ts';
import { HeldMessages } from './held-messages.ts';
import type { Clock, Link, OpenLink } from './ports.ts';
import { RoundTrip } from './round-trip.ts';
import {
  ANSWER_BURST,
  ANSWER_RATE,
  FAREWELL,
  FRAME_BURST,
  FRAME_RATE,
  LINGER,
  LINK_SILENCE,
  LONGEST_ROUND_TRIP,
  MAX_FAULTS,
  MAX_SIGNALS,
  MEASURE_INTERVAL,
  PROBE_MARGIN,
  PROBE_SILENCE,
  RELAYED_PROBE_SILENCE,
  SILENCE_MARGIN,
} from './timing.ts';

/** Whether frames go from device to device or through the signaling server. */
export type LinkKind = 'direct' | 'relayed';

export interface NeighbourLinkHandlers {
  /** The link can be used from now on. */
  onOpen(link: NeighbourLink): void;
  /** Every message after the neighbour's first HELLO, and that one too. */
  onMessage(link: NeighbourLink, frame: Frame<Exclude<PeerMessage, HeartbeatMessage>>): void;
  /** A frame that is not to be trusted was dropped. */
  onBadFrame(link: NeighbourLink, error: string): void;
  /** More came than any honest neighbour sends. Told once. */
  onFlood(link: NeighbourLink): void;
  onClosed(link: NeighbourLink, reason: string): void;
  /** The link is lost, and with it messages of the election that it held. */
  onUnsent(messages: readonly ElectionMessage[]): void;
  /** A signal for the neighbour; only after {@link NeighbourLink.bind}. */
  onSignals(link: NeighbourLink, signals: readonly Signal[]): void;
}

export class NeighbourLink {
  readonly id: LinkId;
  readonly kind: LinkKind;
  readonly #handlers: NeighbourLinkHandlers;
  readonly #clock: Clock;
  readonly #link: Link;
  #peer: PeerId | null;
  #phase: 'connecting' | 'open' | 'leaving' | 'closed' = 'connecting';
  #hello: HelloMessage | null = null;
  #term = 0;
  #unsent: Signal[] = [];
  #waiting: { readonly call: () => void } | null = null;
  /** When something was last heard, or hoped for; and the same of the election. */
  #heardAt: number;
  #electionAt: number;
  #saidReady = false;
  readonly #roundTrip = new RoundTrip();
  #measuredAt: number;
  readonly #madeAt: number;
  #beat: { readonly count: number; readonly at: number } | null = null;
  #beats = 0;
  #faults = 0;
  #signals = 0;
  /** Frames that may come, and heartbeats that are answered. */
  readonly #allowance: Allowance;
  readonly #answers: Allowance;
  readonly #held: HeldMessages;

  /**
   * @param id the link's own; frames and signals of another are not for it
   * @param peer at the other end; null for an offer made before the neighbour is known
   * @param initiator whether this end makes the offer
   * @throws Error where the platform cannot make links
   */
  constructor(
    id: LinkId,
    kind: LinkKind,
    peer: PeerId | null,
    initiator: boolean,
    ports: { readonly openLink: OpenLink; readonly clock: Clock },
    handlers: NeighbourLinkHandlers,
  ) {
    this.id = id;
    this.kind = kind;
    this.#madeAt = ports.clock.now();
    this.#heardAt = this.#madeAt;
    this.#electionAt = this.#heardAt;
    this.#measuredAt = this.#madeAt;
    this.#allowance = new Allowance(ports.clock, FRAME_BURST, FRAME_RATE);
    this.#answers = new Allowance(ports.clock, ANSWER_BURST, ANSWER_RATE);
    this.#held = new HeldMessages(ports.clock);
    this.#peer = peer;
    this.#handlers = handlers;
    this.#clock = ports.clock;
    this.#link = ports.openLink(initiator, {
      onSignal: (signal) => {
        this.#giveOut(signal);
      },
      onOpen: () => {
        this.#opened();
      },
      onFrame: (bytes) => {
        this.#opened();
        this.#receive(bytes);
      },
      onClose: (reason) => {
        this.#lost(reason);
      },
    });
  }

  get peer(): PeerId | null {
    return this.#peer;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  get isClosed(): boolean {
    return this.#phase === 'closed' || this.#phase === 'leaving';
  }

  /** Whether the neighbour has said HELLO on it, and it is open. */
  get isGreeted(): boolean {
    return this.isOpen && this.#hello !== null;
  }

  /** What the neighbour said first and last of itself, once it has. */
  get hello(): HelloMessage | null {
    return this.#hello;
  }

  /** The term that the neighbour spoke of last, 0 before that. */
  get term(): number {
    return this.#term;
  }

  /** Milliseconds since anything was heard from the other end, HELLO first of all; 0 before the link is open. */
  get silence(): number {
    return this.#phase === 'open' ? this.#clock.now() - this.#heardAt : 0;
  }

  /** Milliseconds since a message of the election came, or this end told that it is ready for one. */
  get muteness(): number {
    return this.#phase === 'open' && this.#saidReady ? this.#clock.now() - this.#electionAt : 0;
  }

  /** The silence after which something must be wrong, in milliseconds. */
  get patience(): number {
    return Math.max(LINK_SILENCE, this.#roundTrip.most + SILENCE_MARGIN);
  }

  /** The same where there is another reason to think so. */
  get probePatience(): number {
    return this.kind === 'relayed'
      ? RELAYED_PROBE_SILENCE
      : Math.max(PROBE_SILENCE, this.#roundTrip.most + PROBE_MARGIN);
  }

  /** Milliseconds since it was begun to be made. */
  get age(): number {
    return this.#clock.now() - this.#madeAt;
  }

  /** Whether it was measured so long ago that it may be another by now, and is not being measured. */
  get isRoundTripOld(): boolean {
    return this.#beat === null && this.#clock.now() - this.#measuredAt >= MEASURE_INTERVAL;
  }

  /** Milliseconds that a sign of life takes to be answered; null before the first answer. */
  get roundTrip(): number | null {
    return this.#roundTrip.mean;
  }

  /** What the platform counts of it. */
  stats(): Promise<readonly unknown[]> {
    return this.#link.stats?.() ?? Promise.resolve([]);
  }

  /** Asks for a sign of life. */
  beat(): void {
    this.#beats = (this.#beats + 1) % 0x1_0000;
    this.#beat = { count: this.#beats, at: this.#clock.now() };
    this.send({ type: 'heartbeat', isReply: false, count: this.#beats });
  }

  /** Lets the silence so far count for nothing. */
  forgive(): void {
    this.#heardAt = this.#clock.now();
    this.#electionAt = this.#heardAt;
  }

  /** Counts a frame that could not be used. Returns whether the neighbour has had its share. */
  fault(): boolean {
    this.#faults += 1;
    return this.#faults > MAX_FAULTS;
  }

  /** Gives an offer its addressee; signals go out by themselves from now on. */
  bind(peer: PeerId): void {
    this.#peer = peer;
    this.#sendSignals();
  }

  /** Calls back once an unbound offer has a first signal to give. */
  whenOffered(call: () => void): void {
    if (this.#unsent.length > 0 || this.isClosed) call();
    else this.#waiting = { call };
  }

  /** The signals gathered so far, to be sent along with a join; what is too many for it stays. */
  takeSignals(): Signal[] {
    return this.#unsent.splice(0, MAX_SIGNALS_PER_MESSAGE);
  }

  /** Takes signals of the other end; of a direct link no more than one has, as they may be kept. */
  signal(signals: readonly Signal[]): void {
    for (const signal of signals) {
      if (this.isClosed) return;
      this.#signals += 1;
      if (this.kind === 'direct' && this.#signals > MAX_SIGNALS) return;
      this.#link.signal(signal);
    }
  }

  send(message: PeerMessage, extensions: readonly Extension[] = []): void {
    if (this.#phase !== 'open') return;
    if (message.type === 'hello') {
      this.#saidReady = message.ready;
      this.#electionAt = this.#clock.now();
    }
    this.#link.send(encodeFrame(message, extensions));
  }

  /**
   * Sends a message of the election once the hop delay is over, after all that is held already.
   * @param milliseconds of the hop delay
   * @param onSent called when it is sent; never where the link is given up before
   * @returns for how many milliseconds it is held; 0 where it was sent at once
   */
  pass(
    message: ElectionMessage,
    extensions: readonly Extension[],
    milliseconds: number,
    onSent: () => void,
  ): number {
    return this.#held.add(message, milliseconds, () => {
      this.send(message, extensions);
      onSent();
    });
  }

  /** Takes back messages that are held, all or those for which `matches` holds. Returns them. */
  discard(matches?: (message: ElectionMessage) => boolean): readonly ElectionMessage[] {
    return this.#held.discard(matches);
  }

  /**
   * Says goodbye and lets the neighbour close, so that nothing on its way is lost. What is held is on
   * its way; only a peer that leaves the ring takes it along.
   */
  retire(reason: 'leaving' | 'relinked'): void {
    if (this.#phase !== 'open') {
      this.close();
      return;
    }
    if (reason === 'relinked') this.#held.flush();
    else this.#held.discard();
    this.send({ type: 'bye', reason });
    this.#phase = 'leaving';
    this.#clock.after(FAREWELL, () => {
      this.close();
    });
  }

  close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#giveUpHeld();
    this.#link.close();
  }

  /** Neither says nor hears anything any more. Closing it is a word, too: that comes much later. */
  fallSilent(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#giveUpHeld();
    this.#clock.after(LINGER, () => {
      this.#link.close();
    });
  }

  #giveUpHeld(): void {
    const messages = this.#held.discard();
    if (messages.length > 0) this.#handlers.onUnsent(messages);
  }

  #giveOut(signal: Signal): void {
    // That a relayed link is closed is said by a signal, too.
    if (this.isClosed && signal.type !== 'closed') return;
    this.#unsent.push(signal);
    if (this.#peer === null) this.#offered();
    else this.#sendSignals();
  }

  #sendSignals(): void {
    while (this.#unsent.length > 0) this.#handlers.onSignals(this, this.takeSignals());
  }

  #offered(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.call();
  }

  /** A first frame means open too: WebRTC's links report it on one side only. */
  #opened(): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#heardAt = this.#clock.now();
    this.#handlers.onOpen(this);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#phase !== 'open' || !this.#isAllowed()) return;
    const frame = parseFrame(bytes);
    if (!frame.ok) {
      this.#handlers.onBadFrame(this, frame.error);
      return;
    }
    // Before HELLO nothing counts: such a link is of no use, whatever else it carries.
    if (this.#hello !== null) this.#heardAt = this.#clock.now();
    const { message } = frame.value;
    if (message.type === 'heartbeat') {
      this.#receiveHeartbeat(message);
      return;
    }
    if (message.type === 'hello') {
      if (message.id !== this.#peer || message.link !== this.id) {
        this.#handlers.onBadFrame(this, `says it is ${message.id} on link ${message.link}`);
        return;
      }
      this.#hello = message;
      this.#heardAt = this.#clock.now();
    } else if (this.#hello === null && message.type !== 'bye') {
      this.#handlers.onBadFrame(this, `${message.type} before hello`);
      return;
    }
    if (message.type !== 'bye' && message.type !== 'pace') this.#term = message.term;
    if (message.type === 'claim' || message.type === 'elected')
      this.#electionAt = this.#clock.now();
    this.#handlers.onMessage(this, { message, extensions: frame.value.extensions });
  }

  #receiveHeartbeat({ isReply, count }: HeartbeatMessage): void {
    if (!isReply) {
      // On a relayed link an answer takes more than the question: ten of those are one signal. That
      // there are more of them is no fault: they may have waited for this peer to wake up.
      if (this.#answers.takeOne()) this.send({ type: 'heartbeat', isReply: true, count });
    } else if (this.#beat?.count === count) {
      const took = this.#clock.now() - this.#beat.at;
      // What took longer, one of the two has slept through.
      if (took <= LONGEST_ROUND_TRIP) {
        this.#roundTrip.measure(took);
        this.#measuredAt = this.#clock.now();
      }
      this.#beat = null;
    }
  }

  /** Takes one frame from the allowance. */
  #isAllowed(): boolean {
    if (this.#allowance.takeOne()) return true;
    this.#handlers.onFlood(this);
    return false;
  }

  #lost(reason: string): void {
    const wasOurs = !this.isClosed;
    this.#phase = 'closed';
    this.#giveUpHeld();
    this.#offered();
    if (wasOurs) this.#handlers.onClosed(this, reason);
  }
}
