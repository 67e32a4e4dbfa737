/**
 * Visits every world that a configuration can reach, nearest first, so that the first fault found has a
 * shortest trace. The worlds are produced by the shipped step().
 */
import { step } from '../../election/step.ts';
import { freeActions, ownActions } from './actions.ts';
import { disagreement, gapIn, Patience, type Expectation } from './calm.ts';
import { isTainted, openingOf, type Configuration, type Wish } from './opening.ts';
import {
  LINK_RULES,
  outlooks,
  type Action,
  type LinkRules,
  type Outlook,
  type Scene,
} from './scene.ts';
import { Space, type StepFunction } from './space.ts';
import { describeAction, describeScene, describeWorld } from './trace.ts';
import { keyOf, type PeerNumber, type World } from './world.ts';

/** The design that is checked: as shipped, or with a rule removed. */
export interface Design {
  readonly step: StepFunction;
  readonly rules: LinkRules;
  /** Whether R7 may repair what has not come to agreement without it. */
  readonly hasPatience: boolean;
}

export const SHIPPED: Design = { step, rules: LINK_RULES, hasPatience: true };

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
  /** The highest term reached, and the most messages sent where they are counted. */
  readonly terms: Peak;
  readonly messages: Peak;
}

/** The most of something, and the shortest way to it. */
export interface Peak {
  readonly count: number;
  readonly trace: readonly string[];
}

/** More worlds than a configuration should have, for example where terms rise for ever. */
const MAX_STATES = 4_000_000;

/** The report in that case. The exploration may still be finite. */
export const TOO_MANY = 'there are too many worlds to tell';

/** The greatest number so far, and the world in which it was found. */
class Greatest {
  count = 0;
  at = 0;

  note(count: number, at: number): void {
    if (count <= this.count) return;
    this.count = count;
    this.at = at;
  }
}

/** A list of numbers that grows. */
class Numbers {
  #values = new Int32Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Int32Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length] = value;
    this.#length += 1;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }

