/**
 * Does a task's work with a container (moby daemon/cluster/executor/container/controller.go): networks, image, container; waits for its health
 * and its end; takes it out of the load balancers before it is stopped. Facts 5.8, 8.7.
 */

import type { ClusterNetworking } from "../../docker/cluster-networking.ts";
import type { Container } from "../../docker/container/container.ts";
import type { Engine } from "../../docker/engine.ts";
import { isRefusal } from "../../docker/refusal.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Network, Task, TaskStatus } from "../api/objects.ts";
import type { NodeNetworks } from "./node-networks.ts";
import { containerName, containerOf, type TaskPlace } from "./task-container.ts";
import type { Controller, StepEnd } from "./task-manager.ts";
import type { Dependencies } from "./worker.ts";

/** The node's own address in a network comes with the session; a task waits so long for it. */
const ATTACHMENT_TIMEOUT_NS = 30 * SECOND;
/** From a task's last new connection to its signal. */
const DRAIN_NS = 2 * SECOND;

export interface ControllerSettings {
  readonly engine: Engine;
  readonly networking: ClusterNetworking;
  readonly networks: NodeNetworks;
  readonly place: TaskPlace;
  readonly dependencies: Dependencies;
  /** How long an image takes to come that is not there yet. */
  readonly pull: (image: string, task: Task) => Nanoseconds;
  readonly task: Task;
}

type Done = (end: StepEnd) => void;

export class ContainerController implements Controller {
  readonly #settings: ControllerSettings;
  readonly #timer: Timer;
  #task: Task;
  #container: Container | undefined;
  /** What a step waits for, tried again whenever something may have changed. */
  #attempt: (() => void) | undefined = undefined;
  #onTimer: () => void = () => undefined;
  #isReleased = false;
  #isListening = false;
  readonly #waiter = { wake: (): void => this.#attempt?.() };

  constructor(settings: ControllerSettings) {
    this.#settings = settings;
    this.#task = settings.task;
    this.#timer = new Timer(settings.engine.world.simulation, () => this.#onTimer());
    // After a restart of the engine the container is there already.
    const found = settings.engine.findContainer(containerName(settings.task));
    this.#container = isRefusal(found) ? undefined : found;
  }

  get containerId(): string {
    return this.#container?.id ?? "";
  }
  get pid(): number {
    return this.#container?.process?.pid ?? 0;
  }

