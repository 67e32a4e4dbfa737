/** The faults of a storm: one small function for each. */
import type { PeerId } from '../protocol/ids.ts';
import { RELAYED_PROBE_SILENCE } from '../protocol/timeouts.ts';
import { MAINLAND } from './network.ts';
import type { SimulatedPeer, World } from './world.ts';

/** Does something to a world, mostly to one of its peers. */
export type Fault = (world: World, peer: SimulatedPeer) => void;

/** The most that a fault of each kind may last, in milliseconds. */
const LONGEST = {
  /** A sleep: longer than the server's patience. */
  sleep: 20_000,
  /** Until the server sees that a connection is lost, and until its peer is back. */
  notice: 2_000,
  absence: 4_000,
  stall: 3_000,
  outage: 5_000,
  partition: 45_000,
  /** Until a peer that has gone joins again. */
  leave: 5_000,
  /** A server that is stopped, or without Redis; and Redis itself. */
  pause: 12_000,
  redis: 8_000,
  /** The delay of a slow device, and for how long. */
  lateness: 1_500,
  slowness: 10_000,
} as const;

/** How long a fault waits for a whole ring at most, in milliseconds. */
const AGREEMENT = 60_000;

const LEAST_PARTITION = 5_000;

/** The longest hop delay that a storm sets, in milliseconds: elections are slow enough as it is. */
const LONGEST_HOP_DELAY = 400;

/**
 * The most by which the server's clock is wrong, in milliseconds: where memory is lost, within what a new
 * server believes of eras (election/SPEC.md, R9); else as far as a clock is ever set.
 */
const SMALL_ERROR = 290_000;
const LARGE_ERROR = 3_600_000;

/** What Redis may know after a restart. */
const KEPT = ['all', 'older', 'nothing'] as const;

export function join(world: World): SimulatedPeer {
  return world.join();
}

/** With a priority from 0 to 3; 0 is the rarest. */
export function joinWithAny(world: World): SimulatedPeer {
  return world.join({ priority: anyPriority(world) });
}

export const leave: Fault = (world, peer) => {
  world.leave(peer);
};

export const crash: Fault = (world, peer) => {
  world.crash(peer);
};

export const vanishAndComeAgain: Fault = (world, peer) => {
  world.comeAgain(peer, 'vanish', upTo(world, LONGEST.leave));
};

export const leaveAndComeAgain: Fault = (world, peer) => {
  world.comeAgain(peer, 'leave', upTo(world, LONGEST.leave));
};

/** Everybody leaves; a newcomer comes, at once or after a while. */
export const emptyRoom: Fault = (world) => {
  for (const peer of world.peers) world.leave(peer);
  world.run(upTo(world, LONGEST.leave));
  world.join();
};

export const blip: Fault = (world, peer) => {
  world.blip(peer, upTo(world, LONGEST.notice), upTo(world, LONGEST.absence));
};

/**
 * A connection is lost for less time than a place is kept, whatever the neighbours say (member/SPEC.md,
 * L13); not that of a peer that is already without one.
 */
export const blipOfPresent: Fault = (world, peer) => {
  if (peer.ring.state.server !== 'connected') return;
  world.blip(peer, upTo(world, LONGEST.notice), upTo(world, 0.9 * RELAYED_PROBE_SILENCE));
};

/** Messages of a connection arrive after those of the next connection. */
export const reorderSignals: Fault = (world, peer) => {
  const stalled = upTo(world, LONGEST.stall);
  world.stall(peer, stalled);
  world.clock.after(upTo(world, stalled), () =>
    world.blip(peer, stalled + upTo(world, LONGEST.notice), upTo(world, 500)),
  );
};

export const restartServer: Fault = (world) => {
  world.crashServer(upTo(world, LONGEST.outage), true);
};

export const loseMemory: Fault = (world) => {
  world.crashServer(upTo(world, LONGEST.outage), false);
};

/** The second loss comes within the time in which the server collects the members from before the first. */
export const loseMemoryTwice: Fault = (world) => {
  const downFor = upTo(world, LONGEST.outage);
  world.crashServer(downFor, false);
  world.run(downFor + upTo(world, 6_000));
  loseMemory(world, anyOf(world) ?? world.join());
};

/**
 * Two memories lost at once may leave two rings, neither of which consists of newcomers (election/SPEC.md,
 * R3c).
 */
export const loseMemoryWhenSettled: Fault = (world, peer) => {
  world.settle(AGREEMENT);
  loseMemory(world, peer);
};

export const killInstance: Fault = (world) => {
  world.killInstance(upTo(world, LONGEST.outage), false);
};

