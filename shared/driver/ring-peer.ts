/** Drives a ring member, in a browser tab, in Node and in the simulator alike. */
import type { LinkId, PeerId, RoomName } from '../protocol/ids.ts';
import { MAX_HOP_DELAY, type Policy } from '../protocol/messages.ts';
import type { LinkSnapshot, RingEvent, RingState } from '../member/events.ts';
import { initialMember } from '../member/initial.ts';
import { handle } from '../member/member.ts';
import { linkSnapshots, snapshotOf } from '../member/snapshot.ts';
import type { Identity, Member } from '../member/state.ts';
import type { Ask, Input, Output, Random } from '../member/turn.ts';
import { firstTime } from '../machine/due-times.ts';
import { Loop, type Machine, type Times } from './loop.ts';
import type { Link, OpenLink, Signaling } from './ports.ts';

/** What a peer asks for beside a room; all are optional. */
export interface RingPeerOptions {
  /** Whom a new room is to prefer; `highest` by default. */
  readonly policy?: Policy;
  /** 0 to 255, 1 by default: greater ones win over smaller ones, 0 never leads. */
  readonly priority?: number;
  /** The secret of the room, if it has one besides its name: 1 to 128 characters. */
  readonly key?: string | null;
}

export interface RingPeerPorts extends Times {
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
  /** Has the member handle an input; a simulation records it besides. */
  readonly handle?: typeof handle;
}

/**
 * Chromium lets a page have 500 connections that it has not forgotten, closed ones included; some are left
 * to others on the page.
 */
const CONNECTIONS = 450;

export class RingPeer {
  readonly #ports: RingPeerPorts;
  readonly #member: Member;
  readonly #loop: Loop<Input, Output>;
  /** The platform's ends of direct links. */
  readonly #links = new Map<LinkId, Link>();
  #signaling: Signaling | null = null;

  /** Makes a peer with an id of its own; `join` makes it a member. */
  constructor(
    room: RoomName,
    ports: RingPeerPorts,
    { policy = 'highest', priority = 1, key = null }: RingPeerOptions = {},
  ) {
    this.#ports = ports;
    const { connections = CONNECTIONS } = ports;
    const now = ports.clock.now();
    const config = { room, policy, priority, key, connections };
    this.#member = initialMember(config, this.#newIdentity(), now);
    const handleOne = ports.handle ?? handle;
    const machine: Machine<Input, Output> = {
      handle: (input, moment) => handleOne(this.#member, input, moment, ports.random),
      perform: (output) => this.#perform(output),
      nextDue: () => firstTime(this.#member),
    };
    this.#loop = new Loop(machine, ports);
  }

  get state(): RingState {
    return snapshotOf(this.#member, this.#loop.moment);
  }

  /** Joins, as a new peer if this one has left before. */
  join(): void {
    this.#loop.give({ type: 'join' });
  }

  /** Starts an election. */
  campaign(): void {
    this.#loop.give({ type: 'campaign' });
  }

  /**
   * Has every peer of the ring hold each message of an election for so long.
   * @param milliseconds a whole number from 0 to {@link MAX_HOP_DELAY}
   * @throws RangeError for any other
   */
  setHopDelay(milliseconds: number): void {
    if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > MAX_HOP_DELAY)
      throw new RangeError(`a hop delay is 0 to ${MAX_HOP_DELAY} ms, not ${milliseconds}`);
    this.#loop.give({ type: 'set hop delay', hopDelay: milliseconds });
  }

  /** Says goodbye to neighbours and server. */
  leave(): void {
    this.#loop.give({ type: 'leave' });
  }

  /** Is gone without a goodbye, so that the others have to find out. */
  vanish(): void {
    this.#loop.give({ type: 'vanish' });
  }

  /** Every link to a neighbour at this moment. */
  get links(): readonly LinkSnapshot[] {
    return linkSnapshots(this.#member, this.#ports.clock.now()).map(({ link, snapshot }) => {
      const { kind, bytesSent, bytesReceived } = link;
      // What a relayed link has counted, in the words of WebRTC's statistics.
      const counted = [{ type: 'data-channel', bytesSent, bytesReceived }];
      const stats = async () =>
        kind === 'relayed' ? counted : ((await this.#links.get(link.id)?.stats?.()) ?? []);
      return { ...snapshot, stats };
    });
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
      case 'hang up': {
        const signaling = this.#signaling;
        this.#signaling = null;
        signaling?.[output.how]();
        return;
      }
      case 'renew':
        return this.#loop.give({ type: 'renewed', identity: this.#newIdentity() });
      case 'tell':
        return this.#ports.onEvent(output.event, output.state);
    }
  }

  #newIdentity(): Identity {
    return { id: this.#ports.newId(), secret: this.#ports.newSecret() };
  }

  #open(id: LinkId, isInitiator: boolean): void {
    const give = (event: Extract<Input, { type: 'link' }>['event']) =>
      this.#loop.give({ type: 'link', link: id, event });
    const end = { isClosed: false };
    try {
      const link = this.#ports.openLink(isInitiator, {
        onSignal: (signal) => give({ type: 'signal', signal }),
        onOpen: () => give({ type: 'open' }),
        onFrame: (frame) => give({ type: 'frame', frame }),
        onClose: (reason) => {
          end.isClosed = true;
          this.#links.delete(id);
          give({ type: 'closed', reason });
        },
      });
      if (!end.isClosed) this.#links.set(id, link);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      give({ type: 'impossible', reason });
    }
  }

  #connect(): void {
    const signaling = this.#ports.newSignaling();
    this.#signaling = signaling;
    signaling.connect(this.#givingFrom(signaling));
  }

  /** Gives what comes over a connection to the server, while that is of the present membership. */
  #givingFrom(signaling: Signaling): (input: Input) => void {
    return (input) => {
      if (signaling === this.#signaling) this.#loop.give(input);
    };
  }

  #ask(to: Ask): void {
    const signaling = this.#signaling;
    if (signaling === null) return;
    const give = this.#givingFrom(signaling);
    signaling.ask(to.request, (reply) => give({ type: 'reply', to, reply }));
  }
}
