/**
 * A write transaction (swarmkit manager/state/store/memory.go): the committed state with a layer of changes on top, which the
 * store takes in when they are committed and forgets when they are not.
 */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Cluster, Service, Task } from "../api/objects.ts";
import type { Meta } from "../api/parts.ts";
import type { Kind } from "../api/store-action.ts";
import { nameKey, slotKey, type Tables } from "./tables.ts";
import type { Change, ObjectOf, Referred, Refused, StoreView, Transaction } from "./view.ts";

type AnyObject = ObjectOf[Kind];

/** Reads the tables alone. */
export class CommittedView implements StoreView {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  get<K extends Kind>(kind: K, id: string): ObjectOf[K] | undefined {
    return this.#tables[kind].get(id);
  }
  all<K extends Kind>(kind: K): readonly ObjectOf[K][] {
    return this.#tables[kind].all();
  }
  count(kind: Kind): number {
    return this.#tables[kind].size;
  }
  byName<K extends Kind>(kind: K, name: string): ObjectOf[K] | undefined {
    return this.allByName(kind, name)[0];
  }
  allByName<K extends Kind>(kind: K, name: string): readonly ObjectOf[K][] {
    return this.with(kind, "name", nameKey(name));
  }
  byIdPrefix<K extends Kind>(kind: K, prefix: string): readonly ObjectOf[K][] {
    return this.#tables[kind].withIdPrefix(prefix);
  }
  tasksOfService(serviceId: string): readonly Task[] {
    return this.with("task", "service", serviceId);
  }
  tasksOfNode(nodeId: string): readonly Task[] {
    return this.with("task", "node", nodeId);
  }
  tasksOfSlot(serviceId: string, slot: number): readonly Task[] {
    return this.with("task", "slot", slotKey(serviceId, slot));
  }
  servicesUsing(kind: Referred, id: string): readonly Service[] {
    return this.with("service", kind, id);
  }
  tasksUsing(kind: Referred, id: string): readonly Task[] {
    return this.with("task", kind, id);
  }
  get cluster(): Cluster | undefined {
    return this.all("cluster")[0];
  }

  with<K extends Kind>(kind: K, index: string, key: string): readonly ObjectOf[K][] {
    const table: { with(index: string, key: string): readonly ObjectOf[K][] } = this.#tables[kind];
    return table.with(index, key);
  }
}

/** Kinds whose names must be unique. */
const UNIQUE_NAMES: ReadonlySet<Kind> = new Set<Kind>(["service", "network", "cluster", "secret", "config"]);

/** One write transaction. */
export class StoreTransaction implements Transaction {
  readonly #tables: Tables;
  readonly #committed: CommittedView;
  readonly #version: number;
  readonly #nowNs: Nanoseconds;
  /** By kind and id; undefined: removed. */
  readonly #layers = new Map<Kind, Map<string, AnyObject | undefined>>();
  readonly #changes: Change[] = [];

  constructor(tables: Tables, version: number, nowNs: Nanoseconds) {
    this.#tables = tables;
    this.#committed = new CommittedView(tables);
    this.#version = version;
    this.#nowNs = nowNs;
  }

