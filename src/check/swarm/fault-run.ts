/**
 * Runs a fault plan and says which laws of the swarm it broke: no two leaders in a term (raft §5.2), no acknowledged change lost, what is desired runs once
 * the faults are over, and then all nodes believe the same of each other and of every service. The times are those of facts 7.6, 8.1, 8.4 and 8.6.
 */

import { netfilterOf } from "../../linux/netfilter/attach.ts";
import { iptables } from "../../linux/netfilter/iptables.ts";
import { unreachable } from "../../sim/assert.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { networkShape, serviceShape } from "../../swarm/api/objects.ts";
import {
  containerSpecShape,
  networkAttachmentConfigShape,
  networkSpecShape,
  type ServiceSpec,
  serviceSpecShape,
  taskSpecShape,
} from "../../swarm/api/specs.ts";
import { formatIpv4 } from "../../wire/address.ts";
import { type EmulatedMachine, EmulatedSwarm } from "./emulated-swarm.ts";
import type { FaultPlan, FaultStep } from "./fault-plan.ts";

const NETWORK_ID = "faultplannetwork000000000";
const LOOK_NS = 100 * MILLISECOND;
/**
 * How long a swarm may take to be well after the last fault: elections (each up to 20 s; split votes cost more), 30 s in which nodes of an earlier leader
 * are waited for, agents' pauses of 8 s, restarts after 5 s, a minute for old tasks, the rejoining of gossip (a minute) and its next bulk sync (30 s).
 */
const RECOVERY_NS = 240 * SECOND;

export interface FaultRun {
  /** Laws that were broken, in words; empty: none. */
  readonly violations: readonly string[];
  /** From the last fault's end until all was well. */
  readonly recoveryNs: Nanoseconds;
  readonly events: number;
}

/** What a service was last acknowledged to be. */
interface Acknowledged {
  readonly replicas: number;
  readonly generation: number;
}

/** `sabotage` is done when the faults are over: a law that holds all the same is none. */
export function runFaultPlan(plan: FaultPlan, sabotage?: (swarm: EmulatedSwarm) => void): FaultRun {
  return new FaultRunner(plan).run(sabotage);
}

class FaultRunner {
  readonly #plan: FaultPlan;
  readonly #swarm: EmulatedSwarm;
  readonly #violations = new Set<string>();
  readonly #leaders = new Map<number, string>();
  /** By service; undefined: removed. What is asked and not answered may be either. */
  readonly #acknowledged = new Map<number, Acknowledged | undefined>();
  readonly #unsure = new Set<number>();
  readonly #broken = new Map<EmulatedMachine, number>();
  #generation = 0;
  #lastEndNs: Nanoseconds = 0;

  constructor(plan: FaultPlan) {
    this.#plan = plan;
    this.#swarm = new EmulatedSwarm(plan.managers + plan.workers, plan.seed);
  }

