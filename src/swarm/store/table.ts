/** One table of the store: objects of one kind by id, and by whatever else they are looked for. Nothing is copied when it is written to. */

/** Up to so many ids that came or went are put into or out of the order one by one; more of them all at once. */
const FEW = 64;

/**
 * Ids in their order, which is asked for now and then only. Sorting 100 000 of them anew after each that came took 130 ms; putting one in its
 * place takes some microseconds.
 */
class SortedIds {
  #sorted: string[] = [];
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();

  add(id: string): void {
    if (!this.#removed.delete(id)) this.#added.add(id);
  }

  remove(id: string): void {
    if (!this.#added.delete(id)) this.#removed.add(id);
  }

  clear(): void {
    this.#sorted = [];
    this.#added.clear();
    this.#removed.clear();
  }

  all(): readonly string[] {
    if (this.#removed.size > FEW) this.#sorted = this.#sorted.filter((id) => !this.#removed.has(id));
    else for (const id of this.#removed) this.#sorted.splice(placeOf(this.#sorted, id), 1);
    if (this.#added.size > FEW) this.#sorted = [...this.#sorted, ...[...this.#added].sort()].sort();
    else for (const id of this.#added) this.#sorted.splice(placeOf(this.#sorted, id), 0, id);
    this.#removed.clear();
    this.#added.clear();
    return this.#sorted;
  }
}

/** The first place whose id is not before `id`. */
function placeOf(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

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
  readonly #ids = new SortedIds();

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
    if (before === undefined) this.#ids.add(object.id);
    this.#objects.set(object.id, object);
    for (const index of this.#indexes.values()) index.replace(before, object);
    return before;
  }

  remove(id: string): T | undefined {
    const before = this.#objects.get(id);
    if (before === undefined) return undefined;
    this.#ids.remove(id);
    this.#objects.delete(id);
    for (const index of this.#indexes.values()) index.replace(before, undefined);
    return before;
  }

  clear(): void {
    for (const object of this.#objects.values())
      for (const index of this.#indexes.values()) index.replace(object, undefined);
    this.#objects.clear();
    this.#ids.clear();
  }

  all(): readonly T[] {
    return this.#ids.all().map((id) => this.#objects.get(id)!);
  }

  /** Those with `key` in the index of that name. */
  with(index: string, key: string): readonly T[] {
    const ids = [...this.#indexes.get(index)!.ids(key)];
    if (ids.length > 1) ids.sort();
    return ids.map((id) => this.#objects.get(id)!);
  }

  withIdPrefix(prefix: string): readonly T[] {
    const ids = this.#ids.all();
    const found: T[] = [];
    for (let at = placeOf(ids, prefix); ids[at]?.startsWith(prefix) === true; at++)
      found.push(this.#objects.get(ids[at]!)!);
    return found;
  }
}
