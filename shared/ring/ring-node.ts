/**
 * A ring member: runs the pure election over links and signaling, through ports. The same class
 * runs in a browser tab, in Node and in the simulator.
 */
import { decisionOf, initialElection, type ElectionState } from '../election/state.ts';
import {
  step,
  type ElectionEffect,
  type ElectionInput,
  type Judgement,
  type Wait,
} from '../election/step.ts';
import type { Extension, Frame } from '../protocol/frame.ts';
import { parseLinkId, type LinkId, type PeerId, type RoomName } from '../protocol/ids.ts';
import type { ByeMessage, Decision, ElectionMessage, HelloMessage } from '../protocol/messages.ts';
import {
  SIGNALING_VERSION,
  type Edge,
  type JoinReply,
  type Neighbour,
  type Offer,
  type Signal,
  type SignalDelivery,
  type View,
} from '../protocol/signaling.ts';
import { PredecessorEdge, SuccessorEdge, type EdgeOwner } from './edges.ts';
import type { RingEvent, RingState, ServerLink } from './events.ts';
import { NeighbourLink, type NeighbourLinkHandlers } from './neighbour-link.ts';
import type { Clock, OpenLink, Random, Signaling } from './ports.ts';
import {
  LAP_PAUSE,
  LEADER_SILENCE,
  LONGEST_SILENCE,
  MAX_DOUBLINGS,
  MAX_TERM_LEAP,
  SILENT_LAPS,
} from './timing.ts';

export interface RingNodeOptions {
  readonly id: PeerId;
  readonly room: RoomName;
  /** Known to this peer and the server only; with it the peer may move to a new connection. */
  readonly secret: string;
  /** 0 to 255; the same for all where the highest uuid is to win. 0 never leads. */
  readonly priority: number;
}

export interface RingPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly openLink: OpenLink;
  readonly signaling: Signaling;
  /** Told of everything, in order, after the node's state has changed. */
  onEvent(event: RingEvent): void;
}

/** `new`: start() not yet called. `gone`: left or refused; nothing happens any more. */
type Membership = 'new' | 'joining' | 'member' | 'gone';

/** An input with what came along in the same frame and is relayed unread. */
interface Pending {
  readonly input: ElectionInput;
  readonly extensions: readonly Extension[];
  /** The neighbour whose message it is. */
  readonly from: PeerId;
}

export class RingNode {
  readonly #options: RingNodeOptions;
  readonly #ports: RingPorts;
  readonly #successor: SuccessorEdge;
  readonly #predecessor: PredecessorEdge;
  #membership: Membership = 'new';
  #server: ServerLink = 'reconnecting';
  #election: ElectionState;
  #view: View | null = null;
  /** Made before the neighbours are known, and sent with the join. */
  readonly #offers = new Map<Edge, NeighbourLink>();
  #areOffersSent = false;
  /** What is still to be stepped through; effects may bring more. */
  readonly #inputs: Pending[] = [];
  #isStepping = false;
  #wasReady = false;
  readonly #greeted = new WeakSet<NeighbourLink>();
  #cancelTimer: (() => void) | null = null;
  /** When the leader's last lap was sent, at the leader, or came by, elsewhere. */
  #lapAt: number | null = null;
  #lapTook = 0;
  /** Terms since a leader was last heard for more than one lap; large rings need more patience. */
  #vainTerms = 0;
  #droppedFrames = 0;

  constructor(options: RingNodeOptions, ports: RingPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#election = initialElection({ priority: options.priority, id: options.id }, 'highest');
    const owner: EdgeOwner = {
      self: options.id,
      clock: ports.clock,
      canSignal: () => this.#server === 'connected' && this.#membership === 'member',
      offer: (edge, peer) => this.#makeLink(edge, peer, true, this.#newLinkId()),
      onSwitched: () => {
        this.#switched();
      },
      onLink: (edge, link, state, reason) => {
        if (edge === 'successor' && state === 'closed') this.#wasReady = false;
        if (link.peer !== null) this.#tell({ type: 'link', edge, peer: link.peer, state, reason });
      },
    };
    this.#successor = new SuccessorEdge(owner);
    this.#predecessor = new PredecessorEdge(owner);
  }