export const stopInstance: Fault = (world) => {
  world.killInstance(upTo(world, LONGEST.outage), true);
};

/** All of them, one after another. */
const replaceInstances: Fault = (world) => {
  for (let each = 0; each < 3; each += 1) {
    world.killInstance(upTo(world, 1_000), true);
    world.run(upTo(world, 2_000));
  }
};

export const pauseInstance: Fault = (world) => {
  world.pauseInstance(upTo(world, LONGEST.pause), world.random() < 0.5);
};

export const cutFromRedis: Fault = (world) => {
  world.troubleRedis(upTo(world, LONGEST.redis), 'cut');
};

export const stallRedis: Fault = (world) => {
  world.troubleRedis(upTo(world, LONGEST.redis), 'stall');
};

/** With all that it knew, with what it knew a while ago, or with nothing. */
export const restartRedis: Fault = (world) => {
  const kept = KEPT[Math.floor(upTo(world, KEPT.length))];
  world.restartRedis(upTo(world, LONGEST.redis), kept ?? 'all');
};

export const saveRedis: Fault = (world) => {
  world.saveRedis();
};

/** What may befall those who run the servers, when the ring is at rest; it is overcome before the next. */
export const maintainWhenSettled: Fault = (world, peer) => {
  world.settle(AGREEMENT);
  const [fault] = [killInstance, stopInstance, replaceInstances, restartRedis].slice(
    Math.floor(upTo(world, 4)),
  );
  fault?.(world, peer);
  world.run(Math.max(0, world.faultsEnd - world.clock.now()));
};

export const stepClock: Fault = (world) => {
  world.setServerClock(upTo(world, SMALL_ERROR));
};

export const stepClockFar: Fault = (world) => {
  world.setServerClock((2 * world.random() - 1) * LARGE_ERROR);
};

export const sleep: Fault = (world, peer) => {
  world.freeze(peer, upTo(world, LONGEST.sleep));
};

/** A newcomer's device falls asleep as it joins: before its place is known, or before its links are. */
export const joinAndSleep: Fault = (world) => {
  const newcomer = world.join();
  world.run(upTo(world, 500));
  sleep(world, newcomer);
};

export const slowDown: Fault = (world, peer) => {
  world.slowDown(peer, upTo(world, LONGEST.lateness), upTo(world, LONGEST.slowness));
};

/** A peer's page is hidden. */
export const hide: Fault = (world, peer) => {
  world.hide(peer, upTo(world, LONGEST.slowness));
};

export const breakLinks: Fault = (world, peer) => {
  world.breakLinks(peer, 'both');
};

export const breakLinksSilently: Fault = (world, peer) => {
  world.breakLinks(peer, 'neither');
};

export const breakLinksAtOneEnd: Fault = (world, peer) => {
  world.breakLinks(peer, 'here');
};

export const muteLinks: Fault = (world, peer) => {
  world.mute(peer);
};

/** No direct link can be made between two peers for good. */
export const block: Fault = (world, peer) => {
  world.block(peer, anyOf(world) ?? peer);
};

/** Two groups and the server's, each peer in any of them. */
export const partition: Fault = (world) => {
  const groups = new Map(
    world.peers.map((peer) => [peer, MAINLAND + Math.floor(world.random() * 3)]),
  );
  const range = LONGEST.partition - LEAST_PARTITION;
  world.partition(groups, LEAST_PARTITION + upTo(world, range));
};

/** A newcomer tries the id of another peer, and its own once that is refused. */
export const joinAsAnother: Fault = (world, peer) => {
  const { id } = peer.ring.state;
  let tries = 0;
  const newId = (): PeerId => {
    tries += 1;
    return tries === 1 ? id : world.newId();
  };
  world.join({ newId });
};

export const campaign: Fault = (_, peer) => {
  peer.ring.campaign();
};

/** Half of the time no delay: most faults are tried at full speed. */
export const setHopDelay: Fault = (world, peer) => {
  const delay = world.random() < 0.5 ? 0 : Math.floor(upTo(world, LONGEST_HOP_DELAY));
  peer.ring.setHopDelay(delay);
};

/** A priority for a peer, where they differ: mostly 1 to 3, 0 for one in ten. */
function anyPriority(world: World): number {
  return world.random() < 0.1 ? 0 : 1 + Math.floor(world.random() * 3);
}

/** Any present peer; undefined where there is none. */
export function anyOf(world: World): SimulatedPeer | undefined {
  const { peers } = world;
  return peers[Math.floor(world.random() * peers.length)];
}

function upTo(world: World, milliseconds: number): number {
  return world.random() * milliseconds;
}
