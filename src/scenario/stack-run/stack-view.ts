/** A deployed stack as it stands: its services, networks and tasks in the leader's store, and the containers that run them. */
import type { Host } from "../../commands/host.ts";
import { WORDS } from "../../commands/words.ts";
import type { Container } from "../../docker/container/container.ts";
import { VXLAN_ID_LIST } from "../../swarm/allocator/network-addresses.ts";
import type { Network, Service, Task } from "../../swarm/api/objects.ts";
import { isBeyond } from "../../swarm/api/task-state.ts";
import { STACK_LABEL } from "../../swarm/stack/stack-labels.ts";
import type { Store } from "../../swarm/store/store.ts";
import { type Ipv4Address, parsePrefix } from "../../wire/address.ts";
import { programOf, type Served, type ServingHint } from "../image-programs.ts";
import type { Lab } from "../lab.ts";

export interface MachineView {
  readonly name: string;
  readonly host: Host;
  readonly address: Ipv4Address;
}

/** A task's place in one of the stack's networks. */
export interface AttachmentView {
  readonly networkId: string;
  readonly address: Ipv4Address;
}

/** A task that runs. */
export interface TaskView {
  readonly task: Task;
  /** `shop_web.1`, `shop_agent.node2`. */
  readonly name: string;
  readonly node: MachineView;
  readonly container: Container;
  readonly attachments: readonly AttachmentView[];
  readonly served: readonly Served[];
}

export class StackView {
  readonly machines: readonly MachineView[];
  readonly stack: string;
  readonly #lab: Lab;
  readonly #serving: ReadonlyMap<string, ServingHint>;

  constructor(lab: Lab, stack: string, machines: readonly MachineView[], serving: ReadonlyMap<string, ServingHint>) {
    this.#lab = lab;
    this.stack = stack;
    this.machines = machines;
    this.#serving = serving;
  }

  /** The leader's; of the highest term when two think that they lead. */
  get store(): Store | undefined {
    let best: Store | undefined;
    let bestTerm = -1;
    for (const { host } of this.machines) {
      const manager = host.swarmNode?.manager;
      const term = manager?.raft?.term ?? -1;
      if (manager?.isReady !== true || term <= bestTerm) continue;
      best = manager.store;
      bestTerm = term;
    }
    return best;
  }

  /** In the order of their names. */
  get services(): readonly Service[] {
    const all = [...(this.store?.all("service") ?? [])];
    return all.filter((service) => isOf(this.stack, service)).sort(byName);
  }

  /** Those that the stack's services are in, its own and others. */
  get networks(): readonly Network[] {
    const used = new Set(this.services.flatMap(({ spec }) => spec.task.networks.map(({ target }) => target)));
    return [...(this.store?.all("network") ?? [])].filter(({ id }) => used.has(id)).sort(byName);
  }

  tasksOf(service: Service): readonly Task[] {
    return this.store?.tasksOfService(service.id) ?? [];
  }

  /** Tasks that run and shall, with their containers; by service, then by slot or node. */
  runningTasks(): TaskView[] {
    return this.services.flatMap((service) =>
      this.tasksOf(service)
        .flatMap((task) => this.#running(service, task))
        .sort((a, b) => a.task.slot - b.task.slot || (a.node.name < b.node.name ? -1 : 1)),
    );
  }

  /** Where a command of a task's container is run. */
  hostOf({ name }: TaskView): Host | undefined {
    return this.#lab.hosts.get(name);
  }

  #running(service: Service, task: Task): TaskView[] {
    if (task.status.state !== "running" || isBeyond(task.desiredState, "running")) return [];
    for (const node of this.machines) {
      if (node.host.swarmNode?.nodeId !== task.nodeId) continue;
      for (const container of node.host.engine?.containers.values() ?? [])
        if (container.spec.service?.taskId === task.id && container.running)
          return [this.#taskView(service, task, node, container)];
    }
    return [];
  }

  #taskView({ spec }: Service, task: Task, node: MachineView, container: Container): TaskView {
    const { name } = spec.annotations;
    const program = programOf(container, (word) => WORDS.has(word), this.#serving.get(name));
    return {
      task,
      name: `${name}.${task.slot === 0 ? node.name : task.slot}`,
      node,
      container,
      attachments: task.networks.flatMap(({ network, addresses }) => {
        const address = parsePrefix(addresses[0] ?? "")?.address;
        if (network === undefined || network.spec.ingress || address === undefined) return [];
        return [{ networkId: network.id, address }];
      }),
      served: program === "idle" ? [] : servedBy(program),
    };
  }
}

/** The arguments of `serve`; other programs serve what nobody knows. */
function servedBy([word, ...argv]: readonly string[]): Served[] {
  const served: Served[] = [];
  if (word !== "serve") return served;
  for (let at = 0; at < argv.length; at += 2) {
    const kind = argv[at];
    if (kind === "http" || kind === "echo" || kind === "udp")
      served.push({ kind, port: Number(argv[at + 1] ?? (kind === "http" ? 80 : 7)) });
  }
  return served;
}

export function isOf(stack: string, { spec }: Pick<Service, "spec">): boolean {
  return spec.annotations.labels.get(STACK_LABEL) === stack;
}

/** Of an overlay network, one a subnet. */
export function vnisOf({ driverState }: Network): number[] {
  const list = driverState?.options.get(VXLAN_ID_LIST) ?? "";
  return list === "" ? [] : list.split(",").map(Number);
}

interface Named {
  readonly spec: { readonly annotations: { readonly name: string } };
}

function byName(a: Named, b: Named): number {
  return a.spec.annotations.name < b.spec.annotations.name ? -1 : 1;
}
