/**
 * Drives a ring member: gives it inputs one after another, performs its outputs, and holds the one timer.
 * A browser tab, Node and the simulator run the same.
 */
import type { LinkId, PeerId, RoomName } from '../protocol/ids.ts';
import { MAX_HOP_DELAY, type Policy } from '../protocol/messages.ts';
import type { LinkSight, RingEvent, RingState } from '../member/events.ts';
import { initialMember } from '../member/initial.ts';
import { handle } from '../member/member.ts';
import { linkSights, sightOf } from '../member/sight.ts';
import type { Identity, Member } from '../member/state.ts';
import {
  nextDue,
  type Ask,
  type Answer,
  type Input,
  type Moment,
  type Output,
  type Random,
} from '../member/turn.ts';
import type { Clock, Link, OpenLink, Signaling } from './ports.ts';

/** What a peer asks for beside a room; all are optional. */
export interface RingPeerOptions {
  /** Whom a new room is to prefer; `highest` by default. */
  readonly policy?: Policy;
  /** 0 to 255, 1 by default: greater ones win over smaller ones, 0 never leads. */
  readonly priority?: number;
}

export interface RingPeerPorts {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  readonly random: Random;
  readonly openLink: OpenLink;
  /** Connections that it lets a page make at once; {@link CONNECTIONS} by default. */
  readonly connections?: number;
  /** Makes a way to the server; called once for each membership. */
  readonly newSignaling: () => Signaling;
  /** Makes an id that nobody had before. */
  readonly newId: () => PeerId;
  /** Makes a secret of 16 to 64 characters that nobody can guess. */
  readonly newSecret: () => string;
  /** Told of each event with the member's state after it. */
  readonly onEvent: (event: RingEvent, state: RingState) => void;
  /** Told of each input before it is handled: with them, a member can be played again. */
  readonly onInput?: (input: Input, moment: Moment) => void;
}

/**
 * Chromium lets a page have 500 connections that it has not forgotten, closed ones included; some are left
 * to others on the page.
 */
const CONNECTIONS = 450;

export class RingPeer {
  readonly #ports: RingPeerPorts;
  readonly #member: Member;
  readonly #inputs: Input[] = [];
  #isHandling = false;
  /** The platform's ends of direct links. */
  readonly #links = new Map<LinkId, Link>();
  #signaling: Signaling | null = null;
  #timer: { readonly at: number; readonly cancel: () => void } | null = null;

