/**
 * A container: a program in a sandbox, from its creation to its removal (moby daemon/{start,stop,kill,monitor,delete}.go). While it does not run it has no
 * namespace and no addresses. There may be very many of them: what an idle one does not need is made on first use.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { type Process, type TextSink, type Waiter, WaitQueue } from "../../linux/process.ts";
import type { World } from "../../linux/world.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { PublishedPort } from "../bridge/published-port.ts";
import type { ContainerSpec, Mount } from "../container-spec.ts";
import type { Endpoint } from "../endpoint.ts";
import { shortIdentifier } from "../identifiers.ts";
import type { ProgramStarter } from "../program-starter.ts";
import { type Refusal, refuse } from "../refusal.ts";
import type { ResolvConf } from "../resolver/resolv-conf.ts";
import type { Sandbox } from "../sandbox.ts";
import { HealthMonitor, type HealthStatus } from "./health-monitor.ts";
import { ContainerLog, type LogLine, type LogStream } from "./log.ts";
import { containerResolver, type HostsLine, hostsLines } from "./network-files.ts";
import { restartDelay } from "./restart-delay.ts";
import { parseSignal } from "./signal.ts";

export type ContainerState = "created" | "running" | "restarting" | "exited" | "dead";

/** What a container needs of its engine. */
export interface ContainerHost {
  readonly world: World;
  readonly release: "current" | "20.10";
  readonly programs: ProgramStarter;
  /** The host's /etc/resolv.conf. */
  readonly resolverConfiguration: ResolvConf;
  /** A sandbox with all the container's networks, or why not; then nothing is left. */
  makeSandbox(container: Container): Sandbox | Refusal;
  removeSandbox(sandbox: Sandbox): void;
  /** A running container joins or leaves a network: `docker network connect`. */
  connectNetwork(container: Container, attachment: ContainerSpec["networks"][number]): Refusal | undefined;
  disconnectNetwork(container: Container, network: string): Refusal | undefined;
  /** Its state, or its health, is another. */
  containerChanged(container: Container): void;
  /** It is gone. */
  containerRemoved(container: Container): void;
}

export type ContainerHealth = "none" | HealthStatus;

const DEFAULT_GRACE_NS = 10 * SECOND;
const NO_LINES: readonly LogLine[] = [];
const NO_MOUNTS: readonly Mount[] = [];
const NO_PORTS: readonly PublishedPort[] = [];
const NO_ENDPOINTS: readonly Endpoint[] = [];

export class Container implements Waiter {
  readonly id: string;
  readonly name: string;
  readonly spec: ContainerSpec;
  /** The spec's, each volume with its name. */
  readonly mounts: readonly Mount[];
  readonly createdNs: Nanoseconds;
  /** The networks that it is, or will be, in: as made, and as `connect` and `disconnect` have changed them. */
  attachments: ContainerSpec["networks"];
  readonly #host: ContainerHost;
  #state: ContainerState = "created";
  #exitStatus = 0;
  #startedNs: Nanoseconds = 0;
  #finishedNs: Nanoseconds = 0;
  #restarts = 0;
  #restartDelayNs: Nanoseconds = 0;
  #byHand = false; // told to stop
  #withEngine = false; // stopped because the engine was
  #removing = false;
  #sandbox: Sandbox | undefined = undefined;
  #process: Process | undefined = undefined;
  #others: Process[] | undefined = undefined; // `docker exec`
  #changed: WaitQueue | undefined = undefined;
  #log: ContainerLog | undefined = undefined;
  #health: HealthMonitor | undefined = undefined;
  #timer: Timer | undefined = undefined; // SIGKILL, or the next start

  constructor(
    host: ContainerHost,
    settings: { id: string; name: string; spec: ContainerSpec; mounts?: readonly Mount[] | undefined },
  ) {
    this.#host = host;
    this.id = settings.id;
    this.name = settings.name;
    this.spec = settings.spec;
    this.mounts = settings.mounts ?? NO_MOUNTS;
    this.attachments = settings.spec.networks;
    this.createdNs = host.world.simulation.nowNs;
  }

  get state(): ContainerState {
    return this.#state;
  }

  get running(): boolean {
    return this.#state === "running";
  }

  /** Of the last run: 0 to 255; 0 before the first. */
  get exitStatus(): number {
    return this.#exitStatus;
  }

  get startedNs(): Nanoseconds {
    return this.#startedNs;
  }

