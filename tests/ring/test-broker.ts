/** A broker whose network and time the test plays. */
import { expect } from 'vitest';
import type { PeerId, RoomName } from '../../shared/protocol/ids.ts';
import {
  SIGNALING_VERSION,
  type JoinReply,
  type JoinRequest,
  type MembershipReply,
  type Report,
  type ResumeRequest,
  type View,
} from '../../shared/protocol/signaling.ts';
import { Broker, type BrokerLimits } from '../../shared/ring/broker.ts';
import type { Delivery } from '../../shared/ring/room.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { peerId, roomName } from '../support.ts';
import { newcomer } from './newcomers.ts';

export const LOBBY = roomName('lobby');
export const WINDOW = 30;

/** A broker without a network: its deliveries are kept, its questions are answered by the test. */
export class Server {
  readonly clock = new SimulatedClock();
  readonly broker: Broker;
  readonly delivered: { readonly room: RoomName; readonly delivery: Delivery }[] = [];

  readonly probes: { readonly id: PeerId; readonly onAnswer: (isAwake: boolean) => void }[] = [];
  readonly disconnected: PeerId[] = [];

  constructor(limits: Partial<BrokerLimits> = {}) {
    this.broker = new Broker(
      'monday',
      {
        clock: this.clock,
        date: () => 1e12 + this.clock.now(),
        deliver: (room, delivery) => {
          this.delivered.push({ room, delivery });
        },
        probe: (_room, id, onAnswer) => {
          this.probes.push({ id, onAnswer });
        },
        disconnect: (_room, id) => {
          this.disconnected.push(id);
        },
      },
      { peersPerRoom: 100, rooms: 10, burstWindow: WINDOW, ...limits },
    );
  }

  /** Joins a peer; what it is told is pushed to the list returned. */
  join(number: number, part: Partial<JoinRequest> = {}): JoinReply[] {
    const replies: JoinReply[] = [];
    this.broker.join(requestOf(number, part), (reply) => replies.push(reply));
    return replies;
  }

  /** Asks for a place, by default in the memory that the broker has. */
  resume(number: number, guess?: string, part: Partial<ResumeRequest> = {}): JoinReply {
    const { version, room, id, secret, policy } = requestOf(number);
    return this.broker.resume({
      version,
      room,
      id,
      secret: guess ?? secret,
      policy,
      place: { epoch: 'monday.1', era: 1, version: 1, successor: id, predecessor: id },
      removed: [],
      ...part,
    });
  }

  /** A member says that it knows the ring's term. Returns the era that it is told. */
  settle(number: number): number {
    const reply = this.broker.settle(LOBBY, peerId(number));
    if (!reply.ok) throw new Error(reply.message);
    return reply.era;
  }

  /** Joins one peer after another, each long after the one before. */
  seat(...numbers: readonly number[]): void {
    for (const number of numbers) {
      this.join(number);
      this.pass(10 * WINDOW);
    }
    this.delivered.length = 0;
  }

  /** The broker's questions since: the peer asked, and the peer that it was asked about. */
  checks(): readonly (readonly [PeerId, PeerId])[] {
    return this.delivered
      .splice(0)
      .flatMap(({ delivery }) =>
        delivery.type === 'check' ? [[delivery.to, delivery.peer] as const] : [],
      );
  }

  report(from: PeerId, about: PeerId, fault: Report['fault']): MembershipReply[] {
    const replies: MembershipReply[] = [];
    this.broker.report(LOBBY, from, { about, fault }, (reply) => replies.push(reply));
    return replies;
  }

  lookup(id: PeerId): MembershipReply[] {
    const replies: MembershipReply[] = [];
    this.broker.lookup(LOBBY, id, (reply) => replies.push(reply));
    return replies;
  }

  pass(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }

  get deliveries(): readonly Delivery[] {
    return this.delivered.map(({ delivery }) => delivery);
  }
}

export function requestOf(number: number, part: Partial<JoinRequest> = {}): JoinRequest {
  return {
    version: SIGNALING_VERSION,
    room: LOBBY,
    policy: 'highest',
    secret: `the secret of ${number}`,
    ...newcomer(number),
    ...part,
  };
}

export function viewOf(replies: readonly JoinReply[]): View {
  const [reply] = replies;
  if (reply?.ok !== true) throw new Error(`no view but ${JSON.stringify(replies)}`);
  return reply.view;
}

export function codeOf(replies: readonly JoinReply[]): string {
  const [reply] = replies;
  if (reply?.ok !== false) throw new Error(`no refusal but ${JSON.stringify(replies)}`);
  expect(reply.message).toMatch(/\w+ \w+/);
  return reply.code;
}
