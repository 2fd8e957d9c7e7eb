/** When a scenario with engines is ready for its steps: every node is, every service's tasks run, and every node has heard of them. */
import type { Service, Task } from "../swarm/api/objects.ts";
import { isAtLeast } from "../swarm/api/task-state.ts";
import type { Store } from "../swarm/store/store.ts";
import type { EngineHosts } from "./engine-hosts.ts";
import { hasSwarm } from "./engine-needs.ts";
import type { Scenario } from "./load.ts";

/** What is still missing, in words; undefined: nothing. */
export function missing(scenario: Scenario, hosts: EngineHosts): string | undefined {
  return (hasSwarm(scenario) ? missingInSwarm(hosts) : undefined) ?? missingContainer(scenario, hosts);
}

function missingInSwarm(hosts: EngineHosts): string | undefined {
  const { store } = hosts;
  if (store === undefined) return "no manager leads";
  const nodes = [...store.all("node")].filter(({ status }) => status.state === "ready");
  if (nodes.length < hosts.engines.size) return `${nodes.length} of ${hosts.engines.size} nodes are ready`;
  for (const service of store.all("service")) {
    const what = missingTask(service, store.tasksOfService(service.id));
    if (what !== undefined) return what;
  }
  return missingNews(store, hosts);
}

function missingTask({ spec }: Service, tasks: readonly Task[]): string | undefined {
  const { name } = spec.annotations;
  const wanted = tasks.filter(({ desiredState }) => !isAtLeast(desiredState, "shutdown"));
  const running = wanted.filter(({ status }) => isAtLeast(status.state, "running"));
  const needed = spec.replicated?.replicas ?? Math.min(1, wanted.length + 1);
  if (running.length >= needed && running.length === wanted.length) return undefined;
  const late = wanted.find(({ status }) => !isAtLeast(status.state, "running"));
  const last = late ?? tasks.at(-1);
  const why = last === undefined ? "" : `: ${last.status.error || last.status.message} (${last.status.state})`;
  return `${running.length} of ${Math.max(needed, wanted.length)} tasks of ${name} run${why}`;
}

/** Every node that has a network knows of all its tasks by gossip. */
function missingNews(store: Store, hosts: EngineHosts): string | undefined {
  const tasks = new Map<string, number>();
  for (const task of store.all("task"))
    if (task.status.state === "running" && task.desiredState === "running" && task.serviceId !== "")
      for (const { network } of task.networks)
        if (network !== undefined) tasks.set(network.id, (tasks.get(network.id) ?? 0) + 1);
  for (const { name, daemon } of hosts.engines.values())
    for (const [id, network] of daemon.networking.networks) {
      let known = 0;
      for (const [service, { tasks: heard }] of daemon.networking.servicesOf(id))
        if (service !== "") known += heard.length;
      const wanted = tasks.get(id) ?? 0;
      if (known < wanted) return `${name} has heard of ${known} of the ${wanted} tasks in ${network.name}`;
    }
  return undefined;
}

function missingContainer(scenario: Scenario, hosts: EngineHosts): string | undefined {
  for (const [name, { node }] of scenario.containers ?? []) {
    const engine = hosts.engines.get(node)?.daemon.engine;
    const container = [...(engine?.containers.values() ?? [])].find((each) => each.name === name);
    // One that has done its work has been there.
    if (container === undefined || container.state === "created") return `container ${name} has not started`;
    if (container.running && container.health === "starting") return `container ${name} is not healthy yet`;
  }
  return undefined;
}
