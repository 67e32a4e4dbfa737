/** What a Map is, as plain data: it can be copied, compared and stored. */
export interface Table<Value> {
  size: number;
  readonly entries: Record<string, Value>;
}

export function newTable<Value>(): Table<Value> {
  return { size: 0, entries: {} };
}

export function get<Value>({ entries }: Table<Value>, key: string | number): Value | undefined {
  return entries[entryOf(key)];
}

export function put<Value>(table: Table<Value>, key: string | number, value: Value): void {
  if (get(table, key) === undefined) table.size += 1;
  table.entries[entryOf(key)] = value;
}

/** Takes an entry out. Returns what it was. */
export function drop<Value>(table: Table<Value>, key: string | number): Value | undefined {
  const value = get(table, key);
  if (value === undefined) return undefined;
  table.size -= 1;
  Reflect.deleteProperty(table.entries, entryOf(key));
  return value;
}

export function valuesOf<Value>({ entries }: Table<Value>): readonly Value[] {
  return Object.values(entries);
}

/** No object has a property of such a name by itself: a room may be called `constructor`. */
function entryOf(key: string | number): string {
  return `:${key}`;
}
