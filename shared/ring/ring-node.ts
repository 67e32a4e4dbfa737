/**
 * A ring member: runs the pure election over links and signaling, through ports. The same class
 * runs in a browser tab, in Node and in the simulator.
 */
import { decisionOf } from '../election/state.ts';
import { parseLinkId, type LinkId, type PeerId, type RoomName } from '../protocol/ids.ts';
import {
  MAX_HOPS,
  type ByeMessage,
  type Decision,
  type ElectionMessage,
  type HelloMessage,
  type Policy,
} from '../protocol/messages.ts';
import {
  MAX_REMOVED_IN_RESUME,
  SIGNALING_VERSION,
  type Edge,
  type JoinReply,
  type Neighbour,
  type Offer,
  type Signal,
  type SignalDelivery,
  type View,
} from '../protocol/signaling.ts';
import { Allowance } from './allowance.ts';
import { PredecessorEdge, SuccessorEdge, type EdgeOwner } from './edges.ts';
import { ElectionRunner, originOf } from './election-runner.ts';
import type { RingEvent, RingState, ServerLink } from './events.ts';
import { LinkShares, type LinkBudget } from './link-budget.ts';
import { LinkWatch } from './link-watch.ts';
import { NeighbourLink, type LinkKind, type NeighbourLinkHandlers } from './neighbour-link.ts';
import type { Clock, OpenLink, Random, Signaling } from './ports.ts';
import { relayedLinks } from './relay.ts';
import {
  COMPLAINT_INTERVAL,
  DOUBT_INTERVAL,
  EARLIER_INTAKE_BURST,
  EARLIER_INTAKE_RATE,
  HELLO_SILENCE,
  INTAKE_BURST,
  INTAKE_RATE,
  LOOKUP_DELAY,
  MAX_DOUBTS,
  MAX_TERM_LEAP,
  MUTE,
} from './timing.ts';

export interface RingNodeOptions {
  readonly id: PeerId;
  readonly room: RoomName;
  /** Known to this peer and the server only; with it the peer may move to a new connection. */
  readonly secret: string;
  /** 0 to 255; the same for all where the highest uuid is to win. 0 never leads. */
  readonly priority: number;
  /** Wanted for the room; one that is open already has its own. */
  readonly policy: Policy;
}

export interface RingPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly openLink: OpenLink;
  /** What may still be opened with it; shared by all members of one page. */
  readonly budget: LinkBudget;
  readonly signaling: Signaling;
  /** Told of everything, in order, after the node's state has changed. */
  onEvent(event: RingEvent): void;
}

/** `new`: start() not yet called. `gone`: left or refused; nothing happens any more. */
type Membership = 'new' | 'joining' | 'member' | 'gone';

type NeighbourFrame = Parameters<NeighbourLinkHandlers['onMessage']>[1];

/** How many peers of a ring ask the server about a leader: at first, and in each of its laps. */
const LOOKUPS_PER_DECISION = 3;
const LOOKUPS_PER_LAP = 0.1;

/** The largest ring for which they ask less often: a liar may announce any size. */
const SIZE_BELIEVED = 8;

export class RingNode {
  readonly #options: RingNodeOptions;
  readonly #ports: RingPorts;
  readonly #successor: SuccessorEdge;
  readonly #predecessor: PredecessorEdge;
  #membership: Membership = 'new';
  #server: ServerLink = 'reconnecting';
  readonly #election: ElectionRunner;
  #view: View | null = null;
  /** Made before the neighbours are known, and sent with the join. */
  readonly #offers = new Map<Edge, NeighbourLink>();
  #isJoinSent = false;
  #wasReady = false;
  readonly #greeted = new WeakSet<NeighbourLink>();
  /** Links to a successor whose term was told to the predecessor. */
  readonly #linkShares: LinkShares;
  readonly #quoted = new WeakSet<NeighbourLink>();
  /** Messages of the election that may come from the predecessor, and from those of before. */
  readonly #intake: Allowance;
  readonly #earlierIntake: Allowance;
  /** Cancels the message that is to be let in later. */
  #cancelPutOff: (() => void) | null = null;
  readonly #openRelayedLink: OpenLink;
  readonly #watch: LinkWatch;
  /** With whom a direct link broke, and none of any kind has come up since. */
  readonly #broken = new Set<PeerId>();
  /** When a neighbour was last complained about, while no answer has come. */
  readonly #complaints = new Map<PeerId, number>();
  /** When the server was last asked about peers that are held for gone. */
  readonly #doubts = new Map<PeerId, number>();
  /** Cancels the question about the leader that is to be asked. */
  #cancelLookup: (() => void) | null = null;
  /** The leader that the server knew last. */
  #confirmed: PeerId | null = null;
  #droppedFrames = 0;

