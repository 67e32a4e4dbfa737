/**
 * The shipped member and broker as the checker calls them: states and inputs have numbers, and each question
 * is asked once.
 */
import { PLAIN_TICKETS } from '../../plain-tickets.ts';
import { handle as handleBroker } from '../../../broker/broker.ts';
import type { Broker, Delivery, Input as BrokerInput, SessionId } from '../../../broker/state.ts';
import type { RingEvent } from '../../../member/events.ts';
import { handle as handleMember } from '../../../member/member.ts';
import type { Link, Member, Offer, Offers } from '../../../member/state.ts';
import type { Ask, Input, Output } from '../../../member/turn.ts';
import { encodeFrame, parseFrame } from '../../../protocol/frame.ts';
import { numberedId } from '../ids.ts';
import {
  parseReplyTo,
  type Request,
  type SignalDelivery,
  type View,
} from '../../../protocol/signaling.ts';
import { MAX_LINK_ID, parseLinkId, type PeerId } from '../../../protocol/ids.ts';
import { peersOf } from '../../../broker/room.ts';
import type { PeerMessage } from '../../../protocol/messages.ts';
import { brokerWith, canonicalBroker, textOfBroker } from './canonical-broker.ts';
import { canonicalMember, closingLinks, NOW, OVERDUE } from './canonical-member.ts';
import type { Happening } from './happening.ts';
import { faultOf } from './judge.ts';
import { Memo, Pool } from './pool.ts';

/** Links that one slot may offer at a time; link ids are bits of one number. */
const LINKS_OF_SLOT = 8;

/** The ids that there are. */
const RANKS = [0, 1, 2, 3, 4, 5];

/** The link of every probe: members never see it. */
const PROBE = MAX_LINK_ID;

const PORTS = { tickets: PLAIN_TICKETS, random: () => 1 - Number.EPSILON };

/** Eras are small numbers then. */
const DATE = 1;

export type Asked = BrokerInput | { readonly type: 'time'; readonly due: number };

/** What a member has done, with frames and questions by number. */
export type Deed =
  | Exclude<Output, { do: 'send' | 'ask' | 'tell' }>
  | { readonly do: 'send'; readonly link: number; readonly frame: number }
  | { readonly do: 'ask'; readonly number: number; readonly request: Request };

export interface MemberTurn {
  readonly next: number;
  readonly deeds: readonly Deed[];
  readonly events: readonly RingEvent[];
  /** How many messages of the election it has sent to others. */
  readonly sent: number;
  /** What is wrong with this turn alone, in words. */
  readonly fault: string | null;
}

/** What the broker sends over a connection. */
export type Parcel =
  /** `isAtOnce`: takes no time of its own. */
  | {
      readonly type: 'input';
      readonly session: SessionId;
      readonly input: number;
      readonly isAtOnce: boolean;
    }
  /** The member is to show that it is there. */
  | { readonly type: 'probe'; readonly session: SessionId; readonly from: PeerId }
  | { readonly type: 'end'; readonly session: SessionId };

export interface BrokerTurn {
  readonly next: number;
  readonly parcels: readonly Parcel[];
}

/** A change of what the checker explores, to see that it finds what that breaks. */
export interface Change {
  /** Instead of what a member sends. */
  readonly said?: (message: PeerMessage) => PeerMessage;
  /** A goodbye takes away what was sent before it. */
  readonly forgetsBeforeBye?: boolean;
  /** Lost links are not made anew. */
  readonly makesNothingAnew?: boolean;
}

/** What the server says on the link of a probe: it offers it, and closes it when it was answered. */
function probeOf(session: SessionId, { from, signals }: SignalDelivery): Parcel[] {
  const isOffered = signals.some(({ type }) => type === 'relay');
  return isOffered ? [{ type: 'probe', session, from }] : [];
}

export class Machines {
  readonly members = new Pool<Member>();
  readonly brokers = new Pool<Broker>();
  readonly inputs = new Pool<Happening>();
  readonly frames = new Pool<Uint8Array>();
  /** What the broker sends to one member in one turn, as numbers of inputs. */
  readonly bundles = new Pool<readonly number[]>();
  readonly change: Change;
  readonly #masks: { readonly all: number; readonly offered: number }[] = [];
  readonly #asked = new Pool<Asked>();
  readonly #asks = new Pool<Ask>();
  readonly #memberTurns = new Memo<MemberTurn>();
  readonly #brokerTurns = new Memo<BrokerTurn>();
  readonly #bundleLinks: number[] = [];
  readonly #pruned = new Memo<number>();

  constructor(change: Change = {}) {
    this.change = change;
  }

  member(state: Member): number {
    const canonical = canonicalMember(state);
    const number = this.members.put(JSON.stringify(canonical), canonical);
    this.#masks[number] ??= masksOf(canonical);
    return number;
  }

  broker(state: Broker): number {
    const canonical = canonicalBroker(state);
    return this.brokers.put(textOfBroker(canonical), canonical);
  }

