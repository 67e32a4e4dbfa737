/**
 * A run of a simulated ring through a storm of faults: while they rage, safety; once all is calm,
 * one ring with one leader within bounded time and messages, and for good.
 */
import type { PeerId } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import { World, type SimulatedPeer, type TraceEntry } from './world.ts';

/**
 * What a storm is made of, besides joins, departures and crashes. `crashes`: nothing else, on a
 * ring that was whole before. `outages`: lost connections to a server that goes down and may lose
 * its memory. `mishaps`: all that and devices that fall asleep, links that break or cannot be made,
 * an id that is used twice, and slow networks.
 */
export const STORMS = ['crashes', 'outages', 'mishaps'] as const;
export type Storm = (typeof STORMS)[number];

export interface StormReport {
  /** What went wrong, in words; empty where nothing did. */
  readonly problems: readonly string[];
  /** Simulated milliseconds from the last fault to agreement. */
  readonly settledAfter: number;
  /** Election messages sent in that time, for each peer. */
  readonly messagesPerPeer: number;
  readonly trace: readonly TraceEntry[];
}

/** How long after the last fault the ring may take to agree, in milliseconds. */
const PATIENCE = 60_000;

/** How many election messages for each peer and second of it. */
const MOST_MESSAGES = 40;

/** How long the agreement is watched after that. */
const WATCH = 5_000;

/** Election messages for each peer and second of an agreed ring: a lap a second. */
const CALM_MESSAGES = 1.3;

/** Faults of one run. */
const FAULTS = 12;

/** How long a device sleeps at most, in milliseconds: longer than the server's patience. */
const LONGEST_SLEEP = 20_000;

type Fault = (world: World, peer: SimulatedPeer) => void;

/** Each fault with its weight. */
const CRASHES: readonly (readonly [number, Fault])[] = [
  [2, (world) => world.join()],
  [
    1,
    (world, peer) => {
      world.leave(peer);
    },
  ],
  [
    1,
    (world, peer) => {
      world.crash(peer);
    },
  ],
];

const OUTAGES: typeof CRASHES = [
  ...CRASHES,
  [
    6,
    (world, peer) => {
      world.blip(peer, world.random() * 2_000, world.random() * 4_000);
    },
  ],
  [
    1,
    (world) => {
      world.crashServer(world.random() * 5_000, false);
    },
  ],
  [
    1,
    (world) => {
      world.crashServer(world.random() * 5_000, true);
    },
  ],
];

const MISHAPS: typeof CRASHES = [
  ...OUTAGES,
  [
    3,
    (world, peer) => {
      world.freeze(peer, world.random() * LONGEST_SLEEP);
    },
  ],
  [
    2,
    (world, peer) => {
      world.breakLinks(peer, true);
    },
  ],
  [
    2,
    (world, peer) => {
      world.breakLinks(peer, false);
    },
  ],
  [
    3,
    (world, peer) => {
      world.block(peer, anyOf(world) ?? peer);
    },
  ],
  [
    1,
    (world, peer) => {
      joinAs(world, peer.ring.state.id);
    },
  ],
];

/** A fault of each kind, and the longest pause before the next in milliseconds. */
const KINDS: Record<Storm, { faults: typeof CRASHES; pause: number }> = {
  crashes: { faults: CRASHES, pause: 500 },
  outages: { faults: OUTAGES, pause: 2_000 },
  mishaps: { faults: MISHAPS, pause: 4_000 },
};

/**
 * Runs one storm; the same arguments give the same run.
 * @param seed any integer
 * @param peers in the ring before the storm
 */
export function runStorm(storm: Storm, seed: number, peers: number): StormReport {
  const policy: Policy = storm === 'mishaps' && seed % 2 === 1 ? 'incumbent' : 'highest';
  const most = storm === 'mishaps' && seed % 4 > 1 ? 200 : 21;
  const world = new World(seed, { delays: { least: 1, most }, peers: { policy } });
  for (let joined = 0; joined < peers; joined += 1) {
    world.join();
    if (world.random() < 0.5) world.run(world.random() * 300);
  }
  const { faults, pause } = KINDS[storm];
  const first = storm === 'crashes' ? world.settle(PATIENCE) : [];
  if (first.length === 0)
    for (let fault = 0; fault < FAULTS; fault += 1) {
      strike(world, faults);
      world.run(world.random() * pause);
    }
  // Whoever sleeps wakes up at last.
  if (storm === 'mishaps') world.run(LONGEST_SLEEP);
  return calm(world, first);
}

function strike(world: World, faults: typeof CRASHES): void {
  const peer = anyOf(world) ?? world.join();
  const total = faults.reduce((sum, [weight]) => sum + weight, 0);
  let dice = world.random() * total;
  for (const [weight, fault] of faults) {
    dice -= weight;
    if (dice >= 0) continue;
    fault(world, peer);
    return;
  }
}

function calm(world: World, before: readonly string[]): StormReport {
  const began = world.clock.now();
  const sent = world.messages;
  const unsettled = world.settle(PATIENCE);
  const settledAfter = world.clock.now() - began;
  const peers = Math.max(1, world.peers.length);
  const messagesPerPeer = (world.messages - sent) / peers;
  const settled = world.messages;
  world.run(WATCH);
  const calmMessages = (world.messages - settled) / peers / (WATCH / 1_000);
  const problems = [...before, ...world.violations, ...unsettled, ...world.problems()];
  if (problems.length === 0 && !world.isLeaderAdmitted)
    problems.push('the leader is refused: somebody acted in a later term');
  if (messagesPerPeer > MOST_MESSAGES * (1 + settledAfter / 1_000))
    problems.push(`${messagesPerPeer} messages for each peer in ${settledAfter} ms`);
  if (calmMessages > CALM_MESSAGES)
    problems.push(`${calmMessages} messages for each peer and second after the agreement`);
  return { problems, settledAfter, messagesPerPeer, trace: world.trace };
}

/** Somebody comes with an id that is another's, and with its own once that is refused. */
function joinAs(world: World, id: PeerId): void {
  let tries = 0;
  world.join({
    newId: () => {
      tries += 1;
      return tries === 1 ? id : world.newId();
    },
  });
}

function anyOf(world: World): SimulatedPeer | undefined {
  const { peers } = world;
  return peers[Math.floor(world.random() * peers.length)];
}