  run(sabotage: ((swarm: EmulatedSwarm) => void) | undefined): FaultRun {
    const swarm = this.#swarm;
    swarm.form(this.#plan.managers);
    const store = swarm.leader?.store;
    const annotations = { name: "app", labels: new Map() };
    store?.update((tx) => {
      tx.create("network", networkShape.make({ id: NETWORK_ID, spec: networkSpecShape.make({ annotations }) }));
    });
    swarm.run(2 * SECOND);
    const startNs = swarm.nowNs;
    const look = new Timer(swarm.world.simulation, () => {
      this.#checkLeaders();
      look.set(LOOK_NS);
    });
    look.set(LOOK_NS);
    for (const step of this.#plan.steps) {
      swarm.run(startNs + step.atNs - swarm.nowNs);
      this.#act(step);
    }
    swarm.run(Math.max(this.#lastEndNs - swarm.nowNs, 0) + MILLISECOND);
    const healedNs = swarm.nowNs;
    sabotage?.(swarm);
    let wrong = this.#whatIsWrong();
    while (wrong.length > 0 && swarm.nowNs < healedNs + RECOVERY_NS) {
      swarm.run(SECOND);
      wrong = this.#whatIsWrong();
    }
    look.stop();
    for (const words of wrong) this.#violations.add(words);
    return {
      violations: [...this.#violations],
      recoveryNs: swarm.nowNs - healedNs,
      events: swarm.world.simulation.events,
    };
  }

  #act(step: FaultStep): void {
    switch (step.kind) {
      case "power":
        this.#break([step.machine], step.forNs, powerOff, powerOn);
        return;
      case "cable":
        this.#break([step.machine], step.forNs, unplug, plugIn);
        return;
      case "partition":
        this.#partition(step.machines, step.forNs);
        return;
      case "loss":
        this.#lose(step.machine, step.perMille, step.delayNs, step.forNs);
        return;
      case "block":
        this.#block(step.machine, step.port, step.forNs);
        return;
      case "create":
      case "scale":
      case "update":
      case "remove":
        this.#change(step);
        return;
      default:
        unreachable(step);
    }
  }

  #later(forNs: Nanoseconds, act: () => void): void {
    this.#lastEndNs = Math.max(this.#lastEndNs, this.#swarm.nowNs + forNs);
    new Timer(this.#swarm.world.simulation, act).set(forNs);
  }

  /** Faults of one machine may overlap: it is whole again when the last of them is over. */
  #break(
    numbers: readonly number[],
    forNs: Nanoseconds,
    breakIt: (machine: EmulatedMachine) => void,
    mend: (machine: EmulatedMachine) => void,
  ): void {
    for (const number of numbers) {
      const machine = this.#swarm.machines[number]!;
      const count = this.#broken.get(machine) ?? 0;
      this.#broken.set(machine, count + 1);
      if (count > 0) continue;
      breakIt(machine);
      const whole = (): void => {
        const left = this.#broken.get(machine)! - 1;
        this.#broken.set(machine, left);
        if (left > 0) this.#later(forNs, whole);
        else mend(machine);
      };
      this.#later(forNs, whole);
    }
  }

  #partition(side: readonly number[], forNs: Nanoseconds): void {
    const { machines } = this.#swarm;
    const isIn = (machine: EmulatedMachine) => side.includes(machines.indexOf(machine));
    const rules = machines.flatMap((machine) =>
      machines
        .filter((other) => isIn(machine) !== isIn(other))
        .map((other) => [machine, `-s ${formatIpv4(other.address)} -j DROP`] as const),
    );
    for (const [machine, rule] of rules) filter(machine, "-I", rule);
    this.#later(forNs, () => {
      for (const [machine, rule] of rules) filter(machine, "-D", rule);
    });
  }

  #lose(number: number, perMille: number, delayNs: Nanoseconds, forNs: Nanoseconds): void {
    const { wires } = this.#swarm.machines[number]!;
    const before = wires.map((wire) => wire.settings);
    for (const wire of wires)
      wire.settings = {
        ...wire.settings,
        loss: { kind: "random", partsPerMillion: perMille * 1_000 },
        delayNs: wire.settings.delayNs + delayNs,
      };
    this.#later(forNs, () => {
      for (const [at, wire] of wires.entries()) wire.settings = before[at]!;
    });
  }

  #block(number: number, port: string, forNs: Nanoseconds): void {
    const machine = this.#swarm.machines[number]!;
    const [protocol, digits] = port.split(" ");
    const rule = `-p ${protocol} --dport ${digits} -j DROP`;
    filter(machine, "-I", rule);
    this.#later(forNs, () => filter(machine, "-D", rule));
  }

  // What users ask for

  #change(step: Extract<FaultStep, { readonly service: number }>): void {
    const { service } = step;
    const store = this.#swarm.leader?.store;
    if (store === undefined) return; // they are told that there is no leader
    const id = serviceId(service);
    const known = store.get("service", id);
    const generation = ++this.#generation;
    if (step.kind === "create" ? known !== undefined : known === undefined) return;
    const replicas = "replicas" in step ? step.replicas : (known?.spec.replicated?.replicas ?? 0);
    this.#unsure.add(service);
    store.update(
      (tx) => {
        const present = tx.get("service", id);
        const specVersion = { index: generation };
        if (step.kind === "remove") tx.remove("service", id);
        else if (step.kind === "create")
          tx.create("service", serviceShape.make({ id, specVersion, spec: specOf(service, replicas, generation) }));
        else if (present !== undefined) {
          const image = step.kind === "update" ? generation : imageOf(present.spec);
          tx.update("service", {
            ...present,
            specVersion,
            spec: specOf(service, replicas, image),
            previousSpec: present.spec,
            previousSpecVersion: present.specVersion,
            updateStatus: undefined,
          });
        }
      },
      (outcome) => {
        if (outcome !== "committed") return; // it may come true all the same
        this.#unsure.delete(service);
        this.#acknowledged.set(service, step.kind === "remove" ? undefined : { replicas, generation });
      },
    );
  }

  // Laws

  #checkLeaders(): void {
    for (const { name, daemon } of this.#swarm.machines) {
      const raft = daemon.node.manager?.raft;
      if (raft?.isLeader !== true) continue;
      const other = this.#leaders.get(raft.term);
      if (other !== undefined && other !== name)
        this.#violations.add(`two leaders in term ${raft.term}: ${other} and ${name}`);
      this.#leaders.set(raft.term, name);
    }
  }

  /** What is not yet as it must be in the end. */
  #whatIsWrong(): string[] {
    const { leader, machines } = this.#swarm;
    const store = leader?.store;
    if (store === undefined) return ["no leader"];
    const wrong: string[] = [];
    for (const node of store.all("node"))
      if (node.status.state !== "ready")
        wrong.push(`node ${node.description?.hostname ?? node.id} is ${node.status.state}`);
    for (const [number, change] of this.#acknowledged) {
      if (this.#unsure.has(number)) continue;
      const service = store.get("service", serviceId(number));
      if (change === undefined ? service !== undefined : service === undefined)
        wrong.push(`an acknowledged change of s${number} is lost`);
      if (change !== undefined && service !== undefined && (service.specVersion?.index ?? 0) < change.generation)
        wrong.push(`an acknowledged change of s${number} is lost`);
    }
    for (const service of store.all("service")) {
      const tasks = store.tasksOfService(service.id);
      const running = tasks.filter(
        ({ status, desiredState }) => status.state === "running" && desiredState === "running",
      );
      const wanted = service.spec.replicated?.replicas ?? 0;
      if (running.length !== wanted || new Set(running.map(({ slot }) => slot)).size !== wanted)
        wrong.push(`${service.spec.annotations.name} has ${running.length} of ${wanted} tasks`);
      // A failed update is paused, and then keeps what it had.
      const isStale = running.some(({ spec }) => spec.container?.image !== service.spec.task.container?.image);
      if (isStale && service.updateStatus?.state !== "paused")
        wrong.push(`${service.spec.annotations.name} runs what it should not`);
    }
    for (const { name, daemon } of machines) {
      const own = daemon.node.nodeId ?? "";
      const running = [...daemon.engine.containers.values()].filter((container) => container.running).length;
      const wanted = store.tasksOfNode(own).filter(({ status }) => status.state === "running").length;
      if (running !== wanted) wrong.push(`${name} runs ${running} containers, not ${wanted}`);
      const agent = daemon.networking.agent;
      const alive = agent?.members.filter(({ state }) => state === "alive").length ?? 0;
      if (alive !== machines.length) wrong.push(`${name} knows ${alive} of ${machines.length} nodes in gossip`);
    }
    this.#compareTables(wrong);
    return wrong;
  }

  /** Every node that has a network has the same entries. */
  #compareTables(wrong: string[]): void {
    const views = new Map<string, string>();
    for (const { name, daemon } of this.#swarm.machines)
      for (const id of daemon.networking.networks.keys()) {
        const entries = daemon.networking.agent?.entries(id) ?? [];
        const view = entries.map(({ table, key, value }) => `${table} ${key} ${value.join(" ")}`).join("\n");
        const other = views.get(id);
        if (other === undefined) views.set(id, view);
        else if (other !== view) wrong.push(`${name} believes other things of network ${id.slice(0, 10)} than others`);
      }
  }
}

