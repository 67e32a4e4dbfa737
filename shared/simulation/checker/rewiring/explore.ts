/**
 * Visits every world that a configuration can reach, nearest first, so that the first fault found has a
 * shortest trace. The worlds are made by the shipped step().
 */
import { step } from '../../../election/step.ts';
import { Graph, TOO_MANY } from '../graph.ts';
import { Space, type StepFunction } from './space.ts';
import { freeActions, ownActions } from './actions.ts';
import { outlooks, type Action, type Outlook, type Stage } from './stage.ts';
import { describeAction, describeStage, describeWorld } from './trace.ts';
import { beginning, keyOf, type Configuration, type World } from './world.ts';

/** The design that is checked: as shipped, or with a rule removed. */
export interface Design {
  readonly step: StepFunction;
  /** C5: what is held goes over the link for which it was decided, or not at all. */
  readonly holdsByLink: boolean;
}

export const SHIPPED: Design = { step, holdsByLink: true };

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
  readonly finding: Finding | null;
}

/** More worlds than a configuration should have, for example where terms rise for ever. */
const MAX_STATES = 4_000_000;

/** Something that may happen next, and its result. */
interface Branch extends Outlook {
  readonly action: Action;
  /** Whether it must happen at some time. */
  readonly isOwn: boolean;
}

class Exploration {
  readonly #configuration: Configuration;
  readonly #design: Design;
  readonly #maxStates: number;
  readonly #space: Space;
  readonly #start: World;
  readonly #graph = new Graph();
  readonly #frontier = new Map<number, World>();
  #transitions = 0;
  #calm = 0;
  #finding: Finding | null = null;

  constructor(configuration: Configuration, design: Design, maxStates: number) {
    this.#maxStates = maxStates;
    this.#configuration = configuration;
    this.#design = design;
    this.#space = new Space(design.step, configuration.priorities.length);
    this.#start = beginning(this.#space, configuration);
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
      finding: this.#finding,
    };
  }

  /** Gives a new world a number; returns the world's number in any case. */
  #visit(world: World, parent: number, branch: number): number {
    const { number, isNew } = this.#graph.visit(keyOf(world), parent, branch);
    if (isNew) this.#frontier.set(number, world);
    return number;
  }

  /** What may happen next: on its own first, then the events of the budget. */
  *#possibilities(world: World): Generator<Branch> {
    const { holdsByLink } = this.#design;
    for (const action of ownActions(world))
      for (const outlook of outlooks(this.#space, holdsByLink, world, action))
        yield { ...outlook, action, isOwn: true };
    for (const action of freeActions(world))
      for (const outlook of outlooks(this.#space, holdsByLink, world, action))
        yield { ...outlook, action, isOwn: false };
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
      const fault = faultOf(stage);
      if (fault !== null) {
        this.#finding = { fault, trace: this.#trace(at, branch) };
        return;
      }
      const number = this.#visit(next, at, branch);
      if (!isOwn) continue;
      isCalm = false;
      this.#graph.connect(at, number);
    }
    if (isCalm) this.#calm += 1;
    if (this.#graph.size > this.#maxStates)
      this.#finding = { fault: TOO_MANY, trace: this.#trace(at) };
  }

  /** The way to a world, and one action more. */
  #trace(at: number, last?: number): string[] {
    const branches = this.#graph.wayTo(at);
    if (last !== undefined) branches.push(last);
    let world = this.#start;
    const lines = [describeWorld(this.#space, world)];
    for (const branch of branches) {
      const taken: Branch | undefined = [...this.#possibilities(world)][branch];
      if (taken === undefined) break;
      lines.push(describeAction(world, taken.action), ...describeStage(this.#space, taken.stage));
      world = taken.next;
    }
    return [...lines, describeWorld(this.#space, world)];
  }
}

function faultOf({ faults }: Stage): string | null {
  return faults[0] ?? null;
}

/**
 * Explores a configuration to its end, or to the first fault.
 * @param configuration where it begins and what may happen
 * @param design as shipped by default
 * @param maxStates more worlds than this are a fault
 */
export function explore(
  configuration: Configuration,
  design: Design = SHIPPED,
  maxStates: number = MAX_STATES,
): Report {
  return new Exploration(configuration, design, maxStates).run();
}
