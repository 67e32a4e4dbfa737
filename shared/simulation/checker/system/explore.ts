/**
 * Visits every world that a configuration can reach, nearest first, so that the first fault found has a
 * shortest trace. The worlds are made by the shipped member and broker.
 */
import { decisionOf } from '../../../election/state.ts';
import { linkInUse } from '../../../member/queries.ts';
import { freeActions, ownActions } from './actions.ts';
import { disagreement, Patience, type Expectation } from './calm.ts';
import { Machines, type Change } from './machines.ts';
import { openingOf, renewalsOf, type Configuration, type Wish } from './opening.ts';
import { Graph, TOO_MANY } from '../graph.ts';
import { Stage, type Action, type Renewals } from './stage.ts';
import { describeAction, describeTold, describeWorld } from './trace.ts';
import { keyOf, type World } from './world.ts';

/** A fault, and the shortest way to it. */
export interface Finding {
  readonly fault: string;
  readonly trace: readonly string[];
}

export interface Report {
  readonly name: string;
  readonly states: number;
  readonly transitions: number;
  /** Worlds in which nothing was on its way. */
  readonly calm: number;
  /** Those in which all agreed without R7, and the most time-outs that the others took. */
  readonly agreed: number;
  readonly timeouts: number;
  /** The shortest way to a world that needs R7 although no message was lost on a live link. */
  readonly needsTimeout: Finding | null;
  readonly finding: Finding | null;
  /** The most messages that were sent where they are counted. */
  readonly messages: number;
  /** The highest term that a member came to. */
  readonly terms: number;
  /** States of members and of the broker that were met. */
  readonly members: number;
  readonly brokers: number;
}

/** More worlds than a configuration should have. */
const MAX_STATES = 2_000_000;

/** Something that may happen next, and its result. */
interface Branch {
  readonly action: Action;
  readonly stage: Stage;
  readonly next: World;
  /** Whether it must happen at some time. */
  readonly isOwn: boolean;
}

class Exploration {
  readonly #configuration: Configuration;
  readonly #maxStates: number;
  readonly #machines: Machines;
  readonly #renewed: Renewals;
  readonly #patience: Patience;
  readonly #start: World;
  readonly #expectation: Expectation;
  readonly #graph = new Graph();
  /** Worlds that were reached and not left yet. */
  readonly #frontier = new Map<number, World>();
  #transitions = 0;
  #calm = 0;
  #agreed = 0;
  #timeouts = 0;
  #messages = 0;
  #terms = 0;
  #needsTimeout: Finding | null = null;
  #finding: Finding | null = null;

  constructor(configuration: Configuration, change: Change, maxStates: number) {
    this.#configuration = configuration;
    this.#maxStates = maxStates;
    this.#machines = new Machines(change);
    this.#renewed = renewalsOf(configuration);
    this.#start = openingOf(this.#machines, configuration);
    this.#expectation = this.#expect();
    this.#patience = new Patience(this.#machines, this.#renewed, this.#expectation);
  }

  run(): Report {
    this.#visit(this.#start, -1, 0);
    for (let at = 0; at < this.#graph.size && this.#finding === null; at += 1) this.#expand(at);
    const stuck = this.#finding === null ? this.#graph.onCycle() : null;
    if (stuck !== null)
      this.#finding = { fault: 'it goes round in circles', trace: this.#trace(stuck) };
    return {
      name: this.#configuration.name,
      states: this.#graph.size,
      transitions: this.#transitions,
      calm: this.#calm,
      agreed: this.#agreed,
      timeouts: this.#timeouts,
      needsTimeout: this.#needsTimeout,
      finding: this.#finding,
      messages: this.#messages,
      terms: this.#terms,
      members: this.#machines.members.size,
      brokers: this.#machines.brokers.size,
    };
  }

  #expect(): Expectation {
    const { policy, priorities } = this.#configuration;
    const { broker, members } = this.#start;
    const states = members
      .filter((member) => member >= 0)
      .map((member) => this.#machines.members.get(member).election.state);
    const [leader] = states.flatMap((state) => decisionOf(state)?.leader.id ?? []);
    const ring = this.#machines.ringOf(this.#machines.brokers.get(broker));
    return { policy, ring, incumbent: leader ?? null, priorities };
  }

  /** Gives a new world a number; returns the world's number in any case. */
  #visit(world: World, parent: number, branch: number): number {
    const { number, isNew } = this.#graph.visit(keyOf(world), parent, branch);
    if (isNew) this.#frontier.set(number, world);
    for (const member of world.members)
      if (member >= 0)
        this.#terms = Math.max(this.#terms, this.#machines.members.get(member).election.state.term);
    this.#messages = Math.max(this.#messages, world.messages);
    return number;
  }

