/** What must hold once nothing is on its way any more, at once or after time has passed (R7). */
import { compareClaims } from '../../election/claim.ts';
import { decisionOf, type ElectionState } from '../../election/state.ts';
import type { Policy } from '../../protocol/messages.ts';
import type { Decision } from '../../protocol/messages.ts';
import { canTimeOut, ownActions } from './actions.ts';
import { Scene, type Action, type LinkRules } from './scene.ts';
import { numberedId, type Space } from './space.ts';
import { keyOf, neighbour, UNCOUNTED, type Peer, type PeerNumber, type World } from './world.ts';

/** What an end of an election is measured by. */
export interface Expectation {
  readonly policy: Policy;
  /** Who must lead as long as it is a member, if anyone. */
  readonly incumbent: PeerNumber | null;
  /** Whether leaders may exclude each other for a while. */
  readonly isTainted: boolean;
}

/** What a member may be wrong about; null where all agree as they should. */
export function disagreement(space: Space, world: World, expectation: Expectation): string | null {
  const members = world.ring.map((number) => peerAt(world, number));
  const torn = tornEdge(world);
  if (torn !== null) return torn;
  const states = members.map(({ election }) => election.value);
  const [first] = states;
  if (first === undefined || states.every(({ self }) => self.priority === 0)) return null;
  if (states.every(({ term }) => term === 0)) return null;
  if (states.some(({ term }) => term !== first.term)) return 'the terms differ';
  const decisions = states.map(decisionOf);
  return decisions.includes(null)
    ? 'a peer knows no leader'
    : leaderFault(space, world, expectation, states, decisions[0] ?? null);
}

function leaderFault(
  space: Space,
  world: World,
  { policy, incumbent }: Expectation,
  states: readonly ElectionState[],
  decision: Decision | null,
): string | null {
  if (decision === null) return 'nobody leads';
  const leader = decision.leader.id;
  if (states.some((state) => decisionOf(state)?.leader.id !== leader)) return 'the leaders differ';
  if (!world.ring.includes(space.numberOf(leader))) return 'the leader is gone';
  const greatest = states.reduce((a, b) => (compareClaims(a.self, b.self) === 'greater' ? a : b));
  if (policy === 'highest' && greatest.self.id !== leader) return 'the leader is not the greatest';
  if (incumbent !== null && world.ring.includes(incumbent))
    return leader === numberedId(incumbent) ? null : 'the incumbent is unseated';
  return null;
}

/**
 * Where messages would end if they followed the links in use: the first member without one that a
 * member with one leads to, or null.
 */
export function gapIn({ peers, links, ring }: World): PeerNumber | null {
  for (const from of ring)
    if (peers[from]?.outlet === 'link') {
      const link = links.find((other) => other.from === from && other.use === 'used');
      if (link?.isRead !== true) return from;
      if (peers[link.to]?.outlet === 'none') return link.to;
    }
  return null;
}

/** The links in use follow the ring. */
function tornEdge(world: World): string | null {
  for (const [at, number] of world.ring.entries()) {
    const next = neighbour(world.ring, at, 1);
    const { outlet } = peerAt(world, number);
    const isLinked =
      next === number
        ? outlet === 'loopback'
        : world.links.some(
            ({ from, to, use, isRead }) =>
              from === number && to === next && use === 'used' && isRead,
          );
    if (!isLinked) return `peer ${number} has no link to its successor`;
  }
  return null;
}

/** How many late peers may start, one after another, before all agree. */
const MAX_LATE = 8;

/** How many worlds it may take from one time-out to the next calm, and how many calms in all. */
const MAX_SETTLING = 20_000;
const MAX_CALMS = 5_000;

interface Waiting {
  readonly world: World;
  readonly late: number;
}

/**
 * Lets time pass over a world in which nothing is on its way: leaders lap as long as their laps
 * return, and whoever is not reached by any is late and times out, in every order.
 */
export class Patience {
  readonly #space: Space;
  readonly #rules: LinkRules;
  readonly #expectation: Expectation;
  /** What follows does not come to an end, or breaks what always holds. */
  #isAstray = false;

  constructor(space: Space, rules: LinkRules, expectation: Expectation) {
    this.#space = space;
    this.#rules = rules;
    this.#expectation = expectation;
  }

