/**
 * One thing that happens to a world, worked through to its end: views, links and faults as
 * `shared/ring` handles them, reduced to what an election can notice; the election itself as shipped.
 */
import { decisionOf, type ElectionState } from '../../election/state.ts';
import type { PeerId } from '../../protocol/ids.ts';
import { isLap } from '../../protocol/messages.ts';
import { type Happening, type Known, type Outcome, type Parcel, type Space } from './space.ts';
import {
  circuitBits,
  circuitOf,
  neighbour,
  NOBODY,
  usedLink,
  type Budget,
  type Link,
  type Peer,
  type PeerNumber,
  type World,
} from './world.ts';

/** Links are named by their index in the world. */
export type Action =
  /** The first message on a link, to its successor or back to its predecessor. */
  | { readonly type: 'deliver' | 'deliver back'; readonly link: number }
  | { readonly type: 'view'; readonly peer: PeerNumber }
  | { readonly type: 'open' | 'notice' | 'drop' | 'lose'; readonly link: number }
  | { readonly type: 'start' | 'timeout' | 'leave' | 'crash'; readonly peer: PeerNumber }
  | { readonly type: 'join'; readonly peer: PeerNumber; readonly after: number }
  /** Its messages go to another peer, or over another link to the same one. */
  | { readonly type: 'rewire'; readonly peer: PeerNumber; readonly to: PeerNumber };

/** The rules L3 to L8 and C5 of SPEC.md that a check may take away. */
export interface LinkRules {
  /** L3: a link that is lost is made anew. */
  readonly makesAnew: boolean;
  /** L7: what came before BYE is still read. */
  readonly drains: boolean;
  /** L5: a link is used only once its successor is ready, or there is no other. */
  readonly waitsForReady: boolean;
  /** L5: the link used before stays until the next one is there. */
  readonly makesBeforeBreaking: boolean;
  /** L8: a departure is noted before links are closed for it. */
  readonly notesDeparturesFirst: boolean;
  /** R5: HELLO tells of departures. */
  readonly helloTellsDepartures: boolean;
  /** C5: what is held goes over the link for which it was decided, or not at all. */
  readonly holdsByLink: boolean;
  /** C5: what is held of a peer that has departed is taken back. */
  readonly takesBack: boolean;
  /** C5: a peer that takes back the announcement of its leader starts. */
  readonly startsAfterTakingBack: boolean;
  /** No rule: whether what makes no difference any more is taken off links that are closed. */
  readonly isTidy: boolean;
}

export const LINK_RULES: LinkRules = {
  makesAnew: true,
  drains: true,
  waitsForReady: true,
  makesBeforeBreaking: true,
  notesDeparturesFirst: true,
  helloTellsDepartures: true,
  holdsByLink: true,
  takesBack: true,
  startsAfterTakingBack: true,
  isTidy: true,
};

const BUDGETED = [
  ...(['starts', 'timeouts', 'leaves', 'crashes', 'drops', 'losses', 'rewirings'] as const),
];

/** One action makes a peer take no more steps than that. */
const MAX_STEPS = 64;

/** What a trace shows of a step. */
export interface StepTold {
  readonly peer: PeerNumber;
  readonly happening: Happening;
  readonly outcome: Outcome;
}

export class Scene {
  readonly #space: Space;
  readonly #rules: LinkRules;
  readonly #peers: Peer[];
  #links: Link[];
  #ring: readonly PeerNumber[];
  #budget: Budget;
  #elected: readonly number[];
  #circuits: readonly number[] | null;
  readonly #choices: readonly number[];
  readonly steps: StepTold[] = [];
  /** What went wrong, in words. */
  readonly faults: string[] = [];
  /** Leaders that exclude each other: wrong unless the first world had them, or a lie. */
  readonly clashes: string[] = [];
  /** Among how many possibilities the action had to choose, each time. */
  readonly asked: number[] = [];
  /** What was held and is never sent, or leaves over another link. */
  readonly unsent: Known<Parcel>[] = [];
  readonly diverted: Known<Parcel>[] = [];
  /** How many messages of the election vanished unread. */
  lost = 0;
  #messages: number;
  #unread: number;
  /** Those whose BYE came just now: bits. */
  #saidBye = 0;

