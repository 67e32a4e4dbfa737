/**
 * One thing that happens to a ring whose successors change for no reason, worked through to its end. Only the
 * election is the shipped one: it is safe whatever the server and the links do.
 */
import { decisionOf, type ElectionState } from '../../../election/state.ts';
import type { PeerId } from '../../../protocol/ids.ts';
import { isLap } from '../../../protocol/messages.ts';
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
  | { readonly type: 'drop' | 'lose'; readonly link: number }
  | { readonly type: 'start' | 'timeout' | 'leave'; readonly peer: PeerNumber }
  /** Its messages go to another peer, or over another link to the same one. */
  | { readonly type: 'rewire'; readonly peer: PeerNumber; readonly to: PeerNumber };

const BUDGETED = [...(['starts', 'timeouts', 'leaves', 'drops', 'losses', 'rewirings'] as const)];

/** One action makes a peer take no more steps than that. */
const MAX_STEPS = 64;

/** What a trace shows of a step. */
export interface StepTold {
  readonly peer: PeerNumber;
  readonly happening: Happening;
  readonly outcome: Outcome;
}

export class Stage {
  readonly #space: Space;
  readonly #holdsByLink: boolean;
  readonly #peers: Peer[];
  #links: Link[];
  #ring: readonly PeerNumber[];
  #budget: Budget;
  #elected: readonly number[];
  #circuits: readonly number[];
  readonly #choices: readonly number[];
  readonly steps: StepTold[] = [];
  /** What went wrong, in words. */
  readonly faults: string[] = [];
  /** Among how many possibilities the action had to choose, each time. */
  readonly asked: number[] = [];
  /** What was held and is never sent, or leaves over another link. */
  readonly unsent: Known<Parcel>[] = [];
  readonly diverted: Known<Parcel>[] = [];
  /** Those whose BYE came just now: bits. */
  #saidBye = 0;

  /** @param choices which of several possibilities to take, each time; the first, if not said */
  constructor(space: Space, holdsByLink: boolean, world: World, choices: readonly number[] = []) {
    this.#choices = choices;
    this.#space = space;
    this.#holdsByLink = holdsByLink;
    this.#peers = [...world.peers];
    this.#links = [...world.links];
    this.#ring = world.ring;
    this.#budget = world.budget;
    this.#elected = world.elected;
    this.#circuits = world.circuits;
  }

  act(action: Action): World {
    this.#perform(action);
    this.#links = this.#links.flatMap((link) => this.#tidied(link));
    this.#circuits = this.#livingCircuits(this.#circuits);
    return {
      peers: this.#peers,
      links: this.#links,
      ring: this.#ring,
      budget: this.#budget,
      elected: this.#elected,
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
      case 'drop':
        this.#spend({ drops: -1 });
        this.#drop(action.link);
        return;
      case 'lose':
        this.#spend({ losses: -1 });
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
        this.#step(link.to, { type: 'receive', parcel });
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
    this.#saidBye = 1 << link.to;
    this.#learnOfDepartures(link.from, 1 << link.to);
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
    this.#discard(this.#used(at), held);
    return held.some(({ value }) => announces(value, state));
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
    const index = this.#used(at);
    const link = this.#links[index];
    if (link?.isRead === true) this.#setLink(index, { forth: [...link.forth, parcel] });
  }

  #noteDecision(at: PeerNumber, { term, role }: ElectionState): void {
    if (role.name !== 'leader' && role.name !== 'follower') return;
    const leader = this.#space.numberOf(role.decision.leader.id);
    if (role.name === 'leader') this.#noteElected(term, leader);
  }