  /** In the order in which they were made. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  create<K extends Kind>(kind: K, object: ObjectOf[K]): Refused | undefined {
    if (this.get(kind, object.id) !== undefined) return "exists";
    if (this.#isNameTaken(kind, object)) return "name-conflict";
    const meta: Meta = { version: { index: this.#version }, createdAt: this.#nowNs, updatedAt: this.#nowNs };
    this.#put(kind, "create", { ...object, meta }, undefined);
    return undefined;
  }

  update<K extends Kind>(kind: K, object: ObjectOf[K]): Refused | undefined {
    const before = this.get(kind, object.id);
    if (before === undefined) return "not-found";
    if (before.meta.version.index !== object.meta.version.index) return "out-of-sequence";
    if (this.#isNameTaken(kind, object)) return "name-conflict";
    const createdAt = object.meta.createdAt ?? this.#nowNs;
    const meta: Meta = { version: { index: this.#version }, createdAt, updatedAt: this.#nowNs };
    this.#put(kind, "update", { ...object, meta }, before);
    return undefined;
  }

  remove(kind: Kind, id: string): Refused | undefined {
    const before = this.get(kind, id);
    if (before === undefined) return "not-found";
    this.#layer(kind).set(id, undefined);
    this.#changes.push({ kind, action: "remove", object: before, before } as Change);
    return undefined;
  }

  #put<K extends Kind>(
    kind: K,
    action: "create" | "update",
    object: ObjectOf[K],
    before: ObjectOf[K] | undefined,
  ): void {
    this.#layer(kind).set(object.id, object);
    this.#changes.push({ kind, action, object, before } as Change);
  }

  #layer(kind: Kind): Map<string, AnyObject | undefined> {
    const known = this.#layers.get(kind);
    if (known !== undefined) return known;
    const layer = new Map<string, AnyObject | undefined>();
    this.#layers.set(kind, layer);
    return layer;
  }

  #isNameTaken<K extends Kind>(kind: K, object: ObjectOf[K]): boolean {
    if (!UNIQUE_NAMES.has(kind)) return false;
    const { spec } = object as { readonly spec: { readonly annotations: { readonly name: string } } };
    return this.allByName(kind, spec.annotations.name).some((other) => other.id !== object.id);
  }

  get<K extends Kind>(kind: K, id: string): ObjectOf[K] | undefined {
    const layer = this.#layers.get(kind);
    if (layer?.has(id) === true) return layer.get(id) as ObjectOf[K] | undefined;
    return this.#committed.get(kind, id);
  }
  all<K extends Kind>(kind: K): readonly ObjectOf[K][] {
    return this.#layered(kind, this.#committed.all(kind), () => true);
  }
  count(kind: Kind): number {
    return this.#layers.has(kind) ? this.all(kind).length : this.#committed.count(kind);
  }
  byName<K extends Kind>(kind: K, name: string): ObjectOf[K] | undefined {
    return this.allByName(kind, name)[0];
  }
  allByName<K extends Kind>(kind: K, name: string): readonly ObjectOf[K][] {
    return this.#with(kind, "name", nameKey(name));
  }
  byIdPrefix<K extends Kind>(kind: K, prefix: string): readonly ObjectOf[K][] {
    return this.#layered(kind, this.#committed.byIdPrefix(kind, prefix), ({ id }) => id.startsWith(prefix));
  }
  tasksOfService(serviceId: string): readonly Task[] {
    return this.#with("task", "service", serviceId);
  }
  tasksOfNode(nodeId: string): readonly Task[] {
    return this.#with("task", "node", nodeId);
  }
  tasksOfSlot(serviceId: string, slot: number): readonly Task[] {
    return this.#with("task", "slot", slotKey(serviceId, slot));
  }
  servicesUsing(kind: Referred, id: string): readonly Service[] {
    return this.#with("service", kind, id);
  }
  tasksUsing(kind: Referred, id: string): readonly Task[] {
    return this.#with("task", kind, id);
  }
  get cluster(): Cluster | undefined {
    return this.all("cluster")[0];
  }

  #with<K extends Kind>(kind: K, index: string, key: string): readonly ObjectOf[K][] {
    const keysOf = this.#tables[kind].keys[index] as (object: ObjectOf[K]) => readonly string[];
    return this.#layered(kind, this.#committed.with(kind, index, key), (object) => keysOf(object).includes(key));
  }

  /** `committed` with the changes on top: those that `belongs` is true of. */
  #layered<K extends Kind>(
    kind: K,
    committed: readonly ObjectOf[K][],
    belongs: (object: ObjectOf[K]) => boolean,
  ): readonly ObjectOf[K][] {
    const layer = this.#layers.get(kind);
    if (layer === undefined) return committed;
    const found = committed.filter(({ id }) => !layer.has(id));
    const untouched = found.length;
    for (const object of layer.values())
      if (object !== undefined && belongs(object as ObjectOf[K])) found.push(object as ObjectOf[K]);
    return found.length === untouched ? found : found.sort((a, b) => (a.id < b.id ? -1 : 1));
  }
}
