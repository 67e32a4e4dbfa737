/** How long a ring may take to come to rest after the last fault, and how much it may take up. */
import { FAREWELL } from '../../shared/member/link.ts';
import { LONGEST_HOP, SHORTEST_LONG_WAIT } from '../../shared/member/patience.ts';
import { FIRST_ATTEMPT } from '../../shared/member/successor.ts';
import type { Network } from './network.ts';

/** What the ring as it is today does not do yet, each to be switched on with the change that does it. */
export const EXPECTATIONS: {
  /**
   * Members take the places they had from a server that was killed and started anew, so that an
   * outage of the server alone changes no id, no leader and no term. Until then all join anew.
   */
  readonly placesOutliveServer: boolean;
} = { placesOutliveServer: true };

interface Delay {
  readonly milliseconds: number;
  readonly why: string;
}

/** The longest pause between two attempts to reach the server: 2 s and up to half of it by chance. */
const RECONNECTION: Delay = { milliseconds: 3_000, why: 'the last pause before reconnecting' };

/** What the server's pings take to find that a connection is dead which nobody closed. */
const UNNOTICED: Delay = {
  milliseconds: 15_000,
  why: 'a server finding out that a peer is cut off',
};

const LINK: Delay = {
  milliseconds: FIRST_ATTEMPT + 2 * FIRST_ATTEMPT,
  why: 'a first attempt at a link in vain, and a second that works at its last moment',
};

/** @param peers that are members at most */
function silence(peers: number): Delay {
  return {
    milliseconds: Math.max(SHORTEST_LONG_WAIT, LONGEST_HOP * peers) * 1.5,
    why: 'the longest patience with a leader that is silent (R7), should nothing else start an election',
  };
}

/** Circuits within which a ring far from its server has a leader. */
const CIRCUITS = 4;

/** So many more terms a ring may come to that has agreed and in which nothing happens. */
export const MORE_TERMS = 1;

/**
 * How long agreement may take, as a sum of what may have to be waited for in turn.
 * @param peers that there are at most
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
 * consent expires after 30 s (RFC 7675). The server tells of a death only those whose neighbour it
 * was; an earlier successor, to which the dead had not yet said BYE, has to find out in this way.
 */
export const CONSENT = 35_000;

/**
 * How long all connections but those of {@link CONNECTIONS} may take to be closed once all agree, in
 * milliseconds. BYE gives the other end a while to close, which is the least of it.
 */
export const CLOSING = FAREWELL + CONSENT;

/** Connections of a member at rest: one to its successor, one from its predecessor. */
export const CONNECTIONS = 2;

/**
 * What a process may grow by from one calm to the next, once warm. Compiled code is left out: it goes
 * on growing for dozens of rounds, for as long as they bring something that was not run often before.
 */
export const MAX_GROWTH = { data: 75_000, rss: 1_000_000, descriptors: 0.5 } as const;
