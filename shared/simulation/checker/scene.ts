/**
 * One thing that happens to a world, worked through to its end: views, links and faults as
 * `shared/ring` handles them, reduced to what an election can notice; the election itself as shipped.
 */
import { decisionOf, type ElectionState } from '../../election/state.ts';
import { type Happening, type Known, type Outcome, type Parcel, type Space } from './space.ts';
import {
  neighbour,
  NOBODY,
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
  | { readonly type: 'join'; readonly peer: PeerNumber; readonly after: number };

/** The rules L4 to L8 of SPEC.md that a check may take away. */
export interface LinkRules {
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
}

export const LINK_RULES: LinkRules = {
  drains: true,
  waitsForReady: true,
  makesBeforeBreaking: true,
  notesDeparturesFirst: true,
  helloTellsDepartures: true,
};

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
  readonly steps: StepTold[] = [];
  /** What went wrong, in words. */
  readonly faults: string[] = [];
  /** Leaders that exclude each other: wrong unless the first world had them, or a lie. */
  readonly clashes: string[] = [];
  /** How many messages of the election vanished unread. */
  lost = 0;
  #messages: number;
  #unread: number;
  /** Those whose BYE came just now: bits. */
  #saidBye = 0;

  constructor(space: Space, rules: LinkRules, world: World) {
    this.#space = space;
    this.#rules = rules;
    this.#peers = [...world.peers];
    this.#links = [...world.links];
    this.#ring = world.ring;
    this.#budget = world.budget;
    this.#elected = world.elected;
    this.#messages = world.messages;
    this.#unread = unread(world.links);
  }

  act(action: Action): World {
    this.#perform(action);
    for (const peer of this.#ring) this.#aimLink(peer);
    this.#links = this.#links.flatMap((link) => this.#tidied(link));
    this.lost = this.#unread - unread(this.#links);
    return {
      peers: this.#peers,
      links: this.#links,
      ring: this.#ring,
      budget: this.#budget,
      elected: this.#elected,
      messages: this.#messages,
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
    }
  }

  #spend(part: Partial<Budget>): void {
    const budget = { ...this.#budget, all: this.#budget.all - 1 };
    for (const name of ['starts', 'timeouts', 'leaves', 'crashes', 'drops', 'losses'] as const)
      budget[name] += part[name] ?? 0;
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
      if (outcome.clash !== null) this.clashes.push(outcome.clash);
      const timer = outcome.wait ?? (next.type === 'timeout' ? 'none' : peer.timer);
      this.#setPeer(at, { election: outcome.next, timer });
      if (outcome.next !== peer.election) this.#noteDecision(at, outcome.next.value);
      for (const parcel of outcome.sends) {
        if (this.#messages >= 0) this.#messages += 1;
        if (this.#isOf(this.#saidBye, parcel.value))
          this.faults.push('a message of a peer that has said BYE is sent');
        if (peer.outlet === 'loopback') happenings.push({ type: 'receive', parcel });
        else this.#send(at, parcel);
      }
    }
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

  /**
   * Members that know a leader of the same term know the same one, and it was elected in that term.
   * (Whoever was elected by a ring of which nobody is left does not count.)
   */
  #noteDecision(at: PeerNumber, { term, role }: ElectionState): void {
    if (role.name !== 'leader' && role.name !== 'follower') return;
    const leader = role.decision.leader.id;
    const bit = 1 << this.#space.numberOf(leader);
    if (role.name === 'leader') this.#noteElected(term, bit);
    else if (((this.#elected[term] ?? 0) & bit) === 0)
      this.clashes.push(`a leader is followed that was not elected in term ${term}`);
    for (const number of this.#ring) {
      const other = this.#peer(number).election.value;
      if (number === at || other.term !== term) continue;
      if ((decisionOf(other)?.leader.id ?? leader) !== leader)
        this.clashes.push(`there are two leaders of term ${term}`);
    }
  }

  #noteElected(term: number, bit: number): void {
    const before = this.#elected[term] ?? 0;
    if ((before & bit) !== 0) return;
    const elected = Array.from(this.#elected);
    while (elected.length <= term) elected.push(0);
    elected[term] = before | bit;
    this.#elected = elected;
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
    this.#setPeer(at, { predecessor: neighbour(this.#ring, place, -1) });
    this.#aim(at, neighbour(this.#ring, place, 1));
  }

  #aim(at: PeerNumber, successor: PeerNumber): void {
    const before = this.#peer(at).successor;
    this.#setPeer(at, { successor });
    if (before !== successor) this.#abandonAttempts(at);
    if (successor === at) this.#switchTo(at, 'loopback');
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
    if (next !== 'loopback') this.#setLink(next, { use: 'used' });
    if (previous >= 0) this.#retire(previous, 'relinked');
    this.#setPeer(at, { outlet: next === 'loopback' ? 'loopback' : 'link' });
    if (next === 'loopback' || this.#link(next).to === successor) this.#abandonAttempts(at);
    this.#step(at, { type: 'new-successor' });
    if (this.#peer(at).wasReady) return;
    this.#setPeer(at, { wasReady: true });
    this.#greetPredecessors(at);
  }

  #greetPredecessors(at: PeerNumber): void {
    for (const [index, link] of this.#links.entries())
      if (link.to === at && link.isOpen && link.isRead && link.use !== 'closed')
        this.#setLink(index, { back: [...link.back, this.#hello(at)] });
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
    for (const [index, link] of this.#links.entries()) {
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

  /** Nothing where no end of the link can make a difference any more. */
  #tidied(link: Link): readonly Link[] {
    const isDeaf = !link.isRead;
    if (link.use !== 'closed')
      return isDeaf && link.forth.length > 0 ? [{ ...link, forth: [] }] : [link];
    if (isDeaf || link.forth.length === 0) return [];
    return link.back.length > 0 || link.greeting !== 'none'
      ? [{ ...link, back: [], greeting: 'none' }]
      : [link];
  }
}

/** The election's messages that are on their way. */
function unread(links: readonly Link[]): number {
  let count = 0;
  for (const { forth } of links)
    for (const { value } of forth)
      if (value.type === 'claim' || value.type === 'elected') count += 1;
  return count;
}
