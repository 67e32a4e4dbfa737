/**
 * Runs the pure election: gives it inputs one after another, performs the effects it asks for, and
 * keeps the one timer it has. Links, neighbours and the server are its owner's.
 */
import { decisionOf, initialElection, type ElectionState } from '../election/state.ts';
import {
  step,
  type ElectionEffect,
  type ElectionInput,
  type Judgement,
  type Wait,
} from '../election/step.ts';
import type { Extension } from '../protocol/frame.ts';
import type { PeerId } from '../protocol/ids.ts';
import { mostMembers } from '../protocol/signaling.ts';
import {
  isLap,
  originOf,
  type Claim,
  type Decision,
  type ElectionMessage,
  type Policy,
} from '../protocol/messages.ts';
import type { Outlet } from './edges.ts';
import { CensusTaker } from './census.ts';
import type { Cause, RingEvent, Seat, WholeRing } from './events.ts';
import { Lease } from './lease.ts';
import { Patience } from './patience.ts';
import type { Clock, Random } from './ports.ts';
import { TermGate } from './term-gate.ts';

/** What an election asks of the ring member it belongs to. */
export interface ElectionOwner {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  readonly random: Random;
  /** Where messages to the successor go now. */
  outlet(): Outlet;
  /** By what they go there. */
  linkOnward(): Seat['link'];
  /** Whether a claim sent there could go round the ring. */
  leadsRound(): boolean;
  /** The predecessor of the last view, whether or not there is a link with it. */
  predecessor(): PeerId | null;
  tell(event: RingEvent): void;
  /** A peer that is presumed departed has a message under way. */
  onGhost(peer: PeerId): void;
  /** A leader was heard: one that was elected just now, or by a lap. */
  onLeader(decision: Decision, isNew: boolean): void;
  /** A message from the predecessor has told the ring's term and who leads in it. */
  onTold(): void;
  /** For how long a message is held before it is sent, in milliseconds. */
  hopDelay(): number;
  /** What a hop takes on the slower of this peer's links, in milliseconds; 0 before it is measured. */
  latency(): number;
  /** Members of the room by the server's last word. */
  roomSize(): number;
}

/** An input with what came along in the same frame and is relayed unread. */
interface Pending {
  readonly input: ElectionInput;
  readonly extensions: readonly Extension[];
  /** The neighbour whose message it is. */
  readonly from: PeerId;
  readonly because: Cause;
}

type Unsent = Extract<RingEvent, { type: 'unsent' }>;

/** The one timer (SPEC.md, R7), while it runs. */
interface RunningWait {
  readonly until: Wait;
  readonly since: number;
  /** From 0 to 1: how much longer it takes than it must. */
  readonly luck: number;
  readonly due: number;
}

export class ElectionRunner {
  readonly #owner: ElectionOwner;
  readonly #patience: Patience;
  readonly #termGate: TermGate;
  #state: ElectionState;
  /** What is still to be stepped through; effects may bring more. */
  readonly #inputs: Pending[] = [];
  #isStepping = false;
  #isTold = false;
  readonly #lease: Lease;
  /** Whether it was said that the present leader is not confirmed any more. */
  #isDoubted = false;
  #hasStopped = false;
  #cancelTimer: (() => void) | null = null;
  #running: RunningWait | null = null;
  readonly #census: CensusTaker;