  constructor(options: RingNodeOptions, ports: RingPorts) {
    this.#options = options;
    this.#ports = ports;
    const { id, priority, policy } = options;
    this.#election = new ElectionRunner({ priority, id }, policy, {
      clock: ports.clock,
      random: ports.random,
      outlet: () => this.#successor.outlet,
      leadsRound: () => this.#successor.leadsRound,
      tell: (event) => {
        this.#tell(event);
      },
      onGhost: (peer) => {
        this.#doubt(peer);
      },
      onLeader: (decision, isNew) => {
        this.#mayLookUp(decision, isNew ? LOOKUPS_PER_DECISION : LOOKUPS_PER_LAP);
      },
    });
    this.#linkShares = new LinkShares(ports.clock, ports.budget);
    this.#intake = new Allowance(ports.clock, INTAKE_BURST, INTAKE_RATE);
    this.#earlierIntake = new Allowance(ports.clock, EARLIER_INTAKE_BURST, EARLIER_INTAKE_RATE);
    this.#openRelayedLink = relayedLinks(ports.clock);
    this.#watch = new LinkWatch({
      clock: ports.clock,
      links: () => this.#links,
      onSilent: (link) => {
        this.#silent(link);
      },
      onMute: (link) => {
        this.#mute(link);
      },
    });
    const owner: EdgeOwner = {
      self: options.id,
      clock: ports.clock,
      canSignal: () => this.#server === 'connected' && this.#membership === 'member',
      offer: (edge, peer, kind) => this.#makeLink(edge, kind, peer, true, this.#newLinkId()),
      onSwitched: () => {
        this.#switched();
      },
      onUnreachable: (peer) => {
        this.#complain(peer, 'silent');
      },
      onLink: (edge, link, state, reason) => {
        if (edge === 'successor' && state === 'closed') this.#wasReady = false;
        const { peer, kind } = link;
        if (peer !== null) this.#tell({ type: 'link', edge, kind, peer, state, reason });
      },
    };
    this.#successor = new SuccessorEdge(owner);
    this.#predecessor = new PredecessorEdge(owner);
  }

  /** This member at this moment. */
  get state(): RingState {
    const isGone = this.#membership === 'gone';
    const decision = isGone ? null : decisionOf(this.#election.state);
    const view = isGone ? null : this.#view;
    return {
      id: this.#options.id,
      room: this.#options.room,
      role: this.#role,
      era: view?.era ?? null,
      term: isGone || this.#election.state.term === 0 ? null : this.#election.state.term,
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
    this.#watch.start();
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
      onCheck: (peer) => {
        this.#check(peer);
      },
      onInvalid: (error) => {
        this.#tell({ type: 'error', message: `the server sent something odd: ${error}` });
      },
    });
    // While the way to the server is being found.
    this.#prepareOffers();
  }

  /** Starts an election (SPEC.md, R1). */
  campaign(): void {
    if (this.#membership === 'member') this.#election.step({ type: 'start' });
  }

  /** Says goodbye to neighbours and server. The node cannot be used again. */
  leave(): void {
    if (this.#membership === 'gone') return;
    this.#stop();
    this.#tell({ type: 'left' });
  }

  get #role(): RingState['role'] {
    if (this.#membership === 'gone') return 'offline';
    switch (this.#election.state.role.name) {
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
    this.#tell({ type: 'server', state: 'reconnecting', reason });
    if (this.#membership !== 'joining' || !this.#isJoinSent) return;
    // Others may have heard of this id, and of its end, without anything having come back.
    this.#stop();
    const message = 'the answer to its join was lost with the connection';
    this.#tell({ type: 'refused', code: 'place-lost', message });
  }

  /** Makes the offers for both edges while the way to the server is still being found. */
  #prepareOffers(): boolean {
    if (this.#membership === 'gone') return false;
    for (const edge of ['successor', 'predecessor'] as const) {
      if (this.#offers.get(edge)?.isClosed === false) continue;
      const kind = this.#ports.budget.isSpent ? 'relayed' : 'direct';
      const link = this.#makeLink(edge, kind, null, true, this.#newLinkId());
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
    this.#isJoinSent = true;
    const { id, room, secret, policy } = this.#options;
    this.#ports.signaling.join(
      { version: SIGNALING_VERSION, room, id, secret, policy, offers },
      (reply) => {
        this.#joined(reply);
      },
    );
  }

  /** Asks for its place, and tells a server that may have lost its memory what it knows of it. */
  #resume(): void {
    const { id, room, secret } = this.#options;
    if (this.#view === null) return;
    const { epoch, era, version, successor, predecessor } = this.#view;
    this.#ports.signaling.resume(
      {
        version: SIGNALING_VERSION,
        room,
        id,
        secret,
        policy: this.#election.state.policy,
        place: { epoch, era, version, successor: successor.id, predecessor: predecessor.id },
        removed: this.#election.state.removed.slice(-MAX_REMOVED_IN_RESUME),
      },
      (reply) => {
        this.#joined(reply);
      },
    );
  }

  #joined(reply: JoinReply): void {
    if (this.#membership === 'gone') return;
    if (!reply.ok) {
      this.#stop();
      this.#tell({ type: 'refused', code: reply.code, message: reply.message });
      return;
    }
    if (this.#membership === 'joining') {
      this.#membership = 'member';
      this.#election.adopt(reply.policy);
      this.#tell({ type: 'joined', id: this.#options.id, room: this.#options.room });
      this.#applyView(reply.view);
      this.#discardOffers();
      return;
    }
    this.#applyView(reply.view);
    // What was on the way through the server may be lost, and with it a relayed link.
    for (const link of this.#links)
      if (link.kind === 'relayed') this.#drop(link, 'server was lost');
  }

  #discardOffers(): void {
    for (const link of this.#offers.values()) link.close();
    this.#offers.clear();
  }

  /** Obeys a view unless it is older than the last one of the same memory. */
  #applyView(view: View): void {
    if (this.#membership !== 'member') return;
    if (this.#view?.epoch === view.epoch && view.version < this.#view.version) return;
    const isNews =
      view.successor.id !== this.#view?.successor.id ||
      view.predecessor.id !== this.#view.predecessor.id ||
      view.removed.length > 0;
    this.#view = view;
    if (isNews)
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
    const known = end.find(id);
    if (known !== undefined) {
      if (known.peer === from) known.signal(signals);
      return;
    }
    const kind = kindOffered(signals);
    if (end.target !== from || kind === null || !end.hasRoom) return;
    const link = this.#makeLink(edge, kind, from, false, id);
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

  /** Every link there is, on both edges. */
  get #links(): readonly NeighbourLink[] {
    return [...this.#successor.links, ...this.#predecessor.links];
  }

  #edgeOf(link: NeighbourLink): Edge {
    return this.#successor.find(link.id) === link ? 'successor' : 'predecessor';
  }

  /**
   * Makes one end of a link. Returns null where that is impossible, and says so, or where too many
   * direct ones were made already.
   */
  #makeLink(
    edge: Edge,
    kind: LinkKind,
    peer: PeerId | null,
    initiator: boolean,
    id: LinkId,
  ): NeighbourLink | null {
    if (kind === 'direct' && !this.#linkShares.spend(peer)) return null;
    const { clock } = this.#ports;
    const openLink = kind === 'direct' ? this.#ports.openLink : this.#openRelayedLink;
    try {
      const handlers = this.#linkHandlers(edge);
      const link = new NeighbourLink(id, kind, peer, initiator, { clock, openLink }, handlers);
      if (peer !== null)
        this.#tell({ type: 'link', edge, kind, peer, state: 'connecting', reason: '' });
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
      onFlood: (link) => {
        this.#cutOff(link, 'more frames than a neighbour sends');
      },
      onClosed: (link, reason) => {
        this.#noteBroken(link);
        this.#end(edge).onClosed(link, reason);
      },
    };
  }

  #sendSignals(edge: Edge, link: NeighbourLink, signals: readonly Signal[]): void {
    if (link.peer === null || this.#server !== 'connected') return;
    this.#ports.signaling.signal(
      { to: link.peer, edge, link: link.id, signals: [...signals] },
      (reply) => {
        const isInUse = link.isOpen && link.kind === 'direct';
        if (!reply.ok && !isInUse && !link.isClosed) this.#drop(link, reply.message);
      },
    );
  }

  #hello(link: NeighbourLink): HelloMessage {
    return {
      type: 'hello',
      id: this.#options.id,
      link: link.id,
      ready: this.#successor.outlet !== null,
      term: Math.max(this.#election.state.term, this.#hearsayFor(link)),
      decision: decisionOf(this.#election.state),
      removed: this.#election.state.removed,
    };
  }

  /** Messages to the successor take another way from now on (SPEC.md, R4). */
  #switched(): void {
    this.#election.step({ type: 'new-successor' });
    if (this.#wasReady) return;
    this.#wasReady = true;
    for (const link of this.#predecessor.links) link.send(this.#hello(link));
  }

  #dropPeers(gone: readonly PeerId[]): void {
    if (gone.length === 0) return;
    const peers = new Set(gone);
    this.#election.step({ type: 'removed', peers: gone });
    this.#predecessor.dropPeers(peers);
    this.#successor.dropPeers(peers);
  }

  // --- failure detection ------------------------------------------------------------------------

  /** Lets go of a link that is of no use; its edge makes another where one is needed. */
  #drop(link: NeighbourLink, reason: string): void {
    const edge = this.#edgeOf(link);
    link.close();
    this.#noteBroken(link);
    this.#end(edge).onClosed(link, reason);
  }

  #noteBroken(link: NeighbourLink): void {
    if (link.peer !== null && isDirect(link)) this.#broken.add(link.peer);
  }

  /**
   * Whoever is held for gone and speaks may be there again: somebody else may have used its id, or
   * left under it. An id that is never believed would keep the ring without a leader for ever.
   */
  #doubt(peer: PeerId): void {
    forget(this.#doubts, this.#ports.clock.now() - DOUBT_INTERVAL);
    if (this.#server !== 'connected' || this.#doubts.has(peer) || this.#doubts.size >= MAX_DOUBTS)
      return;
    this.#doubts.set(peer, this.#ports.clock.now());
    this.#ports.signaling.lookup(peer, (reply) => {
      if (!reply.ok || !reply.isMember) return;
      this.#doubts.delete(peer);
      this.#election.step({ type: 'returned', peer });
    });
  }

  /** Nothing was heard on a link for too long. */
  #silent(link: NeighbourLink): void {
    const { peer } = link;
    const isNeighbours = peer !== null && this.#isNeighbour(peer);
    if (link.hello === null) {
      if (link.silence >= HELLO_SILENCE) this.#drop(link, 'silent from the start');
    } else if (peer === null || !isNeighbours || this.#isHeardElsewhere(link))
      this.#drop(link, 'silent');
    else this.#complain(peer, 'silent');
  }

  /**
   * A predecessor that shows life passes nothing on, and starts nothing either, as it would if it
   * heard nothing itself. That it uses another link, or not yet this one, is for it to show.
   */
  #mute(link: NeighbourLink): void {
    const { target } = this.#predecessor;
    if (link.hello === null || link.peer !== target || target === null) return;
    const links = this.#predecessor.links.filter(({ peer }) => peer === target);
    if (links.every(({ muteness }) => muteness >= MUTE)) this.#cutOff(link, 'passes nothing on');
  }

  /** Whether there is life on another link with the same neighbour, on the same edge. */
  #isHeardElsewhere(link: NeighbourLink): boolean {
    return this.#links.some(
      (other) =>
        other !== link &&
        other.peer === link.peer &&
        this.#edgeOf(other) === this.#edgeOf(link) &&
        other.hello !== null &&
        other.silence < other.patience,
    );
  }

  /** The server has lost a neighbour: without life on the links with it, it is gone. */
  #check(peer: PeerId): void {
    if (this.#membership !== 'member' || !this.#isNeighbour(peer)) return;
    const links = this.#links.filter((link) => link.peer === peer && link.hello !== null);
    if (links.length === 0) this.#complain(peer, 'silent');
    else
      this.#watch.probe(links, () => {
        // Links may have been replaced meanwhile.
        const left = this.#links.filter((link) => link.peer === peer && link.hello !== null);
        if (left.length === 0 || left.some((link) => link.silence >= link.probePatience))
          this.#complain(peer, 'silent');
      });
  }

  #isNeighbour(peer: PeerId): boolean {
    return this.#successor.target === peer || this.#predecessor.target === peer;
  }

  /** Who has no direct link with a peer, and lost none, cannot tell whether it is there. */
  #canTell(peer: PeerId): boolean {
    return (
      this.#broken.has(peer) || this.#links.some((link) => link.peer === peer && isDirect(link))
    );
  }

  /** The server decides whether the neighbour is gone; if not, links with it are made anew. */
  #complain(about: PeerId, found: 'silent' | 'misbehaves'): void {
    const fault = found === 'silent' && !this.#canTell(about) ? 'unlinked' : found;
    const now = this.#ports.clock.now();
    forget(this.#complaints, now - COMPLAINT_INTERVAL);
    if (this.#server !== 'connected' || this.#complaints.has(about)) return;
    this.#complaints.set(about, now);
    this.#tell({ type: 'complained', about, fault });
    this.#ports.signaling.report({ about, fault }, (reply) => {
      this.#complaints.delete(about);
      if (!reply.ok || !reply.isMember) return;
      // It is awake, perhaps only just: a last chance for the link before another is made.
      for (const link of this.#links)
        if (link.peer === about && link.hello !== null && link.silence >= link.patience)
          this.#watch.probe([link], () => {
            if (!link.isClosed && this.#membership === 'member') this.#drop(link, 'silent');
          });
    });
  }

  /** Ends a link with a neighbour that keeps to no rules, and has the ring close over it. */
  #cutOff(link: NeighbourLink, reason: string): void {
    const { peer } = link;
    this.#drop(link, reason);
    if (peer !== null && this.#isNeighbour(peer)) this.#complain(peer, 'misbehaves');
  }

  // --- messages ---------------------------------------------------------------------------------

  #receive(edge: Edge, link: NeighbourLink, { message, extensions }: NeighbourFrame): void {
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
        else if (isForged(message, from))
          this.#dropFrame(link, `${message.type} of ${originOf(message)} after 1 hop`);
        else if (this.#takesIn(link, message))
          this.#letIn(link, message, () => {
            this.#election.receive(message, from, extensions);
          });
        return;
    }
  }

  /** Whether there is room for another message: who passes on a flood is taken for its source. */
  #takesIn(link: NeighbourLink, { type }: ElectionMessage): boolean {
    const isPresent = link.peer === this.#predecessor.target;
    const intake = isPresent ? this.#intake : this.#earlierIntake;
    if (intake.takeOne()) return true;
    this.#noteDropped(link, `${type}, of which there are too many to pass on`);
    return false;
  }

  /** Has a message of the predecessor's acted on, if its term allows it. */
  #letIn(link: NeighbourLink, { term }: ElectionMessage, act: () => void): void {
    const verdict = this.#judge(term);
    if (verdict === 'fine') act();
    else if (verdict === 'leap')
      this.#dropFrame(link, `term ${term}, far above ${this.#election.state.term}`);
    else {
      // No fault of a neighbour's that took it a moment before.
      this.#noteDropped(link, `term ${term} comes too soon`);
      if (!this.#election.isNewcomer) this.#putOff(link, term, act);
    }
  }

  /** Each peer that had to hear it twice would cost the ring a time-out; the last one comes again. */
  #putOff(link: NeighbourLink, term: number, act: () => void): void {
    this.#cancelPutOff?.();
    this.#cancelPutOff = this.#ports.clock.after(this.#election.hasteOf(term), () => {
      this.#cancelPutOff = null;
      if (link.isClosed) return;
      const verdict = this.#judge(term);
      if (verdict === 'fine') act();
      else if (verdict === 'haste') this.#putOff(link, term, act);
    });
  }

  #judge(term: number): ReturnType<ElectionRunner['judgeTerm']> {
    return this.#election.judgeTerm(term, this.#isBorneOut('predecessor', term));
  }

  /** Whether the neighbour on the other edge, too, has said a term that leads as far. */
  #isBorneOut(edge: Edge, term: number): boolean {
    const other = edge === 'successor' ? this.#predecessor : this.#successor;
    return termSaid(other) >= term - MAX_TERM_LEAP;
  }

  /**
   * What a newcomer tells its predecessor of the ring's term, before it knows better: if that is a
   * newcomer as well, it has nobody else to hear of it from on this side.
   */
  #hearsayFor(link: NeighbourLink): number {
    const isOf = this.#election.isNewcomer && this.#edgeOf(link) === 'predecessor';
    return isOf ? termSaid(this.#successor) : 0;
  }

  /** Passes the successor's word on, once for each link: a liar may have had many. */
  #quote(link: NeighbourLink): void {
    if (!this.#election.isNewcomer || link.term <= MAX_TERM_LEAP || this.#quoted.has(link)) return;
    this.#quoted.add(link);
    for (const each of this.#predecessor.links) each.send(this.#hello(each));
  }

  #receiveHello(edge: Edge, link: NeighbourLink, peer: PeerId, hello: HelloMessage): void {
    const isFirst = !this.#greeted.has(link);
    if (isFirst) {
      this.#greeted.add(link);
      this.#broken.delete(peer);
      this.#tell({ type: 'link', edge, kind: link.kind, peer, state: 'open', reason: '' });
    }
    // Later departures come from the server; a liar could go on naming the living.
    this.#takeHello(edge, hello, isFirst ? hello.removed : []);
    // With it, what the neighbour on the other edge said before may be borne out.
    const other = edge === 'successor' ? 'predecessor' : 'successor';
    for (const each of this.#end(other).links)
      if (each.hello !== null) this.#takeHello(other, each.hello, []);
    if (edge !== 'successor') return;
    this.#quote(link);
    this.#successor.trySwitch();
  }

  /** Only who knows of no election takes a leader from HELLO, and not one of a term out of reach. */
  #takeHello(edge: Edge, { term, decision }: HelloMessage, removed: readonly PeerId[]): void {
    const isTaken =
      decision !== null &&
      this.#election.state.term === 0 &&
      this.#election.judgeTerm(term, this.#isBorneOut(edge, term)) === 'fine';
    this.#election.step({
      type: 'hello',
      term,
      decision: isTaken ? { ...decision, hops: hopsHere(edge, decision) } : null,
      removed,
    });
  }

  #receiveBye(edge: Edge, link: NeighbourLink, { reason }: ByeMessage): void {
    // First the departure, then the links (SPEC.md, L8).
    if (reason === 'leaving' && link.peer !== null) this.#dropPeers([link.peer]);
    link.close();
    this.#end(edge).onClosed(link, reason);
  }

  #noteDropped(link: NeighbourLink, reason: string): void {
    this.#droppedFrames += 1;
    this.#tell({ type: 'dropped', from: link.peer, reason, count: this.#droppedFrames });
  }

  #dropFrame(link: NeighbourLink, reason: string): void {
    this.#noteDropped(link, reason);
    if (link.fault()) this.#cutOff(link, 'too many frames that cannot be used');
  }

  // --- the leader -------------------------------------------------------------------------------

  /**
   * Asks the server now and then whether the leader is a member at all: a peer that lies could have
   * had one elected that never was, or is gone. All peers together ask so many times, or more often
   * in a large ring: how large it is, only the announcement says. They ask when the announcement has
   * long gone round, so as not to hold it up.
   */
  #mayLookUp({ leader: { id: leader }, size }: Decision, times: number): void {
    if (this.#cancelLookup !== null || !this.#isInQuestion(leader)) return;
    // One that the server has never confirmed is asked about by everyone.
    const isKnown = leader === this.#confirmed;
    if (isKnown && this.#ports.random() * Math.min(size, SIZE_BELIEVED) >= times) return;
    this.#cancelLookup = this.#ports.clock.after(LOOKUP_DELAY, () => {
      this.#cancelLookup = null;
      // Whoever is followed by then: one that was invented after it must not go unasked, either.
      const followed = this.#leader;
      if (followed !== null && this.#isInQuestion(followed)) this.#lookUp(followed);
    });
  }

  get #leader(): PeerId | null {
    return decisionOf(this.#election.state)?.leader.id ?? null;
  }

  /** Whether the server can be asked about a leader, and nothing has told yet what it would say. */
  #isInQuestion(leader: PeerId): boolean {
    if (this.#server !== 'connected' || leader === this.#options.id) return false;
    // A view names none but members; and one that is gone is being replaced.
    return !this.#isNeighbour(leader) && !this.#election.state.removed.includes(leader);
  }

  #lookUp(leader: PeerId): void {
    this.#ports.signaling.lookup(leader, (reply) => {
      if (!reply.ok) return;
      if (reply.isMember) this.#confirmed = leader;
      if (reply.isMember || this.#leader !== leader) return;
      this.#election.step({ type: 'removed', peers: [leader] });
      this.#election.step({ type: 'start' }, 'no such leader');
    });
  }

  #stop(): void {
    this.#membership = 'gone';
    this.#server = 'offline';
    this.#election.stop();
    this.#watch.stop();
    this.#cancelPutOff?.();
    this.#cancelLookup?.();
    this.#discardOffers();
    this.#successor.retire();
    this.#predecessor.retire();
    this.#ports.signaling.leave();
  }

  #tell(event: RingEvent): void {
    this.#ports.onEvent(event);
  }
}