  add(index: number, value: number): void {
    this.#values[index] = this.at(index) + value;
  }
}

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
  readonly #patience: Patience;
  readonly #start: World;
  readonly #expectation: Expectation;
  readonly #numbers = new Map<string, number>();
  /** How each world was first reached: the world before, and which of its actions. */
  readonly #parents = new Numbers();
  readonly #branches = new Numbers();
  /** Steps that happen on their own, for the search of endless ones. */
  readonly #sources = new Numbers();
  readonly #targets = new Numbers();
  #frontier: World[] = [];
  #transitions = 0;
  #calm = 0;
  #agreed = 0;
  #timeouts = 0;
  readonly #terms = new Greatest();
  readonly #messages = new Greatest();
  #needsTimeout: Finding | null = null;
  #finding: Finding | null = null;

  constructor(configuration: Configuration, design: Design, maxStates: number) {
    this.#maxStates = maxStates;
    this.#configuration = configuration;
    this.#design = design;
    const isMeasured = configuration.budget.rewirings === 0;
    this.#space = new Space(design.step, configuration.priorities.length, isMeasured);
    this.#start = openingOf(this.#space, design.rules, configuration);
    const { policy, ring } = configuration;
    const incumbent = this.#leader();
    this.#expectation = { policy, ring, incumbent, isTainted: isTainted(configuration) };
    this.#patience = new Patience(this.#space, design.rules, this.#expectation);
  }

  run(): Report {
    this.#visit(this.#start, -1, 0);
    for (let at = 0; at < this.#numbers.size && this.#finding === null; at += 1) this.#expand(at);
    if (this.#finding === null) this.#findEndless();
    return {
      name: this.#configuration.name,
      states: this.#numbers.size,
      transitions: this.#transitions,
      calm: this.#calm,
      agreed: this.#agreed,
      timeouts: this.#timeouts,
      needsTimeout: this.#needsTimeout,
      finding: this.#finding,
      terms: this.#peak(this.#terms),
      messages: this.#peak(this.#messages),
    };
  }

  #peak({ count, at }: Greatest): Peak {
    return { count, trace: this.#trace(at) };
  }

  /** The leader at the beginning, in the latest term; null where there is none, or two. */
  #leader(): PeerNumber | null {
    const states = this.#start.peers.map(({ election }) => election.value);
    const leaders = states.filter(({ role }) => role.name === 'leader');
    const latest = Math.max(...leaders.map(({ term }) => term));
    const [leader, ...others] = leaders.filter(({ term }) => term === latest);
    return leader === undefined || others.length > 0 ? null : states.indexOf(leader);
  }

  /** Gives a new world a number; returns the world's number in any case. */
  #visit(world: World, parent: number, branch: number): number {
    const key = keyOf(world);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    this.#parents.push(parent);
    this.#branches.push(branch);
    this.#frontier[number] = world;
    this.#messages.note(world.messages, number);
    for (const peer of world.ring)
      this.#terms.note(world.peers[peer]?.election.value.term ?? 0, number);
    return number;
  }

  /** What may happen next: on its own first, then the events of the budget. */
  *#possibilities(world: World): Generator<Branch> {
    const { rules } = this.#design;
    for (const action of ownActions(world))
      for (const outlook of outlooks(this.#space, rules, world, action))
        yield { ...outlook, action, isOwn: true };
    for (const action of this.#free(world))
      for (const outlook of outlooks(this.#space, rules, world, action))
        yield { ...outlook, action, isOwn: false };
  }

  /** The events of the budget. */
  #free(world: World): Action[] {
    const { script, budget } = this.#configuration;
    const actions = freeActions(world);
    if (script === undefined) return actions;
    const wish = script[budget.all - world.budget.all];
    return wish === undefined ? [] : actions.filter((action) => isMeant(wish, action));
  }

  /** What is wrong with the last event. */
  #faultOf({ faults, clashes, lost }: Scene, world: World): string | null {
    const fault = faults[0] ?? (this.#expectation.isTainted ? null : clashes[0]) ?? null;
    if (fault !== null || this.#configuration.isJoinOnly === undefined) return fault;
    if (lost > 0) return 'a join loses a message';
    return gapIn(world) === null ? null : 'a join opens the ring';
  }

  #expand(at: number): void {
    const world = this.#frontier[at];
    if (world === undefined) return;
    this.#frontier[at] = this.#start;
    let branch = -1;
    let isCalm = true;
    for (const { scene, next, isOwn } of this.#possibilities(world)) {
      branch += 1;
      this.#transitions += 1;
      const fault = this.#faultOf(scene, next);
      if (fault !== null) {
        this.#finding = { fault, trace: this.#trace(at, branch) };
        return;
      }
      const number = this.#visit(next, at, branch);
      if (!isOwn) continue;
      isCalm = false;
      this.#sources.push(at);
      this.#targets.push(number);
    }
    if (isCalm) this.#judgeCalm(world, at);
    if (this.#numbers.size > this.#maxStates)
      this.#finding = { fault: TOO_MANY, trace: this.#trace(at) };
  }

  #judgeCalm(world: World, at: number): void {
    this.#calm += 1;
    if (world.circuits !== null) return;
    const fault = disagreement(this.#space, world, this.#expectation);
    if (fault === null) {
      this.#agreed += 1;
      const unrest = this.#design.hasPatience ? this.#patience.unrest(world) : null;
      if (unrest !== null) this.#finding = { fault: unrest, trace: this.#trace(at) };
      return;
    }
    if (!this.#design.hasPatience) {
      this.#finding = { fault, trace: this.#trace(at) };
      return;
    }
    if (world.budget.losses === this.#start.budget.losses)
      this.#needsTimeout ??= { fault, trace: this.#trace(at) };
    const timeouts = this.#patience.timeoutsToAgree(world);
    if (timeouts === null)
      this.#finding = { fault: `${fault}, and time does not help`, trace: this.#trace(at) };
    else this.#timeouts = Math.max(this.#timeouts, timeouts);
  }

  /** Removes repeatedly what nothing leads to; what remains lies on or after a cycle. */
  #findEndless(): void {
    const arrivals = new Int32Array(this.#numbers.size);
    for (let edge = 0; edge < this.#targets.length; edge += 1) {
      const target = this.#targets.at(edge);
      arrivals[target] = (arrivals[target] ?? 0) + 1;
    }
    const first = this.#firstEdges();
    const free: number[] = [];
    for (const [number, count] of arrivals.entries()) if (count === 0) free.push(number);
    let taken = 0;
    for (let number = free.pop(); number !== undefined; number = free.pop()) {
      taken += 1;
      for (let edge = first[number] ?? 0; edge < (first[number + 1] ?? 0); edge += 1) {
        const target = this.#targets.at(edge);
        arrivals[target] = (arrivals[target] ?? 0) - 1;
        if (arrivals[target] === 0) free.push(target);
      }
    }
    if (taken === this.#numbers.size) return;
    const stuck = arrivals.findIndex((count) => count > 0);
    this.#finding = { fault: 'it goes round in circles', trace: this.#trace(stuck) };
  }

  /** Where each world's edges begin: they were noted in the order of the worlds. */
  #firstEdges(): Int32Array {
    const first = new Int32Array(this.#numbers.size + 1);
    for (let edge = 0; edge < this.#sources.length; edge += 1) {
      const next = this.#sources.at(edge) + 1;
      first[next] = (first[next] ?? 0) + 1;
    }
    for (let number = 1; number < first.length; number += 1)
      first[number] = (first[number] ?? 0) + (first[number - 1] ?? 0);
    return first;
  }

  /** The way to a world, and one action more. */
  #trace(at: number, last?: number): string[] {
    const branches: number[] = last === undefined ? [] : [last];
    for (let number = at; number > 0; number = this.#parents.at(number))
      branches.unshift(this.#branches.at(number));
    let world = this.#start;
    const lines = [describeWorld(this.#space, world)];
    for (const branch of branches) {
      const taken: Branch | undefined = [...this.#possibilities(world)][branch];
      if (taken === undefined) break;
      lines.push(describeAction(world, taken.action), ...describeScene(this.#space, taken.scene));
      world = taken.next;
    }
    return [...lines, describeWorld(this.#space, world)];
  }
}

function isMeant({ type, peer, after }: Wish, action: Action): boolean {
  return (
    type === action.type &&
    peer === action.peer &&
    (action.type !== 'join' || after === undefined || after === action.after)
  );
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
