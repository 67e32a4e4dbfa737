/** A ring member between two neighbours and a server, all played by the test. */
import {
  encodeFrame,
  parseFrame,
  type Extension,
  type Frame,
} from '../../shared/protocol/frame.ts';
import type { LinkId, PeerId } from '../../shared/protocol/ids.ts';
import type { Decision, HelloMessage, PeerMessage } from '../../shared/protocol/messages.ts';
import type {
  Complaint,
  Edge,
  JoinReply,
  MembershipReply,
  RefusalCode,
  Reply,
  Request,
  ResumeRequest,
  SettleReply,
  Signal,
  SignalDelivery,
  SignalRequest,
  View,
} from '../../shared/protocol/signaling.ts';
import type { RingEvent } from '../../shared/member/events.ts';
import type { LinkHandlers } from '../../shared/driver/ports.ts';
import type { ServerNews } from '../../shared/member/turn.ts';
import { countedRandom } from '../../shared/driver/random.ts';
import { RingPeer } from '../../shared/driver/ring-peer.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { defined, peerId, roomName, valueOf } from '../support.ts';

export const SELF = peerId(5);
export const NEIGHBOURS = { successor: peerId(7), predecessor: peerId(3) };

/** Refusals after which a peer stays where it is. */
export const STAYS: ReadonlySet<RefusalCode> = new Set(['version', 'try-again', 'no-relay']);

/** One end of a link whose other end the test holds. */
export class TestLink {
  readonly handlers: LinkHandlers;
  readonly sent: Frame[] = [];
  /** What it was told of the other end's steps. */
  readonly signals: Signal[] = [];
  isClosed = false;

  constructor(handlers: LinkHandlers) {
    this.handlers = handlers;
  }

  give(message: PeerMessage, extensions: readonly Extension[] = []): void {
    this.handlers.onFrame(encodeFrame(message, extensions));
  }
}

/** The member's requests to the server that wait for a reply. */
interface Asked<Request, Reply> {
  readonly request: Request;
  readonly reply: (reply: Reply) => void;
}

type Tell = (news: ServerNews) => void;

const EDGES: readonly Edge[] = ['successor', 'predecessor'];

/** Peer 5 between peers 3 and 7, with both links open. */
export class Ring {
  readonly clock = new SimulatedClock();
  readonly events: RingEvent[] = [];
  readonly links: TestLink[] = [];
  readonly node: RingPeer;
  readonly signals: Asked<SignalRequest, Reply>[] = [];
  readonly complaints: Asked<Complaint, MembershipReply>[] = [];
  readonly lookups: Asked<PeerId, MembershipReply>[] = [];
  readonly settles: ((reply: SettleReply) => void)[] = [];
  readonly resumes: Asked<ResumeRequest, JoinReply>[] = [];
  /** To the server, so far. */
  ways = 0;
  hasLeft = false;
  hasDropped = false;
  readonly #ids: Record<Edge, LinkId>;
  readonly #ends: Record<Edge, TestLink>;
  readonly #server: Tell;
  #version = 3;

