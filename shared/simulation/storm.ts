/**
 * A run of a simulated ring through a storm of faults: while they rage, safety; once all is calm,
 * one ring with one leader within bounded time, and for good.
 */
import { World, type SimulatedPeer, type TraceEntry } from './world.ts';

/** What a storm is made of. `crashes`: joins, departures, crashes; `outages`: lost connections to a
 * server that may lose its memory, besides. */
export type Storm = 'crashes' | 'outages';

export interface StormReport {
  /** What went wrong, in words; empty where nothing did. */
  readonly problems: readonly string[];
  /** Simulated milliseconds from the last fault to agreement. */
  readonly settledAfter: number;
  readonly trace: readonly TraceEntry[];
}

/** How long after the last fault the ring may take to agree, in milliseconds. */
const PATIENCE = 60_000;

/** How long the agreement is watched after that. */
const WATCH = 5_000;

/** Faults of one run. */
const FAULTS = 12;

/**
 * Runs one storm; the same arguments give the same run.
 * @param seed any integer
 * @param peers in the ring before the storm
 */
export function runStorm(storm: Storm, seed: number, peers: number): StormReport {
  const world = new World(seed);
  for (let joined = 0; joined < peers; joined += 1) {
    world.join();
    if (world.random() < 0.5) world.run(world.random() * 300);
  }
  if (storm === 'crashes') {
    const problems = world.settle(PATIENCE);
    if (problems.length > 0) return { problems, settledAfter: PATIENCE, trace: world.trace };
  }
  for (let fault = 0; fault < FAULTS; fault += 1) {
    if (storm === 'crashes') crash(world);
    else outage(world);
    world.run(world.random() * (storm === 'crashes' ? 500 : 2_000));
  }
  const began = world.clock.now();
  const unsettled = world.settle(PATIENCE);
  const settledAfter = world.clock.now() - began;
  world.run(WATCH);
  const problems = [...world.violations, ...unsettled, ...world.problems()];
  return { problems, settledAfter, trace: world.trace };
}

function crash(world: World): void {
  const peer = anyOf(world);
  const dice = world.random();
  if (dice < 0.5 || peer === undefined) world.join();
  else if (dice < 0.75) world.leave(peer);
  else peer.crash();
}

function outage(world: World): void {
  const peer = anyOf(world);
  const dice = world.random();
  if (dice < 0.25 || peer === undefined) world.join();
  else if (dice < 0.8) peer.blip(world.random() * 2_000, world.random() * 4_000);
  else if (dice < 0.9) world.restartServer(world.random() * 5_000);
  else peer.crash();
}

function anyOf(world: World): SimulatedPeer | undefined {
  const { peers } = world;
  return peers[Math.floor(world.random() * peers.length)];
}
