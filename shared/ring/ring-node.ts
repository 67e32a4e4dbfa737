/**
 * A ring member: runs the pure election over links and signaling, through ports. The same class
 * runs in a browser tab, in Node and in the simulator.
 */
import { decisionOf } from '../election/state.ts';
import { parseLinkId, type LinkId, type PeerId, type RoomName } from '../protocol/ids.ts';
import {
  MAX_HOP_DELAY,
  MAX_HOPS,
  type ByeMessage,
  type Decision,
  type HelloMessage,
  type PaceMessage,
  type Policy,
} from '../protocol/messages.ts';
import {
  MAX_REMOVED_IN_RESUME,
  SIGNALING_VERSION,
  type Edge,
  type JoinReply,
  type Signal,
  type SignalDelivery,
  type View,
} from '../protocol/signaling.ts';
import type { DirectLinks } from './direct-links.ts';
import { Edges, termSaid, type EdgeOwner } from './edges.ts';
import { ElectionRunner } from './election-runner.ts';
import type { LinkSight, RingEvent, RingState, ServerLink } from './events.ts';
import { Intake } from './intake.ts';
import { LinkShares, type LinkBudget } from './link-budget.ts';
import { Lookups } from './lookups.ts';
import { MovedLink } from './moved-link.ts';
import { NeighbourLink, type LinkKind, type NeighbourLinkHandlers } from './neighbour-link.ts';
import { NeighbourWatch } from './neighbour-watch.ts';
import { Offers } from './offers.ts';
import { Pace } from './pace.ts';
import type { Clock, OpenLink, Random, Signaling } from './ports.ts';
import { relayedLinks } from './relay.ts';
import { MAX_TERM_LEAP, REPLY_PATIENCE } from './timing.ts';

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
  /** Milliseconds since 1970. */
  readonly date: () => number;
  readonly random: Random;
  readonly openLink: OpenLink;
  /** What may still be opened with it; shared by all members of one page. */
  readonly budget: LinkBudget;
  /** What the device has learned of them; shared by all members of one page. */
  readonly directLinks: DirectLinks;
  readonly signaling: Signaling;
  /** Told of everything, in order, after the node's state has changed. */
  onEvent(event: RingEvent): void;
}

/** `new`: start() not yet called. `gone`: left or refused; nothing happens any more. */
type Membership = 'new' | 'joining' | 'member' | 'gone';

type NeighbourFrame = Parameters<NeighbourLinkHandlers['onMessage']>[1];

/** Links offered that are kept in mind: more than can still be answered. */
const MAX_OFFERED = 64;

export class RingNode {
  readonly #options: RingNodeOptions;
  readonly #ports: RingPorts;
  readonly #edges: Edges;
  #membership: Membership = 'new';
  #server: ServerLink = 'reconnecting';
  /** While it asks for its place again: relayed links of before, whose last frames may be lost. */
  #resuming: readonly NeighbourLink[] | null = null;
  readonly #election: ElectionRunner;
  readonly #pace: Pace;
  #view: View | null = null;
  /** Of the room, once this member has settled in the server's present memory. */
  #era: number | null = null;
  /** The latest that the server has ever named to it. */
  #latestEra: number | null = null;
  /** Until when an answer to the question for it may come. */
  #settlingUntil = -Infinity;
  readonly #offers: Offers;
  #isJoinSent = false;
  #wasReady = false;
  readonly #greeted = new WeakSet<NeighbourLink>();
  readonly #linkShares: LinkShares;
  /** The links that this peer has offered last. */
  #offered: readonly { readonly edge: Edge; readonly id: LinkId }[] = [];
  /** Links to a successor whose term was told to the predecessor. */
  readonly #quoted = new WeakSet<NeighbourLink>();
  readonly #openRelayedLink: OpenLink;
  readonly #watch: NeighbourWatch;
  readonly #lookups: Lookups;
  readonly #intake: Intake;
  readonly #moved: MovedLink;
  #droppedFrames = 0;
  #wasSpent = false;