  /** This member at this moment. */
  get state(): RingState {
    const isGone = this.#membership === 'gone';
    const decision = isGone ? null : decisionOf(this.#election);
    const view = isGone ? null : this.#view;
    return {
      id: this.#options.id,
      room: this.#options.room,
      role: this.#role,
      term: isGone || this.#election.term === 0 ? null : this.#election.term,
      leader: decision?.leader.id ?? null,
      hopsFromLeader: decision?.hops ?? null,
      size: decision?.size ?? null,
      successor: view?.successor.id ?? null,
      predecessor: view?.predecessor.id ?? null,
      successorLink: this.#successor.state,
      predecessorLink: this.#predecessor.state,
      server: this.#server,
    };
  }

  /** Connects to the server and joins the room. To be called once. */
  start(): void {
    if (this.#membership !== 'new') return;
    this.#membership = 'joining';
    if (!this.#prepareOffers()) return;
    this.#ports.signaling.connect({
      onConnect: () => {
        this.#connected();
      },
      onDisconnect: (reason) => {
        this.#disconnected(reason);
      },
      onView: (view) => {
        this.#applyView(view);
      },
      onSignal: (delivery) => {
        this.#receiveSignal(delivery);
      },
      onInvalid: (error) => {
        this.#tell({ type: 'error', message: `the server sent something odd: ${error}` });
      },
    });
  }

  /** Starts an election (SPEC.md, R1). */
  campaign(): void {
    if (this.#membership === 'member') this.#step({ type: 'start' });
  }

  /** Says goodbye to neighbours and server. The node cannot be used again. */
  leave(): void {
    if (this.#membership === 'gone') return;
    this.#stop();
    this.#tell({ type: 'left' });
  }

  get #role(): RingState['role'] {
    if (this.#membership === 'gone') return 'offline';
    switch (this.#election.role.name) {
      case 'idle':
        return 'joining';
      case 'candidate':
      case 'deferring':
        return 'candidate';
      case 'follower':
        return 'follower';
      case 'leader':
        return 'leader';
    }
  }

  // --- the server -------------------------------------------------------------------------------

  #connected(): void {
    this.#server = 'connected';
    this.#tell({ type: 'server', state: 'connected', reason: '' });
    if (this.#membership === 'member') {
      this.#resume();
      return;
    }
    if (!this.#prepareOffers()) return;
    const successor = this.#offers.get('successor');
    const predecessor = this.#offers.get('predecessor');
    if (successor === undefined || predecessor === undefined) return;
    successor.whenOffered(() => {
      predecessor.whenOffered(() => {
        this.#join(successor, predecessor);
      });
    });
  }

  #disconnected(reason: string): void {
    if (this.#membership === 'gone') return;
    this.#server = 'reconnecting';
    // Offers that went out with a join nobody answered are spent; others wait for the server.
    if (this.#areOffersSent) this.#discardOffers();
    this.#tell({ type: 'server', state: 'reconnecting', reason });
  }

  /** Makes the offers for both edges while the way to the server is still being found. */
  #prepareOffers(): boolean {
    if (this.#membership === 'gone') return false;
    for (const edge of ['successor', 'predecessor'] as const) {
      if (this.#offers.get(edge)?.isClosed === false) continue;
      const link = this.#makeLink(edge, null, true, this.#newLinkId());
      if (link === null) return false;
      this.#offers.set(edge, link);
    }
    return true;
  }

  #join(successor: NeighbourLink, predecessor: NeighbourLink): void {
    const isCurrent =
      this.#offers.get('successor') === successor &&
      this.#offers.get('predecessor') === predecessor;
    if (!isCurrent || this.#server !== 'connected') return;
    const offers = { successor: bring(successor), predecessor: bring(predecessor) };
    if (offers.successor.signals.length === 0 || offers.predecessor.signals.length === 0) {
      this.#stop();
      this.#tell({ type: 'error', message: 'this device could not prepare a WebRTC connection' });
      return;
    }
    this.#areOffersSent = true;
    const { id, room, secret } = this.#options;
    this.#ports.signaling.join(
      { version: SIGNALING_VERSION, room, id, secret, offers },
      (reply) => {
        this.#joined(reply);
      },
    );
  }

  #resume(): void {
    const { id, room, secret } = this.#options;
    this.#ports.signaling.resume({ version: SIGNALING_VERSION, room, id, secret }, (reply) => {
      this.#joined(reply);
    });
  }

  #joined(reply: JoinReply): void {
    if (this.#membership === 'gone') return;
    if (!reply.ok) {
      this.#stop();
      this.#tell({ type: 'refused', code: reply.code, message: reply.message });
      return;
    }
    const isFirst = this.#membership === 'joining';
    this.#membership = 'member';
    if (isFirst) this.#tell({ type: 'joined', id: this.#options.id, room: this.#options.room });
    this.#applyView(reply.view);
    this.#discardOffers();
  }

  #discardOffers(): void {
    for (const link of this.#offers.values()) link.close();
    this.#offers.clear();
    this.#areOffersSent = false;
  }

  /** Obeys a view unless it is older than the last one of the same memory. */
  #applyView(view: View): void {
    if (this.#membership !== 'member') return;
    if (this.#view?.epoch === view.epoch && view.version < this.#view.version) return;
    this.#view = view;
    this.#tell({
      type: 'neighbours',
      successor: view.successor.id,
      predecessor: view.predecessor.id,
      removed: view.removed,
      version: view.version,
    });
    this.#dropPeers(view.removed);
    // Whoever was told of it may have left meanwhile.
    if (this.#role === 'offline') return;
    this.#predecessor.aim(view.predecessor, this.#useOffer('predecessor', view.predecessor));
    this.#successor.aim(view.successor, this.#useOffer('successor', view.successor));
  }

  /** Gives this peer's own offer its addressee where the view has chosen it. */
  #useOffer(edge: Edge, { id, link }: Neighbour): NeighbourLink | null {
    const offer = this.#offers.get(edge);
    if (offer === undefined) return null;
    if (offer.id !== link || offer.isClosed) return null;
    this.#offers.delete(edge);
    offer.bind(id);
    return offer;
  }