  /** @param choices which of several possibilities to take, each time; the first, if not said */
  constructor(space: Space, rules: LinkRules, world: World, choices: readonly number[] = []) {
    this.#choices = choices;
    this.#space = space;
    this.#rules = rules;
    this.#peers = [...world.peers];
    this.#links = [...world.links];
    this.#ring = world.ring;
    this.#budget = world.budget;
    this.#elected = world.elected;
    this.#circuits = world.circuits;
    this.#messages = world.messages;
    this.#unread = unread(world.links);
  }

  act(action: Action): World {
    this.#perform(action);
    if (this.#circuits === null)
      for (const peer of this.#ring)
        if (this.#rules.makesAnew || action.type === 'view') this.#aimLink(peer);
    this.#links = this.#links.flatMap((link) => this.#tidied(link));
    if (this.#circuits !== null) this.#circuits = this.#livingCircuits(this.#circuits);
    this.lost = this.#unread - unread(this.#links);
    return {
      peers: this.#peers,
      links: this.#links,
      ring: this.#ring,
      budget: this.#budget,
      elected: this.#elected,
      messages: this.#messages,
      circuits: this.#circuits,
    };
  }

  #perform(action: Action): void {
    switch (action.type) {
      case 'deliver':
        this.#deliver(action.link);
        return;
      case 'deliver back':
        this.#deliverBack(action.link);
        return;
      case 'view':
        this.#obeyView(action.peer);
        return;
      case 'open':
        this.#open(action.link);
        return;
      case 'notice':
        this.#notice(action.link);
        return;
      case 'drop':
        this.#spend({ drops: -1 });
        this.#drop(action.link);
        return;
      case 'lose':
        this.#spend({ losses: -1 });
        this.#unread -= 1;
        this.#setLink(action.link, { forth: this.#link(action.link).forth.slice(1) });
        return;
      case 'start':
        this.#spend({ starts: -1 });
        this.#step(action.peer, { type: 'start' });
        return;
      case 'timeout':
        this.#timeOut(action.peer);
        return;
      case 'leave':
        this.#spend({ leaves: -1 });
        this.#leave(action.peer);
        return;
      case 'crash':
        this.#spend({ crashes: -1 });
        this.#crash(action.peer);
        return;
      case 'join':
        this.#spend({});
        this.#join(action.peer, action.after);
        return;
      case 'rewire':
        this.#spend({ rewirings: -1 });
        this.#rewire(action.peer, action.to);
        return;
    }
  }

  /** One of so many possibilities, by number. */
  #choose(possibilities: number): number {
    if (possibilities < 2) return 0;
    this.asked.push(possibilities);
    return this.#choices[this.asked.length - 1] ?? 0;
  }

  #spend(part: Partial<Budget>): void {
    const budget = { ...this.#budget, all: this.#budget.all - 1 };
    for (const name of BUDGETED) budget[name] += part[name] ?? 0;
    this.#budget = budget;
  }

  // --- messages ---------------------------------------------------------------------------------

  #deliver(at: number): void {
    const link = this.#link(at);
    const [parcel] = link.forth;
    if (parcel === undefined) return;
    this.#setLink(at, { forth: link.forth.slice(1) });
    switch (parcel.value.type) {
      case 'claim':
      case 'elected':
        this.#unread -= 1;
        this.#step(link.to, { type: 'receive', parcel });
        return;
      case 'hello':
        this.#step(link.to, { type: 'hello', parcel, from: 'predecessor' });
        return;
      case 'bye':
        this.#setLink(at, { isRead: false });
        if (parcel.value.reason === 'relinked') return;
        this.#saidBye = 1 << link.from;
        this.#learnOfDepartures(link.to, 1 << link.from);
        return;
    }
  }

  #deliverBack(at: number): void {
    const link = this.#link(at);
    const [parcel] = link.back;
    if (parcel === undefined) return;
    this.#setLink(at, { back: link.back.slice(1) });
    if (parcel.value.type === 'hello') {
      const greeting = parcel.value.ready ? 'ready' : 'unready';
      this.#setLink(at, { greeting });
      this.#step(link.from, { type: 'hello', parcel, from: 'successor' });
      this.#trySwitch(link.from);
      return;
    }
    this.#saidBye = 1 << link.to;
    if (!this.#rules.notesDeparturesFirst) this.#closeTowards(at);
    this.#learnOfDepartures(link.from, 1 << link.to);
  }

  /** A link opens: both ends say what they know. */
  #open(at: number): void {
    const { from, to } = this.#link(at);
    this.#setLink(at, { isOpen: true, forth: [this.#hello(from)], back: [this.#hello(to)] });
  }

