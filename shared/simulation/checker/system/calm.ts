/** What must hold once nothing is on its way any more, at once or after time has passed (R7). */
import { compareClaims } from '../../../election/claim.ts';
import { decisionOf, sittingClaim } from '../../../election/state.ts';
import { linkInUse } from '../../../member/queries.ts';
import type { Member } from '../../../member/state.ts';
import type { PeerId } from '../../../protocol/ids.ts';
import type { Claim, Policy } from '../../../protocol/messages.ts';
import { numberedId } from '../ids.ts';
import { ownActions } from './actions.ts';
import { OVERDUE } from './canonical-member.ts';
import type { Machines } from './machines.ts';
import { Stage, type Renewals } from './stage.ts';
import { keyOf, type Slot, type World } from './world.ts';

/** What the outcome of an election is measured by. */
export interface Expectation {
  readonly policy: Policy;
  /** The members at the beginning, and the one that leads, if any. */
  readonly ring: readonly PeerId[];
  readonly incumbent: PeerId | null;
  /** Of each slot. */
  readonly priorities: readonly number[];
}

/** The members in ring order, as the server has them; null for one that is no more. */
function ringOf(machines: Machines, { broker, members }: World): readonly (Member | null)[] {
  const alive = members
    .filter((member) => member >= 0)
    .map((member) => machines.members.get(member));
  return machines
    .ringOf(machines.brokers.get(broker))
    .map((id) => alive.find(({ identity }) => identity.id === id) ?? null);
}

/** How the members disagree; null where all agree correctly. */
export function disagreement(
  machines: Machines,
  world: World,
  expectation: Expectation,
): string | null {
  const found = ringOf(machines, world);
  const ring = found.filter((member) => member !== null);
  if (ring.length < found.length) return 'the ring keeps a peer that is gone';
  const torn = tornEdge(machines, world, ring);
  if (torn !== null) return torn;
  const states = ring.map(({ election }) => election.state);
  const [first] = states;
  if (first === undefined || states.every(({ self }) => self.priority === 0)) return null;
  if (states.every(({ term }) => term === 0)) return null;
  if (states.some(({ term }) => term !== first.term)) return 'the terms differ';
  const leaders = states.map((state) => decisionOf(state)?.leader.id ?? null);
  if (leaders.includes(null)) return 'a peer knows no leader';
  if (leaders.some((leader) => leader !== leaders[0])) return 'the leaders differ';
  const leader = ring.find(({ identity }) => identity.id === leaders[0]);
  if (leader === undefined) return 'the leader is gone';
  const rivals = claimsOf(machines, world, expectation);
  return leaderFault(ring, expectation, leader, rivals);
}

/** The base claims of all that are members, or have been. */
function claimsOf(machines: Machines, { members }: World, { priorities }: Expectation): Claim[] {
  return members.flatMap((number, slot) => {
    const { membership, election } = number < 0 ? {} : machines.members.get(number);
    if (membership?.name === 'new') return [];
    const { self } = election?.state ?? {};
    return [self ?? { priority: priorities[slot] ?? 0, id: numberedId(slot) }];
  });
}

/** Every member is linked with its successor, on a link that is whole, or is its own. */
function tornEdge(machines: Machines, world: World, ring: readonly Member[]): string | null {
  if (world.members.some((member) => isAstray(machines, member, ring)))
    return 'a member is in no ring';
  for (const [at, member] of ring.entries()) {
    const next = ring[(at + 1) % ring.length];
    const used = linkInUse(member);
    const wire = used === null ? undefined : world.wires.find(({ id }) => id === used.id);
    const isWhole = wire !== undefined && wire.initiator >= 0 && wire.responder >= 0;
    const isLinked =
      next === member
        ? member.successor.outlet === 'loopback'
        : isWhole && used?.peer === next?.identity.id;
    if (!isLinked) return `${nameOf(machines, member.identity.id)} has no link to its successor`;
  }
  return null;
}

function isAstray(machines: Machines, number: number, ring: readonly Member[]): boolean {
  if (number < 0) return false;
  const { membership, identity } = machines.members.get(number);
  if (membership.name === 'new' || membership.name === 'gone') return false;
  return !ring.some((member) => member.identity.id === identity.id);
}

/** P1, P2, …: the greater number has the greater uuid. */
export function nameOf(machines: Machines, id: PeerId): string {
  return `P${machines.rankOf(id) + 1}`;
}

function leaderFault(
  ring: readonly Member[],
  { policy, ring: first, incumbent }: Expectation,
  leader: Member,
  rivals: readonly Claim[],
): string | null {
  const greatest = ring.reduce((best, member) =>
    isGreater(member.election.state.self, best.election.state.self) ? member : best,
  );
  if (policy === 'highest') return leader === greatest ? null : 'the leader is not the greatest';
  const sitting = claimOfIncumbent(leader);
  if (ring.some(({ election }) => isGreater(election.state.self, sitting)))
    return 'the leader is outranked';
  if (incumbent !== null) return incumbentFault(ring, incumbent, leader, rivals);
  const isSame =
    ring.length === first.length && ring.every(({ identity }) => first.includes(identity.id));
  return isSame && leader !== greatest ? 'the leader is not the greatest' : null;
}

/** The leader of the beginning leads as long as it is there and no peer that was is greater. */
function incumbentFault(
  ring: readonly Member[],
  incumbent: PeerId,
  leader: Member,
  rivals: readonly Claim[],
): string | null {
  const member = ring.find(({ identity }) => identity.id === incumbent);
  if (member === undefined || member === leader) return null;
  const claim = claimOfIncumbent(member);
  return rivals.some((rival) => isGreater(rival, claim)) ? null : 'the incumbent is unseated';
}