  portStatus(): TaskStatus["portStatus"] {
    const ports = (this.#container?.publishedPorts ?? []).map(({ protocol, containerPort, hostPort }) => ({
      name: "",
      protocol,
      targetPort: containerPort,
      publishedPort: hostPort,
      publishMode: "host" as const,
    }));
    return ports.length === 0 ? undefined : { ports };
  }

  update(task: Task): void {
    this.#task = task;
  }

  poke(): void {
    this.#attempt?.();
  }

  release(): void {
    this.#isReleased = true;
    this.#stopWaiting();
  }

  prepare(done: Done): void {
    const { engine, networks, dependencies, place, pull } = this.#settings;
    const end = this.#once(done);
    const create = (): void => {
      const spec = containerOf(this.#task, place, dependencies);
      if ("problem" in spec) {
        end({ error: spec.problem });
        return;
      }
      const container = this.#container ?? engine.createContainer(spec);
      if (isRefusal(container)) end({ error: container.message });
      else {
        this.#container = container;
        end(undefined);
      }
    };
    const attempt = (): void => {
      const wanted = this.#overlays();
      if (!wanted.every(({ id }) => networks.hasBalancer(id))) return;
      for (const network of wanted) {
        const problem = networks.use(network, this.#task.id);
        if (problem === undefined) continue;
        end({ error: problem });
        return;
      }
      this.#attempt = undefined;
      const pullNs = pull(this.#task.spec.container?.image ?? "", this.#task);
      if (pullNs === 0) create();
      else this.#after(pullNs, create);
    };
    this.#attempt = attempt;
    this.#after(ATTACHMENT_TIMEOUT_NS, () => {
      const missing = this.#overlays().find(({ id }) => !networks.hasBalancer(id));
      end({ error: `failed to find a load balancer IP to use for network: ${missing?.id ?? ""}` });
    });
    attempt();
  }

  start(done: Done): void {
    const container = this.#container;
    if (container === undefined) {
      done({ error: `No such container: ${containerName(this.#task)}` });
      return;
    }
    const refusal = container.start();
    if (refusal !== undefined) {
      done({ error: refusal.message });
      return;
    }
    const end = this.#once(done);
    const attempt = (): void => {
      // Without a health check it was up, however short.
      if (container.spec.healthCheck === undefined || container.health === "healthy") end(undefined);
      else if (!container.running) end(exitOf(container, true));
      else if (container.health === "unhealthy") this.#stopUnhealthy(container, end);
    };
    this.#attempt = attempt;
    this.#listen(container);
    attempt();
  }

  wait(done: Done): void {
    const container = this.#container;
    if (container === undefined) {
      done({ error: `No such container: ${containerName(this.#task)}` });
      return;
    }
    const end = this.#once(done);
    const attempt = (): void => {
      if (!container.running && container.state !== "restarting") end(exitOf(container, false));
      else if (container.health === "unhealthy") this.#stopUnhealthy(container, end);
    };
    this.#attempt = attempt;
    this.#listen(container);
    attempt();
  }

  shutdown(done: Done): void {
    const { networking } = this.#settings;
    const container = this.#container;
    const end = this.#once((ended) => {
      this.#releaseNetworks();
      done(ended);
    });
    this.#timer.stop();
    if (container === undefined || !container.running) {
      end(container === undefined ? undefined : { error: "", exitCode: container.exitStatus });
      return;
    }
    networking.deactivate(container);
    this.#attempt = () => {
      if (!container.running) end({ error: "", exitCode: container.exitStatus });
    };
    this.#listen(container);
    this.#after(DRAIN_NS, () => container.stop());
  }

  remove(done: () => void): void {
    this.shutdown(() => {
      this.#container?.remove(true);
      this.#isReleased = true;
      done();
    });
  }

  #overlays(): Network[] {
    return this.#task.networks.flatMap(({ network }) => {
      const driver = network?.spec.driver?.name ?? "overlay";
      return network === undefined || (driver !== "overlay" && driver !== "") ? [] : [network];
    });
  }

  #releaseNetworks(): void {
    for (const network of this.#overlays()) this.#settings.networks.release(network, this.#task.id);
  }

  #stopUnhealthy(container: Container, end: Done): void {
    this.#settings.networking.deactivate(container);
    this.#attempt = () => {
      if (container.running) return;
      const code = container.exitStatus;
      end({ error: `task: non-zero exit (${code}): dockerexec: unhealthy container`, exitCode: code });
    };
    this.#after(DRAIN_NS, () => container.stop());
  }

  #listen(container: Container): void {
    if (this.#isListening) return;
    this.#isListening = true;
    container.changed.add(this.#waiter);
  }

  /** A step's end, which comes once; a step that was overtaken by another has none. */
  #once(done: Done): Done {
    let isOver = false;
    return (end) => {
      if (isOver || this.#isReleased) return;
      isOver = true;
      this.#stopWaiting();
      done(end);
    };
  }

  #stopWaiting(): void {
    this.#attempt = undefined;
    this.#timer.stop();
    if (this.#isListening) this.#container?.changed.remove(this.#waiter);
    this.#isListening = false;
  }

  #after(delayNs: Nanoseconds, act: () => void): void {
    this.#onTimer = act;
    this.#timer.stop();
    this.#timer.set(delayNs);
  }
}

/** A container that ended; `early`: before it was healthy, when even a good end is none. */
function exitOf(container: Container, early: boolean): StepEnd {
  const { exitStatus } = container;
  if (exitStatus === 0 && !early) return undefined;
  if (exitStatus === 0) return { error: "task: container ended before it was healthy", exitCode: 0 };
  return { error: `task: non-zero exit (${exitStatus})`, exitCode: exitStatus };
}