  get finishedNs(): Nanoseconds {
    return this.#finishedNs;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get health(): ContainerHealth {
    return this.#health?.status ?? "none";
  }

  /** The health check at work, while it runs. */
  get healthMonitor(): HealthMonitor | undefined {
    return this.#health;
  }

  /** Woken at every change of state or health. */
  get changed(): WaitQueue {
    this.#changed ??= new WaitQueue();
    return this.#changed;
  }

  get logs(): readonly LogLine[] {
    return this.#log?.lines ?? NO_LINES;
  }

  get log(): ContainerLog {
    this.#log ??= new ContainerLog(this.#host.world.simulation);
    return this.#log;
  }

  /** Undefined while it does not run. */
  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  get namespace(): NetworkNamespace | undefined {
    return this.#sandbox?.namespace;
  }

  /** PID 1. */
  get process(): Process | undefined {
    return this.#process;
  }

  get hostname(): string {
    return this.spec.hostname ?? shortIdentifier(this.id);
  }

  /** Its places in networks, docker_gwbridge among them; empty while it does not run. */
  get endpoints(): readonly Endpoint[] {
    return this.#sandbox?.endpoints ?? NO_ENDPOINTS;
  }

  /** Ports of the host that lead here now. */
  get publishedPorts(): readonly PublishedPort[] {
    return this.#sandbox?.exit?.publishedPorts ?? NO_PORTS;
  }