  #receiveSignal({ from, edge, link: id, signals }: SignalDelivery): void {
    const end = this.#end(edge);
    if (end.target !== from) return;
    const known = end.find(id);
    if (known !== undefined) {
      known.signal(signals);
      return;
    }
    if (signals[0]?.type !== 'offer' || !end.hasRoom) return;
    const link = this.#makeLink(edge, from, false, id);
    if (link === null) return;
    end.accept(link);
    link.signal(signals);
  }

  // --- links ------------------------------------------------------------------------------------

  #end(edge: Edge): SuccessorEdge | PredecessorEdge {
    return edge === 'successor' ? this.#successor : this.#predecessor;
  }

  #newLinkId(): LinkId {
    for (;;) {
      const id = parseLinkId(Math.floor(this.#ports.random() * 0x1_0000_0000));
      if (id.ok) return id.value;
    }
  }

  /** Makes one end of a link; where that is impossible, says so and returns null. */
  #makeLink(edge: Edge, peer: PeerId | null, initiator: boolean, id: LinkId): NeighbourLink | null {
    try {
      const link = new NeighbourLink(id, peer, initiator, this.#ports, this.#linkHandlers(edge));
      if (peer !== null) this.#tell({ type: 'link', edge, peer, state: 'connecting', reason: '' });
      return link;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Who cannot even offer cannot join.
      if (peer === null) this.#stop();
      this.#tell({ type: 'error', message: `no connection can be made: ${reason}` });
      return null;
    }
  }

  #linkHandlers(edge: Edge): NeighbourLinkHandlers {
    return {
      onSignals: (link, signals) => {
        this.#sendSignals(edge, link, signals);
      },
      onOpen: (link) => {
        link.send(this.#hello(link));
      },
      onMessage: (link, frame) => {
        this.#receive(edge, link, frame);
      },
      onBadFrame: (link, error) => {
        this.#dropFrame(link, error);
      },
      onClosed: (link, reason) => {
        this.#end(edge).onClosed(link, reason);
      },
    };
  }

  #sendSignals(edge: Edge, link: NeighbourLink, signals: readonly Signal[]): void {
    if (link.peer === null || this.#server !== 'connected') return;
    this.#ports.signaling.signal(
      { to: link.peer, edge, link: link.id, signals: [...signals] },
      (reply) => {
        if (reply.ok || link.isOpen || link.isClosed) return;
        link.close();
        this.#end(edge).onClosed(link, reply.message);
      },
    );
  }

  #hello(link: NeighbourLink): HelloMessage {
    return {
      type: 'hello',
      id: this.#options.id,
      link: link.id,
      ready: this.#successor.outlet !== null,
      term: this.#election.term,
      decision: decisionOf(this.#election),
      removed: this.#election.removed,
    };
  }

  /** Messages to the successor take another way from now on (SPEC.md, R4). */
  #switched(): void {
    this.#step({ type: 'new-successor' });
    if (this.#wasReady) return;
    this.#wasReady = true;
    for (const link of this.#predecessor.links) link.send(this.#hello(link));
  }

  #dropPeers(gone: readonly PeerId[]): void {
    if (gone.length === 0) return;
    const peers = new Set(gone);
    this.#step({ type: 'removed', peers: gone });
    this.#predecessor.dropPeers(peers);
    this.#successor.dropPeers(peers);
  }

  // --- messages ---------------------------------------------------------------------------------

  #receive(edge: Edge, link: NeighbourLink, { message, extensions }: Frame): void {
    const from = link.peer;
    if (from === null) return;
    switch (message.type) {
      case 'hello':
        this.#receiveHello(edge, link, from, message);
        return;
      case 'bye':
        this.#receiveBye(edge, link, message);
        return;
      case 'claim':
      case 'elected':
        if (edge === 'successor') this.#dropFrame(link, `${message.type} from the successor`);
        else if (this.#isLeap(message.term))
          this.#dropFrame(link, `term ${message.term}, far above ${this.#election.term}`);
        else this.#step({ type: 'receive', message }, extensions, from);
        return;
    }
  }

  /** Only a peer that knows a leader can tell; others have to take the ring's term as it is. */
  #isLeap(term: number): boolean {
    return decisionOf(this.#election) !== null && term > this.#election.term + MAX_TERM_LEAP;
  }

  #receiveHello(
    edge: Edge,
    link: NeighbourLink,
    peer: PeerId,
    { term, decision, removed }: HelloMessage,
  ): void {
    if (!this.#greeted.has(link)) {
      this.#greeted.add(link);
      this.#tell({ type: 'link', edge, peer, state: 'open', reason: '' });
    }
    this.#step({
      type: 'hello',
      term,
      decision: decision && { ...decision, hops: hopsHere(edge, decision) },
      removed,
    });
    if (edge === 'successor') this.#successor.trySwitch();
  }

  #receiveBye(edge: Edge, link: NeighbourLink, { reason }: ByeMessage): void {
    // First the departure, then the links (SPEC.md, L8).
    if (reason === 'leaving' && link.peer !== null) this.#dropPeers([link.peer]);
    link.close();
    this.#end(edge).onClosed(link, reason);
  }

  #dropFrame(link: NeighbourLink, reason: string): void {
    this.#droppedFrames += 1;
    this.#tell({ type: 'dropped', from: link.peer, reason, count: this.#droppedFrames });
  }

  // --- the election -----------------------------------------------------------------------------

  #step(
    input: ElectionInput,
    extensions: readonly Extension[] = [],
    from: PeerId = this.#options.id,
  ): void {
    this.#inputs.push({ input, extensions, from });
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
        this.#stepOnce(next);
    } finally {
      // Whoever watches may throw; the node goes on with its next input.
      this.#isStepping = false;
    }
  }

  #stepOnce(pending: Pending): void {
    if (this.#membership === 'gone') return;
    const before = this.#election;
    const { state, effects } = step(before, pending.input);
    this.#election = state;
    if (state.term > before.term) this.#vainTerms += 1;
    if (
      pending.input.type !== 'receive' &&
      state.term > before.term &&
      state.role.name === 'candidate'
    )
      this.#tell({ type: 'started', term: state.term, because: pending.input.type });
    // Only a message that is passed on takes along what came with it.
    const isRelayed = effects.some(
      (effect) => effect.type === 'judge' && effect.judgement.outcome === 'forwarded',
    );
    const extensions = isRelayed ? pending.extensions : [];
    for (const effect of effects) this.#perform(effect, pending.from, extensions);
  }

  #perform(effect: ElectionEffect, from: PeerId, extensions: readonly Extension[]): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.message, extensions);
        return;
      case 'judge':
        this.#measureLap(effect.message, effect.judgement);
        this.#tell({
          type: 'received',
          message: effect.message,
          from,
          judgement: effect.judgement,
        });
        return;
      case 'decide':
        this.#lapAt = this.#ports.clock.now();
        this.#lapTook = 0;
        this.#tell({
          type: 'leader',
          leader: effect.decision.leader.id,
          term: effect.term,
          size: effect.decision.size,
          isSelf: effect.decision.leader.id === this.#options.id,
        });
        return;
      case 'wait':
        this.#wait(effect.until);
        return;
    }
  }

  /** Gives a message to the successor. Without one it is lost; R4 makes up for that. */
  #send(message: ElectionMessage, extensions: readonly Extension[]): void {
    const { outlet } = this.#successor;
    if (outlet === null) return;
    if (outlet === 'loopback') {
      this.#inputs.push({
        input: { type: 'receive', message },
        extensions,
        from: this.#options.id,
      });
      this.#tell({ type: 'sent', message, to: this.#options.id });
      return;
    }
    const to = outlet.peer;
    if (to === null) return;
    outlet.send(message, extensions);
    this.#tell({ type: 'sent', message, to });
  }

  /** Restarts the one election timer (SPEC.md, R7). */
  #wait(until: Wait): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#ports.clock.after(this.#patience(until), () => {
      this.#cancelTimer = null;
      const isCutOff = this.#election.role.name !== 'leader' && this.#successor.outlet === null;
      if (isCutOff) this.#wait('leader');
      else this.#step({ type: 'timeout' });
    });
  }

  /** How long to wait, in milliseconds, by how long the last lap took. */
  #patience(until: Wait): number {
    const vain = Math.min(this.#vainTerms, MAX_DOUBLINGS);
    const silence = Math.max(
      LEADER_SILENCE * 2 ** vain,
      Math.min(SILENT_LAPS * this.#lapTook, LONGEST_SILENCE),
    );
    switch (until) {
      case 'lap':
        return LAP_PAUSE;
      case 'return':
        this.#lapAt = this.#ports.clock.now();
        return silence;
      case 'leader':
        return silence * (1 + this.#ports.random() / 2);
    }
  }

  /** Takes the time from lap to lap: its own round trip at the leader, their distance elsewhere. */
  #measureLap(message: ElectionMessage, { outcome }: Judgement): void {
    const isLap = outcome === 'forwarded' || outcome === 'completed';
    if (message.type !== 'elected' || !isLap) return;
    if (message.decision.lap > 0) this.#vainTerms = 0;
    const now = this.#ports.clock.now();
    this.#lapTook = this.#lapAt === null ? 0 : now - this.#lapAt;
    this.#lapAt = now;
  }

  #stop(): void {
    this.#membership = 'gone';
    this.#server = 'offline';
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#discardOffers();
    this.#successor.retire();
    this.#predecessor.retire();
    this.#ports.signaling.leave();
  }

  #tell(event: RingEvent): void {
    this.#ports.onEvent(event);
  }
}

/** What an unbound offer has gathered to go with the join. */
function bring(link: NeighbourLink): Offer {
  return { link: link.id, signals: link.takeSignals() };
}

/** A neighbour's distance from the leader, carried over to this end of the edge. */
function hopsHere(edge: Edge, { hops, size }: Decision): number {
  if (edge === 'predecessor') return hops + 1;
  return hops === 0 ? size : hops;
}
