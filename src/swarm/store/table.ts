/** One table of the store: objects of one kind by id, and by whatever else they are looked for. Nothing is copied when it is written to. */

/** Objects by keys that several may share. */
class Index<T extends { readonly id: string }> {
  readonly #keysOf: (object: T) => readonly string[];
  readonly #buckets = new Map<string, Set<string>>();

  constructor(keysOf: (object: T) => readonly string[]) {
    this.#keysOf = keysOf;
  }

  ids(key: string): Iterable<string> {
    return this.#buckets.get(key) ?? [];
  }

  replace(before: T | undefined, after: T | undefined): void {
    const old = before === undefined ? [] : this.#keysOf(before);
    const next = after === undefined ? [] : this.#keysOf(after);
    if (old.length === next.length && old.every((key, at) => key === next[at])) return;
    for (const key of old) this.#remove(key, before!.id);
    for (const key of next) this.#add(key, after!.id);
  }

  #add(key: string, id: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, new Set([id]));
    else bucket.add(id);
  }

  #remove(key: string, id: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket?.delete(id) === true && bucket.size === 0) this.#buckets.delete(key);
  }
}

export type Keys<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

export class Table<T extends { readonly id: string }> {
  readonly keys: Keys<T>;
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, Index<T>>;
  /** Ids in their order; undefined when one came or went since. */
  #sortedIds: readonly string[] | undefined = [];

  constructor(keys: Keys<T>) {
    this.keys = keys;
    this.#indexes = new Map(Object.entries(keys).map(([name, keysOf]) => [name, new Index(keysOf)]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(id: string): T | undefined {
    return this.#objects.get(id);
  }

  /** Puts an object in the place of the one with its id, if there is one. */
  put(object: T): T | undefined {
    const before = this.#objects.get(object.id);
    if (before === undefined) this.#sortedIds = undefined;
    this.#objects.set(object.id, object);
    for (const index of this.#indexes.values()) index.replace(before, object);
    return before;
  }

  remove(id: string): T | undefined {
    const before = this.#objects.get(id);
    if (before === undefined) return undefined;
    this.#sortedIds = undefined;
    this.#objects.delete(id);
    for (const index of this.#indexes.values()) index.replace(before, undefined);
    return before;
  }

  clear(): void {
    for (const id of [...this.#objects.keys()]) this.remove(id);
  }

  all(): readonly T[] {
    return this.#ids().map((id) => this.#objects.get(id)!);
  }

  /** Those with `key` in the index of that name. */
  with(index: string, key: string): readonly T[] {
    const ids = [...this.#indexes.get(index)!.ids(key)];
    if (ids.length > 1) ids.sort();
    return ids.map((id) => this.#objects.get(id)!);
  }

  withIdPrefix(prefix: string): readonly T[] {
    const ids = this.#ids();
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ids[middle]! < prefix) low = middle + 1;
      else high = middle;
    }
    const found: T[] = [];
    for (let at = low; at < ids.length && ids[at]!.startsWith(prefix); at++) found.push(this.#objects.get(ids[at]!)!);
    return found;
  }

  #ids(): readonly string[] {
    this.#sortedIds ??= [...this.#objects.keys()].sort();
    return this.#sortedIds;
  }
}