  /** What may happen next: on its own first, then the events of the budget. */
  *#possibilities(world: World): Generator<Branch> {
    const branch = (action: Action, isOwn: boolean): Branch => {
      const stage = new Stage(this.#machines, this.#renewed, world);
      return { action, stage, isOwn, next: stage.act(action) };
    };
    for (const action of ownActions(this.#machines, world)) yield branch(action, true);
    for (const action of this.#free(world)) yield branch(action, false);
  }

  /** The events of the budget. */
  #free(world: World): Action[] {
    const { script, budget } = this.#configuration;
    const actions = freeActions(this.#machines, world);
    if (script === undefined) return actions;
    const wish = script[budget.all - world.budget.all];
    return wish === undefined ? [] : actions.filter((action) => isMeant(wish, action));
  }

  #expand(at: number): void {
    const world = this.#frontier.get(at);
    if (world === undefined) return;
    this.#frontier.delete(at);
    let branch = -1;
    let isCalm = true;
    for (const { stage, next, isOwn } of this.#possibilities(world)) {
      branch += 1;
      this.#transitions += 1;
      const fault = stage.fault ?? this.#joinFault(stage, next);
      if (fault !== null && !this.#isExcused(fault)) {
        this.#finding = { fault, trace: this.#trace(at, branch) };
        return;
      }
      const number = this.#visit(next, at, branch);
      if (!isOwn) continue;
      isCalm = false;
      this.#graph.connect(at, number);
    }
    if (isCalm) this.#judgeCalm(world, at);
    if (this.#graph.size > this.#maxStates)
      this.#finding = { fault: TOO_MANY, trace: this.#trace(at) };
  }

  /** Rings that do not know of each other may have a leader each. */
  #isExcused(fault: string): boolean {
    return this.#configuration.isTorn === true && fault.startsWith('there are two leaders');
  }

  /** A join alone loses nothing, and never leaves a member without a way on that had one. */
  #joinFault({ lost }: Stage, { members }: World): string | null {
    if (this.#configuration.isJoinOnly !== true) return null;
    if (lost > 0) return 'a join loses a message';
    const alive = members
      .filter((member) => member >= 0)
      .map((member) => this.#machines.members.get(member));
    for (const member of alive) {
      const used = linkInUse(member);
      const next = alive.find(({ identity }) => identity.id === used?.peer);
      if (next?.successor.outlet === 'none') return 'a join opens the ring';
    }
    return null;
  }

  #judgeCalm(world: World, at: number): void {
    this.#calm += 1;
    const fault = disagreement(this.#machines, world, this.#expectation);
    if (fault === null) {
      this.#agreed += 1;
      const unrest = this.#patience.unrest(world);
      if (unrest !== null) this.#finding = { fault: unrest, trace: this.#trace(at) };
      return;
    }
    if (world.budget.losses === this.#start.budget.losses)
      this.#needsTimeout ??= { fault, trace: this.#trace(at) };
    const timeouts = this.#patience.timeoutsToAgree(world);
    if (timeouts === null)
      this.#finding = { fault: `${fault}, and time does not help`, trace: this.#trace(at) };
    else this.#timeouts = Math.max(this.#timeouts, timeouts);
  }

  /** The way to a world, and one action more. */
  #trace(at: number, last?: number): string[] {
    const branches = this.#graph.wayTo(at);
    if (last !== undefined) branches.push(last);
    let world = this.#start;
    const lines = describeWorld(this.#machines, world);
    for (const branch of branches) {
      const taken: Branch | undefined = [...this.#possibilities(world)][branch];
      if (taken === undefined) break;
      lines.push(describeAction(this.#machines, world, taken.action));
      lines.push(...describeTold(this.#machines, world, taken.stage.told));
      world = taken.next;
    }
    return [...lines, ...describeWorld(this.#machines, world)];
  }
}

function isMeant({ type, slot, after }: Wish, action: Action): boolean {
  return (
    type === action.type &&
    slot === action.slot &&
    (action.type !== 'join' || after === undefined || after === action.after)
  );
}

/**
 * Explores a configuration to its end, or to the first fault.
 * @param configuration where it begins and what may happen
 * @param change what is different from what is shipped; nothing by default
 * @param maxStates more worlds than this are a fault
 */
export function explore(
  configuration: Configuration,
  change: Change = {},
  maxStates: number = MAX_STATES,
): Report {
  return new Exploration(configuration, change, maxStates).run();
}
