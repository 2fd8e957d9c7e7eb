/**
 * What happens before the steps where there are engines: the machines form a swarm, then networks, secrets, configs, services and containers are made in the
 * order of the file, each by the way that the words of the docker client use; it ends when all of it runs.
 */
import { Process, type Program } from "../linux/process.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { ControlClient } from "../swarm/control/control-client.ts";
import { formatIpv4, formatPrefix } from "../wire/address.ts";
import { attachmentsOf } from "./attachment.ts";
import { ClusterObjects } from "./cluster-objects.ts";
import { RunningCommand } from "./command-runner.ts";
import { networkLine, runLineOf } from "./docker-lines.ts";
import type { EngineHosts, EngineMachine } from "./engine-hosts.ts";
import { driverOf, hasSwarm } from "./engine-needs.ts";
import { type Scenario, scenarioProblem } from "./load.ts";
import { missing } from "./readiness.ts";
import { answerOf, until, type Waiting } from "./waiting.ts";

/** From the start of the run; a cluster that is not ready then never is. */
const LONGEST_NS: Nanoseconds = 120 * SECOND;
/** What gossip still has to say when all tasks run: names, peers, load balancers. */
const SETTLE_NS: Nanoseconds = 2 * SECOND;

export class Deployment {
  /** What it ended with: when all was ready, or what was missing when the time was over. */
  outcome: { readonly readyNs: Nanoseconds } | { readonly problem: string } | undefined = undefined;
  readonly #scenario: Scenario;
  readonly #hosts: EngineHosts;

  constructor(scenario: Scenario, hosts: EngineHosts, world: World) {
    this.#scenario = scenario;
    this.#hosts = hosts;
    const nowhere = { write: () => undefined };
    const process = new Process({
      pid: 1,
      name: "deployment",
      clock: world.simulation,
      random: world.random.fork("deployment"),
      stdout: nowhere,
      stderr: nowhere,
    });
    process.start(this.#run(process));
  }

  *#run(process: Process): Program {
    const scenario = this.#scenario;
    if (hasSwarm(scenario)) yield* this.#formSwarm(process);
    yield* this.#makeLocalNetworks();
    if (hasSwarm(scenario)) {
      const client = this.#client();
      const objects = new ClusterObjects(client, scenario);
      yield* objects.labelNodes();
      yield* objects.makeNetworks();
      yield* objects.makeFiles("secret");
      yield* objects.makeFiles("config");
      yield* objects.makeServices();
      yield* this.#deployStack();
    }
    yield* this.#runContainers();
    yield* this.#settle(process);
    return 0;
  }

  *#formSwarm(process: Process): Waiting<void> {
    const { swarm } = this.#scenario;
    const machines = [...this.#hosts.engines.values()];
    const first = machines.find(({ role }) => role === "manager");
    assert(first !== undefined, "a swarm without a manager was not refused");
    const begun = yield* answerOf<string | undefined>((done) =>
      first.daemon.node.init(
        {
          advertiseAddress: formatIpv4(first.address),
          cluster: {
            ...(swarm?.["default-addr-pool"] !== undefined && {
              defaultAddressPool: swarm["default-addr-pool"].map(formatPrefix),
              subnetSize: 24,
            }),
            ...(swarm?.["default-addr-pool-mask-length"] !== undefined && {
              subnetSize: swarm["default-addr-pool-mask-length"],
            }),
            ...(swarm?.["data-path-port"] !== undefined && { dataPathPort: swarm["data-path-port"] }),
            ...(swarm?.autolock !== undefined && { autoLock: swarm.autolock }),
            ...(swarm?.["task-history-limit"] !== undefined && { taskHistoryLimit: swarm["task-history-limit"] }),
            ...(swarm?.["dispatcher-heartbeat"] !== undefined && {
              dispatcherHeartbeatNs: swarm["dispatcher-heartbeat"],
            }),
          },
        },
        done,
      ),
    );
    this.#expect(begun, first);
    // Managers first: the others may then lose one of them.
    const others = machines.filter((machine) => machine !== first);
    for (const role of ["manager", "worker"] as const)
      for (const machine of others) if (machine.role === role) yield* this.#join(machine, first, process);
  }