  input(happening: Happening): number {
    return this.inputs.put(textOf(happening), happening);
  }

  /** A frame without the picture of the ring, which decides nothing. */
  frame(bytes: Uint8Array): number {
    const parsed = parseFrame(bytes);
    if (!parsed.ok) throw new Error(`a member sends an invalid frame: ${parsed.error}`);
    const message = this.change.said?.(parsed.value.message) ?? parsed.value.message;
    const plain = encodeFrame(message);
    return this.frames.put(String.fromCharCode(...plain), plain);
  }

  /**
   * What a member does with an input.
   * @param taken ids of links that are in use anywhere, as bits
   */
  turn(member: number, slot: number, input: number, taken: number): MemberTurn {
    const own = (taken >>> (slot * LINKS_OF_SLOT)) & 0xff;
    return this.#memberTurns.get(member, input * 256 + own, () =>
      this.#handle(this.members.get(member), slot, this.inputs.get(input), own),
    );
  }

  #handle(before: Member, slot: number, happening: Happening, own: number): MemberTurn {
    const member = canonicalMember(before);
    const random = () => (1 + slot * LINKS_OF_SLOT + freeId(member, slot, own)) / 2 ** 32;
    const outputs = handleMember(
      member,
      inputOf(member, happening),
      { now: NOW, date: DATE },
      random,
    );
    const fault = faultOf(before, member, happening, outputs);
    const events = outputs.flatMap((output) => (output.do === 'tell' ? [output.event] : []));
    const { id } = member.identity;
    const sent = events.filter((event) => event.type === 'sent' && event.to !== id).length;
    const deeds = fault === null ? outputs.flatMap((output) => this.#deedOf(output)) : [];
    return { next: this.member(member), deeds, events, sent, fault };
  }

  #deedOf(output: Output): Deed[] {
    switch (output.do) {
      case 'tell':
        return [];
      case 'send':
        return [{ ...output, frame: this.frame(output.frame) }];
      case 'ask': {
        const { ask } = output;
        return [
          { do: 'ask', number: this.#asks.put(JSON.stringify(ask), ask), request: ask.request },
        ];
      }
      default:
        return [output];
    }
  }

  ask(broker: number, asked: Asked): BrokerTurn {
    const input = this.#asked.put(JSON.stringify(asked), asked);
    return this.#brokerTurns.get(broker, input, () => this.#askBroker(broker, asked));
  }

  #askBroker(number: number, asked: Asked): BrokerTurn {
    let broker = canonicalBroker(this.brokers.get(number));
    let input: BrokerInput = { type: 'time' };
    if (asked.type !== 'time') input = asked;
    else if ('due' in asked) {
      const due = broker.dues[asked.due];
      if (due !== undefined) broker = brokerWith(broker, due);
    }
    const deliveries = handleBroker(broker, input, { now: NOW, date: DATE }, PORTS);
    return {
      next: this.broker(broker),
      parcels: deliveries.flatMap((each) => this.#parcelOf(each)),
    };
  }

  #parcelOf(delivery: Delivery): Parcel[] {
    switch (delivery.type) {
      case 'reply': {
        const { session, number, reply } = delivery;
        // Nobody waits for the reply to a goodbye.
        if (number < 0) return [];
        const to = this.#asks.get(number);
        const { type } = to.request;
        // It changes nothing.
        if (type === 'signal' && reply.ok) return [];
        const input = this.input({ type: 'reply', to, reply });
        const isAtOnce = type === 'settle' || type === 'complain';
        return [{ type: 'input', session, input, isAtOnce }];
      }
      case 'push': {
        const { session, told } = delivery;
        if (told.type === 'signal' && told.signal.link === PROBE)
          return probeOf(session, told.signal);
        const input = this.input(
          told.type === 'signal' ? { type: 'signal', delivery: told.signal } : told,
        );
        const isAtOnce = told.type === 'signal' && told.signal.signals[0]?.type === 'answer';
        return [{ type: 'input', session, input, isAtOnce }];
      }
      case 'end':
        return [delivery];
      case 'note':
      case 'ticket refused':
        return [];
    }
  }

  /** What a member that is there answers to a probe. */
  answer(member: number, { session, from }: Extract<Parcel, { type: 'probe' }>): Asked {
    const link = parseLinkId(PROBE);
    if (!link.ok) throw new Error(link.error);
    const { id } = this.members.get(member).identity;
    const hello: PeerMessage = {
      type: 'hello',
      id,
      link: link.value,
      ready: false,
      term: 0,
      decision: null,
      removed: [],
    };
    const signals = [{ type: 'frame' as const, frame: encodeFrame(hello) }];
    const body = { to: from, edge: 'predecessor' as const, link: link.value, signals };
    return { type: 'request', session, number: -1, request: { type: 'signal', body } };
  }

  /** Whether a frame is a goodbye. */
  isBye(frame: number): boolean {
    const parsed = parseFrame(this.frames.get(frame));
    return parsed.ok && parsed.value.message.type === 'bye';
  }

  /** A broker whose next newcomer gets its place behind a certain slot's peer. */
  splitNext(broker: number, after: number): number {
    const state = canonicalBroker(this.brokers.get(broker));
    for (const { ring } of state.rooms.values())
      for (const member of ring) if (member.id === numberedId(after)) member.edgeMade = 0;
    return this.broker(state);
  }

  /** A member whose wait for a leader has lasted long enough. */
  overdue(member: number): number {
    const state = this.members.get(member);
    const { wait } = state.election;
    if (wait === null) return member;
    return this.member({
      ...state,
      election: { ...state.election, wait: { ...wait, since: OVERDUE } },
    });
  }

  /** Whether a frame is a message of the election. */
  isElection(frame: number | undefined): boolean {
    if (frame === undefined) return false;
    const parsed = parseFrame(this.frames.get(frame));
    const type = parsed.ok ? parsed.value.message.type : 'hello';
    return type === 'claim' || type === 'elected';
  }

  /** The peers of the one room in ring order. */
  ringOf({ rooms }: Broker): readonly PeerId[] {
    return [...rooms.values()].flatMap((room) => peersOf(room));
  }

  /** The rank of a peer's id. */
  rankOf(id: PeerId): number {
    return RANKS.findIndex((rank) => numberedId(rank) === id);
  }

  hasSession(broker: number, session: number): boolean {
    return this.brokers.get(broker).sessions.has(session);
  }

  bundle(inputs: readonly number[]): number {
    return this.bundles.put(inputs.join(), inputs);
  }

  /** The links that a bundle names, as bits. */
  linksIn(bundle: number): number {
    return (this.#bundleLinks[bundle] ??= this.bundles
      .get(bundle)
      .reduce((mask, input) => mask | linksNamed(this.inputs.get(input)), 0));
  }

  /** The links of a member, as bits. */
  linksOf(member: number): number {
    return this.#masks[member]?.all ?? 0;
  }

  /** A member that has forgotten the offers of which nothing is left. */
  pruned(member: number, living: number): number {
    const offered = this.#masks[member]?.offered ?? 0;
    if ((offered & ~living) === 0) return member;
    return this.#pruned.get(member, offered & living, () => {
      const state = this.members.get(member);
      const isLiving = ({ id }: { readonly id: number }) => (living & bitOf(id)) !== 0;
      return this.member({ ...state, offered: state.offered.filter(isLiving) });
    });
  }
}

