/** A ring member before anything has happened to it. */
import { initialElection } from '../election/state.ts';
import { initialAdmission, initialTermGate } from './admission.ts';
import { initialCensus } from './census.ts';
import { initialHopDelay } from './hop-delay.ts';
import { initialConnections } from './make-link.ts';
import { initialPatience } from './leader-patience.ts';
import type { Config, Identity, Member } from './state.ts';

export function initialMember(config: Config, identity: Identity, now: number): Member {
  return {
    config,
    device: {
      connections: initialConnections(config, now),
      wasSpent: false,
      lastAttempt: 'none',
      drawn: 0,
      joinedAt: null,
      returns: 0,
      delays: 0,
      mayRelay: true,
    },
    dues: [],
    ...initialMembership(config, identity, now),
  };
}

/** A new membership of the same device. What the last one is still closing goes on. */
export function beginMembership(member: Member, identity: Identity, now: number): void {
  member.device.wasSpent = false;
  Object.assign(member, initialMembership(member.config, identity, now));
}

function initialMembership(
  { priority, policy }: Config,
  identity: Identity,
  now: number,
): Omit<Member, 'config' | 'device' | 'dues'> {
  return {
    identity,
    membership: { name: 'new' },
    server: 'reconnecting',
    place: { view: null, era: null, settlingUntil: null },
    successor: {
      target: null,
      outlet: 'none',
      attempts: [],
      failures: { direct: 0, relayed: 0 },
      shortLived: 0,
      reachedAt: 0,
      isReadyTold: false,
    },
    predecessor: { target: null, links: [], waiting: [] },
    offered: [],
    shares: [],
    election: {
      state: initialElection({ priority, id: identity.id }, policy),
      patience: initialPatience(),
      gate: initialTermGate(now),
      census: initialCensus(),
      wait: null,
      lease: null,
      isDoubted: false,
      isTold: false,
    },
    hopDelay: initialHopDelay(now),
    neighbours: { broken: [], complaints: [] },
    lookups: { doubts: [], confirmed: null },
    admission: initialAdmission(now),
    droppedFrames: 0,
  };
}