  /** /etc/hosts. */
  get hosts(): readonly HostsLine[] {
    return hostsLines(this.#host.release, this.hostname, this.spec, this.endpoints);
  }

  /** /etc/resolv.conf. */
  get resolver(): ResolvConf {
    const named = this.endpoints.some(({ network }) => network.resolvesNames);
    return containerResolver(this.spec, named, this.#host.resolverConfiguration);
  }

  /** Starts it; a running one stays as it is. A refusal leaves it as it was. */
  start(): Refusal | undefined {
    if (this.#state === "running") return undefined;
    if (this.#removing || this.#state === "dead")
      return refuse("conflict", "container is marked for removal and cannot be started");
    this.#timer?.stop();
    this.#byHand = false;
    this.#withEngine = false;
    return this.#run();
  }

  /** Asks it to end, and ends it by force after `graceNs`. `changed` tells when it has ended. */
  stop(graceNs?: Nanoseconds): void {
    this.#byHand = true;
    if (this.#endRestarting()) return;
    const process = this.#process;
    if (process === undefined) return;
    const limitNs = graceNs ?? this.spec.stopGraceNs ?? DEFAULT_GRACE_NS;
    this.#killIn(limitNs);
    process.kill(parseSignal(this.spec.stopSignal ?? "SIGTERM") ?? "SIGTERM");
  }

  /** `docker kill`: a signal for PID 1. */
  kill(signal = "SIGKILL"): Refusal | undefined {
    const known = parseSignal(signal);
    if (known === undefined) return refuse("invalid", `Invalid signal: ${signal}`);
    if (this.#process === undefined)
      return refuse("conflict", `Cannot kill container: ${this.name}: Container ${this.id} is not running`);
    const stopSignal = this.spec.stopSignal === undefined ? undefined : parseSignal(this.spec.stopSignal);
    if (stopSignal === undefined || known === stopSignal || known === "SIGKILL") this.#byHand = true;
    this.#process.kill(known);
    return undefined;
  }

  /** `docker rm`; `force` kills it first. */
  remove(force = false): Refusal | undefined {
    if (this.#state === "running" || this.#state === "restarting") {
      if (!force)
        return refuse(
          "conflict",
          `cannot remove container "${this.name}": container is running: stop the container before removing or force remove`,
        );
      this.#removing = true;
      this.#byHand = true;
      if (!this.#endRestarting()) this.#process?.kill("SIGKILL");
    }
    this.#removing = true;
    this.#timer?.stop();
    if (this.#state === "dead") return undefined;
    this.#enter("dead");
    this.#host.containerRemoved(this);
    return undefined;
  }

  /** The engine is shut down: it is stopped, and comes back with the engine if its policy says so. */
  endWithEngine(): void {
    if (this.#process === undefined && this.#state !== "restarting") return;
    this.#withEngine = true;
    this.stop();
  }

  /** It ran until the engine was shut down. */
  get endedWithEngine(): boolean {
    return this.#withEngine;
  }

  /** The power goes: everything in it ends at once, and nothing is sent. */
  cut(): void {
    this.#byHand = true;
    this.#withEngine = this.#process !== undefined || this.#state === "restarting";
    if (!this.#endRestarting()) this.#process?.kill("SIGKILL");
  }

  connect(attachment: ContainerSpec["networks"][number]): Refusal | undefined {
    return this.#host.connectNetwork(this, attachment);
  }

  disconnect(network: string): Refusal | undefined {
    return this.#host.disconnectNetwork(this, network);
  }

  /** `docker exec`: one more program, which ends at the latest with the container. */
  run(
    command: readonly string[],
    streams: { readonly stdout: TextSink; readonly stderr: TextSink },
  ): Process | Refusal {
    if (this.#process === undefined) return refuse("conflict", `container ${this.id} is not running`);
    const process = this.#host.programs.run(this, command, streams);
    if (!process.running) return process;
    this.#others ??= [];
    const others = this.#others;
    others.push(process);
    process.atExit(() => {
      const index = others.indexOf(process);
      if (index >= 0) others.splice(index, 1);
    });
    return process;
  }

  /** PID 1 has ended. */
  wake(): void {
    const process = this.#process;
    if (process === undefined || process.running) return;
    process.exited.remove(this);
    this.#ended(process.exitStatus ?? 0);
  }

  #run(): Refusal | undefined {
    const sandbox = this.#host.makeSandbox(this);
    if ("refused" in sandbox) {
      this.#exitStatus = 128;
      return sandbox;
    }
    this.#sandbox = sandbox;
    this.#startedNs = this.#host.world.simulation.nowNs;
    const process = this.#host.programs.start(this, {
      stdout: new LogSink(this, "stdout"),
      stderr: new LogSink(this, "stderr"),
    });
    this.#process = process;
    if (process.running) process.exited.add(this);
    const check = this.spec.healthCheck;
    if (check !== undefined && check.command.length > 0 && process.running)
      this.#health = new HealthMonitor({
        clock: this.#host.world.simulation,
        check,
        quickStart: this.#host.release === "current",
        probe: (command, output) => this.#host.programs.run(this, command, { stdout: output, stderr: output }),
        changed: () => this.#tell(),
      });
    this.#enter("running");
    this.wake();
    return undefined;
  }

  #ended(exitStatus: number): void {
    const nowNs = this.#host.world.simulation.nowNs;
    this.#timer?.stop();
    this.#health?.stop();
    this.#health = undefined;
    this.#process = undefined;
    for (const other of [...(this.#others ?? [])]) other.kill("SIGKILL");
    this.#log?.end();
    this.#exitStatus = exitStatus;
    this.#finishedNs = nowNs;
    if (this.#sandbox !== undefined) this.#host.removeSandbox(this.#sandbox);
    this.#sandbox = undefined;
    const delayNs = restartDelay(this.spec.restart, {
      exitStatus,
      ranNs: nowNs - this.#startedNs,
      byHand: this.#byHand,
      restarts: this.#restarts,
      delayNs: this.#restartDelayNs,
    });
    if (delayNs !== undefined) {
      this.#restartDelayNs = delayNs;
      this.#enter("restarting");
      this.#alarm().set(delayNs);
      return;
    }
    this.#restartDelayNs = 0;
    this.#enter("exited");
    if (this.spec.removeAtExit === true && !this.#removing) this.remove();
  }

  /** It waits for its next start, which will not come. */
  #endRestarting(): boolean {
    if (this.#state !== "restarting") return false;
    this.#timer?.stop();
    this.#enter("exited");
    return true;
  }

  #killIn(delayNs: Nanoseconds): void {
    this.#alarm().set(delayNs);
  }

  #alarm(): Timer {
    this.#timer ??= new Timer(this.#host.world.simulation, () => {
      if (this.#state !== "restarting") this.#process?.kill("SIGKILL");
      else {
        this.#restarts++;
        if (this.#run() !== undefined) this.#enter("exited");
      }
    });
    return this.#timer;
  }

  #enter(state: ContainerState): void {
    this.#state = state;
    this.#tell();
  }

  #tell(): void {
    this.#host.containerChanged(this);
    this.#changed?.wake();
  }
}

/** Where a program's text goes; the log is made with the first of it. */
class LogSink implements TextSink {
  readonly #container: Container;
  readonly #stream: LogStream;

  constructor(container: Container, stream: LogStream) {
    this.#container = container;
    this.#stream = stream;
  }

  write(text: string): void {
    this.#container.log.write(this.#stream, text);
  }
}
