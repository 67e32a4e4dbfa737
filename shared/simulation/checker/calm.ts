/** What must hold once nothing is on its way any more, at once or after time has passed (R7). */
import { decisionOf, type ElectionState } from '../../election/state.ts';
import type { Policy } from '../../protocol/messages.ts';
import type { Decision } from '../../protocol/messages.ts';
import { canTimeOut, ownActions } from './actions.ts';
import { outlooks, type Action, type LinkRules } from './scene.ts';
import type { Space } from './space.ts';
import { keyOf, neighbour, UNCOUNTED, type Peer, type PeerNumber, type World } from './world.ts';

/** The measures of an outcome of an election. */
export interface Expectation {
  readonly policy: Policy;
  /** The members at the beginning, and the one that leads, if any. */
  readonly ring: readonly PeerNumber[];
  readonly incumbent: PeerNumber | null;
  /** Whether leaders may exclude each other for a while. */
  readonly isTainted: boolean;
}

/** How the members disagree; null where all agree correctly. */
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
  expectation: Expectation,
  states: readonly ElectionState[],
  decision: Decision | null,
): string | null {
  if (decision === null) return 'nobody leads';
  const leaders = states.map((state) => decisionOf(state)?.leader.id);
  if (leaders.some((leader) => leader !== decision.leader.id)) return 'the leaders differ';
  const leader = space.numberOf(decision.leader.id);
  if (!world.ring.includes(leader)) return 'the leader is gone';
  switch (expectation.policy) {
    case 'highest':
      return leader === greatest(world) ? null : 'the leader is not the greatest';
    case 'incumbent':
      return incumbentFault(world, expectation, leader);
  }
}

/** The leader where an incumbent has one priority more. */
function incumbentFault(
  world: World,
  { ring, incumbent }: Expectation,
  leader: PeerNumber,
): string | null {
  if (world.ring.some((number) => outranks(world, number, leader)))
    return 'the leader is outranked';
  // Nobody came or went, and nobody led: the first election decides.
  const isSame =
    incumbent === null && ring.length > 0 && ring.every((at) => world.ring.includes(at));
  if (isSame && world.ring.length === ring.length)
    return leader === greatest(world) ? null : 'the leader is not the greatest';
  if (incumbent === null || leader === incumbent || !world.ring.includes(incumbent)) return null;
  const rivals = [...world.peers.keys()].filter((at) => peerAt(world, at).membership !== 'outside');
  return rivals.some((rival) => outranks(world, rival, incumbent))
    ? null
    : 'the incumbent is unseated';
}

/** The greatest member that may lead, by priority and then by number. */
function greatest(world: World): PeerNumber | undefined {
  const rank = (at: PeerNumber) => 16 * priorityOf(world, at) + at;
  return [...world.ring].sort((a, b) => rank(b) - rank(a))[0];
}

/** Whether a peer's base claim is greater than another peer's claim as an incumbent. */
function outranks(world: World, at: PeerNumber, incumbent: PeerNumber): boolean {
  const own = priorityOf(world, at);
  const other = Math.min(priorityOf(world, incumbent) + 1, 255);
  return own > other || (own === other && at > incumbent);
}

function priorityOf(world: World, at: PeerNumber): number {
  return peerAt(world, at).election.value.self.priority;
}

/**
 * Where messages would end if they followed the links in use: the first member without a link to which a
 * member with one leads, or null.
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

/** The most late peers that start, one after another, before all agree. */
const MAX_LATE = 8;

/** The most worlds from one time-out to the next calm, and the most calms in all. */
const MAX_SETTLING = 20_000;
const MAX_CALMS = 5_000;

interface Waiting {
  readonly world: World;
  readonly late: number;
}

/**
 * Lets time pass over a world in which nothing is on its way: leaders lap as long as their laps return, and
 * each peer that no lap reaches is late and times out, in every order.
 */
export class Patience {
  readonly #space: Space;
  readonly #rules: LinkRules;
  readonly #expectation: Expectation;
  /** What follows never ends, or violates an invariant. */
  #isAstray = false;

  constructor(space: Space, rules: LinkRules, expectation: Expectation) {
    this.#space = space;
    this.#rules = rules;
    this.#expectation = expectation;
  }

  /** The most time-outs of late peers until all agree, or null where they may never agree. */
  timeoutsToAgree(start: World): number | null {
    let worst = 0;
    const seen = new Set<string>();
    const waiting: Waiting[] = [{ world: expectNews(uncounted(start)), late: 0 }];
    for (let next = waiting.pop(); next !== undefined && !this.#isAstray; next = waiting.pop()) {
      const { late } = next;
      const lapped = this.#lapped(next.world);
      if (lapped.length === 0) return null;
      for (const world of lapped) {
        const key = `${keyOf(world)}${late}`;
        if (seen.has(key)) continue;
        seen.add(key);
        if (seen.size > MAX_CALMS) return null;
        if (disagreement(this.#space, world, this.#expectation) === null) {
          worst = Math.max(worst, late);
          continue;
        }
        if (late === MAX_LATE) return null;
        const later = this.#later(world);
        if (later.length === 0) return null;
        for (const after of later) waiting.push({ world: after, late: late + 1 });
      }
    }
    return this.#isAstray ? null : worst;
  }

  /** The worlds after the next time-out of each late peer; none where no peer may time out. */
  #later(world: World): World[] {
    const overdue = world.ring.filter((at) => peerAt(world, at).timer === 'late');
    if (overdue.length === 0) return [expectNews(world)];
    return overdue
      .filter((peer) => canTimeOut(world, peer))
      .flatMap((peer) => this.#settled(this.#after(world, peer)));
  }

  /**
   * What is wrong after a few more laps over a world that agrees: only laps and sizes may have changed, and
   * the size must be the ring's.
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
    const [next] = this.#next({ ...world, peers }, { type: 'timeout', peer });
    return next ?? world;
  }

  #next(world: World, action: Action): World[] {
    return outlooks(this.#space, this.#rules, world, action).map(({ scene, next }) => {
      const { faults, clashes } = scene;
      if (faults.length > 0 || (clashes.length > 0 && !this.#expectation.isTainted))
        this.#isAstray = true;
      return next;
    });
  }

  /** Every world in which nothing is on its way any more, after everything on its way has come. */
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
      for (const action of actions) waiting.push(...this.#next(world, action));
    }
    return settled;
  }
}

function uncounted(world: World): World {
  return { ...world, messages: UNCOUNTED };
}

/** Peers that wait for news have waited long enough, unless some comes first. */
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
