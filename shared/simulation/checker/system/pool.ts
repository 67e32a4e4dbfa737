/** Values by number: equal values have one number, so that worlds are short to write down. */
export class Pool<Value> {
  readonly #numbers = new Map<string, number>();
  readonly #values: Value[] = [];

  /** The number of a value that is written like this. */
  put(text: string, value: Value): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#values.length;
    this.#numbers.set(text, number);
    this.#values.push(value);
    return number;
  }

  get(number: number): Value {
    const value = this.#values[number];
    if (value === undefined) throw new Error(`there is no value ${number}`);
    return value;
  }

  get size(): number {
    return this.#values.length;
  }
}

/** A result for each pair of numbers, worked out once. */
export class Memo<Value> {
  readonly #rows: Map<number, Value>[] = [];

  get(row: number, column: number, workOut: () => Value): Value {
    const known = (this.#rows[row] ??= new Map<number, Value>());
    const before = known.get(column);
    if (before !== undefined) return before;
    const value = workOut();
    known.set(column, value);
    return value;
  }
}
