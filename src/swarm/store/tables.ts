/** The tables of the store and by what each can be searched (swarmkit manager/state/store: the indexes of each table). */
import type { Cluster, Config, Network, Secret, Service, Task } from "../api/objects.ts";
import type { TaskSpec } from "../api/specs.ts";
import { KINDS, type Kind } from "../api/store-action.ts";
import { Table } from "./table.ts";
import type { ObjectOf, Referred } from "./view.ts";

export type Tables = { readonly [K in Kind]: Table<ObjectOf[K]> };

interface Named {
  readonly id: string;
  readonly spec: { readonly annotations: { readonly name: string } };
}

/** Names are compared in lower case. */
export function nameKey(name: string): string {
  return name.toLowerCase();
}

function bySpecName(object: Named): readonly string[] {
  return [nameKey(object.spec.annotations.name)];
}

function referred(spec: TaskSpec, kind: Referred): readonly string[] {
  if (kind === "network") return spec.networks.map(({ target }) => target);
  const container = spec.container;
  if (container === undefined) return [];
  if (kind === "secret") return container.secrets.map(({ secretId }) => secretId);
  return container.configs.map(({ configId }) => configId);
}

function unique(keys: readonly string[]): readonly string[] {
  return keys.length < 2 ? keys : [...new Set(keys)];
}

function networksOf(task: Task): readonly string[] {
  const attached = task.networks.map(({ network }) => network?.id ?? "").filter((id) => id !== "");
  return unique([...referred(task.spec, "network"), ...attached]);
}

/** Key of a slot in the index `slot`. */
export function slotKey(serviceId: string, slot: number): string {
  return `${serviceId}.${slot}`;
}

/** The name of a task: `web.1.<id>`, or `web.<node id>.<id>` when it has no slot. */
export function taskName(task: Task): string {
  if (task.annotations.name !== "") return task.annotations.name;
  return `${task.serviceAnnotations.name}.${task.slot === 0 ? task.nodeId : task.slot}.${task.id}`;
}

export function newTables(): Tables {
  return {
    node: new Table({ name: (node) => [nameKey(node.description?.hostname ?? "")] }),
    service: new Table<Service>({
      name: bySpecName,
      secret: (service) => unique(referred(service.spec.task, "secret")),
      config: (service) => unique(referred(service.spec.task, "config")),
      network: (service) => unique(referred(service.spec.task, "network")),
    }),
    task: new Table<Task>({
      name: (task) => [nameKey(taskName(task))],
      service: (task) => [task.serviceId],
      node: (task) => [task.nodeId],
      slot: (task) => [slotKey(task.serviceId, task.slot)],
      secret: (task) => unique(referred(task.spec, "secret")),
      config: (task) => unique(referred(task.spec, "config")),
      network: networksOf,
    }),
    network: new Table<Network>({ name: bySpecName }),
    cluster: new Table<Cluster>({ name: bySpecName }),
    secret: new Table<Secret>({ name: bySpecName }),
    config: new Table<Config>({ name: bySpecName }),
  };
}

export function clearTables(tables: Tables): void {
  for (const kind of KINDS) tables[kind].clear();
}
