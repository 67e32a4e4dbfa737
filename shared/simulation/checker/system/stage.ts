/**
 * One thing that happens to a world, worked through to its end: members and broker are the shipped ones, and
 * what is between them is here. What a member asks the server is there at once; what the server sends takes
 * its time, in order.
 */
import type { RingEvent } from '../../../member/events.ts';
import type { Identity } from '../../../member/state.ts';
import { parseLinkId, type LinkId } from '../../../protocol/ids.ts';
import type { Signal } from '../../../protocol/signaling.ts';
import { newBroker } from '../../../broker/state.ts';
import { closingLinks, NOW } from './canonical-member.ts';
import type { Happening } from './happening.ts';
import { bitOf, type Asked, type Deed, type Machines, type Parcel } from './machines.ts';
import { clashOf } from './judge.ts';
import { GONE, NONE, type Budget, type Slot, type Wire, type World } from './world.ts';

export type End = 'initiator' | 'responder';

/** Wires are named by their index in the world. */
export type Action =
  /** The first thing that is on its way from the server, or over a wire. */
  | { readonly type: 'told'; readonly slot: Slot }
  | { readonly type: 'frame'; readonly wire: number; readonly to: End }
  /** An end finds that the link is lost. What was on its way to it is lost, too. */
  | { readonly type: 'notice'; readonly wire: number; readonly end: End }
  /** The time of something has come. */
  | { readonly type: 'due'; readonly slot: Slot; readonly due: number; readonly isEvent: boolean }
  | { readonly type: 'server due'; readonly due: number }
  /** The server finds that a connection is lost. */
  | { readonly type: 'server notices'; readonly session: number }
  | { readonly type: 'reconnect'; readonly slot: Slot }
  | { readonly type: 'join'; readonly slot: Slot; readonly after: Slot }
  | { readonly type: 'start' | 'leave' | 'crash' | 'cut'; readonly slot: Slot }
  | { readonly type: 'drop'; readonly wire: number }
  | { readonly type: 'lose'; readonly wire: number; readonly to: End }
  | { readonly type: 'lapse' };

/** How a member is named where it comes back as a new peer. */
export type Renewals = (slot: Slot, before: Identity) => Identity;

/** What a trace shows of a turn. */
export interface Told {
  readonly slot: Slot;
  readonly events: readonly RingEvent[];
}

/** Sessions of one slot that can be told apart. */
const SESSIONS = 16;

/** The description of a connection does not matter here. */
const OFFER: Signal = { type: 'offer', sdp: '' };
const ANSWER: Signal = { type: 'answer', sdp: '' };

export class Stage {
  readonly #machines: Machines;
  readonly #renewed: Renewals;
  readonly #members: number[];
  #broker: number;
  readonly #sessions: number[];
  readonly #down: (readonly number[])[];
  #lost: readonly number[];
  #wires: readonly Wire[];
  #budget: Budget;
  #messages: number;
  /** What happens to members next, in order. */
  readonly #inputs: { readonly slot: Slot; readonly input: number }[] = [];
  readonly told: Told[] = [];
  /** How many messages of the election vanish unread. */
  lost = 0;
  fault: string | null = null;

  constructor(machines: Machines, renewed: Renewals, world: World) {
    this.#machines = machines;
    this.#renewed = renewed;
    this.#members = [...world.members];
    this.#broker = world.broker;
    this.#sessions = [...world.sessions];
    this.#down = [...world.down];
    this.#lost = world.lost;
    this.#wires = world.wires;
    this.#budget = world.budget;
    this.#messages = world.messages;
  }

  act(action: Action): World {
    this.#perform(action);
    this.#work();
    this.#tidy();
    this.fault ??= clashOf(
      this.#members
        .filter((member) => member >= 0)
        .map((member) => this.#machines.members.get(member))
        .filter(({ membership: { name } }) => name === 'member' || name === 'resuming'),
    );
    return this.#world();
  }

  #world(): World {
    const living = this.#livingLinks();
    return {
      members: this.#members.map((member) =>
        member < 0 ? member : this.#machines.pruned(member, living),
      ),
      broker: this.#broker,
      sessions: this.#sessions,
      down: this.#down,
      lost: this.#lost,
      wires: [...this.#wires].sort((a, b) => a.id - b.id),
      budget: this.#budget,
      messages: this.#messages,
    };
  }

