/** A ring member in a played world: its links, its neighbours, its server, its time. */
import { encodeFrame, parseFrame, type Frame } from '../../protocol/frame.ts';
import { parseRoomName, type LinkId, type PeerId } from '../../protocol/ids.ts';
import type { PeerMessage } from '../../protocol/messages.ts';
import {
  parseRequest,
  type Edge,
  type JoinReply,
  type MembershipReply,
  type Reply,
  type Request,
  type Signal,
  type SignalRequest,
} from '../../protocol/signaling.ts';
import type { ServerNews } from '../../member/turn.ts';
import type { RingEvent } from '../../member/events.ts';
import type { Clock, LinkHandlers } from '../../driver/ports.ts';
import { RingPeer } from '../../driver/ring-peer.ts';
import { SimulatedClock } from '../clock.ts';
import type { Dice } from './dice.ts';

/** One end of a link, direct or relayed, that the member holds; the bench plays the other end. */
export class BenchLink {
  readonly #handlers: LinkHandlers | null;
  readonly #bench: Bench;
  /** What it is for, once the member has said so or was told. */
  id: LinkId | null = null;
  peer: PeerId | null = null;
  edge: Edge = 'successor';
  isClosed = false;
  isOpen = false;
  readonly sent: Frame[] = [];

  /** @param handlers null for a relayed one, whose frames are signals */
  constructor(bench: Bench, handlers: LinkHandlers | null) {
    this.#bench = bench;
    this.#handlers = handlers;
  }

  get isRelayed(): boolean {
    return this.#handlers === null;
  }

  open(): void {
    this.isOpen = true;
    if (this.#handlers === null) this.#signal({ type: 'relay' });
    else this.#handlers.onOpen();
  }

  /** Some platforms report a first frame, and not that they are open. */
  give(bytes: Uint8Array): void {
    this.isOpen = true;
    if (this.#handlers === null) this.#signal({ type: 'frame', frame: bytes });
    else this.#handlers.onFrame(bytes);
  }

  say(message: PeerMessage): void {
    this.give(encodeFrame(message));
  }

  /** The other end closes it, or it breaks. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.#handlers === null) this.#signal({ type: 'closed' });
    else this.#handlers.onClose('broken');
  }

  #signal(signal: Signal): void {
    if (this.id !== null && this.peer !== null)
      this.#bench.server({
        type: 'signal',
        delivery: { from: this.peer, edge: this.edge, link: this.id, signals: [signal] },
      });
  }
}

/** Has the server say something to the member. */
type Tell = (news: ServerNews) => void;

/** A request of the member that the server has not answered. */
interface Question {
  readonly about: PeerId;
  /** When it was asked, in milliseconds. */
  readonly at: number;
  readonly reply: (reply: MembershipReply) => void;
}

export class Bench {
  readonly clock = new SimulatedClock();
  readonly node: RingPeer;
  readonly id: PeerId;
  /** Links that the member has not closed or lost. */
  readonly links = new Set<BenchLink>();
  /** Some of the valid frames that it sent, for replays. */
  readonly seen: Uint8Array[] = [];
  complaints: Question[] = [];
  lookups: Question[] = [];
  readonly signals: { readonly request: SignalRequest; readonly reply: (reply: Reply) => void }[] =
    [];
  placed: ((reply: JoinReply) => void) | null = null;
  /** The peers that it has accused of violating the protocol. */
  readonly accused = new Set<PeerId>();
  /** What it did that no honest member does, in words. */
  readonly faults: string[] = [];
  timers = 0;
  isLeft = false;
  onEvent: (event: RingEvent) => void = () => undefined;
  #server: Tell | null = null;
  #newest: BenchLink | null = null;
  readonly #dice: Dice;

  constructor(dice: Dice, policy: 'highest' | 'incumbent', priority: number) {
    this.#dice = dice;
    this.id = dice.peerId();
    const room = parseRoomName('lobby');
    if (!room.ok) throw new Error(room.error);
    const clock = this.#countedClock();
    this.node = new RingPeer(
      room.value,
      {
        clock,
        date: () => clock.now(),
        random: () => dice.random(),
        newId: () => this.id,
        newSecret: () => 'a secret of some length',
        openLink: (initiator, handlers) => this.#openLink(initiator, handlers),
        newSignaling: () => ({
          connect: (onNews) => {
            this.#server = onNews;
          },
          ask: (request, onReply) => this.#take(request, onReply),
          leave: () => {
            this.isLeft = true;
          },
          drop: () => undefined,
        }),
        onEvent: (event) => {
          this.onEvent(event);
          // It would come back as a new peer.
          if (event.type === 'refused' && event.code !== 'version') this.node.leave();
        },
      },
      { priority, policy },
    );
    this.node.join();
  }

  get server(): Tell {
    if (this.#server === null) throw new Error('the member has not connected');
    return this.#server;
  }

  /** A message from the server that may make a link with this id. */
  deliver(from: PeerId, edge: Edge, link: LinkId, signals: readonly Signal[]): void {
    this.#newest = null;
    const known = this.find(from, edge, link);
    this.server({ type: 'signal', delivery: { from, edge, link, signals: [...signals] } });
    this.#nameNewest(link, edge, from);
    // The answer to a relayed offer has come as a signal by now.
    const answered = this.find(from, edge, link);
    if (answered !== known && answered?.isRelayed === true) answered.isOpen = true;
  }

  /** The offering end chooses the id of a link: another neighbour's link may have the same. */
  find(peer: PeerId, edge: Edge, id: LinkId): BenchLink | undefined {
    return [...this.links].find(
      (link) => link.id === id && link.edge === edge && link.peer === peer,
    );
  }

  /** Requests made until this time, in milliseconds, are no longer answered. */
  forgetQuestions(until: number): void {
    this.lookups = this.lookups.filter(({ at }) => at > until);
    this.complaints = this.complaints.filter(({ at }) => at > until);
  }

  pass(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }

  readonly #offered = new Map<string, BenchLink>();

  #countedClock(): Clock {
    return {
      now: () => this.clock.now(),
      after: (milliseconds, call) => {
        this.timers += 1;
        let isOver = false;
        const over = () => {
          if (!isOver) this.timers -= 1;
          isOver = true;
        };
        const cancel = this.clock.after(milliseconds, () => {
          over();
          call();
        });
        return () => {
          over();
          cancel();
        };
      },
    };
  }

  #openLink(initiator: boolean, handlers: LinkHandlers) {
    const link = new BenchLink(this, handlers);
    this.links.add(link);
    // Its own offer is recognised by its signals: it may not be for any neighbour yet.
    if (!initiator) this.#newest = link;
    const name = `link ${this.#dice.peerId()}`;
    this.#offered.set(name, link);
    if (initiator) handlers.onSignal({ type: 'offer', sdp: name });
    return {
      signal: (signal: Signal) => {
        if (signal.type === 'offer' && !initiator && !link.isClosed)
          handlers.onSignal({ type: 'answer', sdp: name });
      },
      send: (frame: Uint8Array) => {
        if (link.isClosed) return;
        if (!link.isOpen) this.faults.push('a frame on a link that is not open');
        this.#sent(link, frame);
      },
      close: () => {
        link.isClosed = true;
        this.links.delete(link);
        this.#offered.delete(name);
      },
    };
  }

  #nameNewest(id: LinkId, edge: Edge, peer: PeerId): void {
    if (this.#newest !== null) this.#identify(this.#newest, id, edge, peer);
  }

  #identify(link: BenchLink, id: LinkId, edge: Edge, peer: PeerId | null): void {
    link.id = id;
    link.edge = edge;
    link.peer = peer;
  }

  #name(signals: readonly Signal[], id: LinkId, edge: Edge, peer: PeerId | null): void {
    for (const signal of signals) {
      if (signal.type !== 'offer' && signal.type !== 'answer') continue;
      const link = this.#offered.get(signal.sdp);
      if (link !== undefined) this.#identify(link, id, edge, peer);
    }
  }