function serviceId(number: number): string {
  return `faultplanservice${String(number).padStart(9, "0")}`;
}

function specOf(number: number, replicas: number, image: number): ServiceSpec {
  return serviceSpecShape.make({
    annotations: { name: `s${number}`, labels: new Map() },
    replicated: { replicas },
    task: taskSpecShape.make({
      container: containerSpecShape.make({ image: `image:${image}`, args: ["sleep", "infinity"] }),
      networks: [networkAttachmentConfigShape.make({ target: NETWORK_ID })],
    }),
  });
}

function imageOf(spec: ServiceSpec): number {
  return Number(spec.task.container?.image.split(":")[1] ?? 0);
}

function powerOff(machine: EmulatedMachine): void {
  machine.daemon.cutPower();
}
function powerOn(machine: EmulatedMachine): void {
  machine.daemon.restorePower();
}
function unplug(machine: EmulatedMachine): void {
  machine.port.setUp(false);
}
function plugIn(machine: EmulatedMachine): void {
  machine.port.setUp(true);
  if (!machine.daemon.hasPower) machine.daemon.restorePower();
}

function filter({ namespace }: EmulatedMachine, action: "-I" | "-D", rule: string): void {
  iptables(netfilterOf(namespace), [action, "INPUT", ...rule.split(" ")]);
}