  #hello(at: PeerNumber): Known<Parcel> {
    const { election, outlet } = this.#peer(at);
    const { term, removed } = election.value;
    return this.#space.parcel({
      type: 'hello',
      ready: outlet !== 'none',
      term,
      decision: decisionOf(election.value),
      removed: this.#rules.helloTellsDepartures ? removed : [],
    });
  }

  // --- the election -----------------------------------------------------------------------------

  /**
   * Lets something happen to a peer's election; what it sends to itself follows at once, unless
   * that is wrong: it might go on for ever.
   */
  #step(at: PeerNumber, first: Happening): void {
    const happenings = [first];
    for (let next = happenings.shift(); next !== undefined; next = happenings.shift()) {
      if (this.faults.length > 0) return;
      if (this.steps.length > MAX_STEPS) this.faults.push('a peer goes on talking to itself');
      const peer = this.#peer(at);
      const outcome = this.#space.outcome(peer.election, next);
      this.steps.push({ peer: at, happening: next, outcome });
      if (outcome.fault !== null) this.faults.push(outcome.fault);
      if (outcome.clash !== null && this.#circuits === null) this.clashes.push(outcome.clash);
      const timer = outcome.wait ?? (next.type === 'timeout' ? 'none' : peer.timer);
      this.#setPeer(at, { election: outcome.next, timer });
      if (outcome.next !== peer.election) this.#noteDecision(at, outcome.next.value);
      const { removed } = peer.election.value;
      if (outcome.next.value.removed.length > removed.length && this.#takeBack(at, removed))
        happenings.push({ type: 'start' });
      for (const parcel of outcome.sends) {
        const isToSelf = peer.outlet === 'loopback';
        if (isToSelf && parcel.value.type === 'claim' && peer.successor !== at) continue;
        this.#noteSent(at, parcel.value);
        if (this.#messages >= 0) this.#messages += 1;
        if (this.#isOf(this.#saidBye, parcel.value))
          this.faults.push('a message of a peer that has said BYE is sent');
        if (isToSelf) happenings.push({ type: 'receive', parcel });
        else this.#send(at, parcel);
      }
    }
  }

  // --- what is held (C5) ------------------------------------------------------------------------

  /**
   * What a link has not sent yet of peers that are found to have departed, it does not send.
   * @param known the departures known before
   * @returns whether that makes the peer start
   */
  #takeBack(at: PeerNumber, known: readonly PeerId[]): boolean {
    const { value: state } = this.#peer(at).election;
    let gone = 0;
    for (const id of state.removed) if (!known.includes(id)) gone |= 1 << this.#space.numberOf(id);
    const held = this.#chooseHeld(this.#used(at), known.length > 0, ({ value }) =>
      this.#isOf(gone, value),
    );
    if (held.length === 0) return false;
    if (this.#rules.takesBack) this.#discard(this.#used(at), held);
    else this.faults.push('a message of a peer known to be gone is still held');
    return this.#rules.startsAfterTakingBack && held.some(({ value }) => announces(value, state));
  }

  /**
   * What a link in use still holds: the last few of its messages, of which there may be none. The
   * world does not say where they begin. That is left open until it makes a difference.
   * @param mayBeLap whether a lap may be the first of them, as where what held it up was taken back
   */
  #chooseHeld(
    index: number,
    mayBeLap: boolean,
    isMeant: (parcel: Known<Parcel>) => boolean = isElection,
  ): readonly Known<Parcel>[] {
    const possibilities: (readonly Known<Parcel>[])[] = [[]];
    let held: readonly Known<Parcel>[] = [];
    let mayBegin = false;
    for (const parcel of this.#links[index]?.forth.toReversed() ?? []) {
      if (!isElection(parcel)) continue;
      if (isMeant(parcel)) {
        held = [parcel, ...held];
        mayBegin = false;
      }
      if (mayBegin || held.length === 0) continue;
      mayBegin = mayBeLap || !isLapParcel(parcel);
      if (mayBegin) possibilities.push(held);
    }
    return possibilities[this.#choose(possibilities.length)] ?? [];
  }

  #discard(index: number, held: readonly Known<Parcel>[]): void {
    this.unsent.push(...held);
    this.#takeOff(index, held);
  }

  /** Takes these, the last of their kind, off a link. */
  #takeOff(index: number, held: readonly Known<Parcel>[]): void {
    const { forth } = this.#link(index);
    const rest = [...forth];
    for (const parcel of held) rest.splice(rest.lastIndexOf(parcel), 1);
    this.#unread -= held.length;
    this.#setLink(index, { forth: rest });
  }

  /** What is held leaves over another link than it was decided for. */
  #sendElsewhere(held: readonly Known<Parcel>[], at: PeerNumber, next: number | 'loopback'): void {
    this.diverted.push(...held);
    for (const parcel of held)
      if (next === 'loopback') this.#step(at, { type: 'receive', parcel });
      else this.#send(at, parcel);
  }

  #isOf(peers: number, parcel: Parcel): boolean {
    if (peers === 0 || (parcel.type !== 'claim' && parcel.type !== 'elected')) return false;
    const origin = parcel.type === 'claim' ? parcel.claim.id : parcel.decision.leader.id;
    return (peers & (1 << this.#space.numberOf(origin))) !== 0;
  }

  #send(at: PeerNumber, parcel: Known<Parcel>): void {
    this.#unread += 1;
    const index = this.#used(at);
    const link = this.#links[index];
    if (link?.isRead === true) this.#setLink(index, { forth: [...link.forth, parcel] });
  }

  #noteDecision(at: PeerNumber, { term, role }: ElectionState): void {
    if (role.name !== 'leader' && role.name !== 'follower') return;
    const leader = this.#space.numberOf(role.decision.leader.id);
    if (role.name === 'leader') this.#noteElected(term, leader);
    else if (((this.#elected[term] ?? 0) & (1 << leader)) === 0)
      this.clashes.push(`a leader is followed that was not elected in term ${term}`);
    if (this.#circuits === null) this.#compareLeaders(term);
  }

  /**
   * Members that know a leader of the same term know the same one, and it was elected in that term. (A
   * leader elected by a ring of which no peer is left does not count.)
   */
  #compareLeaders(term: number): void {
    const leaders = this.#ring
      .map((number) => this.#peer(number).election.value)
      .flatMap((state) => (state.term === term ? (decisionOf(state)?.leader.id ?? []) : []));
    if (leaders.some((leader) => leader !== leaders[0]))
      this.clashes.push(`there are two leaders of term ${term}`);
  }

  #noteElected(term: number, leader: PeerNumber): void {
    const before = this.#elected[term] ?? 0;
    if ((before & (1 << leader)) !== 0) return;
    this.#elected = filled(this.#elected, term, before | (1 << leader));
    this.#compareCircuits(term, leader, before);
  }

  /** Rings that share a peer do not elect two leaders in one term. */
  #compareCircuits(term: number, leader: PeerNumber, others: number): void {
    const circuits = this.#circuits?.[term] ?? 0;
    const own = circuitOf(circuits, leader);
    for (const other of this.#peers.keys())
      if ((others & (1 << other)) !== 0 && (own & circuitOf(circuits, other)) !== 0)
        this.faults.push(`two leaders of term ${term}, whose rings share a peer`);
  }

  /** A peer that sends a claim is of the ring that this claim may win. */
  #noteSent(at: PeerNumber, parcel: Parcel): void {
    if (this.#circuits === null || parcel.type !== 'claim') return;
    const bits = circuitBits(this.#space.numberOf(parcel.claim.id), 1 << at);
    const before = this.#circuits[parcel.term] ?? 0;
    this.#circuits = filled(this.#circuits, parcel.term, before | bits);
  }

  /** Those of claims that are still on their way, or have won in a term that somebody is still in. */
  #livingCircuits(circuits: readonly number[]): readonly number[] {
    const terms = this.#ring.map((number) => this.#peer(number).election.value.term);
    const least = Math.min(...terms);
    this.#elected = this.#elected.map((leaders, term) => (term < least ? 0 : leaders));
    const living: number[] = [];
    const keep = (term: number, claimant: PeerNumber) => {
      living[term] = (living[term] ?? 0) | circuitBits(claimant, 0b1111);
    };
    for (const [term, leaders] of this.#elected.entries())
      for (const peer of this.#peers.keys()) if ((leaders & (1 << peer)) !== 0) keep(term, peer);
    for (const { forth } of this.#links)
      for (const { value } of forth)
        if (value.type === 'claim') keep(value.term, this.#space.numberOf(value.claim.id));
    return circuits.map((bits, term) => bits & (living[term] ?? 0));
  }

  #timeOut(at: PeerNumber): void {
    if (this.#peer(at).timer !== 'late') this.#spend({ timeouts: -1 });
    this.#step(at, { type: 'timeout' });
  }

  // --- views and links --------------------------------------------------------------------------

  #obeyView(at: PeerNumber): void {
    const { due } = this.#peer(at);
    this.#setPeer(at, { isViewDue: false, due: 0 });
    if (due !== 0) this.#learnOfDepartures(at, due);
    const place = this.#ring.indexOf(at);
    if (this.#circuits !== null) return;
    this.#setPeer(at, { predecessor: neighbour(this.#ring, place, -1) });
    this.#aim(at, neighbour(this.#ring, place, 1));
  }

  #aim(at: PeerNumber, successor: PeerNumber): void {
    const before = this.#peer(at).successor;
    this.#setPeer(at, { successor });
    if (before !== successor) this.#abandonAttempts(at);
    if (successor === at && before !== at && this.#peer(at).outlet === 'loopback')
      this.#step(at, { type: 'new-successor' });
    else if (successor === at) this.#switchTo(at, 'loopback');
    else if (before !== successor && !this.#rules.makesBeforeBreaking) this.#breakUsed(at);
  }

  #breakUsed(at: PeerNumber): void {
    const used = this.#used(at);
    if (used >= 0) this.#retire(used, 'relinked');
    this.#setPeer(at, { outlet: 'none', wasReady: false });
  }

  /** A link to the successor is in the making wherever there is none. */
  #aimLink(at: PeerNumber): void {
    const { successor } = this.#peer(at);
    if (successor === NOBODY || successor === at) return;
    if (this.#peer(successor).membership !== 'in') return;
    const isThere = this.#links.some(
      ({ from, to, use }) => from === at && to === successor && use !== 'closed',
    );
    if (isThere) return;
    this.#links = [
      ...this.#links,
      {
        ...{ from: at, to: successor, use: 'attempt', isOpen: false, isRead: true },
        ...{ greeting: 'none', forth: [], back: [] },
      },
    ];
  }

  /** L5: takes a link into use that can replace the present one. */
  #trySwitch(at: PeerNumber): void {
    const { outlet } = this.#peer(at);
    const next = this.#links.findIndex(
      ({ from, use, greeting }) =>
        from === at &&
        use === 'attempt' &&
        greeting !== 'none' &&
        (greeting === 'ready' || outlet === 'none' || !this.#rules.waitsForReady),
    );
    if (next >= 0) this.#switchTo(at, next);
  }

  #switchTo(at: PeerNumber, next: number | 'loopback'): void {
    const { outlet, successor } = this.#peer(at);
    if (outlet === 'loopback' && next === 'loopback') return;
    const previous = this.#used(at);
    const held = this.#rules.holdsByLink ? [] : this.#chooseHeld(previous, false);
    if (previous >= 0) this.#takeOff(previous, held);
    if (previous >= 0) this.#retire(previous, 'relinked');
    if (next !== 'loopback') this.#setLink(next, { use: 'used' });
    this.#setPeer(at, { outlet: next === 'loopback' ? 'loopback' : 'link' });
    if (next === 'loopback' || this.#link(next).to === successor) this.#abandonAttempts(at);
    this.#sendElsewhere(held, at, next);
    this.#step(at, { type: 'new-successor' });
    if (this.#peer(at).wasReady || this.#circuits !== null) return;
    this.#setPeer(at, { wasReady: true });
    this.#greetPredecessors(at);
  }

  #greetPredecessors(at: PeerNumber): void {
    for (const [index, link] of this.#links.entries())
      if (link.to === at && link.isOpen && link.isRead && link.use !== 'closed')
        this.#setLink(index, { back: [...link.back, this.#hello(at)] });
  }

  /** A new link is in use at once, whatever the rules say of its place. */
  #rewire(at: PeerNumber, to: PeerNumber): void {
    this.#setPeer(at, { successor: to });
    if (to !== at) this.#links = [...this.#links, { ...usedLink(at, to), use: 'attempt' }];
    this.#switchTo(at, to === at ? 'loopback' : this.#links.length - 1);
  }

  #abandonAttempts(at: PeerNumber): void {
    for (const [index, { from, use }] of this.#links.entries())
      if (from === at && use === 'attempt') this.#retire(index, 'relinked');
  }

  /** The predecessor's goodbye: the other end reads up to it. */
  #retire(index: number, reason: 'relinked' | 'leaving'): void {
    const { isOpen, forth } = this.#link(index);
    const bye = this.#space.parcel({ type: 'bye', reason });
    if (!isOpen) this.#setLink(index, { use: 'closed', isRead: false });
    else if (this.#rules.drains) this.#setLink(index, { use: 'closed', forth: [...forth, bye] });
    else this.#setLink(index, { use: 'closed', forth: [bye] });
  }

  /** L8. */
  #learnOfDepartures(at: PeerNumber, gone: number): void {
    this.#step(at, { type: 'removed', peers: gone });
    for (const [index, { from, to }] of this.#links.entries())
      if (to === at && (gone & (1 << from)) !== 0) this.#setLink(index, { isRead: false });
    for (const [index, { from, to, use }] of this.#links.entries())
      if (from === at && use === 'attempt' && (gone & (1 << to)) !== 0)
        this.#setLink(index, { use: 'closed', isRead: false });
    const used = this.#used(at);
    if (used >= 0 && (gone & (1 << this.#link(used).to)) !== 0) this.#closeTowards(used);
  }

  /** The predecessor's end of a link is lost; another one may take its place. */
  #closeTowards(index: number): void {
    const { from, use } = this.#link(index);
    this.#setLink(index, { use: 'closed' });
    if (use !== 'used') return;
    this.#setPeer(from, { outlet: 'none', wasReady: false });
    this.#trySwitch(from);
  }

  // --- faults -----------------------------------------------------------------------------------

  /** A peer finds that the other end of a link has crashed: what was on its way is lost. */
  #notice(at: number): void {
    const { from } = this.#link(at);
    this.#setLink(at, { isRead: false, isOpen: false, forth: [], back: [] });
    if (this.#peer(from).membership === 'in') this.#closeTowards(at);
  }

  #drop(at: number): void {
    this.#setLink(at, { isRead: false, isOpen: false, forth: [], back: [] });
    this.#closeTowards(at);
  }

  #leave(at: PeerNumber): void {
    const knowsDepartures = this.#peer(at).election.value.removed.length > 0;
    for (const [index, link] of this.#links.entries()) {
      if (link.from === at && link.use === 'used')
        this.#discard(index, this.#chooseHeld(index, knowsDepartures));
      if (link.from === at && link.use !== 'closed')
        this.#retire(index, link.use === 'used' ? 'leaving' : 'relinked');
      if (link.to !== at) continue;
      const bye = this.#space.parcel({ type: 'bye', reason: 'leaving' });
      this.#setLink(index, { isRead: false, back: link.isOpen ? [...link.back, bye] : [] });
    }
    this.#takeOut(at, 'left');
  }

  #crash(at: PeerNumber): void {
    for (const [index, link] of this.#links.entries()) {
      if (link.from === at) this.#setLink(index, { use: 'closed' });
      if (link.to === at) this.#setLink(index, { isRead: false });
    }
    this.#takeOut(at, 'crashed');
  }

  #takeOut(at: PeerNumber, membership: 'left' | 'crashed'): void {
    this.#setPeer(at, {
      ...{ membership, outlet: 'none', successor: NOBODY, predecessor: NOBODY, wasReady: false },
      ...{ timer: 'none', isViewDue: false, due: 0, told: 0 },
    });
    this.#setRing(this.#ring.filter((peer) => peer !== at));
  }

  #join(at: PeerNumber, after: number): void {
    this.#setPeer(at, { membership: 'in', told: this.#departures });
    this.#setRing(this.#ring.toSpliced(after, 0, at));
  }

  // --- the server -------------------------------------------------------------------------------

  get #departures(): number {
    let gone = 0;
    for (const [number, { membership }] of this.#peers.entries())
      if (membership === 'left' || membership === 'crashed') gone |= 1 << number;
    return gone;
  }

  /** A view for each whose place has changed. One that is still due is replaced. */
  #setRing(ring: readonly PeerNumber[]): void {
    const before = this.#ring;
    this.#ring = ring;
    const departures = this.#departures;
    for (const [at, number] of ring.entries()) {
      const placeBefore = before.indexOf(number);
      const isSame =
        placeBefore >= 0 &&
        neighbour(before, placeBefore, 1) === neighbour(ring, at, 1) &&
        neighbour(before, placeBefore, -1) === neighbour(ring, at, -1);
      if (isSame) continue;
      const { due, told } = this.#peer(number);
      this.#setPeer(number, {
        isViewDue: true,
        due: due | (departures & ~told),
        told: departures,
      });
    }
  }

  // --- small helpers ----------------------------------------------------------------------------

  #peer(at: PeerNumber): Peer {
    const peer = this.#peers[at];
    if (peer === undefined) throw new Error(`there is no peer ${at}`);
    return peer;
  }

  #link(at: number): Link {
    const link = this.#links[at];
    if (link === undefined) throw new Error(`there is no link ${at}`);
    return link;
  }

  #used(at: PeerNumber): number {
    return this.#links.findIndex(({ from, use }) => from === at && use === 'used');
  }

  #setPeer(at: PeerNumber, part: Partial<Peer>): void {
    this.#peers[at] = { ...this.#peer(at), ...part };
  }

  #setLink(at: number, part: Partial<Link>): void {
    this.#links[at] = { ...this.#link(at), ...part };
  }

  /** Without what makes no difference any more at either end; nothing where that is all. */
  #tidied(link: Link): readonly Link[] {
    if (!link.isRead) return link.use === 'closed' ? [] : [without(link, link.forth)];
    const isClosed = link.use === 'closed';
    if (!this.#rules.isTidy) return isClosed && link.forth.length === 0 ? [] : [link];
    if (!isClosed && this.#circuits === null) return [link];
    const stale = link.forth.filter(
      (parcel) => (isClosed || parcel.value.type === 'claim') && this.#isStale(link.to, parcel),
    );
    this.#unread -= stale.length;
    const rest = without(link, stale);
    if (!isClosed) return [rest];
    if (rest.forth.length === 0 || isRelinked(rest.forth[0])) return [];
    return rest.back.length > 0 || rest.greeting !== 'none'
      ? [{ ...rest, back: [], greeting: 'none' }]
      : [rest];
  }

  /** Whether a message is of a term that its receiver has left, and is dropped now as later. */
  #isStale(to: PeerNumber, parcel: Known<Parcel>): boolean {
    const { value } = parcel;
    if (value.type !== 'claim' && value.type !== 'elected') return false;
    const { membership, election } = this.#peer(to);
    if (membership !== 'in' || value.term >= election.value.term) return false;
    const { next, sends, wait } = this.#space.outcome(election, { type: 'receive', parcel });
    return next === election && sends.length === 0 && wait === null;
  }
}