  /** The most time-outs of a late peer that it takes until all agree, or null where they may not. */
  timeoutsToAgree(start: World): number | null {
    let worst = 0;
    const seen = new Set<string>();
    const waiting: Waiting[] = [{ world: expectNews(uncounted(start)), late: 0 }];
    for (let next = waiting.pop(); next !== undefined && !this.#isAstray; next = waiting.pop()) {
      const { late } = next;
      for (const world of this.#lapped(next.world)) {
        const key = `${keyOf(world)}${late}`;
        if (seen.has(key)) continue;
        seen.add(key);
        if (seen.size > MAX_CALMS) return null;
        if (disagreement(this.#space, world, this.#expectation) === null) {
          worst = Math.max(worst, late);
          continue;
        }
        if (late === MAX_LATE) return null;
        const overdue = world.ring.filter((at) => peerAt(world, at).timer === 'late');
        if (overdue.length === 0) waiting.push({ world: expectNews(world), late: late + 1 });
        for (const peer of overdue)
          if (canTimeOut(world, peer))
            for (const after of this.#settled(this.#after(world, peer)))
              waiting.push({ world: after, late: late + 1 });
      }
    }
    return this.#isAstray ? null : worst;
  }

  /**
   * What is wrong after a few more laps over a world that agrees: nothing but laps and sizes may
   * have changed, and the size is the ring's.
   */
  unrest(start: World): string | null {
    const [first, ...others] = this.#lapped(uncounted(start), ['lap', 'return'])
      .flatMap((world) => this.#lapped(world))
      .flatMap((world) => this.#lapped(world));
    if (this.#isAstray) return 'a lap goes astray';
    if (first === undefined || others.length > 0) return 'laps have more than one end';
    for (const [at, number] of start.ring.entries()) {
      const before = peerAt(start, number).election.value;
      const after = peerAt(first, number).election.value;
      if (after.term !== before.term) return 'a lap ends a term';
      const decision = decisionOf(after);
      if (decision === null) continue;
      if (decision.size !== start.ring.length) return 'the size stays wrong';
      const leader = start.ring.indexOf(this.#space.numberOf(decision.leader.id));
      if (decision.hops !== (at - leader + start.ring.length) % start.ring.length)
        return 'the distance from the leader stays wrong';
    }
    return null;
  }

  /** The worlds after each leader's next lap; `return` where the last one was lost. */
  #lapped(world: World, timers: readonly Peer['timer'][] = ['lap']): World[] {
    const [leader, ...others] = world.ring.filter((at) => timers.includes(peerAt(world, at).timer));
    if (leader === undefined) return [world];
    let worlds = this.#settled(this.#after(world, leader));
    for (const other of others)
      worlds = worlds.flatMap((next) =>
        peerAt(next, other).timer === 'lap' ? this.#settled(this.#after(next, other)) : [next],
      );
    return worlds;
  }

  #after(world: World, peer: PeerNumber): World {
    const peers = world.peers.map((old, at) =>
      at === peer ? { ...old, timer: 'late' as const } : old,
    );
    return this.#next({ ...world, peers }, { type: 'timeout', peer });
  }

  #next(world: World, action: Action): World {
    const scene = new Scene(this.#space, this.#rules, world);
    const next = scene.act(action);
    const { faults, clashes } = scene;
    if (faults.length > 0 || (clashes.length > 0 && !this.#expectation.isTainted))
      this.#isAstray = true;
    return next;
  }

  /** Every world in which nothing is on its way any more, after what still is. */
  #settled(start: World): World[] {
    const seen = new Set<string>();
    const settled: World[] = [];
    const waiting = [start];
    for (let world = waiting.pop(); world !== undefined; world = waiting.pop()) {
      if (seen.size > MAX_SETTLING) this.#isAstray = true;
      if (this.#isAstray) return settled;
      const key = keyOf(world);
      if (seen.has(key)) continue;
      seen.add(key);
      const actions = ownActions(world);
      if (actions.length === 0) settled.push(world);
      for (const action of actions) waiting.push(this.#next(world, action));
    }
    return settled;
  }
}

function uncounted(world: World): World {
  return { ...world, messages: UNCOUNTED };
}

/** Whoever waits for news has waited long enough, unless some comes first. */
function expectNews(world: World): World {
  const peers = world.peers.map((peer) =>
    peer.timer === 'leader' || peer.timer === 'return' ? { ...peer, timer: 'late' as const } : peer,
  );
  return { ...world, peers };
}

function peerAt(world: World, number: PeerNumber): Peer {
  const peer = world.peers[number];
  if (peer === undefined) throw new Error(`there is no peer ${number}`);
  return peer;
}
