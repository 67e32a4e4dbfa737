/**
 * A run of a simulated ring through a storm of faults. While faults occur, it checks safety; after them,
 * that there is one ring with one leader within bounded time and messages, and that this lasts.
 */
import type { Policy } from '../protocol/messages.ts';
import { PROBE_PATIENCE } from '../broker/complaints.ts';
import { LEADER_SILENCE, SHORTEST_LONG_WAIT, slownessOf } from '../member/leader-patience.ts';
import type { RunningRecording } from './recording.ts';
import { LINK_SILENCE } from '../member/neighbour-patience.ts';
import { ATTEMPTS } from '../member/successor.ts';
import * as faults from './faults.ts';
import { Keepsakes } from './judges/keepsakes.ts';
import type { Delays } from './network.ts';
import { World, type TraceEntry } from './world.ts';

/**
 * The storms.
 *
 * - `crashes`: joins, departures and crashes only, on a ring that was whole before.
 * - `outages`: also lost connections to a server that goes down and may lose its memory.
 * - `mishaps`: all that, and devices that fall asleep, links that break or cannot be made, an id that is
 *   used twice, and slow networks.
 * - `kept`: outages of a ring that was whole before and that no peer leaves, and steps of the server's
 *   clock, so that no peer may lose anything.
 * - `campaigns`: elections started by peers, hop delays, and peers that vanish or leave and come again,
 *   with different priorities.
 * - `partitions`: groups that reach neither each other nor the server for a while, and links that are
 *   lost at one end or in one direction.
 * - `delays`: crowded networks, slow devices, hidden pages, newcomers that fall asleep as they join, and connections to
 *   the server whose messages come late, after those of the next one.
 * - `clocks`: steps of the clock of a server that keeps its memory, and rooms that empty.
 * - `amnesia`: a server that loses its memory once or twice in a row, with peers asleep meanwhile.
 * - `instances`: two or three servers that share rooms. They die, are stopped and started, freeze, and lose
 *   Redis, which is late, restarts and forgets, and whose clock is set.
 * - `takeovers`: servers that end, die and are replaced, and a Redis that restarts, one after another, under a
 *   ring that was whole before and that no peer leaves.
 */
export const STORMS = [
  'crashes',
  'outages',
  'mishaps',
  'kept',
  'campaigns',
  'partitions',
  'delays',
  'clocks',
  'amnesia',
  'instances',
  'takeovers',
] as const;
export type Storm = (typeof STORMS)[number];

/** Faults, each with its weight: its frequency relative to the others. */
type Faults = readonly (readonly [weight: number, fault: faults.Fault])[];

interface Kind {
  readonly faults: Faults;
  /** The longest pause before the next fault in milliseconds. */
  readonly pause: number;
  /** Whether the ring is whole when the storm begins. */
  readonly isWholeBefore?: boolean;
  /**
   * Whether the server may remove no member that is there. It may remove one that came first to a server
   * without memory (member/SPEC.md, L14); `keepsAll` covers those that were there before.
   */
  readonly keepsPlaces?: boolean;
  /** Whether no peer leaves, so that no peer may lose its id, its place in the order or its leader. */
  readonly keepsAll?: boolean;
  /** Whether every other seed has the policy `incumbent`. */
  readonly hasBothPolicies?: boolean;
  /** Whether peers have different priorities. */
  readonly hasPriorities?: boolean;
  /** The possible networks; each seed has one of them. */
  /**
   * Whether a message may vanish and its link stay, as on a relayed link whose other end loses the server
   * while its predecessor moves to a direct one. Nobody but R7 notices.
   */
  readonly losesMessages?: boolean;
  readonly networks: readonly Delays[];
  /** Whether there are several servers: two, or three. */
  readonly hasInstances?: boolean;
}

const LAN: Delays = { least: 1, most: 21 };
const WAN: Delays = { least: 1, most: 200 };
/** One direction takes longer than the other, and one hop in a hundred up to three seconds. */
const CROWDED: Delays = {
  least: 1,
  most: 100,
  asymmetry: 300,
  tail: { share: 0.01, most: 3_000 },
};

const CRASHES: Faults = [
  [2, faults.join],
  [1, faults.leave],
  [1, faults.crash],
];

/** Joins and departures of peers with different priorities. */
const TURNOVER: Faults = [
  [2, faults.joinWithAny],
  [1, faults.leave],
  [1, faults.crash],
];

const OUTAGES: Faults = [
  ...CRASHES,
  [6, faults.blip],
  [1, faults.loseMemory],
  [1, faults.restartServer],
];