  /**
   * @param decision what both neighbours say of the leader, in term 4
   * @param budget connections that it may make at once
   * @param greeted the edges on which the neighbours have said HELLO
   */
  constructor(decision: Decision | null, budget = 450, greeted = EDGES) {
    let server: Tell | null = null;
    let reply: ((reply: JoinReply) => void) | null = null;
    let ids: Record<Edge, LinkId> | null = null;
    this.node = new RingPeer(roomName('lobby'), {
      clock: this.clock,
      date: () => this.clock.now(),
      random: countedRandom(1),
      newId: () => SELF,
      newSecret: () => 'a secret of some length',
      connections: budget,
      openLink: (initiator, handlers) => {
        const link = new TestLink(handlers);
        this.links.push(link);
        if (initiator) handlers.onSignal({ type: 'offer', sdp: '' });
        return {
          signal: (signal) => link.signals.push(signal),
          send: (frame) => link.sent.push(valueOf(parseFrame(frame))),
          close: () => {
            link.isClosed = true;
          },
        };
      },
      newSignaling: () => ({
        connect: (onNews) => {
          this.ways += 1;
          server = onNews;
        },
        ask: (request, onReply) => {
          if (request.type === 'join') {
            const { successor, predecessor } = request.body.offers;
            ids = { successor: successor.link, predecessor: predecessor.link };
            reply = onReply;
          } else this.#take(request, onReply);
        },
        leave: () => {
          this.hasLeft = true;
        },
        drop: () => {
          this.hasDropped = true;
        },
      }),
      onEvent: (event) => {
        this.events.push(event);
        // It would come back as a new peer, and join.
        if (event.type === 'refused' && !STAYS.has(event.code)) this.node.leave();
      },
    });
    this.node.join();
    this.#server = defined<Tell>(server);
    this.#server({ type: 'connected' });
    this.#ids = defined<Record<Edge, LinkId>>(ids);
    defined<(reply: JoinReply) => void>(reply)({
      ok: true,
      view: {
        incarnation: 'e',
        era: null,
        version: 3,
        size: 3,
        successor: { id: NEIGHBOURS.successor, link: this.#ids.successor },
        predecessor: { id: NEIGHBOURS.predecessor, link: this.#ids.predecessor },
        removed: [],
        ticket: '',
      },
      policy: 'highest',
    });
    this.#ends = { successor: defined(this.links[0]), predecessor: defined(this.links[1]) };
    for (const edge of EDGES) this.#ends[edge].handlers.onOpen();
    for (const edge of greeted) this.greet(edge, decision === null ? 0 : 4, decision);
    this.#ends.successor.sent.length = 0;
  }

  /** A neighbour says HELLO on its link. */
  greet(edge: Edge, term: number, decision: Decision | null = null): void {
    this.#ends[edge].give({
      type: 'hello',
      id: NEIGHBOURS[edge],
      link: this.#ids[edge],
      ready: true,
      term,
      decision,
      removed: [],
    });
  }

  get predecessor(): TestLink {
    return this.#ends.predecessor;
  }

  get successor(): TestLink {
    return this.#ends.successor;
  }

  /** The id of the link between the two. */
  idOf(edge: Edge): LinkId {
    return this.#ids[edge];
  }

  /** The events of a type, in order. */
  told<Type extends RingEvent['type']>(type: Type): Extract<RingEvent, { type: Type }>[] {
    return this.events.filter(
      (event): event is Extract<RingEvent, { type: Type }> => event.type === type,
    );
  }

  /** A neighbour offers a link, opens it and says HELLO on it; undefined where the offer is refused. */
  offer(from: PeerId, edge: Edge, link: LinkId): TestLink | undefined {
    const taken = this.links.length;
    this.signal({ from, edge, link, signals: [{ type: 'offer', sdp: '' }] });
    const end = this.links[taken];
    end?.handlers.onOpen();
    end?.give(helloOf(from, link));
    return end;
  }

  connect(): void {
    this.#server({ type: 'connected' });
  }

  disconnect(): void {
    this.#server({ type: 'disconnected', reason: 'lost' });
  }

  check(peer: PeerId): void {
    this.#server({ type: 'check', peer });
  }

  /** Messages that went to the successor since. */
  sent(): Frame[] {
    return this.#ends.successor.sent.splice(0);
  }

  signal(delivery: SignalDelivery): void {
    this.#server({ type: 'signal', delivery });
  }

  /** A later view, which differs from the first only in this. */
  view(part: Partial<View>): void {
    this.#server({ type: 'view', view: this.#laterView(part) });
  }

  /** The server gives it its place again, in a later view. */
  resumed(part: Partial<View>): void {
    const view = this.#laterView(part);
    defined(this.resumes.at(-1)).reply({ ok: true, view, policy: 'highest' });
  }

  #laterView(part: Partial<View>): View {
    this.#version += 1;
    return {
      incarnation: 'e',
      era: null,
      version: this.#version,
      size: 3,
      successor: { id: NEIGHBOURS.successor, link: null },
      predecessor: { id: NEIGHBOURS.predecessor, link: null },
      removed: [],
      ticket: '',
      ...part,
    };
  }

  #take(request: Request, reply: (reply: unknown) => void): void {
    switch (request.type) {
      case 'resume':
        return void this.resumes.push({ request: request.body, reply });
      case 'signal':
        return void this.signals.push({ request: request.body, reply });
      case 'settle':
        return void this.settles.push(reply);
      case 'complain':
        return void this.complaints.push({ request: request.body, reply });
      case 'lookup':
        return void this.lookups.push({ request: request.body, reply });
      case 'join':
      case 'leave':
      case 'govern':
        throw new Error(`it asks to ${request.type}`);
    }
  }

  pass(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }
}

/** HELLO of a neighbour that is ready and knows of no election. */
export function helloOf(id: PeerId, link: LinkId): HelloMessage {
  return { type: 'hello', id, link, ready: true, term: 0, decision: null, removed: [] };
}
