/**
 * A run of a simulated ring through a storm of faults: while they rage, safety; once all is calm,
 * one ring with one leader within bounded time and messages, and for good.
 */
import type { PeerId } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import { Keepsakes } from './keepsakes.ts';
import { World, type SimulatedPeer, type TraceEntry } from './world.ts';

/**
 * What a storm is made of, besides joins, departures and crashes. `crashes`: nothing else, on a
 * ring that was whole before. `outages`: lost connections to a server that goes down and may lose
 * its memory. `mishaps`: all that and devices that fall asleep, links that break or cannot be made,
 * an id that is used twice, and slow networks. `kept`: outages of a ring that was whole before and
 * that nobody leaves, so that nobody may lose anything.
 */
export const STORMS = ['crashes', 'outages', 'mishaps', 'kept'] as const;
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

/** By when a lap has come to everyone after that; before, the patience of some may still run out. */
const FIRST_LAP = 2_000;

/** How long the agreement is watched after that. */
const WATCH = 5_000;

/** Election messages for each peer and second of an agreed ring: a lap a second. */
const CALM_MESSAGES = 1.3;

/**
 * How long what is just under way may take at the end, in milliseconds: a direct link takes over, or a
 * newcomer that died as it joined has its place until its neighbours are asked about it again.
 */
const MOMENT = 10_000;

/** Faults of one run. */
const FAULTS = 12;

/** How long a device sleeps at most, in milliseconds: longer than the server's patience. */
const LONGEST_SLEEP = 20_000;

type Fault = (world: World, peer: SimulatedPeer) => void;

/** Faults with their weights. */
type Faults = readonly (readonly [number, Fault])[];

const JOIN: Faults[number] = [2, (world) => world.join()];

const CRASHES: Faults = [
  JOIN,
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

const blip: Fault = (world, peer) => {
  world.blip(peer, world.random() * 2_000, world.random() * 4_000);
};

const RESTART: Faults[number] = [
  1,
  (world) => {
    world.crashServer(world.random() * 5_000, true);
  },
];

const OUTAGES: Faults = [
  ...CRASHES,
  [6, blip],
  [
    1,
    (world) => {
      world.crashServer(world.random() * 5_000, false);
    },
  ],
  RESTART,
];

const KEPT: Faults = [
  JOIN,
  [
    6,
    (world, peer) => {
      // Whoever is away already would be so for longer than its place is kept.
      if (peer.ring.state.server === 'connected') blip(world, peer);
    },
  ],
  RESTART,
  [
    1,
    (world) => {
      // Two memories lost at once may leave two rings, of which neither is the newcomers' (R3c).
      world.settle(PATIENCE);
      world.crashServer(world.random() * 5_000, false);
    },
  ],
];

const MISHAPS: Faults = [
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

interface Kind {
  readonly faults: Faults;
  /** The longest pause before the next fault in milliseconds. */
  readonly pause: number;
  /** Whether the ring is whole when the storm begins. */
  readonly isWholeBefore: boolean;
  /**
   * Whether no member that is there may be let go. One that came first to a server without memory may
   * (SPEC.md, L14); of whoever was there before, `kept` looks after the rest.
   */
  readonly keepsPlaces: boolean;
}

const KINDS: Record<Storm, Kind> = {
  crashes: { faults: CRASHES, pause: 500, isWholeBefore: true, keepsPlaces: true },
  outages: { faults: OUTAGES, pause: 2_000, isWholeBefore: false, keepsPlaces: false },
  mishaps: { faults: MISHAPS, pause: 4_000, isWholeBefore: false, keepsPlaces: false },
  kept: { faults: KEPT, pause: 4_000, isWholeBefore: true, keepsPlaces: false },
};

/**
 * Runs one storm; the same arguments give the same run.
 * @param seed any integer
 * @param peers in the ring before the storm
 */
export function runStorm(storm: Storm, seed: number, peers: number): StormReport {
  const hasPolicies = storm === 'mishaps' || storm === 'kept';
  const policy: Policy = hasPolicies && seed % 2 === 1 ? 'incumbent' : 'highest';
  const most = storm === 'mishaps' && seed % 4 > 1 ? 200 : 21;
  const world = new World(seed, { delays: { least: 1, most }, peers: { policy } });
  for (let joined = 0; joined < peers; joined += 1) {
    world.join();
    if (world.random() < 0.5) world.run(world.random() * 300);
  }
  const { faults, pause, isWholeBefore, keepsPlaces } = KINDS[storm];
  const keepsakes = storm === 'kept' ? new Keepsakes(world, policy) : null;
  const first = isWholeBefore ? world.settle(PATIENCE) : [];
  if (first.length === 0)
    for (let fault = 0; fault < FAULTS; fault += 1) {
      keepsakes?.look();
      strike(world, faults);
      world.run(world.random() * pause);
    }
  // Whoever sleeps wakes up at last.
  if (storm === 'mishaps') world.run(LONGEST_SLEEP);
  return calm(world, first, keepsakes, keepsPlaces);
}

function strike(world: World, faults: Faults): void {
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

function calm(
  world: World,
  before: readonly string[],
  keepsakes: Keepsakes | null,
  keepsPlaces: boolean,
): StormReport {
  const began = world.clock.now();
  const sent = world.messages;
  const unsettled = world.settle(PATIENCE);
  const settledAfter = world.clock.now() - began;
  const peers = Math.max(1, world.peers.length);
  const messagesPerPeer = (world.messages - sent) / peers;
  world.run(FIRST_LAP);
  const settled = world.messages;
  world.run(WATCH);
  const calmMessages = (world.messages - settled) / peers / (WATCH / 1_000);
  const late = world.settle(MOMENT);
  keepsakes?.look();
  const lost = keepsakes?.problems ?? [];
  const problems = [
    ...before,
    ...world.violations,
    ...world.pretenders,
    ...unsettled,
    ...late,
    ...lost,
  ];
  if (keepsPlaces && world.placesLost > 0)
    problems.push(`${world.placesLost} places were lost by peers that were there all the time`);
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