  #noteElected(term: number, leader: PeerNumber): void {
    const before = this.#elected[term] ?? 0;
    if ((before & (1 << leader)) !== 0) return;
    this.#elected = filled(this.#elected, term, before | (1 << leader));
    this.#compareCircuits(term, leader, before);
  }

  /** Rings that share a peer do not elect two leaders in one term. */
  #compareCircuits(term: number, leader: PeerNumber, others: number): void {
    const circuits = this.#circuits[term] ?? 0;
    const own = circuitOf(circuits, leader);
    for (const other of this.#peers.keys())
      if ((others & (1 << other)) !== 0 && (own & circuitOf(circuits, other)) !== 0)
        this.faults.push(`two leaders of term ${term}, whose rings share a peer`);
  }

  /** A peer that sends a claim is of the ring that this claim may win. */
  #noteSent(at: PeerNumber, parcel: Parcel): void {
    if (parcel.type !== 'claim') return;
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
    this.#spend({ timeouts: -1 });
    this.#step(at, { type: 'timeout' });
  }

  // --- views and links --------------------------------------------------------------------------

  #obeyView(at: PeerNumber): void {
    const { due } = this.#peer(at);
    this.#setPeer(at, { isViewDue: false, due: 0 });
    if (due !== 0) this.#learnOfDepartures(at, due);
  }

  #switchTo(at: PeerNumber, next: number | 'loopback'): void {
    const { outlet } = this.#peer(at);
    if (outlet === 'loopback' && next === 'loopback') return;
    const previous = this.#used(at);
    const held = this.#holdsByLink ? [] : this.#chooseHeld(previous, false);
    if (previous >= 0) this.#takeOff(previous, held);
    if (previous >= 0) this.#retire(previous, 'relinked');
    if (next !== 'loopback') this.#setLink(next, { use: 'used' });
    this.#setPeer(at, { outlet: next === 'loopback' ? 'loopback' : 'link' });
    this.#sendElsewhere(held, at, next);
    this.#step(at, { type: 'new-successor' });
  }

  /** A new link is in use at once, whatever the rules say of its place. */
  #rewire(at: PeerNumber, to: PeerNumber): void {
    this.#setPeer(at, { successor: to });
    if (to !== at) this.#links = [...this.#links, { ...usedLink(at, to), use: 'closed' }];
    this.#switchTo(at, to === at ? 'loopback' : this.#links.length - 1);
  }

  /** The predecessor's goodbye: the other end reads up to it. */
  #retire(index: number, reason: 'relinked' | 'leaving'): void {
    const { forth } = this.#link(index);
    const bye = this.#space.parcel({ type: 'bye', reason });
    this.#setLink(index, { use: 'closed', forth: [...forth, bye] });
  }

  /** L8. */
  #learnOfDepartures(at: PeerNumber, gone: number): void {
    this.#step(at, { type: 'removed', peers: gone });
    for (const [index, { from, to }] of this.#links.entries())
      if (to === at && (gone & (1 << from)) !== 0) this.#setLink(index, { isRead: false });
    const used = this.#used(at);
    if (used >= 0 && (gone & (1 << this.#link(used).to)) !== 0) this.#closeTowards(used);
  }

  /** The predecessor's end of a link is lost. */
  #closeTowards(index: number): void {
    const { from, use } = this.#link(index);
    this.#setLink(index, { use: 'closed' });
    if (use !== 'used') return;
    this.#setPeer(from, { outlet: 'none' });
  }

  // --- faults -----------------------------------------------------------------------------------

  #drop(at: number): void {
    this.#setLink(at, { isRead: false, forth: [], back: [] });
    this.#closeTowards(at);
  }

  #leave(at: PeerNumber): void {
    const knowsDepartures = this.#peer(at).election.value.removed.length > 0;
    for (const [index, link] of this.#links.entries()) {
      if (link.from === at && link.use === 'used') {
        this.#discard(index, this.#chooseHeld(index, knowsDepartures));
        this.#retire(index, 'leaving');
      }
      if (link.to !== at) continue;
      const bye = this.#space.parcel({ type: 'bye', reason: 'leaving' });
      this.#setLink(index, { isRead: false, back: [...link.back, bye] });
    }
    this.#takeOut(at);
  }

  #takeOut(at: PeerNumber): void {
    this.#setPeer(at, {
      ...{ isMember: false, outlet: 'none', successor: NOBODY, timer: 'none' },
      ...{ isViewDue: false, due: 0, told: 0 },
    });
    this.#setRing(this.#ring.filter((peer) => peer !== at));
  }

  // --- the server -------------------------------------------------------------------------------

  get #departures(): number {
    let gone = 0;
    for (const [number, { isMember }] of this.#peers.entries()) if (!isMember) gone |= 1 << number;
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
    const stale = link.forth.filter(
      (parcel) => (isClosed || parcel.value.type === 'claim') && this.#isStale(link.to, parcel),
    );
    const rest = without(link, stale);
    if (!isClosed) return [rest];
    if (rest.forth.length === 0 || isRelinked(rest.forth[0])) return [];
    return rest.back.length > 0 ? [{ ...rest, back: [] }] : [rest];
  }

  /** Whether a message is of a term that its receiver has left, and is dropped now as later. */
  #isStale(to: PeerNumber, parcel: Known<Parcel>): boolean {
    const { value } = parcel;
    if (value.type !== 'claim' && value.type !== 'elected') return false;
    const { isMember, election } = this.#peer(to);
    if (!isMember || value.term >= election.value.term) return false;
    const { next, sends, wait } = this.#space.outcome(election, { type: 'receive', parcel });
    return next === election && sends.length === 0 && wait === null;
  }
}

/** A stage and the world after it. */
export interface Outlook {
  readonly stage: Stage;
  readonly next: World;
}

/** Every way in which an action may go: one, unless the world leaves something open. */
export function outlooks(
  space: Space,
  holdsByLink: boolean,
  world: World,
  action: Action,
): readonly Outlook[] {
  const found: Outlook[] = [];
  for (let choices: number[] | null = []; choices !== null;) {
    const stage: Stage = new Stage(space, holdsByLink, world, choices);
    found.push({ stage, next: stage.act(action) });
    choices = following(choices, stage.asked);
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