const KINDS: Record<Storm, Kind> = {
  crashes: {
    faults: CRASHES,
    pause: 500,
    isWholeBefore: true,
    keepsPlaces: true,
    networks: [LAN],
  },
  outages: { faults: OUTAGES, pause: 2_000, networks: [LAN] },
  mishaps: {
    faults: [
      ...OUTAGES,
      [3, faults.sleep],
      [2, faults.breakLinks],
      [2, faults.breakLinksSilently],
      [3, faults.block],
      [1, faults.joinAsAnother],
    ],
    pause: 4_000,
    hasBothPolicies: true,
    networks: [LAN, WAN],
  },
  kept: {
    faults: [
      [2, faults.joinWithAny],
      [6, faults.blipOfPresent],
      [1, faults.restartServer],
      [1, faults.loseMemoryWhenSettled],
      [1, faults.stepClock],
    ],
    pause: 4_000,
    isWholeBefore: true,
    keepsAll: true,
    hasBothPolicies: true,
    hasPriorities: true,
    networks: [LAN],
  },
  campaigns: {
    faults: [
      ...TURNOVER,
      [3, faults.campaign],
      [2, faults.setHopDelay],
      [1, faults.vanishAndComeAgain],
      [1, faults.leaveAndComeAgain],
      [1, faults.blip],
    ],
    pause: 1_000,
    hasBothPolicies: true,
    hasPriorities: true,
    networks: [LAN, WAN],
  },
  partitions: {
    faults: [
      ...TURNOVER,
      [2, faults.partition],
      [1, faults.breakLinksAtOneEnd],
      [1, faults.muteLinks],
      [1, faults.campaign],
      [2, faults.blip],
      [1, faults.restartServer],
    ],
    pause: 8_000,
    hasBothPolicies: true,
    hasPriorities: true,
    networks: [LAN, WAN],
  },
  delays: {
    faults: [
      ...CRASHES,
      [3, faults.slowDown],
      [1, faults.hide],
      [1, faults.joinAndSleep],
      [2, faults.reorderSignals],
      [1, faults.sleep],
      [1, faults.campaign],
    ],
    pause: 4_000,
    hasBothPolicies: true,
    losesMessages: true,
    networks: [CROWDED],
  },
  clocks: {
    faults: [
      ...CRASHES,
      [2, faults.stepClockFar],
      [1, faults.emptyRoom],
      [1, faults.joinAndSleep],
      [1, faults.sleep],
      [2, faults.campaign],
      [2, faults.blip],
      [1, faults.restartServer],
    ],
    pause: 4_000,
    networks: [LAN],
  },
  amnesia: {
    faults: [
      ...TURNOVER,
      [2, faults.loseMemory],
      [2, faults.loseMemoryTwice],
      [1, faults.joinAndSleep],
      [1, faults.sleep],
      [1, faults.campaign],
      [2, faults.blip],
    ],
    pause: 4_000,
    hasBothPolicies: true,
    hasPriorities: true,
    networks: [LAN],
  },
  instances: {
    faults: [
      ...CRASHES,
      [3, faults.blip],
      [2, faults.killInstance],
      [1, faults.stopInstance],
      [2, faults.pauseInstance],
      [2, faults.cutFromRedis],
      [1, faults.stallRedis],
      [1, faults.restartRedis],
      [1, faults.saveRedis],
      [1, faults.stepClock],
      [1, faults.campaign],
    ],
    pause: 4_000,
    hasBothPolicies: true,
    networks: [LAN],
    hasInstances: true,
  },
  takeovers: {
    faults: [
      [2, faults.joinWithAny],
      [4, faults.blipOfPresent],
      [3, faults.maintainWhenSettled],
    ],
    pause: 4_000,
    isWholeBefore: true,
    keepsAll: true,
    hasPriorities: true,
    networks: [LAN],
    hasInstances: true,
  },
};

export interface StormReport {
  /** What went wrong, in words; empty where nothing did. */
  readonly problems: readonly string[];
  /** Simulated milliseconds from the end of the last fault to agreement. */
  readonly settledAfter: number;
  /** Election messages sent in that time, per peer. */
  readonly messagesPerPeer: number;
  readonly trace: readonly TraceEntry[];
}

export interface StormOptions {
  /** How long after the last fault the ring may take to agree, in milliseconds, where that is less. */
  readonly within?: number;
  /** Given the recording of each peer that appears; without it nothing is recorded. */
  readonly onRecording?: (recording: RunningRecording) => void;
}

/**
 * How long after the last fault the ring may take to agree, in milliseconds: a neighbour's silence is
 * noticed and the server asks it (8 s in all), the second attempt at a link succeeds (6 s later), and a
 * peer that then hears of no leader starts an election (4.5 s later). Where a peer was away, its neighbour
 * may wait as long again before the next attempt at a link, because those waits double (member/SPEC.md, L3).
 */
const PATIENCE =
  LINK_SILENCE + PROBE_PATIENCE + ATTEMPTS.direct.first + 1.5 * LEADER_SILENCE + 1_500;

