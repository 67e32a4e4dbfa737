/** A broker whose network and time the test plays. */
import { expect } from 'vitest';
import { orderOf, sessionsIn, sizeOf } from '../../shared/broker/broker.ts';
import { NO_FACTS } from '../../shared/broker/facts.ts';
import type { Notice } from '../../shared/broker/room.ts';
import { run, type BrokerLoop } from './run.ts';
import {
  newBroker,
  type Broker,
  type BrokerLimits,
  type Delivery,
  type Membership,
  type Note,
  type SessionId,
} from '../../shared/broker/state.ts';
import { encodeFrame } from '../../shared/protocol/frame.ts';
import type { LinkId, PeerId, RoomName } from '../../shared/protocol/ids.ts';
import type { HelloMessage, PeerMessage, Policy } from '../../shared/protocol/messages.ts';
import {
  SIGNALING_VERSION,
  type JoinReply,
  type JoinRequest,
  type MembershipReply,
  type Fault,
  type GovernRequest,
  type ReplyTo,
  type Request,
  type ResumeRequest,
  type SettleReply,
  type Signal,
  type SignalDelivery,
  type SignalRequest,
  type Ticket,
  type View,
} from '../../shared/protocol/signaling.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { PLAIN_TICKETS } from '../../shared/simulation/plain-tickets.ts';
import { seededRandom } from '../../shared/simulation/random.ts';
import { defined, peerId, roomName } from '../support.ts';
import { newcomer } from './newcomers.ts';

export const LOBBY = roomName('lobby');
export const WINDOW = 30;

/** A broker without a network: what it delivers is kept, what it asks the test answers. */
export class Server {
  readonly clock = new SimulatedClock();
  readonly broker: Broker;
  readonly loop: BrokerLoop;
  readonly delivered: { readonly room: RoomName; readonly delivery: Notice }[] = [];
  readonly probes: {
    readonly id: PeerId;
    readonly offer: SignalDelivery;
    readonly answer: () => void;
  }[] = [];
  readonly disconnected: PeerId[] = [];
  /** By what each peer was let in, if that has a name. */
  readonly grants = new Map<PeerId, string>();
  readonly otherRoom = roomName('elsewhere');
  /** From which each peer connects; an address of its own, if it is not here. */
  readonly addresses = new Map<PeerId, string>();
  readonly notes: Note[] = [];
  /** By session: whose it is. */
  readonly #places = new Map<SessionId, Membership>();
  #sessions = 0;
  readonly #onReply = new Map<number, (reply: ReplyTo) => void>();
  #requests = 0;

  constructor(limits: Partial<BrokerLimits> = {}) {
    const all = {
      peersPerRoom: 100,
      rooms: 10,
      burstWindow: WINDOW,
      relays: true,
      relayedBytes: 1_000_000,
      ...limits,
    };
    this.broker = newBroker('monday', all, 0);
    const date = () => 1e12 + this.clock.now();
    const perform = (delivery: Delivery) => {
      this.#perform(delivery);
    };
    const times = { clock: this.clock, date };
    this.loop = run(this.broker, perform, times, {
      tickets: PLAIN_TICKETS,
      random: seededRandom(1),
    });
  }

