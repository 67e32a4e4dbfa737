/**
 * A ring member among liars: neighbours that send anything, a server that says anything, in any order, and
 * time that passes in between. It must stay valid meanwhile, and be useful afterwards.
 */
import type { LinkId, PeerId } from '../../protocol/ids.ts';
import type { Claim } from '../../protocol/messages.ts';
import type { Edge, Neighbour, Signal, View } from '../../protocol/signaling.ts';
import { LOOKUP_DELAY, MAX_DOUBTS } from '../../member/lookups.ts';
import { MAX_TERM_LEAP, TERM_RATE } from '../../member/admission.ts';
import { REPLY_PATIENCE } from '../../protocol/timeouts.ts';
import { Bench, BenchLink } from './bench.ts';
import { Dice } from './dice.ts';
import { anyFrame, type Knowledge } from './frames.ts';

/** The greatest term that can be sent. */
const MAX_TERM = 0xffff_fffe;

/** What a member may hold at one time, whatever it is sent. */
const MOST_LINKS = 40;
const MOST_TIMERS = 150;

/** Open questions to the server: about leaders and peers that were presumed departed; */
const MOST_LOOKUPS = Math.ceil(REPLY_PATIENCE / LOOKUP_DELAY) + 2 * MAX_DOUBTS;

/** about neighbours, of which there are as many as there are ids, and two complaints about each. */
const MOST_COMPLAINTS = 16;

/** Milliseconds until a member must be useful to honest neighbours after everything. */
const RECOVERY = 200_000;

const EDGES: readonly Edge[] = ['successor', 'predecessor'];

export class NodeFuzz {
  readonly #dice: Dice;
  readonly #bench: Bench;
  /** Neighbours, members, departed peers and the member itself. */
  readonly #ids: readonly PeerId[];
  #neighbours: Record<Edge, PeerId>;
  #version = 1;
  #incarnation = 'e';
  #isConnected = true;
  #term = 0;
  /** The term in which it first knew a leader; from then on it can judge terms. */
  #firstTerm: number | null = null;
  /** How many elections it may have started since. */
  #starts = 0;
  /** Problems that events show. */
  readonly #broken: string[] = [];