  #perform(action: Action): void {
    switch (action.type) {
      case 'told':
        this.#tellFirst(action.slot);
        return;
      case 'frame':
        this.#carry(action.wire, action.to);
        return;
      case 'notice':
        this.#notice(this.#wire(action.wire), action.end);
        return;
      case 'due':
        if (action.isEvent) this.#spend('timeouts');
        this.#give(action.slot, { type: 'time', due: action.due });
        return;
      case 'server due':
        this.#ask({ type: 'time', due: action.due });
        return;
      case 'server notices':
        this.#lost = this.#lost.filter((session) => session !== action.session);
        this.#ask({ type: 'closed', session: action.session });
        return;
      case 'reconnect':
        this.#connect(action.slot);
        return;
      default:
        this.#befall(action);
    }
  }

  /** An event of the budget. */
  #befall(
    action: Extract<
      Action,
      { type: 'join' | 'start' | 'leave' | 'crash' | 'cut' | 'drop' | 'lose' | 'lapse' }
    >,
  ): void {
    switch (action.type) {
      case 'join':
        this.#spend('joins');
        this.#join(action.slot, action.after);
        return;
      case 'start':
        this.#spend('starts');
        this.#give(action.slot, { type: 'campaign' });
        return;
      case 'leave':
        this.#spend('leaves');
        this.#give(action.slot, { type: 'leave' });
        return;
      case 'crash':
        this.#spend('crashes');
        this.#crash(action.slot);
        return;
      case 'cut':
        this.#spend('cuts');
        this.#cut(action.slot);
        return;
      case 'lapse':
        this.#spend('lapses');
        this.#lapse();
        return;
      case 'drop':
      case 'lose':
        this.#harm(action);
        return;
    }
  }

  /** An event of the budget that concerns a link alone. */
  #harm(action: Extract<Action, { type: 'drop' | 'lose' }>): void {
    const wire = this.#wire(action.wire);
    if (action.type === 'drop') {
      this.#spend('drops');
      this.#setWire(wire, { isBroken: true, forth: [], back: [] });
    } else {
      this.#spend('losses');
      this.#take(wire, action.to);
    }
  }

  #spend(name: Exclude<keyof Budget, 'all'>): void {
    const budget = { ...this.#budget, all: this.#budget.all - 1 };
    this.#budget = { ...budget, [name]: budget[name] - 1 };
  }

  // --- members ----------------------------------------------------------------------------------

  #give(slot: Slot, happening: Happening): void {
    this.#inputs.push({ slot, input: this.#machines.input(happening) });
  }

  #work(): void {
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
      this.#turn(next.slot, next.input);
  }

  #turn(slot: Slot, input: number): void {
    const member = this.#member(slot);
    if (member < 0 || this.fault !== null) return;
    const turn = this.#machines.turn(member, slot, input, this.#livingLinks());
    this.#members[slot] = turn.next;
    this.told.push({ slot, events: turn.events });
    this.fault ??= turn.fault;
    if (this.#messages >= 0) this.#messages += turn.sent;
    for (const deed of turn.deeds) this.#do(slot, deed);
  }

  #do(slot: Slot, deed: Deed): void {
    switch (deed.do) {
      case 'open':
        this.#open(slot, deed.link, deed.isInitiator);
        return;
      case 'signal':
        this.#signal(slot, deed.link, deed.signal);
        return;
      case 'send':
        this.#send(slot, deed.link, deed.frame);
        return;
      case 'close':
        this.#close(slot, deed.link);
        return;
      case 'connect':
        this.#connect(slot);
        return;
      case 'ask':
        this.#askAs(slot, deed);
        return;
      case 'hang up':
        this.#hangUp(slot, deed.how);
        return;
      case 'renew': {
        const { identity } = this.#machines.members.get(this.#member(slot));
        this.#give(slot, { type: 'renewed', identity: this.#renewed(slot, identity) });
        return;
      }
    }
  }

  /** The server's next place is behind a certain peer: any edge may be its oldest. */
  #join(slot: Slot, after: Slot): void {
    this.#broker = this.#machines.splitNext(this.#broker, after);
    this.#give(slot, { type: 'join' });
  }

  #crash(slot: Slot): void {
    this.#members[slot] = GONE;
    this.#endSession(slot);
    for (const wire of this.#wires) {
      const end = endOf(wire, slot);
      if (end !== null) this.#setWire(wire, { [end]: NONE });
    }
  }

  // --- the server -------------------------------------------------------------------------------

  #connect(slot: Slot): void {
    const session = this.#freeSession(slot);
    this.#sessions[slot] = session;
    this.#down[slot] = [];
    this.#ask({ type: 'opened', session, address: '' });
    this.#give(slot, { type: 'connected' });
  }

  #freeSession(slot: Slot): number {
    let session = slot;
    const isTaken = (other: number) =>
      this.#lost.includes(other) || this.#machines.hasSession(this.#broker, other);
    while (isTaken(session)) session += SESSIONS;
    return session;
  }

  #askAs(slot: Slot, { number, request }: Extract<Deed, { do: 'ask' }>): void {
    const session = this.#session(slot);
    if (session !== NONE) this.#ask({ type: 'request', session, number, request });
  }

  #ask(asked: Asked): void {
    const { next, parcels } = this.#machines.ask(this.#broker, asked);
    this.#broker = next;
    const bundles = new Map<Slot, number[]>();
    for (const parcel of parcels) this.#deliver(parcel, bundles);
    for (const [slot, inputs] of bundles)
      this.#down[slot] = [...this.#queue(slot), this.#machines.bundle(inputs)];
  }

  #deliver(parcel: Parcel, bundles: Map<Slot, number[]>): void {
    const slot = this.#sessions.indexOf(parcel.session);
    const send = (input: number) => bundles.set(slot, [...(bundles.get(slot) ?? []), input]);
    switch (parcel.type) {
      case 'input':
        if (slot < 0) return;
        if (!parcel.isAtOnce || bundles.has(slot)) send(parcel.input);
        else this.#sendAlong(slot, parcel.input);
        return;
      case 'probe':
        // One that has a connection is awake.
        if (slot >= 0) this.#ask(this.#machines.answer(this.#member(slot), parcel));
        return;
      case 'end':
        if (slot >= 0)
          send(this.#machines.input({ type: 'disconnected', reason: 'ended by the server' }));
        return;
    }
  }

  /** What takes no time of its own comes with what was sent last, or now. */
  #sendAlong(slot: Slot, input: number): void {
    const queue = this.#queue(slot);
    const last = queue.at(-1);
    if (last === undefined) this.#inputs.push({ slot, input });
    else {
      const bundle = this.#machines.bundle([...this.#machines.bundles.get(last), input]);
      this.#down[slot] = [...queue.slice(0, -1), bundle];
    }
  }

  #tellFirst(slot: Slot): void {
    const [first, ...rest] = this.#queue(slot);
    if (first === undefined) return;
    this.#down[slot] = rest;
    for (const input of this.#machines.bundles.get(first)) {
      if (this.#machines.inputs.get(input).type === 'disconnected') this.#forgetSession(slot);
      this.#inputs.push({ slot, input });
    }
  }

  #hangUp(slot: Slot, how: 'leave' | 'drop'): void {
    const session = this.#session(slot);
    if (session === NONE) return;
    this.#forgetSession(slot);
    if (how === 'leave')
      this.#ask({ type: 'request', session, number: NONE, request: { type: 'leave', body: null } });
    this.#ask({ type: 'closed', session });
  }

  #endSession(slot: Slot): void {
    const session = this.#session(slot);
    this.#forgetSession(slot);
    if (session !== NONE) this.#ask({ type: 'closed', session });
  }

  #forgetSession(slot: Slot): void {
    this.#sessions[slot] = NONE;
    this.#down[slot] = [];
  }

  /** A connection breaks: the member knows at once, the server some time later. */
  #cut(slot: Slot): void {
    this.#lost = [...this.#lost, this.#session(slot)].sort((a, b) => a - b);
    this.#forgetSession(slot);
    this.#give(slot, { type: 'disconnected', reason: 'cut' });
  }

  /** The server begins anew and remembers nothing. */
  #lapse(): void {
    const { limits } = this.#machines.brokers.get(this.#broker);
    this.#broker = this.#machines.broker(newBroker('later', limits, NOW));
    this.#lost = [];
    for (const [slot, session] of this.#sessions.entries())
      if (session !== NONE) {
        this.#forgetSession(slot);
        this.#give(slot, { type: 'disconnected', reason: 'the server is lost' });
      }
  }

  // --- links ------------------------------------------------------------------------------------

  #open(slot: Slot, link: LinkId, isInitiator: boolean): void {
    if (isInitiator) {
      const fresh = { isUp: false, isBroken: false, forth: [], back: [] };
      this.#wires = [...this.#wires, { id: link, initiator: slot, responder: NONE, ...fresh }];
      this.#give(slot, { type: 'link', link, event: { type: 'signal', signal: OFFER } });
      return;
    }
    const wire = this.#wireOf(link);
    if (wire !== undefined) this.#setWire(wire, { responder: slot });
  }

  /** The platform takes in an offer, and has an answer; or an answer, and the link is there. */
  #signal(slot: Slot, link: LinkId, signal: Signal): void {
    if (signal.type === 'offer')
      this.#give(slot, { type: 'link', link, event: { type: 'signal', signal: ANSWER } });
    const wire = this.#wireOf(link);
    if (signal.type !== 'answer' || wire === undefined || wire.responder === NONE) return;
    this.#setWire(wire, { isUp: true });
    this.#give(slot, { type: 'link', link, event: { type: 'open' } });
  }

  #send(slot: Slot, link: number, frame: number): void {
    const wire = this.#wireOf(link);
    if (wire === undefined || !wire.isUp || wire.isBroken) return;
    const { forgetsBeforeBye = false } = this.#machines.change;
    const isLast = forgetsBeforeBye && this.#machines.isBye(frame);
    const onItsWay = (frames: readonly number[]) => [
      ...(isLast ? this.#vanish(frames) : frames),
      frame,
    ];
    if (wire.initiator === slot) this.#setWire(wire, { forth: onItsWay(wire.forth) });
    else if (wire.responder === slot) this.#setWire(wire, { back: onItsWay(wire.back) });
  }

  #close(slot: Slot, link: number): void {
    const wire = this.#wireOf(link);
    const end = wire === undefined ? null : endOf(wire, slot);
    if (wire !== undefined && end !== null) this.#setWire(wire, { [end]: NONE });
  }

  #carry(at: number, to: End): void {
    const wire = this.#wire(at);
    const frame = this.#take(wire, to);
    const link = parseLinkId(wire.id);
    if (frame === undefined || !link.ok) return;
    const event = { type: 'frame' as const, frame: this.#machines.frames.get(frame) };
    this.#give(wire[to], { type: 'link', link: link.value, event });
  }

  #take(wire: Wire, to: End): number | undefined {
    const way = to === 'responder' ? 'forth' : 'back';
    const [first, ...rest] = wire[way];
    this.#setWire(wire, { [way]: rest });
    return first;
  }

  #notice(wire: Wire, end: End): void {
    const slot = wire[end];
    this.#setWire(wire, { [end]: NONE });
    const link = parseLinkId(wire.id);
    if (link.ok)
      this.#give(slot, {
        type: 'link',
        link: link.value,
        event: { type: 'closed', reason: 'lost' },
      });
  }

  // --- what makes no difference any more --------------------------------------------------------

  #tidy(): void {
    for (let wire = this.#unheard(); wire !== undefined; wire = this.#unheard()) {
      for (const end of ['initiator', 'responder'] as const)
        if (this.#isClosing(wire, end)) this.#notice(wire, end);
      this.#work();
    }
    this.#wires = this.#wires
      .map((wire) => ({
        ...wire,
        forth: this.#listens(wire, 'responder') ? wire.forth : this.#vanish(wire.forth),
        back: this.#listens(wire, 'initiator') ? wire.back : this.#vanish(wire.back),
      }))
      .filter(
        ({ initiator, responder, isUp }) => initiator !== NONE || (isUp && responder !== NONE),
      );
    for (const [slot, member] of this.#members.entries())
      if (member >= 0 && this.#isOver(member)) this.#members[slot] = GONE;
  }

  /** Nothing is left of what was on its way. */
  #vanish(frames: readonly number[]): readonly number[] {
    this.lost += frames.filter((frame) => this.#machines.isElection(frame)).length;
    return frames.length === 0 ? frames : [];
  }

  /** A link that one end has said goodbye on, and the other has closed. */
  #unheard(): Wire | undefined {
    return this.#wires.find(
      (wire) =>
        (wire.responder === NONE && this.#isClosing(wire, 'initiator')) ||
        (wire.initiator === NONE && this.#isClosing(wire, 'responder')),
    );
  }

  #isClosing(wire: Wire, end: End): boolean {
    const member = this.#members[wire[end]] ?? GONE;
    if (wire[end] === NONE || member < 0) return false;
    return closingLinks(this.#machines.members.get(member)).some(({ id }) => id === wire.id);
  }

  #listens(wire: Wire, end: End): boolean {
    return wire[end] !== NONE && !this.#isClosing(wire, end);
  }

  #isOver(member: number): boolean {
    const { membership, dues } = this.#machines.members.get(member);
    return membership.name === 'gone' && dues.length === 0;
  }

  // --- small helpers ----------------------------------------------------------------------------

  #livingLinks(): number {
    let mask = 0;
    for (const { id } of this.#wires) mask |= bitOf(id);
    for (const member of this.#members) if (member >= 0) mask |= this.#machines.linksOf(member);
    for (const queue of this.#down)
      for (const bundle of queue) mask |= this.#machines.linksIn(bundle);
    return mask;
  }

  #member(slot: Slot): number {
    return this.#members[slot] ?? GONE;
  }

  #session(slot: Slot): number {
    return this.#sessions[slot] ?? NONE;
  }

  #queue(slot: Slot): readonly number[] {
    return this.#down[slot] ?? [];
  }

  #wire(at: number): Wire {
    const wire = this.#wires[at];
    if (wire === undefined) throw new Error(`there is no wire ${at}`);
    return wire;
  }

  #wireOf(link: number): Wire | undefined {
    return this.#wires.find(({ id }) => id === link);
  }

  #setWire({ id }: Wire, part: Partial<Wire>): void {
    this.#wires = this.#wires.map((wire) => (wire.id === id ? { ...wire, ...part } : wire));
  }
}

function endOf({ initiator, responder }: Wire, slot: Slot): End | null {
  if (initiator === slot) return 'initiator';
  return responder === slot ? 'responder' : null;
}
