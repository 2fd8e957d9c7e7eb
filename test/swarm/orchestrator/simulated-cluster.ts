/** A leader's store with all that decides about tasks, and agents that do at once what tasks are to do: no network. */
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import { MILLISECOND, type Nanoseconds } from "../../../src/sim/time.ts";
import { Timer } from "../../../src/sim/timer.ts";
import {
  type Node,
  nodeDescriptionShape,
  nodeShape,
  type Service,
  serviceShape,
  type Task,
} from "../../../src/swarm/api/objects.ts";
import {
  containerSpecShape,
  nodeSpecShape,
  type ServiceSpec,
  serviceSpecShape,
  taskSpecShape,
} from "../../../src/swarm/api/specs.ts";
import { isAtLeast, type TaskState } from "../../../src/swarm/api/task-state.ts";
import { ConstraintEnforcer } from "../../../src/swarm/orchestrator/constraint-enforcer.ts";
import { GlobalOrchestrator } from "../../../src/swarm/orchestrator/global.ts";
import { JobOrchestrator } from "../../../src/swarm/orchestrator/jobs.ts";
import { ReplicatedOrchestrator } from "../../../src/swarm/orchestrator/replicated.ts";
import { TaskReaper } from "../../../src/swarm/orchestrator/task-reaper.ts";
import { Scheduler } from "../../../src/swarm/scheduler/scheduler.ts";
import { ImmediateProposer, Store } from "../../../src/swarm/store/store.ts";

/** An agent needs this long for each thing that it does. */
const AGENT_NS = 100 * MILLISECOND;

export class SimulatedCluster {
  readonly simulation = new Simulation(new Random("cluster"));
  readonly store = new Store({ clock: this.simulation, proposer: new ImmediateProposer() });
  readonly #random = new Random("ids");
  #components: { stop(): void }[] = [];
  #ids = 0;
  /** Images whose tasks end so long after they started, and how. */
  readonly endings = new Map<string, { afterNs: Nanoseconds; state: TaskState }>();
  readonly #deadNodes = new Set<string>();

  constructor() {
    this.store.watch((changes) => {
      for (const { kind, action, object } of changes) if (kind === "task" && action !== "remove") this.#drive(object);
    });
    this.lead();
  }

  /** A new leader: what decides is made anew from the store. */
  lead(): void {
    for (const component of this.#components) component.stop();
    const { store, simulation: clock } = this;
    const newId = () => `id${String(this.#ids++).padStart(8, "0")}${this.#random.u32().toString(36)}`;
    const orchestrating = { store, clock, newId };
    this.#components = [
      new ReplicatedOrchestrator(orchestrating),
      new GlobalOrchestrator(orchestrating),
      new JobOrchestrator(orchestrating),
      new TaskReaper(orchestrating),
      new ConstraintEnforcer(orchestrating),
      new Scheduler(orchestrating),
    ];
  }

  run(forNs: Nanoseconds): void {
    this.simulation.run(this.simulation.nowNs + forNs);
  }

  addNode(id: string): void {
    const description = nodeDescriptionShape.make({ hostname: id, resources: { nanoCpus: 4e9, memoryBytes: 8e9 } });
    const status = { state: "ready", message: "", address: "" } as const;
    this.store.update((tx) => void tx.create("node", nodeShape.make({ id, description, status })));
  }

  changeNode(id: string, change: (node: Node) => Partial<Node>): void {
    this.store.update((tx) => {
      const node = tx.get("node", id)!;
      tx.update("node", { ...node, ...change(node) });
    });
  }

  drain(id: string): void {
    this.changeNode(id, ({ spec }) => ({ spec: { ...spec, availability: "drain" } }));
  }

  label(id: string, key: string, value: string): void {
    const annotations = { name: "", labels: new Map([[key, value]]) };
    this.changeNode(id, () => ({ spec: nodeSpecShape.make({ annotations }) }));
  }