function claimOfIncumbent({ election }: Member): Claim {
  return sittingClaim({ ...election.state, policy: 'incumbent' });
}

function isGreater(claim: Claim, other: Claim): boolean {
  return compareClaims(claim, other) === 'greater';
}

/** The most late peers that start, one after another, before all agree. */
const MAX_LATE = 8;

/** The most worlds from one time-out to the next calm, and the most calms in all. */
const MAX_SETTLING = 20_000;
const MAX_CALMS = 5_000;

/**
 * Lets time pass over a world in which nothing is on its way: leaders lap as long as their laps return, and
 * each peer that no lap reaches is late and times out, in every order.
 */
export class Patience {
  readonly #machines: Machines;
  readonly #renewed: Renewals;
  readonly #expectation: Expectation;
  /** What is wrong with what follows: it never ends, or violates something on its way. */
  #astray: string | null = null;

  constructor(machines: Machines, renewed: Renewals, expectation: Expectation) {
    this.#machines = machines;
    this.#renewed = renewed;
    this.#expectation = expectation;
  }

  /** The most time-outs of late peers until all agree, or null where they may never agree. */
  timeoutsToAgree(start: World): number | null {
    let worst = 0;
    const seen = new Set<string>();
    const waiting = [{ world: this.#expectNews(start), late: 0 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { late } = next;
      for (const world of this.#lapped(next.world, ['lap'])) {
        const key = `${keyOf(world)}${late}`;
        if (seen.has(key)) continue;
        seen.add(key);
        if (seen.size > MAX_CALMS || this.#astray !== null) return null;
        if (disagreement(this.#machines, world, this.#expectation) === null) {
          worst = Math.max(worst, late);
          continue;
        }
        const later = this.#later(world);
        if (late === MAX_LATE || later.length === 0) return null;
        for (const after of later) waiting.push({ world: after, late: late + 1 });
      }
    }
    return worst;
  }

  /** The worlds after the next time-out of each late peer; all are late again where none is. */
  #later(world: World): World[] {
    const overdue = [...world.members.keys()].filter((slot) => this.#isOverdue(world, slot));
    if (overdue.length === 0) return [this.#expectNews(world)];
    return overdue.flatMap((slot) => this.#settled(this.#timedOut(world, slot)));
  }

  /**
   * What is wrong after a few more laps over a world that agrees: only laps and sizes may have changed, and
   * the size must be the ring's.
   */
  unrest(start: World): string | null {
    const ends = this.#lapped(start, ['lap', 'return'])
      .flatMap((world) => this.#lapped(world, ['lap']))
      .flatMap((world) => this.#lapped(world, ['lap']));
    if (this.#astray !== null) return `a lap goes astray: ${this.#astray}`;
    const [end] = ends;
    if (end === undefined || ends.length > 1) return 'laps have more than one end';
    const before = ringOf(this.#machines, start);
    const after = ringOf(this.#machines, end);
    const leader = after.findIndex((member) => member?.election.state.role.name === 'leader');
    for (const [at, member] of after.entries()) {
      const state = member?.election.state;
      if (state === undefined || state.term !== before[at]?.election.state.term)
        return 'a lap ends a term';
      const decision = decisionOf(state);
      if (decision === null) continue;
      if (decision.size !== after.length) return 'the size stays wrong';
      if (decision.hops !== (at - leader + after.length) % after.length)
        return 'the distance from the leader stays wrong';
    }
    return null;
  }

  /** The worlds after the next lap of each leader that waits like this. */
  #lapped(world: World, waits: readonly string[]): World[] {
    let worlds = [world];
    for (const slot of world.members.keys())
      worlds = worlds.flatMap((each) =>
        waits.includes(this.#waitOf(each, slot))
          ? this.#settled(this.#timedOut(each, slot))
          : [each],
      );
    return worlds;
  }

  #member(world: World, slot: Slot): Member | null {
    const number = world.members[slot] ?? -1;
    return number < 0 ? null : this.#machines.members.get(number);
  }

  #waitOf(world: World, slot: Slot): string {
    return this.#member(world, slot)?.election.wait?.until ?? 'none';
  }

  #isOverdue(world: World, slot: Slot): boolean {
    const wait = this.#member(world, slot)?.election.wait ?? null;
    return wait?.since === OVERDUE;
  }

  /** Peers that wait for news have waited long enough, unless some comes first. */
  #expectNews(world: World): World {
    const members = world.members.map((number, slot) =>
      ['leader', 'return'].includes(this.#waitOf(world, slot))
        ? this.#machines.overdue(number)
        : number,
    );
    return { ...world, members };
  }

  #timedOut(world: World, slot: Slot): World {
    const dues = this.#member(world, slot)?.dues ?? [];
    const due = dues.findIndex(({ name }) => name === 'election');
    const stage = new Stage(this.#machines, this.#renewed, { ...world, messages: -1 });
    const next = stage.act({ type: 'due', slot, due, isEvent: false });
    this.#astray ??= stage.fault;
    return next;
  }

  /** Every world in which nothing is on its way any more, after everything on its way has come. */
  #settled(start: World): World[] {
    const seen = new Set<string>();
    const settled: World[] = [];
    const waiting = [start];
    for (let world = waiting.pop(); world !== undefined; world = waiting.pop()) {
      if (seen.size > MAX_SETTLING) this.#astray = 'it does not end';
      if (this.#astray !== null) return settled;
      const key = keyOf(world);
      if (seen.has(key)) continue;
      seen.add(key);
      const actions = ownActions(this.#machines, world);
      if (actions.length === 0) settled.push(world);
      for (const action of actions) {
        const stage = new Stage(this.#machines, this.#renewed, world);
        waiting.push(stage.act(action));
        this.#astray ??= stage.fault;
      }
    }
    return settled;
  }
}