  #take(request: Request, reply: (reply: unknown) => void): void {
    const { type, body } = request;
    if (!parseRequest(type, body).ok) this.faults.push(`a request to ${type} that is malformed`);
    const at = this.clock.now();
    switch (request.type) {
      case 'join':
        for (const edge of ['successor', 'predecessor'] as const) {
          const { signals, link } = request.body.offers[edge];
          this.#name(signals, link, edge, null);
        }
        this.placed = reply;
        return;
      case 'resume':
        this.placed = reply;
        return;
      case 'signal':
        this.signals.push({ request: request.body, reply });
        this.#signaled(request.body);
        return;
      case 'settle':
        reply({ ok: true, era: 1 });
        return;
      case 'complain':
        if (request.body.fault === 'misbehaves') this.accused.add(request.body.about);
        this.complaints.push({ ...request.body, at, reply });
        return;
      case 'lookup':
        this.lookups.push({ about: request.body, at, reply });
        return;
      case 'leave':
        return;
      case 'govern':
        this.faults.push('a member that governs the room');
        return;
    }
  }

  /** The member's signals: offers and answers name links, relayed frames are frames. */
  #signaled({ to, edge, link: id, signals }: SignalRequest): void {
    this.#name(signals, id, edge, to);
    for (const signal of signals) {
      const link = this.find(to, edge, id);
      if (signal.type === 'relay' && link?.isRelayed !== false) {
        // A link of that id that was closed by an earlier signal may still be known.
        if (link !== undefined) this.links.delete(link);
        const offered = new BenchLink(this, null);
        this.#identify(offered, id, edge, to);
        this.links.add(offered);
      }
      if (link?.isRelayed !== true) continue;
      if (signal.type === 'frame') this.#sent(link, signal.frame);
      if (signal.type === 'closed') {
        link.isClosed = true;
        this.links.delete(link);
      }
    }
  }

  /** An honest neighbour must be able to use everything that a member sends. */
  #sent(link: BenchLink, bytes: Uint8Array): void {
    const parsed = parseFrame(bytes);
    if (!parsed.ok) {
      this.faults.push(`sent a bad frame: ${parsed.error}`);
      return;
    }
    const { message } = parsed.value;
    link.sent.push(parsed.value);
    if (link.sent.length > 50) link.sent.shift();
    this.#remember(bytes);
    if (message.type === 'hello' && (message.id !== this.id || message.link !== link.id))
      this.faults.push(`sent a HELLO of ${message.id} on link ${message.link}`);
    if (message.type !== 'claim' && message.type !== 'elected') return;
    if (link.edge !== 'successor') this.faults.push(`sent a ${message.type} to its predecessor`);
    const hops = message.type === 'claim' ? message.hops : message.decision.hops;
    const origin = message.type === 'claim' ? message.claim.id : message.decision.leader.id;
    if ((hops === 1) !== (origin === this.id))
      this.faults.push(`sent a ${message.type} of ${origin} with ${hops} hops`);
  }

  #remember(bytes: Uint8Array): void {
    if (this.seen.length < 64) this.seen.push(bytes);
    else this.seen[this.#dice.below(64)] = bytes;
  }
}
