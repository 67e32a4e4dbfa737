/** Which worlds were met, how each was reached first, and which steps between them happen by themselves. */

/** What a report says of more worlds than a configuration should have. The exploration may still be finite. */
export const TOO_MANY = 'there are too many worlds to tell';

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
}

export class Graph {
  readonly #numbers = new Map<string, number>();
  readonly #parents = new Numbers();
  readonly #branches = new Numbers();
  readonly #sources = new Numbers();
  readonly #targets = new Numbers();

  get size(): number {
    return this.#numbers.size;
  }

  /** The number of a world by its key; a new one was reached from a parent, by one of its branches. */
  visit(
    key: string,
    parent: number,
    branch: number,
  ): { readonly number: number; readonly isNew: boolean } {
    const known = this.#numbers.get(key);
    if (known !== undefined) return { number: known, isNew: false };
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    this.#parents.push(parent);
    this.#branches.push(branch);
    return { number, isNew: true };
  }

  /** A step that happens by itself. Sources come in the order of their numbers. */
  connect(source: number, target: number): void {
    this.#sources.push(source);
    this.#targets.push(target);
  }

  /** The branches that lead to a world from the first one. */
  wayTo(at: number): number[] {
    const branches: number[] = [];
    for (let number = at; number > 0; number = this.#parents.at(number))
      branches.unshift(this.#branches.at(number));
    return branches;
  }

  /**
   * A world on a cycle of steps that happen by themselves, or null: removes repeatedly what nothing leads to.
   */
  onCycle(): number | null {
    const arrivals = new Int32Array(this.size);
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
    return taken === this.size ? null : this.#before(arrivals);
  }

  /** Goes back among the worlds that are left, as often as there are worlds: that ends on a cycle. */
  #before(arrivals: Int32Array): number {
    const before = new Int32Array(this.size);
    for (let edge = 0; edge < this.#sources.length; edge += 1) {
      const source = this.#sources.at(edge);
      if ((arrivals[source] ?? 0) > 0) before[this.#targets.at(edge)] = source;
    }
    let at = arrivals.findIndex((count) => count > 0);
    for (let step = 0; step < this.size; step += 1) at = before[at] ?? 0;
    return at;
  }

  /** Where each world's edges begin. */
  #firstEdges(): Int32Array {
    const first = new Int32Array(this.size + 1);
    for (let edge = 0; edge < this.#sources.length; edge += 1) {
      const next = this.#sources.at(edge) + 1;
      first[next] = (first[next] ?? 0) + 1;
    }
    for (let number = 1; number < first.length; number += 1)
      first[number] = (first[number] ?? 0) + (first[number - 1] ?? 0);
    return first;
  }
}