  /** @param seed repeats the run exactly */
  constructor(seed: number) {
    const dice = new Dice(seed);
    this.#dice = dice;
    this.#bench = new Bench(
      dice,
      dice.pick(['highest', 'incumbent']),
      dice.pick([0, 1, 1, 1, 254, 255]),
    );
    this.#ids = [...Array.from({ length: 7 }, () => dice.peerId()), this.#bench.id];
    this.#neighbours = { successor: dice.pick(this.#ids), predecessor: dice.pick(this.#ids) };
    this.#begin();
  }

  get isGone(): boolean {
    return this.#bench.node.state.role === 'offline';
  }

  /**
   * One arbitrary input.
   * @throws Error that says what is wrong with the member
   */
  next(): void {
    const starts = this.#act();
    if (this.#firstTerm !== null) this.#starts += starts;
    const { term, leader } = this.#bench.node.state;
    if (term !== null) {
      if (term < this.#term) throw new Error(`the term fell from ${this.#term} to ${term}`);
      if (term > this.#greatestTerm)
        throw new Error(`the term leapt from ${this.#term} to ${term}`);
      this.#term = term;
      if (leader !== null) this.#firstTerm ??= term;
    }
    this.#inspect();
  }

  /**
   * Honest neighbours and an honest server take over.
   * @returns what happened to the member
   * @throws Error where it is useless to them
   */
  finish(): 'works' | 'gone' {
    const bench = this.#bench;
    if (this.isGone) {
      bench.pass(3_000);
      if (!bench.isLeft) throw new Error('it is offline and has not left the server');
      const kept = [...bench.links].filter((link) => !link.isRelayed).length;
      if (kept > 0) throw new Error(`it is offline and keeps ${kept} links`);
      if (bench.timers > 0) throw new Error(`it is offline and keeps ${bench.timers} timers`);
      return 'gone';
    }
    new Honest(bench, this.#dice, this.#isConnected, this.#version).takeOver();
    return 'works';
  }

  /** Joins: mostly with a place, and mostly with links to both neighbours. */
  #begin(): void {
    const { server } = this.#bench;
    server({ type: 'connected' });
    const placed = this.#bench.placed;
    if (placed === null) return;
    if (this.#dice.chance(0.02)) {
      placed({ ok: false, code: 'room-full', message: 'room lobby is full' });
      return;
    }
    const offered = [...this.#bench.links];
    const neighbour = (edge: Edge): Neighbour => {
      const offer = offered.find((link) => link.edge === edge);
      return {
        id: this.#neighbours[edge],
        link: this.#dice.chance(0.9) ? (offer?.id ?? null) : null,
      };
    };
    const view: View = {
      incarnation: 'e',
      era: 1,
      version: 1,
      size: 3,
      successor: neighbour('successor'),
      predecessor: neighbour('predecessor'),
      removed: [],
      ticket: '',
    };
    placed({ ok: true, view, policy: this.#dice.pick(['highest', 'incumbent']) });
    for (const link of offered) {
      if (link.isClosed || this.#dice.chance(0.05)) continue;
      link.peer ??= this.#neighbours[link.edge];
      link.open();
      if (this.#dice.chance(0.95)) this.#greet(link, this.#dice.pick([0, 1, 7]));
    }
  }

  #greet(link: BenchLink, term: number): void {
    if (link.id === null || link.peer === null || link.isClosed) return;
    link.say({
      type: 'hello',
      id: link.peer,
      link: link.id,
      ready: true,
      term,
      decision:
        term === 0
          ? null
          : { leader: { priority: 1, id: this.#dice.pick(this.#ids) }, lap: 1, size: 4, hops: 2 },
      removed: [],
    });
  }

  /** The highest term to which messages, and its own elections, may have raised it so far. */
  get #greatestTerm(): number {
    if (this.#firstTerm === null) return MAX_TERM;
    const lifted = MAX_TERM_LEAP + (TERM_RATE * this.#bench.clock.now()) / 1_000;
    return Math.min(this.#firstTerm + lifted + this.#starts, MAX_TERM);
  }

  /** Performs an input. Returns how many elections the member may have started because of it. */
  #act(): number {
    switch (this.#dice.weighted(ACTS)) {
      case 'frame':
        this.#frame();
        return 1;
      case 'flood':
        this.#flood();
        return 4_000;
      case 'siege':
        for (let offers = 0; offers < 30; offers += 1) this.#offer();
        return 4;
      case 'greet':
        this.#greet(this.#link() ?? this.#offer(), this.#term + this.#dice.below(2));
        return 1;
      case 'link':
        this.#turnLink();
        return 2;
      case 'signal':
        this.#signal();
        return 1;
      case 'view':
        this.#view();
        return 4;
      case 'check':
        this.#bench.server({ type: 'check', peer: this.#dice.pick(this.#ids) });
        return 0;
      case 'server':
        this.#turnServer();
        return 4;
      case 'reply':
        this.#reply();
        return 4;
      case 'campaign':
        this.#bench.node.campaign();
        return 2;
      case 'time':
        return this.#pass();
    }
  }

  #knowledge(link: BenchLink): Knowledge {
    return {
      ids: this.#ids,
      term: this.#bench.node.state.term ?? 1,
      sender: link.peer ?? this.#dice.pick(this.#ids),
      link: link.id ?? this.#dice.linkId(),
      seen: this.#bench.seen,
    };
  }

  #link(): BenchLink | undefined {
    const links = [...this.#bench.links];
    return links.length === 0 ? undefined : this.#dice.pick(links);
  }

  #frame(): void {
    const link = this.#link() ?? this.#offer();
    link.give(anyFrame(this.#dice, this.#knowledge(link)));
  }

  /** Many at once, of a kind that is harmless alone. */
  #flood(): void {
    const link = this.#link();
    if (link === undefined) return;
    const knowledge = this.#knowledge(link);
    const count = this.#dice.pick([30, 100, 1_000, 4_500]);
    const frame = anyFrame(this.#dice, knowledge);
    const isVaried = this.#dice.chance(0.3);
    for (let sent = 0; sent < count && !link.isClosed; sent += 1)
      link.give(isVaried ? anyFrame(this.#dice, this.#knowledge(link)) : frame);
    const isRead = link.isOpen && !link.isClosed && link.sent.at(-1)?.message.type !== 'bye';
    if (count > 4_000 && isRead && !link.isRelayed && !this.isGone)
      throw new Error('a flood is accepted');
  }

  /** A link offered by a neighbour, open, with its HELLO sent. */
  #offer(): BenchLink {
    const dice = this.#dice;
    const edge = dice.pick(EDGES);
    const id = dice.linkId();
    const offer: Signal = dice.chance(0.7) ? { type: 'offer', sdp: '' } : { type: 'relay' };
    this.#bench.deliver(this.#neighbours[edge], edge, id, [offer]);
    const link = this.#bench.find(this.#neighbours[edge], edge, id);
    if (link === undefined) return new LostLink(this.#bench, null);
    if (!link.isOpen) link.open();
    this.#greet(link, dice.below(2));
    return link;
  }

  #turnLink(): void {
    const link = this.#link();
    if (link === undefined || this.#dice.chance(0.4)) this.#offer();
    else if (!link.isOpen) link.open();
    else if (this.#dice.chance(0.3)) {
      link.close();
      this.#bench.links.delete(link);
    }
  }

  #signal(): void {
    const dice = this.#dice;
    const known = this.#link();
    const id: LinkId = dice.chance(0.5) ? (known?.id ?? dice.linkId()) : dice.linkId();
    const from = dice.chance(0.7)
      ? (known?.peer ?? this.#neighbours.predecessor)
      : dice.pick(this.#ids);
    const signals: Signal[] = Array.from({ length: 1 + dice.below(3) }, () => {
      switch (dice.below(6)) {
        case 0:
          return { type: 'offer', sdp: 'v=0' };
        case 1:
          return { type: 'answer', sdp: 'v=0' };
        case 2:
          return {
            type: 'candidate',
            candidate: { candidate: 'x', sdpMLineIndex: null, sdpMid: null },
          };
        case 3:
          return { type: 'relay' };
        case 4:
          return { type: 'closed' };
        default:
          return {
            type: 'frame',
            frame: anyFrame(dice, {
              ...this.#knowledge(known ?? new LostLink(this.#bench, null)),
              link: id,
              sender: from,
            }),
          };
      }
    });
    this.#bench.deliver(from, dice.pick(EDGES), id, signals);
  }

  #view(): void {
    const dice = this.#dice;
    if (dice.chance(0.7)) this.#version += dice.pick([1, 1, 1, 2, -3]);
    this.#version = Math.max(1, this.#version);
    if (dice.chance(0.1)) this.#incarnation = `e${dice.below(4)}`;
    for (const edge of EDGES) if (dice.chance(0.4)) this.#neighbours[edge] = dice.pick(this.#ids);
    const neighbour = (edge: Edge): Neighbour => ({
      id: this.#neighbours[edge],
      link: dice.chance(0.3) ? (this.#link()?.id ?? dice.linkId()) : null,
    });
    const removed = dice.chance(0.3)
      ? Array.from({ length: dice.pick([1, 2, 256]) }, () =>
          dice.chance(0.7) ? dice.pick(this.#ids) : dice.peerId(),
        )
      : [];
    const view: View = {
      incarnation: this.#incarnation,
      era: 1,
      version: this.#version,
      size: 3,
      successor: neighbour('successor'),
      predecessor: neighbour('predecessor'),
      removed,
      ticket: '',
    };
    this.#bench.server({ type: 'view', view });
  }

  #turnServer(): void {
    const { server } = this.#bench;
    if (this.#bench.isLeft) return;
    if (this.#isConnected) {
      this.#bench.forgetQuestions(Infinity);
      server({ type: 'disconnected', reason: 'lost' });
    } else server({ type: 'connected' });
    this.#isConnected = !this.#isConnected;
  }

  #reply(): void {
    const dice = this.#dice;
    const bench = this.#bench;
    const placed = bench.placed;
    switch (dice.below(4)) {
      case 0:
        bench.signals.splice(0).forEach(({ reply }) => {
          reply(
            dice.chance(0.8)
              ? { ok: true }
              : { ok: false, code: 'not-a-neighbour', message: 'no neighbour' },
          );
        });
        return;
      case 1:
        bench.lookups.splice(0).forEach(({ reply }) => {
          reply({ ok: true, isMember: dice.chance(0.5) });
        });
        return;
      case 2:
        bench.complaints.splice(0).forEach(({ reply }) => {
          reply({ ok: true, isMember: dice.chance(0.5) });
        });
        return;
      default:
        bench.placed = null;
        placed?.({
          ok: true,
          policy: 'highest',
          view: {
            incarnation: this.#incarnation,
            era: 1,
            version: this.#version,
            size: 3,
            successor: { id: this.#neighbours.successor, link: null },
            predecessor: { id: this.#neighbours.predecessor, link: null },
            removed: [],
            ticket: '',
          },
        });
    }
  }

  /** Time passes; sometimes very much of it, and sometimes while the device sleeps. */
  #pass(): number {
    const dice = this.#dice;
    if (dice.chance(0.05)) this.#bench.clock.skip(dice.below(30_000));
    const milliseconds = dice.chance(0.02) ? 60_000 : dice.below(1_500);
    this.#bench.pass(milliseconds);
    return milliseconds / 100;
  }

  #inspect(): void {
    this.#bench.forgetQuestions(this.#bench.clock.now() - REPLY_PATIENCE);
    const { links, timers, faults, lookups, complaints, signals } = this.#bench;
    const [fault] = [...faults, ...this.#broken];
    if (fault !== undefined) throw new Error(fault);
    const direct = [...links].filter((link) => !link.isRelayed).length;
    if (direct > MOST_LINKS) throw new Error(`it keeps ${direct} links`);
    if (timers > MOST_TIMERS) throw new Error(`it keeps ${timers} timers`);
    if (lookups.length > MOST_LOOKUPS) throw new Error(`it has ${lookups.length} lookups open`);
    if (complaints.length > MOST_COMPLAINTS)
      throw new Error(`it has ${complaints.length} complaints open`);
    // Forgotten by the server, as after a lost connection.
    if (signals.length > 1_000) signals.length = 0;
    for (const link of links) if (link.isClosed) links.delete(link);
  }
}

/** Stands in where there is no link: nothing reaches anybody. */
class LostLink extends BenchLink {
  override give(): void {
    // Nobody is there.
  }
}

const ACTS = [
  [120, 'frame'],
  [1, 'flood'],
  [1, 'siege'],
  [8, 'greet'],
  [8, 'link'],
  [10, 'signal'],
  [6, 'view'],
  [4, 'check'],
  [1, 'server'],
  [10, 'reply'],
  [2, 'campaign'],
  [20, 'time'],
] as const;

/** Honest neighbours and an honest server, to see whether the member still works with them. */
class Honest {
  readonly #bench: Bench;
  readonly #dice: Dice;
  readonly #successor: PeerId;
  readonly #predecessor: PeerId;
  readonly #leader: Claim;
  readonly #isConnected: boolean;
  readonly #version: number;

  constructor(bench: Bench, dice: Dice, isConnected: boolean, version: number) {
    this.#bench = bench;
    this.#dice = dice;
    this.#isConnected = isConnected;
    this.#version = version;
    this.#successor = dice.peerId();
    this.#predecessor = dice.peerId();
    this.#leader = { priority: 255, id: dice.greatestId() };
  }

  takeOver(): void {
    const bench = this.#bench;
    if (!this.#isConnected) bench.server({ type: 'connected' });
    bench.placed?.({ ok: true, policy: 'highest', view: this.#view() });
    bench.placed = null;
    bench.server({ type: 'view', view: this.#view() });
    const limit = bench.clock.now() + RECOVERY;
    while (bench.clock.now() < limit) {
      this.#serve();
      if (this.#isLinked() && this.#elects()) return;
      bench.pass(500);
    }
    const { state } = bench.node;
    throw new Error(`useless to honest neighbours: ${JSON.stringify(state)}`);
  }

  #view(): View {
    return {
      incarnation: 'honest',
      era: 1,
      version: this.#version,
      size: 3,
      successor: { id: this.#successor, link: null },
      predecessor: { id: this.#predecessor, link: null },
      removed: [],
      ticket: '',
    };
  }

  #isLinked(): boolean {
    const { successorLink, predecessorLink } = this.#bench.node.state;
    return (
      (successorLink === 'direct' || successorLink === 'relayed') &&
      (predecessorLink === 'direct' || predecessorLink === 'relayed')
    );
  }

  /**
   * Answers the member's requests and offers; the predecessor offers a link of its own. The liars from
   * before keep their links and show that they are alive.
   */
  #serve(): void {
    const bench = this.#bench;
    for (const { about, reply } of [...bench.lookups.splice(0), ...bench.complaints.splice(0)])
      reply({ ok: true, isMember: this.#isMember(about) });
    for (const { request, reply } of bench.signals.splice(0))
      reply(
        this.#isNeighbour(request.to)
          ? { ok: true }
          : { ok: false, code: 'not-a-neighbour', message: 'no neighbour' },
      );
    for (const link of [...bench.links]) {
      if (link.isClosed || link.id === null) continue;
      if (link.peer === this.#successor && !link.isOpen) {
        link.open();
        this.#greet(link);
      } else this.#answer(link);
    }
    if (this.#bench.node.state.predecessorLink === 'connecting') this.#offer();
  }

  #offer(): void {
    const id = this.#dice.linkId();
    this.#bench.deliver(this.#predecessor, 'predecessor', id, [{ type: 'relay' }]);
    const link = this.#bench.find(this.#predecessor, 'predecessor', id);
    if (link !== undefined) this.#greet(link);
  }

  #greet(link: BenchLink): void {
    if (link.id === null || link.peer === null) return;
    link.say({
      type: 'hello',
      id: link.peer,
      link: link.id,
      ready: true,
      term: 0,
      decision: null,
      removed: [],
    });
  }

  #answer(link: BenchLink): void {
    for (const { message } of link.sent.splice(0))
      if (message.type === 'heartbeat' && !message.isReply)
        link.say({ type: 'heartbeat', isReply: true, count: message.count });
  }

  #isNeighbour(id: PeerId): boolean {
    return id === this.#successor || id === this.#predecessor;
  }

  #isMember(id: PeerId): boolean {
    return this.#isNeighbour(id) || id === this.#leader.id;
  }

  /** A claim and an announcement of a peer that is greater than all: both must pass. */
  #elects(): boolean {
    const bench = this.#bench;
    const from = [...bench.links].find(
      ({ peer, edge, isOpen }) => peer === this.#predecessor && edge === 'predecessor' && isOpen,
    );
    const term = (bench.node.state.term ?? 0) + 1;
    if (from === undefined || term > MAX_TERM - 1) return false;
    const leader = this.#leader;
    from.say({ type: 'claim', term, claim: leader, hops: 2 });
    from.say({ type: 'elected', term, decision: { leader, lap: 0, size: 4, hops: 2 } });
    // The liars may have set one.
    const { hopDelay } = bench.node.state;
    if (hopDelay > 0) bench.pass(hopDelay);
    const passed = [...bench.links]
      .filter(({ peer, edge }) => peer === this.#successor && edge === 'successor')
      .flatMap(({ sent }) => sent.map(({ message }) => message));
    return (
      bench.node.state.leader === leader.id &&
      passed.some((message) => message.type === 'claim' && message.claim.id === leader.id) &&
      passed.some(
        (message) => message.type === 'elected' && message.decision.leader.id === leader.id,
      )
    );
  }
}