  /** @param self the peer's base claim */
  constructor(self: Claim, policy: Policy, owner: ElectionOwner) {
    this.#owner = owner;
    this.#patience = new Patience(owner.clock, () => ({
      peers: this.#peers,
      latency: owner.latency(),
      hopDelay: owner.hopDelay(),
    }));
    this.#lease = new Lease(owner.clock, owner.date);
    this.#termGate = new TermGate(owner.clock);
    this.#census = new CensusTaker({
      self: self.id,
      link: () => owner.linkOnward(),
      onRing: () => {
        owner.tell({ type: 'ring' });
      },
    });
    this.#state = initialElection(self, policy);
  }

  /** Until when the leader of the present term is confirmed. */
  get lease(): Pick<Lease, 'until' | 'isValid'> {
    return this.#lease;
  }

  /** Whether a message from the predecessor has told the ring's term and who leads in it. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** What it was told may be old by now. */
  forgetTold(): void {
    this.#isTold = false;
  }

  get state(): ElectionState {
    return this.#state;
  }

  /** The whole ring as far as it was told. */
  get ring(): WholeRing | null {
    return this.#census.ring;
  }

  /** Peers of the ring as far as they are known, with some to spare: it may grow meanwhile. */
  get #peers(): number {
    const told = decisionOf(this.#state)?.size ?? this.#census.ring?.seats.length ?? 0;
    const room = this.#owner.roomSize();
    // An announcement may say any size.
    return Math.min(Math.max(told + ROOM_TO_GROW, room, LEAST_RING), mostMembers(room));
  }

  /** The longest that an honest peer of this room is silent at such a hop delay, in milliseconds. */
  longestSilence(hopDelay: number): number {
    return this.#patience.longest({
      peers: mostMembers(this.#owner.roomSize()),
      latency: this.#owner.latency(),
      hopDelay,
    });
  }

  /** The hop delay was set. A wait that is too long for it begins anew; one too short is prolonged. */
  paceChanged(): void {
    const wait = this.#running;
    if (wait === null) return;
    const milliseconds = this.#patience.for(wait.until, wait.luck);
    if (this.#owner.clock.now() + milliseconds < wait.due)
      this.#waitFor({ ...wait, since: this.#owner.clock.now() });
  }

  /** Takes the policy that the room turns out to have. Nothing has happened before. */
  adopt(policy: Policy): void {
    this.#state = initialElection(this.#state.self, policy);
  }

  /** Whether a message of this term may be acted on; see {@link TermGate}. */
  judgeTerm(term: number, isBorneOut: boolean): ReturnType<TermGate['judge']> {
    return this.#termGate.judge(this.#state.term, term, isBorneOut);
  }

  /** How long it takes until one that came too soon may be, in milliseconds. */
  hasteOf(term: number): number {
    return this.#termGate.hasteOf(this.#state.term, term);
  }

  /** Whether this peer never knew a leader. */
  get isNewcomer(): boolean {
    return this.#termGate.isNewcomer;
  }

  /** Takes in a message of the election. */
  receive(message: ElectionMessage, from: PeerId, extensions: readonly Extension[]): void {
    this.#enqueue({ input: { type: 'receive', message }, extensions, from, because: 'receive' });
  }

  /** Takes in anything else. */
  step(input: ElectionInput, because: Cause = input.type): void {
    this.#enqueue({ input, extensions: [], from: this.#state.self.id, because });
  }

  /** Nothing happens any more. */
  stop(): void {
    this.#hasStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#running = null;
  }

  /** To be called when a link to the successor is lost, with what it still held. */
  lost(messages: readonly ElectionMessage[]): void {
    if (!this.#hasStopped) this.#tellUnsent(messages, 'the link is lost');
  }

  #enqueue(pending: Pending): void {
    this.#inputs.push(pending);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
        this.#stepOnce(next);
    } finally {
      // Whoever watches may throw; the election goes on with its next input.
      this.#isStepping = false;
    }
  }

  #stepOnce(pending: Pending): void {
    if (this.#hasStopped) return;
    const before = this.#state;
    const { state, effects } = step(before, pending.input);
    this.#state = state;
    if (state.removed !== before.removed) this.#discardOfDeparted();
    if (decisionOf(state) !== null) this.#termGate.decided();
    if (state.term > before.term) this.#patience.termRose();
    const hasStarted =
      state.role.name === 'candidate' && state.term > before.term && !isAnswer(pending, state);
    // Only a message that is passed on takes along what came with it.
    const isRelayed = effects.some(
      (effect) => effect.type === 'judge' && effect.judgement.outcome === 'forwarded',
    );
    const extensions = isRelayed ? pending.extensions : [];
    for (const effect of effects) {
      // Who starts sends its claim, once, and after its judgement on the message that made it start.
      if (hasStarted && effect.type === 'send')
        this.#owner.tell({ type: 'started', term: state.term, because: pending.because });
      this.#perform(effect, pending.from, extensions);
    }
    this.#takeCensus(pending, effects);
    this.#renewLease(pending.input, effects);
    const isOfRing = pending.from === this.#owner.predecessor();
    if (!isOfRing || !tellsLeader(pending.input, state)) return;
    this.#isTold = true;
    this.#owner.onTold();
  }

  /** What was heard of the leader confirms it for as long as the wait for the next lap takes (R10). */
  #renewLease({ type }: ElectionInput, effects: readonly ElectionEffect[]): void {
    const decision = decisionOf(this.#state);
    if (decision === null) {
      this.#lease.end();
      this.#isDoubted = false;
      return;
    }
    const wait = this.#running;
    const isHeard = type === 'receive' || type === 'hello';
    if (wait === null || !isHeard || !effects.some((effect) => effect.type === 'wait')) return;
    const left = wait.due - this.#owner.clock.now();
    this.#lease.renew(wait.until === 'lap' ? left + this.#patience.for('return', 0) : left);
    this.#tellConfirmed();
  }

  /** Tells where it has come to be confirmed again, or is no more. */
  #tellConfirmed(): void {
    const decision = decisionOf(this.#state);
    const isConfirmed = this.#lease.isValid;
    if (decision === null || isConfirmed !== this.#isDoubted) return;
    this.#isDoubted = !isConfirmed;
    this.#owner.tell({ type: 'confirmation', leader: decision.leader.id, isConfirmed });
  }

  #perform(effect: ElectionEffect, from: PeerId, extensions: readonly Extension[]): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.message, extensions);
        return;
      case 'judge': {
        const { message, judgement } = effect;
        this.#noteLap(message, judgement);
        if (judgement.reason === 'its origin is gone') this.#owner.onGhost(originOf(message));
        this.#owner.tell({ type: 'received', message, from, judgement });
        return;
      }
      case 'decide': {
        const { term, decision } = effect;
        const leader = decision.leader.id;
        this.#patience.decided();
        const isSelf = leader === this.#state.self.id;
        this.#owner.tell({ type: 'leader', leader, term, size: decision.size, isSelf });
        this.#owner.onLeader(decision, true);
        return;
      }
      case 'wait':
        this.#wait(effect.until);
        return;
    }
  }

  /** What an announcement says of the whole ring, where it was news or has come home. */
  #takeCensus({ input, extensions }: Pending, effects: readonly ElectionEffect[]): void {
    if (input.type !== 'receive' || input.message.type !== 'elected') return;
    for (const effect of effects)
      if (effect.type === 'judge' && NEWS.has(effect.judgement.outcome))
        this.#census.take(input.message, extensions, effect.judgement.outcome === 'completed');
  }

  /**
   * Sends a message to the successor over the link that is in use now, once the hop delay is over
   * (SPEC.md, C5). Without a link it is lost; R4 makes up for that. Laps are not held, or a leader would
   * be presumed lost for being slow, but they overtake nothing.
   */
  #send(message: ElectionMessage, received: readonly Extension[]): void {
    const outlet = this.#owner.outlet();
    if (outlet === null) return;
    // Where the view names another successor, the ring may be deciding without this peer.
    if (outlet === 'loopback' && message.type === 'claim' && !this.#owner.leadsRound()) return;
    const self = this.#state.self.id;
    const extensions = this.#census.dress(message, received);
    if (message.type === 'claim') this.#patience.claimSent();
    if (outlet === 'loopback') {
      this.#owner.tell({ type: 'sent', message, to: self });
      // After the present input: this is one of its effects.
      this.receive(message, self, extensions);
      return;
    }
    const to = outlet.peer;
    if (to === null) return;
    const delay = isLap(message) ? 0 : this.#owner.hopDelay();
    const milliseconds = outlet.pass(message, extensions, delay, () => {
      this.#owner.tell({ type: 'sent', message, to });
    });
    if (milliseconds > 0 && !isLap(message))
      this.#owner.tell({ type: 'holding', message, milliseconds });
  }

  /**
   * What is held of a peer that is gone is not sent any more (SPEC.md, C5). Where that is the leader's
   * announcement, this peer starts: its successor never hears of that leader, so nothing there would
   * make anybody else start (R6).
   */
  #discardOfDeparted(): void {
    const outlet = this.#owner.outlet();
    if (outlet === null || outlet === 'loopback') return;
    const { removed, term } = this.#state;
    const discarded = outlet.discard((message) => removed.includes(originOf(message)));
    this.#tellUnsent(discarded, 'its origin is gone');
    const leader = decisionOf(this.#state)?.leader.id;
    const isOfLeader = (message: ElectionMessage) =>
      message.type === 'elected' && message.term === term && originOf(message) === leader;
    if (discarded.some(isOfLeader)) this.step({ type: 'start' }, 'announcement taken back');
  }

  #tellUnsent(messages: readonly ElectionMessage[], reason: Unsent['reason']): void {
    for (const message of messages)
      if (!isLap(message)) this.#owner.tell({ type: 'unsent', message, reason });
  }

  /** Restarts the one election timer (SPEC.md, R7). */
  #wait(until: Wait): void {
    if (until === 'return') this.#patience.lapSent();
    const luck = until === 'leader' ? this.#owner.random() : 0;
    this.#waitFor({ until, since: this.#owner.clock.now(), luck });
  }

  /** Returns when it ends, as far as is known now. */
  #waitFor({ until, since, luck }: Omit<RunningWait, 'due'>): number {
    const { clock } = this.#owner;
    this.#cancelTimer?.();
    const due = since + this.#patience.for(until, luck);
    this.#running = { until, since, luck, due };
    this.#cancelTimer = clock.after(due - clock.now(), () => {
      this.#cancelTimer = null;
      this.#running = null;
      const isCutOff = this.#state.role.name !== 'leader' && !this.#owner.leadsRound();
      // What is known of the ring may have grown meanwhile, and the hop delay, too.
      if (since + this.#patience.for(until, luck) > due) this.#prolong({ until, since, luck });
      else if (isCutOff) {
        this.#tellConfirmed();
        this.#wait('leader');
      } else {
        // Anyone else starts an election now, and names no leader any more.
        if (this.#state.role.name === 'leader') this.#tellConfirmed();
        this.step({ type: 'timeout' });
      }
    });
    return due;
  }

  /** What was heard of a leader confirms it for as long as the wait goes on. */
  #prolong(wait: Omit<RunningWait, 'due'>): void {
    const due = this.#waitFor(wait);
    if (decisionOf(this.#state) !== null && !this.#isDoubted)
      this.#lease.renew(due - this.#owner.clock.now());
  }

  #noteLap(message: ElectionMessage, { outcome }: Judgement): void {
    const hasPassed = outcome === 'forwarded' || outcome === 'completed';
    if (message.type !== 'elected' || !hasPassed) return;
    this.#patience.lapPassed(message.decision.lap);
    this.#owner.onLeader(message.decision, false);
  }
}

/** What is known of a ring may have grown since; and a newcomer knows nothing. */
const ROOM_TO_GROW = 4;
const LEAST_RING = 12;

/** How an announcement fares that is not known yet. */
const NEWS: ReadonlySet<Judgement['outcome']> = new Set(['forwarded', 'completed']);

/** Whether a message was an announcement of the present leader, or this peer's own claim come back. */
function tellsLeader(input: ElectionInput, state: ElectionState): boolean {
  if (input.type !== 'receive' || input.message.term !== state.term) return false;
  const leader = decisionOf(state)?.leader.id;
  const isOwn = state.role.name === 'leader' && state.self.id === originOf(input.message);
  return originOf(input.message) === leader && (input.message.type === 'elected' || isOwn);
}

/** Whether a claim was met in the term of a message rather than in a new one (SPEC.md, R2a). */
function isAnswer({ input }: Pending, { term }: ElectionState): boolean {
  return input.type === 'receive' && input.message.term === term;
}