/** The number of further peers that members allow for at least. */
const SPARE_PEERS = 12;

/**
 * How many circuits it may take besides: a claim goes round, then another one that starts meanwhile, each
 * followed by its announcement.
 */
const CIRCUITS = 4;

/** Election messages allowed per peer and second of it. */
const MOST_MESSAGES = 40;

/** By when a lap has reached every peer after that; before, some may still time out. */
const FIRST_LAP = 2_000;

/** How long the agreement is observed after that. */
const WATCH = 5_000;

/** Election messages allowed per peer and second of an agreed ring: a lap a second. */
const CALM_MESSAGES = 1.3;

/**
 * How long pending changes may take at the end, in milliseconds: a direct link takes over, or a newcomer
 * that died as it joined keeps its place until its neighbours are asked about it again.
 */
const MOMENT = 10_000;

/** Faults per run. */
const FAULTS = 12;

/**
 * Runs one storm; the same arguments give the same run.
 * @param seed any integer
 * @param peers in the ring before the storm
 */
export function runStorm(
  storm: Storm,
  seed: number,
  peers: number,
  { within = Infinity, onRecording }: StormOptions = {},
): StormReport {
  const kind = KINDS[storm];
  const policy: Policy = kind.hasBothPolicies === true && seed % 2 === 1 ? 'incumbent' : 'highest';
  const delays = kind.networks[(seed >>> 1) % kind.networks.length];
  const instances = kind.hasInstances === true ? 2 + (seed % 2) : 1;
  const options = { peers: { policy }, instances, onRecording };
  const world = new World(seed, { ...options, ...(delays && { delays }) });
  const join = kind.hasPriorities === true ? faults.joinWithAny : faults.join;
  for (let joined = 0; joined < peers; joined += 1) {
    join(world);
    if (world.random() < 0.5) world.run(world.random() * 300);
  }
  const keepsakes = kind.keepsAll === true ? new Keepsakes(world) : null;
  const before = kind.isWholeBefore === true ? settle(world, kind) : [];
  if (before.length === 0)
    for (let fault = 0; fault < FAULTS; fault += 1) {
      keepsakes?.look();
      strike(world, kind.faults);
      world.run(world.random() * kind.pause);
    }
  const report = calm(world, kind, before, keepsakes);
  const late =
    report.settledAfter > within
      ? [`agreed after ${report.settledAfter} ms, not ${within} ms`]
      : [];
  return { ...report, problems: [...report.problems, ...late], trace: world.trace };
}

function strike(world: World, kinds: Faults): void {
  const peer = faults.anyOf(world) ?? faults.join(world);
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  let dice = world.random() * total;
  for (const [weight, fault] of kinds) {
    dice -= weight;
    if (dice >= 0) continue;
    fault(world, peer);
    return;
  }
}

/** Runs until all is well or the time is over; returns what is still wrong, in words. */
function settle(world: World, { losesMessages = false }: Kind): readonly string[] {
  // Some peer must be able to lead.
  if (world.peers.every(({ priority }) => priority === 0)) world.join({ priority: 1 });
  const hopDelay = Math.max(...world.states.map((state) => state.hopDelay));
  // Doubled up to three times, as after terms without a result.
  const slowness = slownessOf(hopDelay, 8 * (world.peers.length + SPARE_PEERS));
  const circuits = CIRCUITS * world.circuit;
  // A wait of R7 that terms in vain have doubled.
  const wait = losesMessages ? 1.5 * SHORTEST_LONG_WAIT : 0;
  return world.settle(PATIENCE + circuits + world.longestAbsence + slowness + wait);
}

/** What is wrong once the faults are over: earlier violations, lasting ones, and too high a cost. */
function calm(
  world: World,
  kind: Kind,
  before: readonly string[],
  keepsakes: Keepsakes | null,
): Omit<StormReport, 'trace'> {
  world.run(Math.max(0, world.faultsEnd - world.clock.now()));
  world.hasten();
  const began = world.clock.now();
  const sent = world.messages;
  const unsettled = settle(world, kind);
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
    ...world.contradictions,
    ...unsettled,
    ...late,
    ...lost,
  ];
  if (kind.keepsPlaces === true && world.placesLost > 0)
    problems.push(`${world.placesLost} places were lost by peers that were there all the time`);
  if (problems.length === 0 && !world.isLeaderAdmitted)
    problems.push('the leader is refused: somebody acted in a later term');
  if (messagesPerPeer > MOST_MESSAGES * (1 + settledAfter / 1_000))
    problems.push(`${messagesPerPeer} messages for each peer in ${settledAfter} ms`);
  if (calmMessages > CALM_MESSAGES)
    problems.push(`${calmMessages} messages for each peer and second after the agreement`);
  return { problems, settledAfter, messagesPerPeer };
}