/** Whether it is a direct link that has been of use. */
function isDirect({ kind, hello }: NeighbourLink): boolean {
  return kind === 'direct' && hello !== null;
}

/** What an unbound offer has gathered to go with the join. */
function bring(link: NeighbourLink): Offer {
  return { link: link.id, signals: link.takeSignals() };
}

/** A neighbour's distance from the leader, carried over to this end of the edge. */
function hopsHere(edge: Edge, { hops, size }: Decision): number {
  if (edge === 'predecessor') return Math.min(hops + 1, MAX_HOPS);
  return hops === 0 ? size : hops;
}

/** The highest term that the neighbour of the present view has spoken of last on any link. */
function termSaid({ links, target }: SuccessorEdge | PredecessorEdge): number {
  return Math.max(0, ...links.filter(({ peer }) => peer === target).map(({ term }) => term));
}

/** Lets go of what was noted before a moment. */
function forget(notes: Map<PeerId, number>, before: number): void {
  for (const [peer, at] of notes) if (at <= before) notes.delete(peer);
}

/** What kind of link the signals offer, if they do. */
function kindOffered([first]: readonly Signal[]): LinkKind | null {
  if (first?.type === 'offer') return 'direct';
  return first?.type === 'relay' ? 'relayed' : null;
}

/** One hop is what a message has travelled that comes from its origin, and no other. */
function isForged(message: ElectionMessage, from: PeerId): boolean {
  const hops = message.type === 'claim' ? message.hops : message.decision.hops;
  return (hops === 1) !== (originOf(message) === from);
}
