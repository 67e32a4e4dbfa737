/** How long a peer waits for news of a leader (election/SPEC.md, R7), by what a circuit of the ring takes. */
import type { Wait } from '../election/step.ts';
import type { Moment } from '../machine/moment.ts';

/** From the return of the leader's lap to the next one, in milliseconds. */
const LAP_PAUSE = 1_000;

/** The least time without news of a leader after which a peer starts an election, in milliseconds. */
export const LEADER_SILENCE = 3 * LAP_PAUSE;

/** Up to what that time is doubled at least, once for each term in vain. */
export const SHORTEST_LONG_WAIT = 8 * LEADER_SILENCE;

/** How many circuits may take as long as the last one did before the leader is presumed lost. */
const SILENT_LAPS = 4;

/** The most that this many may come to, in milliseconds; of a circuit that takes longer, only two. */
const LONGEST_SILENCE = 15_000;

/** What a hop takes at most in a ring that is counted on, on average over its links, in milliseconds. */
export const LONGEST_HOP = 1_000;

/** How often what the hop delay adds is doubled, once for each term in vain. */
const MOST_DOUBLINGS = 3;

/** What a peer has measured of the ring. */
export interface Patience {
  /** When the claim that this peer has sent last in this term left it. */
  claimAt: number | null;
  /** When the leader's last lap was sent, at the leader, or came by, elsewhere. */
  lapAt: number | null;
  /** What the last circuit took, in milliseconds; 0 before it is measured. */
  circuit: number;
  /** Terms since a leader was last heard for more than one lap. */
  vainTerms: number;
}

/**
 * Until when a peer may count on the leader that it names (election/SPEC.md, R10), by two of its own
 * clocks: one that never falls may stand still while the device sleeps.
 */
export interface Lease {
  readonly at: number;
  readonly date: number;
}

/** What is known of the ring at the moment. */
export interface RingSize {
  /** Peers, as far as they are known, with some to spare. */
  readonly peers: number;
  /** What a hop takes on the slower of this peer's own links, in milliseconds; 0 before it is measured. */
  readonly latency: number;
  /** The room's hop delay in milliseconds. */
  readonly hopDelay: number;
}

export function initialPatience(): Patience {
  return { claimAt: null, lapAt: null, circuit: 0, vainTerms: 0 };
}

/** A lease of so many milliseconds from now on. */
export function leaseFor(milliseconds: number, { now, date }: Moment): Lease {
  return { at: now + milliseconds, date: date + milliseconds };
}

/** Whether there is a leader, and neither clock is past the end. */
export function isConfirmed(lease: Lease | null, { now, date }: Moment): boolean {
  return lease !== null && now < lease.at && date < lease.date;
}

export function noteTermRose(patience: Patience): void {
  patience.vainTerms += 1;
  patience.claimAt = null;
}

/** A leader is known. Where its claim has passed here, that and its announcement make one circuit. */
export function noteDecided(patience: Patience, hopDelay: number, now: number): void {
  // In slow motion claims are held and laps are not: that measures nothing.
  if (patience.claimAt !== null && hopDelay === 0) patience.circuit = now - patience.claimAt;
  patience.lapAt = now;
}

/** Takes the time from lap to lap: its own round trip at the leader, their distance elsewhere. */
export function noteLapPassed(patience: Patience, lap: number, now: number): void {
  if (lap > 0) patience.vainTerms = 0;
  if (patience.lapAt !== null) patience.circuit = now - patience.lapAt;
  patience.lapAt = now;
}

/**
 * Milliseconds for which to wait in all, by what is known now.
 * @param share from 0 to 1, drawn once for each wait, so that not all peers start at once
 */
export function waitFor(patience: Patience, until: Wait, share: number, ring: RingSize): number {
  switch (until) {
    case 'lap':
      return LAP_PAUSE;
    case 'return':
      return silence(patience, ring) + slowness(patience, ring);
    case 'leader':
      return silence(patience, ring) * (1 + share / 2) + slowness(patience, ring);
  }
}

/** What a hop delay adds to a wait in a ring of so many peers, in milliseconds. */
export function slownessOf(hopDelay: number, peers: number): number {
  return 2 * hopDelay * peers;
}

/** How long an election may take for no other reason than the hop delay, in milliseconds. */
function slowness({ vainTerms }: Patience, { peers, hopDelay }: RingSize): number {
  return slownessOf(hopDelay, peers * 2 ** Math.min(vainTerms, MOST_DOUBLINGS));
}

/** The time without news after which something must be lost, in milliseconds. */
function silence(patience: Patience, { peers, latency }: RingSize): number {
  // In a ring that is larger, or slower elsewhere, than this peer can tell, patience grows up to this.
  const mostDoubled = Math.max(SHORTEST_LONG_WAIT, peers * LONGEST_HOP);
  const doubled = Math.min(LEADER_SILENCE * 2 ** patience.vainTerms, mostDoubled);
  return Math.max(doubled, 2 * peers * latency, measured(patience, peers));
}

/**
 * Several circuits as measured: four of a quick one, two of a slow one. What a ring of this size can
 * hardly take was the device's own sleep.
 */
function measured({ circuit }: Patience, peers: number): number {
  const most = Math.max(LONGEST_SILENCE, peers * LONGEST_HOP);
  const circuits = Math.min(SILENT_LAPS * circuit, Math.max(LONGEST_SILENCE, 2 * circuit));
  return Math.min(circuits, most);
}