  /** Its agent falls silent; the managers notice at once. */
  kill(id: string): void {
    this.#deadNodes.add(id);
    this.changeNode(id, ({ status }) => ({ status: { ...status, state: "down" } }));
  }

  createService(id: string, spec: Partial<ServiceSpec>, image = "v1"): void {
    const task = taskSpecShape.make({ ...spec.task, container: containerOf(image) });
    const full = serviceSpecShape.make({ replicated: { replicas: 1 }, ...spec, annotations: named(id), task });
    const isJob = full.replicatedJob !== undefined || full.globalJob !== undefined;
    const service = serviceShape.make({
      id,
      spec: isJob ? { ...full, replicated: undefined } : full,
      specVersion: { index: 1 },
      jobStatus: isJob ? { jobIteration: { index: 1 }, lastExecution: undefined } : undefined,
    });
    this.store.update((tx) => void tx.create("service", service));
  }

  /** As the API does it: the spec before is kept, what became of an earlier update is not. */
  updateService(id: string, change: (spec: ServiceSpec) => ServiceSpec): void {
    this.store.update((tx) => {
      const service = tx.get("service", id)!;
      tx.update("service", {
        ...service,
        spec: change(service.spec),
        specVersion: { index: service.specVersion!.index + 1 },
        previousSpec: service.spec,
        previousSpecVersion: service.specVersion,
        updateStatus: undefined,
      });
    });
  }

  setImage(id: string, image: string): void {
    this.updateService(id, (spec) => ({ ...spec, task: { ...spec.task, container: containerOf(image) } }));
  }

  scale(id: string, replicas: number): void {
    this.updateService(id, (spec) => ({ ...spec, replicated: { replicas } }));
  }

  tasks(serviceId: string): readonly Task[] {
    return this.store.tasksOfService(serviceId);
  }
  running(serviceId: string): readonly Task[] {
    return this.tasks(serviceId).filter((task) => task.status.state === "running");
  }
  images(serviceId: string): string[] {
    return this.running(serviceId).map((task) => task.spec.container!.image);
  }
  service(id: string): Service {
    return this.store.get("service", id)!;
  }

  /** Allocator and agent: the next step of a task, a little later. */
  #drive(task: Task): void {
    const next = this.#nextState(task);
    if (next === undefined) return;
    this.#after(AGENT_NS, () => this.#step(task.id, next));
    const ending = this.endings.get(task.spec.container?.image ?? "");
    if (next === "running" && ending !== undefined)
      this.#after(AGENT_NS + ending.afterNs, () => this.#step(task.id, ending.state));
  }

  #nextState(task: Task): TaskState | undefined {
    const { state } = task.status;
    if (isAtLeast(state, "complete")) return undefined;
    if (state === "new") return "pending";
    if (this.#deadNodes.has(task.nodeId) || !isAtLeast(state, "assigned")) return undefined;
    if (isAtLeast(task.desiredState, "shutdown")) return "shutdown";
    if (state === "assigned") return "ready";
    return state === "ready" && isAtLeast(task.desiredState, "running") ? "running" : undefined;
  }

  #step(taskId: string, state: TaskState): void {
    this.store.update((tx) => {
      const task = tx.get("task", taskId);
      if (task === undefined || isAtLeast(task.status.state, state)) return;
      const isOver = isAtLeast(state, "complete") && state !== "shutdown";
      if (isOver && this.#deadNodes.has(task.nodeId)) return;
      const timestamp = this.simulation.nowNs;
      tx.update("task", { ...task, status: { ...task.status, state, timestamp, message: state } });
    });
  }

  #after(delayNs: Nanoseconds, act: () => void): void {
    new Timer(this.simulation, act).set(delayNs);
  }
}

function named(name: string) {
  return { name, labels: new Map<string, string>() };
}

function containerOf(image: string) {
  return containerSpecShape.make({ image });
}