  constructor(options: RingNodeOptions, ports: RingPorts) {
    this.#options = options;
    this.#ports = ports;
    const { id, priority, policy } = options;
    this.#pace = new Pace(id, ports.clock);
    this.#election = new ElectionRunner({ priority, id }, policy, {
      clock: ports.clock,
      date: ports.date,
      random: ports.random,
      outlet: () => this.#edges.successor.outlet,
      linkOnward: () => this.#edges.successor.kindOnward,
      hopDelay: () => this.#pace.hopDelay,
      latency: () => this.#edges.latency,
      roomSize: () => this.#view?.size ?? 0,
      leadsRound: () => this.#edges.successor.leadsRound,
      predecessor: () => this.#view?.predecessor.id ?? null,
      tell: (event) => {
        this.#tell(event);
      },
      onGhost: (peer) => {
        this.#lookups.doubt(peer);
      },
      onLeader: (decision, isNew) => {
        this.#lookups.heard(decision, isNew);
      },
      onTold: () => {
        this.#settle();
      },
    });
    this.#offers = new Offers((edge) => {
      if (this.#membership === 'gone') return null;
      const kind = ports.budget.isSpent ? 'relayed' : 'direct';
      return this.#makeLink(edge, kind, null, true, this.#newLinkId());
    });
    this.#linkShares = new LinkShares(ports.clock, ports.budget);
    this.#openRelayedLink = relayedLinks(ports.clock);
    const owner: EdgeOwner = {
      self: options.id,
      clock: ports.clock,
      directLinks: ports.directLinks,
      canSignal: () => this.#hasPlace && this.#membership === 'member',
      offer: (edge, peer, kind) => this.#makeLink(edge, kind, peer, true, this.#newLinkId()),
      onSwitched: () => {
        this.#switched();
      },
      onUnreachable: (peer) => {
        this.#watch.complain(peer, 'silent');
      },
      onLink: (edge, link, state, reason) => {
        if (edge === 'successor' && state === 'closed') this.#wasReady = false;
        if (edge === 'predecessor' && state === 'closed') this.#moved.closed();
        const { peer, kind } = link;
        if (peer !== null) this.#tell({ type: 'link', edge, kind, peer, state, reason });
      },
    };
    this.#edges = new Edges(owner);
    this.#watch = new NeighbourWatch({
      clock: ports.clock,
      edges: this.#edges,
      longestSilence: () => this.#election.longestSilence(this.#pace.longest),
      isMember: () => this.#membership === 'member',
      canReport: () => this.#server === 'connected',
      report: (report, onReply) => {
        ports.signaling.report(report, onReply);
      },
      tell: (event) => {
        this.#tell(event);
      },
    });
    this.#intake = new Intake({
      clock: ports.clock,
      edges: this.#edges,
      election: this.#election,
      onDropped: (link, reason) => {
        this.#noteDropped(link, reason);
      },
      onFault: (link, reason) => {
        this.#dropFrame(link, reason);
      },
    });
    this.#moved = new MovedLink({
      clock: ports.clock,
      linkBefore: (link) => this.#edges.predecessor.relayedBefore(link),
      onOverdue: (link) => {
        this.#watch.drop(link, 'no goodbye');
      },
    });
    this.#lookups = new Lookups({
      clock: ports.clock,
      random: ports.random,
      canAsk: () => this.#server === 'connected',
      election: () => this.#election.state,
      isNeighbour: (peer) => this.#edges.isNeighbour(peer),
      lookup: (peer, onReply) => {
        ports.signaling.lookup(peer, onReply);
      },
      onNoLeader: (leader) => {
        this.#election.step({ type: 'removed', peers: [leader] });
        this.#election.step({ type: 'start' }, 'no such leader');
      },
      onReturned: (peer) => {
        this.#election.step({ type: 'returned', peer });
        this.#tell({ type: 'returned', peer });
      },
    });
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
      era: isGone ? null : this.#era,
      term: isGone || this.#election.state.term === 0 ? null : this.#election.state.term,
      leader: decision?.leader.id ?? null,
      isConfirmed: !isGone && this.#election.lease.isValid,
      confirmedUntil: isGone ? null : this.#election.lease.until,
      hopsFromLeader: decision?.hops ?? null,
      size: decision?.size ?? null,
      successor: view?.successor.id ?? null,
      predecessor: view?.predecessor.id ?? null,
      successorLink: this.#edges.successor.state,
      predecessorLink: this.#edges.predecessor.state,
      server: this.#server,
      ring: isGone ? null : this.#election.ring,
      hopDelay: this.#pace.hopDelay,
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
        this.#watch.check(peer);
      },
      onInvalid: (error) => {
        this.#tell({ type: 'error', message: `the server sent an invalid message: ${error}` });
      },
    });
    // While the way to the server is being found.
    this.#offers.prepare();
  }

  /** Starts an election (SPEC.md, R1). */
  campaign(): void {
    if (this.#membership === 'member') this.#election.step({ type: 'start' });
  }

  /**
   * Has every peer of the ring hold each message of an election for so long.
   * @param milliseconds a whole number from 0 to {@link MAX_HOP_DELAY}
   * @throws RangeError for any other
   */
  setHopDelay(milliseconds: number): void {
    if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > MAX_HOP_DELAY)
      throw new RangeError(`a hop delay is 0 to ${MAX_HOP_DELAY} ms, not ${milliseconds}`);
    if (this.#membership !== 'member') return;
    this.#tookPace(this.#pace.set(milliseconds));
  }

  /** Says goodbye to neighbours and server. The node cannot be used again. */
  leave(): void {
    if (this.#membership === 'gone') return;
    this.#stop();
    this.#tell({ type: 'left' });
  }

  /** Is gone without a word to anyone, as a process that is killed. The node cannot be used again. */
  vanish(): void {
    if (this.#membership === 'gone') return;
    this.#halt();
    this.#server = 'offline';
    this.#edges.fallSilent();
    this.#ports.signaling.drop();
    this.#tell({ type: 'vanished' });
  }

  /** Every link to a neighbour at this moment. */
  get links(): LinkSight[] {
    return this.#edges.links.flatMap((link) => {
      const { peer, kind, age, roundTrip } = link;
      if (peer === null || link.isClosed) return [];
      const edge = this.#edges.edgeOf(link);
      const stats = () => link.stats();
      return [{ edge, peer, kind, state: this.#edges.stateOf(link), age, roundTrip, stats }];
    });
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
    if (!this.#offers.prepare()) return;
    this.#offers.whenReady(() => {
      if (this.#server === 'connected') this.#join();
    });
  }

  #disconnected(reason: string): void {
    if (this.#membership === 'gone') return;
    this.#server = 'reconnecting';
    // The answer to a question of before is lost.
    this.#settlingUntil = -Infinity;
    this.#tell({ type: 'server', state: 'reconnecting', reason });
    if (this.#membership !== 'joining' || !this.#isJoinSent) return;
    // Others may have heard of this id, and of its end, without anything having come back.
    this.#stop();
    const message = 'the answer to its join was lost with the connection';
    this.#tell({ type: 'refused', code: 'place-lost', message });
  }

  #join(): void {
    const offers = this.#offers.take();
    if (offers === null) {
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
    this.#resuming = this.#edges.links.filter(({ kind }) => kind === 'relayed');
    const { epoch, version, successor, predecessor } = this.#view;
    this.#ports.signaling.resume(
      {
        version: SIGNALING_VERSION,
        room,
        id,
        secret,
        policy: this.#election.state.policy,
        place: {
          epoch,
          era: this.#latestEra,
          version,
          successor: successor.id,
          predecessor: predecessor.id,
        },
        removed: this.#goneForSure.slice(-MAX_REMOVED_IN_RESUME),
      },
      (reply) => {
        this.#joined(reply);
      },
    );
  }

  /** Whom it holds for gone, but those it has an open link with: it was told so of them by a liar. */
  get #goneForSure(): readonly PeerId[] {
    const heard = new Set(
      this.#edges.links.filter(({ isGreeted }) => isGreeted).map(({ peer }) => peer),
    );
    return this.#election.state.removed.filter((peer) => !heard.has(peer));
  }

  #joined(reply: JoinReply): void {
    if (this.#membership === 'gone') return;
    if (!reply.ok) {
      // A ring needs no server to go on (SPEC.md, L9).
      if (reply.code === 'version' && this.#membership === 'member') this.#goWithoutServer();
      else this.#stop();
      this.#tell({ type: 'refused', code: reply.code, message: reply.message });
      return;
    }
    if (this.#membership === 'joining') {
      this.#membership = 'member';
      this.#election.adopt(reply.policy);
      const { id, room } = this.#options;
      const { otherSpelling } = reply;
      const hint = otherSpelling === undefined ? {} : { otherSpelling };
      this.#tell({ type: 'joined', id, room, ...hint });
      this.#applyView(reply.view);
      // The view has chosen others than those that are left.
      this.#offers.discard();
      return;
    }
    // The one in use goes last, so that no other of them comes into use for a moment.
    for (const link of [...(this.#resuming ?? [])].reverse())
      if (!link.isClosed) this.#watch.drop(link, 'server was lost');
    this.#resuming = null;
    this.#edges.successor.forgetAttempts();
    this.#applyView(reply.view);
    if (this.#election.isTold) this.#settle();
  }

  /** Whether the server has given it a place over the present connection. */
  get #hasPlace(): boolean {
    return this.#server === 'connected' && this.#resuming === null;
  }

  /** Asks the server nothing any more, and keeps what links there are without it. */
  #goWithoutServer(): void {
    this.#server = 'offline';
    this.#ports.signaling.drop();
    for (const link of this.#edges.links)
      if (link.kind === 'relayed') this.#watch.drop(link, 'the server is of another version');
  }

  /**
   * Tells the server that this member knows the ring's term. It is a newcomer until then, and knows no
   * era: where nobody else knows the term either, the server begins another (SPEC.md, R9). Called with
   * each lap until there is an answer.
   */
  #settle(): void {
    const now = this.#ports.clock.now();
    if (this.#era !== null || now < this.#settlingUntil || !this.#hasPlace) return;
    this.#settlingUntil = now + REPLY_PATIENCE;
    const epoch = this.#view?.epoch;
    this.#ports.signaling.settle((reply) => {
      const isOfNow = this.#membership === 'member' && this.#view?.epoch === epoch;
      if (reply.ok && isOfNow) this.#learnEra(reply.era);
    });
  }

  #learnEra(era: number | null): void {
    if (era === null || era === this.#era) return;
    // A server that has lost its memory, and whose clock was set far back, may name an earlier one.
    this.#latestEra = Math.max(this.#latestEra ?? 0, era);
    if (this.#latestEra === this.#era) return;
    this.#era = this.#latestEra;
    this.#tell({ type: 'era', era: this.#era });
  }

  /** In another memory of the server it is a newcomer again: the ring may know later terms by now. */
  #unsettle(): void {
    this.#era = null;
    this.#settlingUntil = -Infinity;
    this.#election.forgetTold();
  }

  /** Obeys a view unless it is older than the last one of the same memory. */
  #applyView(view: View): void {
    if (this.#membership !== 'member') return;
    if (this.#view?.epoch === view.epoch && view.version < this.#view.version) return;
    const isNews =
      view.successor.id !== this.#view?.successor.id ||
      view.predecessor.id !== this.#view.predecessor.id ||
      view.removed.length > 0;
    for (const edge of ['successor', 'predecessor'] as const)
      if (view[edge].id !== this.#view?.[edge].id) this.#linkShares.grant(view[edge].id);
    if (this.#view !== null && this.#view.epoch !== view.epoch) this.#unsettle();
    this.#view = view;
    this.#learnEra(view.era);
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
    for (const edge of ['predecessor', 'successor'] as const)
      this.#edges.at(edge).aim(view[edge], this.#offers.use(edge, view[edge]));
    this.#watch.placed();
  }

  #receiveSignal({ from, edge, link: id, signals }: SignalDelivery): void {
    const end = this.#edges.at(edge);
    const known = end.find(id);
    if (known !== undefined) {
      if (known.peer === from) known.signal(signals);
      return;
    }
    // The answer to an offer that was given up meanwhile: that to a relayed link looks like an offer.
    if (this.#offered.some((own) => own.edge === edge && own.id === id)) return;
    const kind = kindOffered(signals);
    if (end.target !== from || kind === null || !end.hasRoom) return;
    const link = this.#makeLink(edge, kind, from, false, id);
    if (link === null) return;
    end.accept(link);
    link.signal(signals);
  }

  // --- links ------------------------------------------------------------------------------------

  #newLinkId(): LinkId {
    for (;;) {
      const id = parseLinkId(Math.floor(this.#ports.random() * 0x1_0000_0000));
      if (id.ok) return id.value;
    }
  }

  /**
   * Makes one end of a link. Returns null where that is impossible, and says so, or where too many
   * were made already.
   */
  #makeLink(
    edge: Edge,
    kind: LinkKind,
    peer: PeerId | null,
    initiator: boolean,
    id: LinkId,
  ): NeighbourLink | null {
    if (kind === 'direct') this.#noteBudget();
    if (!this.#linkShares.spend(peer, kind)) return null;
    const { clock } = this.#ports;
    const openLink = kind === 'direct' ? this.#ports.openLink : this.#openRelayedLink;
    try {
      const ports = { clock, openLink };
      const handlers = this.#linkHandlers(edge);
      const link = new NeighbourLink(id, kind, peer, initiator, ports, handlers);
      if (initiator) this.#offered = [...this.#offered, { edge, id }].slice(-MAX_OFFERED);
      if (peer !== null)
        this.#tell({ type: 'link', edge, kind, peer, state: 'connecting', reason: '' });
      return link;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Who cannot even offer cannot join.
      if (this.#membership === 'joining') this.#stop();
      this.#tell({ type: 'error', message: `no connection can be made: ${reason}` });
      return null;
    }
  }

  /** Tells once when there is nothing left for a direct link that is to be made. */
  #noteBudget(): void {
    const { isSpent } = this.#ports.budget;
    if (isSpent && !this.#wasSpent) this.#tell({ type: 'spent' });
    this.#wasSpent = isSpent;
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
        this.#watch.cutOff(link, 'more frames than a neighbour sends');
      },
      onUnsent: (messages) => {
        this.#election.lost(messages);
      },
      onClosed: (link, reason) => {
        this.#watch.broke(link);
        this.#edges.at(edge).onClosed(link, reason, 'others');
      },
    };
  }

  #sendSignals(edge: Edge, link: NeighbourLink, signals: readonly Signal[]): void {
    if (link.peer === null || this.#server !== 'connected') return;
    // Frames before it may be lost.
    const hasFrame = signals.some(({ type }) => type === 'frame');
    if (hasFrame && this.#resuming?.includes(link) === true) return;
    this.#ports.signaling.signal(
      { to: link.peer, edge, link: link.id, signals: [...signals] },
      (reply) => {
        const isInUse = link.isOpen && link.kind === 'direct';
        if (!reply.ok && !isInUse && !link.isClosed) this.#watch.drop(link, reply.message);
      },
    );
  }

  #hello(link: NeighbourLink): HelloMessage {
    return {
      type: 'hello',
      id: this.#options.id,
      link: link.id,
      ready: this.#edges.successor.outlet !== null,
      term: Math.max(this.#election.state.term, this.#hearsayFor(link)),
      decision: decisionOf(this.#election.state),
      removed: this.#election.state.removed,
    };
  }

  /** Messages to the successor take another way from now on (SPEC.md, R4). */
  #switched(): void {
    const { setting } = this.#pace;
    if (setting !== null) this.#passOn(setting);
    this.#election.step({ type: 'new-successor' });
    if (this.#wasReady) return;
    this.#wasReady = true;
    for (const link of this.#edges.predecessor.links) link.send(this.#hello(link));
  }

  #dropPeers(gone: readonly PeerId[]): void {
    if (gone.length === 0) return;
    this.#election.step({ type: 'removed', peers: gone });
    this.#edges.dropPeers(new Set(gone));
  }

  // --- messages ---------------------------------------------------------------------------------

  #receive(edge: Edge, link: NeighbourLink, { message, extensions }: NeighbourFrame): void {
    const from = link.peer;
    if (from === null) return;
    switch (message.type) {
      case 'hello':
        this.#receiveHello(edge, link, from, message);
        return;
      case 'bye': {
        const take = () => {
          this.#receiveBye(edge, link, message);
        };
        if (edge === 'successor') take();
        else this.#moved.receive(link, take);
        return;
      }
      case 'claim':
      case 'elected':
        if (edge === 'successor') this.#dropFrame(link, `${message.type} from the successor`);
        else
          this.#moved.receive(link, () => {
            this.#intake.receive(link, from, message, extensions);
          });
        return;
      case 'pace':
        if (edge === 'successor') this.#dropFrame(link, 'pace from the successor');
        else if (this.#pace.receive(message)) this.#tookPace(message);
        return;
    }
  }

  /**
   * What a newcomer tells its predecessor of the ring's term, before it knows better: if that is a
   * newcomer as well, it has nobody else to hear of it from on this side.
   */
  #hearsayFor(link: NeighbourLink): number {
    const isOf = this.#election.isNewcomer && this.#edges.edgeOf(link) === 'predecessor';
    return isOf ? termSaid(this.#edges.successor) : 0;
  }

  /** Passes the successor's word on, once for each link: a liar may have had many. */
  #quote(link: NeighbourLink): void {
    if (!this.#election.isNewcomer || link.term <= MAX_TERM_LEAP || this.#quoted.has(link)) return;
    this.#quoted.add(link);
    for (const each of this.#edges.predecessor.links) each.send(this.#hello(each));
  }

  #receiveHello(edge: Edge, link: NeighbourLink, peer: PeerId, hello: HelloMessage): void {
    const isFirst = !this.#greeted.has(link);
    if (isFirst) {
      this.#greeted.add(link);
      this.#watch.greeted(peer);
      if (link.kind === 'direct') this.#ports.directLinks.succeeded();
      this.#tell({ type: 'link', edge, kind: link.kind, peer, state: 'open', reason: '' });
    }
    // Later departures come from the server; a liar could go on naming the living.
    this.#takeHello(edge, hello, isFirst ? hello.removed : []);
    // With it, what the neighbour on the other edge said before may be borne out.
    const other = edge === 'successor' ? 'predecessor' : 'successor';
    for (const each of this.#edges.at(other).links)
      if (each.hello !== null) this.#takeHello(other, each.hello, []);
    if (edge !== 'successor') return;
    this.#quote(link);
    this.#edges.successor.trySwitch();
  }

  /** Only who knows of no election takes a leader from HELLO, and not one of a term out of reach. */
  #takeHello(edge: Edge, { term, decision }: HelloMessage, removed: readonly PeerId[]): void {
    const isTaken =
      decision !== null &&
      this.#election.state.term === 0 &&
      this.#intake.judge(edge, term) === 'fine';
    this.#election.step({
      type: 'hello',
      term,
      decision: isTaken ? { ...decision, hops: hopsHere(edge, decision) } : null,
      removed,
    });
  }

  /** The room's hop delay is another from now on. */
  #tookPace(setting: PaceMessage): void {
    this.#passOn(setting);
    this.#election.paceChanged();
    this.#tell({ type: 'pace', hopDelay: setting.hopDelay, by: setting.by });
  }

  #passOn(setting: PaceMessage): void {
    const { outlet } = this.#edges.successor;
    if (outlet !== null && outlet !== 'loopback') outlet.send(setting);
  }

  #receiveBye(edge: Edge, link: NeighbourLink, { reason }: ByeMessage): void {
    // First the departure, then the links (SPEC.md, L8).
    if (reason === 'leaving' && link.peer !== null) {
      this.#watch.broke(link);
      this.#dropPeers([link.peer]);
    }
    link.close();
    this.#edges.at(edge).onClosed(link, reason, 'others');
  }

  #noteDropped(link: NeighbourLink, reason: string): void {
    this.#droppedFrames += 1;
    this.#tell({ type: 'dropped', from: link.peer, reason, count: this.#droppedFrames });
  }

  #dropFrame(link: NeighbourLink, reason: string): void {
    this.#noteDropped(link, reason);
    if (link.fault()) this.#watch.cutOff(link, 'too many frames that cannot be used');
  }

  #stop(): void {
    this.#halt();
    // Goodbyes on relayed links go through the server.
    this.#edges.retire();
    this.#server = 'offline';
    this.#ports.signaling.leave();
  }

  /** Nothing is done by itself any more. */
  #halt(): void {
    this.#membership = 'gone';
    this.#election.stop();
    this.#watch.stop();
    this.#intake.stop();
    this.#moved.stop();
    this.#lookups.stop();
    this.#offers.discard();
  }

  #tell(event: RingEvent): void {
    this.#ports.onEvent(event);
  }
}

/** A neighbour's distance from the leader, carried over to this end of the edge. */
function hopsHere(edge: Edge, { hops, size }: Decision): number {
  if (edge === 'predecessor') return Math.min(hops + 1, MAX_HOPS);
  return hops === 0 ? size : hops;
}

/** What kind of link the signals offer, if they do. */
function kindOffered([first]: readonly Signal[]): LinkKind | null {
  if (first?.type === 'offer') return 'direct';
  return first?.type === 'relay' ? 'relayed' : null;
}