/** A scene and the world after it. */
export interface Outlook {
  readonly scene: Scene;
  readonly next: World;
}

/** Every way in which an action may go: one, unless the world leaves something open. */
export function outlooks(
  space: Space,
  rules: LinkRules,
  world: World,
  action: Action,
): readonly Outlook[] {
  const found: Outlook[] = [];
  for (let choices: number[] | null = []; choices !== null;) {
    const scene: Scene = new Scene(space, rules, world, choices);
    found.push({ scene, next: scene.act(action) });
    choices = following(choices, scene.asked);
  }
  return found;
}

/** The choices to take after these, or null after the last. */
function following(choices: readonly number[], asked: readonly number[]): number[] | null {
  const next = asked.map((_, at) => choices[at] ?? 0);
  while (next.length > 0) {
    const last = (next.pop() ?? 0) + 1;
    if (last < (asked[next.length] ?? 0)) return [...next, last];
  }
  return null;
}

/** The election's messages that are on their way. */
function unread(links: readonly Link[]): number {
  let count = 0;
  for (const { forth } of links)
    for (const { value } of forth)
      if (value.type === 'claim' || value.type === 'elected') count += 1;
  return count;
}

/** The goodbye of a link that another has replaced: alone, it changes nothing. */
function isRelinked(parcel: Known<Parcel> | undefined): boolean {
  return parcel?.value.type === 'bye' && parcel.value.reason === 'relinked';
}

function without(link: Link, parcels: readonly Known<Parcel>[]): Link {
  if (parcels.length === 0) return link;
  return { ...link, forth: link.forth.filter((parcel) => !parcels.includes(parcel)) };
}

function isLapParcel({ value }: Known<Parcel>): boolean {
  return value.type === 'elected' && isLap(value);
}

function isElection({ value }: Known<Parcel>): boolean {
  return value.type === 'claim' || value.type === 'elected';
}

/** A list with a value at a place that it may not reach to yet. */
function filled(values: readonly number[], at: number, value: number): readonly number[] {
  const longer = Array.from(values);
  while (longer.length <= at) longer.push(0);
  longer[at] = value;
  return longer;
}

/** Whether that is the announcement of the leader that a peer knows. */
function announces(parcel: Parcel, state: ElectionState): boolean {
  if (parcel.type !== 'elected' || parcel.term !== state.term) return false;
  return parcel.decision.leader.id === decisionOf(state)?.leader.id;
}