  /** Makes a peer with an id of its own; `join` makes it a member. */
  constructor(
    room: RoomName,
    ports: RingPeerPorts,
    { policy = 'highest', priority = 1 }: RingPeerOptions = {},
  ) {
    this.#ports = ports;
    const { connections = CONNECTIONS } = ports;
    this.#member = initialMember(
      { room, policy, priority, connections },
      this.#newIdentity(),
      ports.clock.now(),
    );
  }

  get state(): RingState {
    return sightOf(this.#member, this.#moment());
  }

  /** Joins, as a new peer if this one has left before. */
  join(): void {
    this.#give({ type: 'join' });
  }

  /** Starts an election. */
  campaign(): void {
    this.#give({ type: 'campaign' });
  }

  /**
   * Has every peer of the ring hold each message of an election for so long.
   * @param milliseconds a whole number from 0 to {@link MAX_HOP_DELAY}
   * @throws RangeError for any other
   */
  setHopDelay(milliseconds: number): void {
    if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > MAX_HOP_DELAY)
      throw new RangeError(`a hop delay is 0 to ${MAX_HOP_DELAY} ms, not ${milliseconds}`);
    this.#give({ type: 'set hop delay', hopDelay: milliseconds });
  }

  /** Says goodbye to neighbours and server. */
  leave(): void {
    this.#give({ type: 'leave' });
  }

  /** Is gone without a goodbye, so that the others have to find out. */
  vanish(): void {
    this.#give({ type: 'vanish' });
  }

  /** Every link to a neighbour at this moment. */
  get links(): readonly LinkSight[] {
    return linkSights(this.#member, this.#ports.clock.now()).map(({ link, sight }) => {
      const { kind, bytesSent, bytesReceived } = link;
      // What a relayed link has counted, in the words of WebRTC's statistics.
      const counted = [{ type: 'data-channel', bytesSent, bytesReceived }];
      const stats = async () =>
        kind === 'relayed' ? counted : ((await this.#links.get(link.id)?.stats?.()) ?? []);
      return { ...sight, stats };
    });
  }

  /** Handles an input, after those that came before it. */
  #give(input: Input): void {
    this.#inputs.push(input);
    if (this.#isHandling) return;
    this.#isHandling = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
        this.#handle(next);
    } finally {
      this.#isHandling = false;
      this.#setTimer();
    }
  }

  #handle(input: Input): void {
    const moment = this.#moment();
    this.#ports.onInput?.(input, moment);
    for (const output of handle(this.#member, input, moment, this.#ports.random))
      this.#perform(output);
  }

  #moment(): Moment {
    return { now: this.#ports.clock.now(), date: this.#ports.date() };
  }

  /** One that comes too early does no harm: nothing is due then, and it is set again. */
  #setTimer(): void {
    const { clock } = this.#ports;
    const at = nextDue(this.#member);
    if (at === null || (this.#timer !== null && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const cancel = clock.after(at - clock.now(), () => {
      this.#timer = null;
      this.#give({ type: 'time' });
    });
    this.#timer = { at, cancel };
  }

  #perform(output: Output): void {
    switch (output.do) {
      case 'open':
        return this.#open(output.link, output.isInitiator);
      case 'signal':
        return this.#links.get(output.link)?.signal(output.signal);
      case 'send':
        return this.#links.get(output.link)?.send(output.frame);
      case 'close':
        this.#links.get(output.link)?.close();
        this.#links.delete(output.link);
        return;
      case 'connect':
        return this.#connect();
      case 'ask':
        return this.#ask(output.ask);
      case 'hang up':
        return this.#hangUp(output.how);
      case 'renew':
        return this.#give({ type: 'renewed', identity: this.#newIdentity() });
      case 'tell':
        return this.#tell(output.event, output.state);
    }
  }

  #hangUp(how: 'leave' | 'drop'): void {
    const signaling = this.#signaling;
    this.#signaling = null;
    signaling?.[how]();
  }

  #newIdentity(): Identity {
    return { id: this.#ports.newId(), secret: this.#ports.newSecret() };
  }

  /** A fault of an observer's must not stop the ring. */
  #tell(event: RingEvent, state: RingState): void {
    try {
      this.#ports.onEvent(event, state);
    } catch (error) {
      this.#ports.clock.after(0, () => {
        throw error;
      });
    }
  }

  #open(id: LinkId, isInitiator: boolean): void {
    const give = (event: Extract<Input, { type: 'link' }>['event']) =>
      this.#give({ type: 'link', link: id, event });
    try {
      const link = this.#ports.openLink(isInitiator, {
        onSignal: (signal) => give({ type: 'signal', signal }),
        onOpen: () => give({ type: 'open' }),
        onFrame: (frame) => give({ type: 'frame', frame }),
        onClose: (reason) => {
          this.#links.delete(id);
          give({ type: 'closed', reason });
        },
      });
      this.#links.set(id, link);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      give({ type: 'impossible', reason });
    }
  }

  #connect(): void {
    const signaling = this.#ports.newSignaling();
    this.#signaling = signaling;
    const give = this.#givingFrom(signaling);
    signaling.connect({
      onConnect: () => give({ type: 'connected' }),
      onDisconnect: (reason) => give({ type: 'disconnected', reason }),
      onView: (view) => give({ type: 'view', view }),
      onSignal: (delivery) => give({ type: 'signal', delivery }),
      onCheck: (peer) => give({ type: 'check', peer }),
      onInvalid: (error) => give({ type: 'invalid', error }),
    });
  }

  /** Gives what comes over a connection to the server, while that is of the present membership. */
  #givingFrom(signaling: Signaling): (input: Input) => void {
    return (input) => {
      if (signaling === this.#signaling) this.#give(input);
    };
  }

  #ask(to: Ask): void {
    const signaling = this.#signaling;
    if (signaling === null) return;
    const give = this.#givingFrom(signaling);
    const answer = (given: Answer) => give({ type: 'answer', answer: given });
    switch (to.of) {
      case 'join':
        signaling.join(to.request, (reply) => answer({ of: 'place', reply }));
        return;
      case 'resume':
        signaling.resume(to.request, (reply) => answer({ of: 'place', reply }));
        return;
      case 'signal':
        signaling.signal(to.request, (reply) => answer({ of: 'signal', to, reply }));
        return;
      case 'settle':
        signaling.settle((reply) => answer({ of: 'settle', to, reply }));
        return;
      case 'report':
        signaling.report(to.report, (reply) => answer({ of: 'report', to, reply }));
        return;
      case 'lookup':
        signaling.lookup(to.peer, (reply) => answer({ of: 'lookup', to, reply }));
        return;
    }
  }
}
