/** How long a ring may take to come to rest after the last fault, and what it may cost. */
import { FAREWELL } from '../../shared/member/link.ts';
import { LONGEST_HOP, SHORTEST_LONG_WAIT } from '../../shared/member/leader-patience.ts';
import { ATTEMPTS } from '../../shared/member/successor.ts';
import type { Network } from './network.ts';

/** What the present ring does not do yet, each to be switched on with the change that does it. */
export const EXPECTATIONS: {
  /**
   * Members take the places they had from a server that was killed and restarted, so that an outage of the
   * server alone changes no id, no leader and no term. Until then all join again.
   */
  readonly placesOutliveServer: boolean;
} = { placesOutliveServer: true };

interface Delay {
  readonly milliseconds: number;
  readonly why: string;
}

/** The longest pause between two attempts to reach the server: 2 s plus up to half of it at random. */
const RECONNECTION: Delay = { milliseconds: 3_000, why: 'the last pause before reconnecting' };

/** The time in which the server's pings find a dead connection that was never closed. */
const UNNOTICED: Delay = {
  milliseconds: 15_000,
  why: 'a server finding out that a peer is cut off',
};

const LINK: Delay = {
  milliseconds: 3 * ATTEMPTS.direct.first,
  why: 'a first attempt at a link that fails, and a second that works at its last moment',
};

/** @param peers the most members */
function silence(peers: number): Delay {
  return {
    milliseconds: Math.max(SHORTEST_LONG_WAIT, LONGEST_HOP * peers) * 1.5,
    why: 'the longest patience with a leader that is silent (R7), should nothing else start an election',
  };
}

/** Circuits within which a ring far from its server has a leader. */
const CIRCUITS = 4;

/** By how much the term of a ring may rise after it has agreed, while nothing happens. */
export const MORE_TERMS = 1;

/**
 * How long agreement may take, as a sum of the waits that may follow each other.
 * @param peers the most members
 */
export function agreementDelays({ groups, delay }: Network, peers: number): readonly Delay[] {
  if (delay > 0)
    return [
      { milliseconds: CIRCUITS * peers * 2 * delay, why: `${CIRCUITS} circuits of the ring` },
    ];
  return groups > 0
    ? [RECONNECTION, UNNOTICED, LINK, RECONNECTION, LINK, silence(peers)]
    : [RECONNECTION, LINK, silence(peers)];
}

/**
 * How long WebRTC itself takes to find that the other end of a link was killed, in milliseconds: its
 * consent expires after 30 s (RFC 7675). The server tells only the present neighbours of a death; an
 * earlier successor, to which the dead peer had not yet said BYE, has to find out in this way.
 */
export const CONSENT = 35_000;

/**
 * How long all connections but those of {@link CONNECTIONS} may take to be closed once all agree, in
 * milliseconds. BYE gives the other end some time to close, which is the smaller part.
 */
export const CLOSING = FAREWELL + CONSENT;

/** Connections of a member at rest: one to its successor, one from its predecessor. */
export const CONNECTIONS = 2;

/**
 * The most by which a process may grow between two rests, once warm. Compiled code is excluded: it grows
 * for dozens of rounds, as long as code runs that seldom ran before.
 */
export const MAX_GROWTH = { data: 75_000, rss: 1_000_000, descriptors: 0.5 } as const;