export function bitOf(link: number): number {
  return 1 << (link - 1);
}

function masksOf(member: Member): { readonly all: number; readonly offered: number } {
  const { successor, predecessor, membership, offered } = member;
  const { outlet } = successor;
  const used = outlet === 'none' || outlet === 'loopback' ? [] : [outlet];
  const links: readonly Pick<Link, 'id'>[] = [
    ...[...used, ...successor.attempts, ...predecessor.links, ...closingLinks(member)],
    ...(membership.name === 'joining' ? offersOf(membership.offers) : []),
  ];
  const bits = (each: readonly { readonly id: number }[]) =>
    each.reduce((mask, { id }) => mask | bitOf(id), 0);
  return { all: bits(links), offered: bits(offered) };
}

function offersOf({ successor, predecessor }: Offers): readonly Offer[] {
  return [successor, predecessor].filter((offer) => offer !== null);
}

function linksNamed(happening: Happening): number {
  const view = (of: View) => linkBit(of.successor.link) | linkBit(of.predecessor.link);
  switch (happening.type) {
    case 'signal':
      return bitOf(happening.delivery.link);
    case 'view':
      return view(happening.view);
    case 'reply': {
      const { request } = happening.to;
      if (request.type === 'signal') return bitOf(request.body.link);
      const placed = parseReplyTo('join', happening.reply);
      return placed.ok && placed.value.ok ? view(placed.value.view) : 0;
    }
    default:
      return 0;
  }
}

function linkBit(link: number | null): number {
  return link === null ? 0 : bitOf(link);
}

/** The lowest id that this slot has not given to a link anywhere. */
function freeId({ offered }: Member, slot: number, own: number): number {
  for (let id = 0; id < LINKS_OF_SLOT; id += 1) {
    const link = 1 + slot * LINKS_OF_SLOT + id;
    if ((own & (1 << id)) === 0 && !offered.some((each) => each.id === link)) return id;
  }
  throw new Error('there are too many links at a time');
}

/** The input itself; the time that has come is made the only one. */
function inputOf(member: Member, happening: Happening): Input {
  if (happening.type !== 'time') return happening;
  // The one that is to come first stands first.
  const due = member.dues[happening.due];
  if (due !== undefined)
    member.dues = [{ ...due, at: NOW }, ...member.dues.filter((other) => other !== due)];
  return { type: 'time' };
}

function textOf(happening: Happening): string {
  if (happening.type === 'link' && happening.event.type === 'frame')
    return `${happening.link} ${String.fromCharCode(...happening.event.frame)}`;
  return JSON.stringify(happening);
}