  *#join(machine: EngineMachine, first: EngineMachine, process: Process): Waiting<void> {
    yield* until(process, LONGEST_NS, () => (this.#hosts.store?.cluster === undefined ? "a leader" : undefined));
    const tokens = this.#hosts.store?.cluster?.rootCa.joinTokens;
    const joined = yield* answerOf<string | undefined>((done) =>
      machine.daemon.node.join(
        {
          remoteAddress: `${formatIpv4(first.address)}:2377`,
          token: tokens?.[machine.role] ?? "",
          advertiseAddress: formatIpv4(machine.address),
        },
        done,
      ),
    );
    this.#expect(joined, machine);
  }

  #expect(error: string | undefined, machine: EngineMachine): void {
    if (error === undefined) return;
    const found = `a machine that comes into no swarm: ${error}`;
    throw scenarioProblem(this.#scenario, `nodes.${machine.name}`, found, "one that the others can reach");
  }

  /** Any manager passes on what is asked to the leader. */
  #client(): ControlClient {
    for (const { daemon } of this.#hosts.engines.values()) {
      const { control } = daemon.node;
      if ("channel" in control) return new ControlClient(control.channel);
    }
    throw scenarioProblem(this.#scenario, "nodes", "no manager that answers", "a manager");
  }

  /** Bridge networks are each engine's own: on the machines whose containers are in them, everywhere when there are none. */
  *#makeLocalNetworks(): Waiting<void> {
    for (const [name, spec] of this.#scenario.networks ?? []) {
      if (driverOf(this.#scenario, spec) !== "bridge") continue;
      const users = [...(this.#scenario.containers ?? [])].flatMap(([, container]) =>
        attachmentsOf(container.networks).some((attachment) => attachment.name === name) ? [container.node] : [],
      );
      for (const machine of this.#hosts.engines.values())
        if (users.length === 0 || users.includes(machine.name))
          yield* this.#type(machine, networkLine(name, spec), `networks.${name}`);
    }
  }

  *#deployStack(): Waiting<void> {
    const { stack, name } = this.#scenario;
    if (stack === undefined) return;
    const file = typeof stack === "string" ? stack : stack.file;
    const stackName = typeof stack === "string" ? name : (stack.name ?? name);
    const manager = [...this.#hosts.engines.values()].find(({ role }) => role === "manager");
    const text = this.#scenario.texts.get(file);
    if (manager === undefined || text === undefined) return; // refused when the scenario was read
    manager.host.files.set(file, text);
    yield* this.#type(manager, `docker stack deploy -c ${file} ${stackName}`, "stack");
  }

  *#runContainers(): Waiting<void> {
    for (const [name, spec] of this.#scenario.containers ?? []) {
      const machine = this.#hosts.engines.get(spec.node);
      assert(machine !== undefined, "a container on a machine without an engine was not refused");
      yield* this.#type(machine, runLineOf(name, spec), `containers.${name}`);
    }
    for (const [name, { setup }] of this.#scenario.containers ?? [])
      for (const [index, line] of (setup ?? []).entries()) {
        const [found] = this.#hosts.find(name);
        const path = `containers.${name}.setup[${index}]`;
        if (found === undefined)
          throw scenarioProblem(this.#scenario, path, "a container that has ended", "one that runs");
        yield* this.#finish(new RunningCommand(found.host, line), path);
      }
  }

  *#type(machine: EngineMachine, line: string, path: string): Waiting<void> {
    yield* this.#finish(new RunningCommand(machine.host, line), path);
  }

  *#finish(command: RunningCommand, path: string): Waiting<void> {
    while (!command.ended) yield { queues: [command.exited] };
    this.#hosts.machines.expectSuccess(command, path);
  }

  *#settle(process: Process): Waiting<void> {
    const what = yield* until(process, LONGEST_NS, () => missing(this.#scenario, this.#hosts));
    if (what === undefined && hasSwarm(this.#scenario)) yield { queues: [], untilNs: process.clock.nowNs + SETTLE_NS };
    this.outcome =
      what === undefined
        ? { readyNs: process.clock.nowNs }
        : { problem: `not ready within ${LONGEST_NS / SECOND} s of virtual time: ${what}` };
  }
}