  /** A newcomer asks over a new connection; what it is told is pushed to the list returned. */
  join(
    number: number,
    part: Partial<JoinRequest> = {},
    onReply: () => void = () => undefined,
  ): JoinReply[] {
    const replies: JoinReply[] = [];
    const request = requestOf(number, part);
    this.#ask(this.#connect(request), { type: 'join', body: request }, (reply) => {
      if (!reply.ok || 'view' in reply) replies.push(reply);
      onReply();
    });
    return replies;
  }

  /** Asks for a place over a new connection, by default in the memory that the broker has. */
  resume(number: number, guess?: string, part: Returning = {}): JoinReply {
    const { secret } = requestOf(number);
    const request = resumeOf(number, { secret: guess ?? secret, ...part });
    const replies: JoinReply[] = [];
    this.#ask(this.#connect(request), { type: 'resume', body: request }, (reply) => {
      if (!reply.ok || 'view' in reply) replies.push(reply);
    });
    return defined(replies[0]);
  }

  /** A member says that it knows the ring's term. Returns the era that it is told. */
  settle(number: number, room = LOBBY): number {
    const replies: SettleReply[] = [];
    this.#ask(this.#sessionOf(peerId(number), room), { type: 'settle', body: null }, (reply) => {
      if (!reply.ok || 'era' in reply) replies.push(reply);
    });
    const reply = defined(replies[0]);
    if (!reply.ok) throw new Error(reply.message);
    return reply.era;
  }

  signal(from: PeerId, request: SignalRequest): ReplyTo {
    const replies: ReplyTo[] = [];
    this.#ask(this.#sessionOf(from), { type: 'signal', body: request }, (reply) =>
      replies.push(reply),
    );
    return defined(replies[0]);
  }

  complain(from: PeerId, about: PeerId, fault: Fault): MembershipReply[] {
    const request: Request = { type: 'complain', body: { about, fault } };
    return this.#askMembership(this.#sessionOf(from), request);
  }

  /** Somebody who is no member asks for what only the host may do. */
  govern(body: GovernRequest): ReplyTo {
    const replies: ReplyTo[] = [];
    const session = this.#connect({ room: body.room, id: peerId(0xfff) });
    this.#ask(session, { type: 'govern', body }, (reply) => replies.push(reply));
    return defined(replies[0]);
  }

  /** A member that makes links says that a neighbour misbehaves. */
  accuse(from: PeerId, about: PeerId): MembershipReply[] {
    const replies = this.complain(from, about, 'misbehaves');
    const at = this.probes.findIndex(({ id }) => id === from);
    for (const { answer } of at === -1 ? [] : this.probes.splice(at, 1)) answer();
    return replies;
  }

  /** The first member that has a connection asks whether a peer is one. */
  lookup(peer: PeerId): MembershipReply[] {
    const [session] = sessionsIn(this.broker, LOBBY);
    return this.#askMembership(defined(session), { type: 'lookup', body: peer });
  }

  /** One says goodbye on its connection. */
  leave(id: PeerId, room = LOBBY): void {
    this.#ask(this.#sessionOf(id, room), { type: 'leave', body: null }, () => undefined);
  }

  /** One says goodbye over HTTP. */
  goodbye(number: number, secret = requestOf(number).secret): void {
    const request = { room: LOBBY, id: peerId(number), secret };
    this.loop.give({ type: 'goodbye', request });
  }

  /** One loses its connection. */
  lose(id: PeerId, room = LOBBY): void {
    this.loop.give({ type: 'closed', session: this.#sessionOf(id, room) });
  }

  /** Joins one peer after another, each long after the one before. */
  seat(...numbers: readonly number[]): void {
    for (const number of numbers) {
      this.join(number);
      this.pass(10 * WINDOW);
    }
    this.delivered.length = 0;
  }

  /** The questions that the broker has asked since: the member asked, and the peer it is about. */
  checks(): readonly (readonly [PeerId, PeerId])[] {
    return this.delivered
      .splice(0)
      .flatMap(({ delivery }) =>
        delivery.type === 'check' ? [[delivery.to, delivery.peer] as const] : [],
      );
  }

  pass(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }

  get deliveries(): readonly Notice[] {
    return this.delivered.map(({ delivery }) => delivery);
  }

  get size(): ReturnType<typeof sizeOf> {
    return sizeOf(this.broker);
  }

  get peers(): readonly PeerId[] {
    return orderOf(this.broker, LOBBY).peers;
  }

  policy(room: RoomName): Policy | null {
    return orderOf(this.broker, room).policy;
  }

  #connect({ room, id }: Membership): SessionId {
    this.#sessions += 1;
    this.#places.set(this.#sessions, { room, id });
    const address = this.addresses.get(id) ?? id;
    this.loop.give({ type: 'opened', session: this.#sessions, address });
    return this.#sessions;
  }

  /** The connection that has a peer's place; a new one where there is none. */
  #sessionOf(id: PeerId, room = LOBBY): SessionId {
    return this.broker.rooms.get(room)?.seats.get(id)?.session ?? this.#connect({ room, id });
  }

  #ask(session: SessionId, request: Request, onReply: (reply: ReplyTo) => void): void {
    this.#requests += 1;
    this.#onReply.set(this.#requests, onReply);
    const id = this.#places.get(session)?.id;
    const grant = id === undefined ? undefined : this.grants.get(id);
    this.loop.give({ type: 'request', session, number: this.#requests, request, grant });
  }

  /** Whether a signal is of the link by which the broker probes a member. */
  #isProbe(room: RoomName, id: PeerId, { link }: SignalDelivery): boolean {
    return this.broker.rooms.get(room)?.seats.get(id)?.probe?.link === link;
  }

  #answer(session: SessionId, id: PeerId, probe: SignalDelivery): void {
    this.#ask(session, { type: 'signal', body: answerTo(probe, id) }, () => undefined);
  }

  #askMembership(session: SessionId, request: Request): MembershipReply[] {
    const replies: MembershipReply[] = [];
    this.#ask(session, request, (reply) => {
      if (!reply.ok || 'isMember' in reply) replies.push(reply);
    });
    return replies;
  }

  #perform(delivery: Delivery): void {
    if (delivery.type === 'note') {
      this.notes.push(delivery.note);
      return;
    }
    if (delivery.type === 'ticket refused') return;
    const { session } = delivery;
    const { room, id } = defined(this.#places.get(session));
    switch (delivery.type) {
      case 'reply':
        defined(this.#onReply.get(delivery.number))(delivery.reply);
        return;
      case 'push': {
        const { told } = delivery;
        const offer = told.type === 'signal' ? told.signal : null;
        if (offer !== null && this.#isProbe(room, id, offer))
          this.probes.push({ id, offer, answer: () => this.#answer(session, id, offer) });
        else this.delivered.push({ room, delivery: { to: id, ...told } });
        return;
      }
      case 'end':
        if (delivery.why === 'evicted') this.disconnected.push(id);
        return;
    }
  }
}

/** What a member says on a link through the server that is offered. */
export function answerTo({ from, edge, link }: SignalDelivery, id: PeerId): SignalRequest {
  return { to: from, edge, link, signals: [{ type: 'relay' }, frameOf(helloOf(id, link))] };
}

/** A peer that knows nothing yet says HELLO. */
export function helloOf(id: PeerId, link: LinkId): HelloMessage {
  return { type: 'hello', id, link, ready: false, term: 0, decision: null, removed: [] };
}

export function frameOf(message: PeerMessage): Signal {
  return { type: 'frame', frame: encodeFrame(message) };
}

/** A request for a place, and what its ticket says. */
export type Returning = Partial<ResumeRequest> & { readonly place?: Partial<Ticket> };

/** Asks for a place with a ticket of the memory that the broker has, unless it says otherwise. */
export function resumeOf(number: number, { place, ...part }: Returning = {}): ResumeRequest {
  const { version, room, id, secret, policy } = requestOf(number);
  const claim = { version, room, id, secret, removed: [], ...part };
  const ticket = PLAIN_TICKETS.seal({
    facts: NO_FACTS,
    room: claim.room,
    id: claim.id,
    policy,
    incarnation: 'monday.1',
    era: 1,
    version: 1,
    successor: id,
    predecessor: id,
    ...place,
  });
  return { ticket, ...claim };
}

export function requestOf(number: number, part: Partial<JoinRequest> = {}): JoinRequest {
  return {
    version: SIGNALING_VERSION,
    room: LOBBY,
    policy: 'highest',
    key: null,
    secret: `the secret of peer ${number}`,
    ...newcomer(number),
    ...part,
  };
}

export function viewOf(replies: readonly JoinReply[]): View {
  const [reply] = replies;
  if (reply?.ok !== true) throw new Error(`no view but ${JSON.stringify(replies)}`);
  return reply.view;
}

export function codeOf(replies: readonly JoinReply[]): string {
  const [reply] = replies;
  if (reply?.ok !== false) throw new Error(`no refusal but ${JSON.stringify(replies)}`);
  expect(reply.message).toMatch(/\w+ \w+/);
  return reply.code;
}
