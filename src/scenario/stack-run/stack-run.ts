/**
 * A stack file without any scenario: machines that form a swarm, the stack deployed by the same words as anywhere, a while for it to come to rest, and then
 * everybody asked whether they reach whom they should. What `vxlab run docker-stack.yml` does.
 */
import { Process, type Program, sleep } from "../../linux/process.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { StackError } from "../../swarm/stack/stack-error.ts";
import type { Structure } from "../../swarm/stack/value.ts";
import { RunningCommand } from "../command-runner.ts";
import type { ServingHint } from "../image-programs.ts";
import { Lab } from "../lab.ts";
import { type Scenario, scenarioFrom } from "../load.ts";
import type { Waiting } from "../waiting.ts";
import { labelNodes } from "./auto-labels.ts";
import { OUTSIDE, planChecks, type ReachCheck } from "./reach-checks.ts";
import { missingTasks, waitsFor } from "./settled.ts";
import { type CheckResult, reportOf, type StackReport } from "./stack-report.ts";
import type { StackRunSettings } from "./stack-run-settings.ts";
import { stackServing } from "./stack-serving.ts";
import { type MachineView, StackView } from "./stack-view.ts";

/** A stack that has not come to rest by then is looked at as it is. */
const LONGEST_NS: Nanoseconds = 120 * SECOND;
const REST_NS: Nanoseconds = SECOND;
/** What gossip still has to say when all tasks run. */
const NEWS_NS: Nanoseconds = 2 * SECOND;
const LOOK_NS = 100 * MILLISECOND;
/** So many checks go on at once. */
const AT_ONCE = 64;
const CHECK_LIMIT_NS: Nanoseconds = 60 * SECOND;
/** What should succeed has so long to do it, and is tried so often. */
const PATIENCE_NS: Nanoseconds = 90 * SECOND;
const RETRY_NS: Nanoseconds = 10 * SECOND;
/** More than these are refused: a number too many in a file costs nothing. */
const MOST_TASKS = 2_000;
const MOST_PORTS = 1_000;
const CAPTURE = ["node*/eth0", "*.*/eth*"];

export type Phase = "forming the swarm" | "deploying" | "waiting for the tasks" | "checking" | "done";

export class StackRun {
  readonly lab: Lab;
  readonly #settings: StackRunSettings;
  readonly #serving: ReadonlyMap<string, ServingHint>;
  readonly #made: string[] = [];
  readonly #results: CheckResult[] = [];
  #view: StackView | undefined = undefined;
  #process: Process | undefined = undefined;
  #phase: Phase = "forming the swarm";
  #deployment: RunningCommand | undefined = undefined;
  #restlessFor: string | undefined = undefined;
  #settledNs: Nanoseconds | undefined = undefined;
  #tasksOfService: number | undefined = undefined;

  /** Throws a `StackError` for what would never run. */
  constructor(settings: StackRunSettings) {
    this.#settings = settings;
    refuseMultitudes(settings);
    if (settings.autoLabel) labelNodes(settings.loaded.stack, settings.nodes);
    this.#serving = stackServing(settings.loaded, settings.name);
    this.lab = new Lab(scenarioOf(settings, this.#serving));
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Runs on, at most about `mostEvents` events; true when it has ended. */
  advance(mostEvents = Number.POSITIVE_INFINITY): boolean {
    const { lab } = this;
    const { simulation } = lab.world;
    if (this.#process === undefined) {
      if (lab.readyNs === undefined) {
        // The lab has no steps: it may think that all is over as soon as the swarm stands.
        const isOver = lab.advance(mostEvents);
        if (lab.readyNs === undefined && isOver) this.#phase = "done";
        return this.#phase === "done";
      }
      this.#process = new Process({
        pid: 1,
        name: "stack run",
        clock: simulation,
        random: lab.world.random.fork("stack run"),
        stdout: NOWHERE,
        stderr: NOWHERE,
      });
      this.#process.start(this.#program(this.#process));
    }
    const process = this.#process;
    const endNs = Number.MAX_SAFE_INTEGER;
    if (process.running) simulation.run(endNs, () => !process.running, mostEvents);
    else if (this.#untilNs > simulation.nowNs) simulation.run(this.#untilNs, undefined, mostEvents);
    if (!process.running && simulation.nowNs >= this.#untilNs) this.#phase = "done";
    return this.#phase === "done";
  }

  report(): StackReport {
    const { result } = this.#deployment ?? {};
    return reportOf({
      settings: this.#settings,
      view: this.#view,
      made: this.#made,
      deployment: result,
      restlessFor: this.#restlessFor,
      missing: this.#view === undefined || result?.status !== 0 ? [] : missingTasks(this.#view),
      settledNs: this.#settledNs,
      checks: this.#results,
      tasksOfService: this.#tasksOfService,
      run: this.lab.report(),
    });
  }

  get #untilNs(): Nanoseconds {
    return this.#settings.until ?? 0;
  }

  *#program(process: Process): Program {
    const view = this.#look();
    this.#view = view;
    this.#phase = "deploying";
    const [manager] = view.machines;
    if (manager === undefined) return 1;
    if (this.#settings.createExternal) yield* this.#makeExternal(manager);
    this.#deployment = yield* this.#type(manager, this.#deployLine(manager));
    if (this.#deployment.result.status !== 0) return 1;
    this.#phase = "waiting for the tasks";
    yield* this.#rest(process, view);
    this.#phase = "checking";
    yield* this.#check(process, view);
    return 0;
  }

  #look(): StackView {
    const machines: MachineView[] = [];
    for (const { name } of this.#settings.nodes) {
      const host = this.lab.hosts.get(name);
      const address = host?.namespace.device("eth0")?.addresses[0]?.address;
      if (host !== undefined && address !== undefined) machines.push({ name, host, address });
    }
    return new StackView(this.lab, this.#settings.name, machines, this.#serving);
  }

  /** The files lie on the manager where they lie on the machine that this is run on: relative names in them mean the same. */
  #deployLine({ host }: MachineView): string {
    const { files, texts, environment, name } = this.#settings;
    for (const { path, text } of files) host.files.set(path, text);
    for (const [path, text] of texts) host.files.set(path, text);
    for (const [key, value] of environment) host.environment.set(key, value);
    const options = files.map(({ path }) => `-c ${quotedWord(path)}`);
    return `docker stack deploy --detach=true ${options.join(" ")} ${quotedWord(name)}`;
  }

  *#makeExternal(manager: MachineView): Waiting<void> {
    const { stack } = this.#settings.loaded;
    const nameOf = (object: Structure, key: string) => quotedWord(String(object.name ?? key));
    for (const kind of ["secret", "config"] as const)
      for (const [key, object] of kind === "secret" ? stack.secrets : stack.configs)
        if (object.external === true)
          yield* this.#make(
            manager,
            `echo 'made up by vxlab' | docker ${kind} create ${nameOf(object, key)} -`,
            kind,
            key,
          );
    for (const [key, network] of stack.networks)
      if (network.external === true)
        yield* this.#make(
          manager,
          `docker network create -d overlay --attachable ${nameOf(network, key)}`,
          "network",
          key,
        );
  }

  *#make(manager: MachineView, line: string, kind: string, name: string): Waiting<void> {
    const { result } = yield* this.#type(manager, line);
    if (result.status === 0) this.#made.push(`${kind} ${name}`);
  }

  *#type({ host, name }: MachineView, line: string): Waiting<RunningCommand> {
    const command = new RunningCommand(host, line, undefined, name);
    while (!command.ended) yield { queues: [command.exited] };
    return command;
  }

  /** Until nothing has moved for a while, and everybody has heard of it. */
  *#rest(process: Process, view: StackView): Waiting<void> {
    const endNs = process.clock.nowNs + LONGEST_NS;
    let restsSinceNs: Nanoseconds | undefined;
    for (;;) {
      const what = waitsFor(view);
      const { nowNs } = process.clock;
      if (what !== undefined) restsSinceNs = undefined;
      else restsSinceNs ??= nowNs;
      this.#restlessFor = what;
      if (restsSinceNs !== undefined && nowNs - restsSinceNs >= REST_NS) break;
      if (nowNs >= endNs) break;
      yield* sleep(process, LOOK_NS);
    }
    if (restsSinceNs !== undefined) this.#settledNs = restsSinceNs;
    yield* sleep(process, NEWS_NS);
  }

  /** Gossip forgets somebody now and then, until nodes compare all they know: what should succeed and does not is tried again. */
  *#check(process: Process, view: StackView): Waiting<void> {
    const { checks, tasksOfService } = planChecks(view);
    this.#tasksOfService = tasksOfService;
    const beganNs = process.clock.nowNs;
    const results = yield* this.#ask(process, checks);
    for (;;) {
      const late = checks.filter((check, index) => check.expected && results[index]?.holds === false);
      const elapsedNs = process.clock.nowNs - beganNs;
      if (late.length === 0 || elapsedNs >= PATIENCE_NS) break;
      yield* sleep(process, RETRY_NS);
      const sinceNs = process.clock.nowNs - beganNs;
      const again = yield* this.#ask(process, late);
      for (const [index, check] of late.entries())
        if (again[index]?.holds === true) results[checks.indexOf(check)] = { ...again[index], lateNs: sinceNs };
    }
    this.#results.push(...results);
  }

  *#ask(process: Process, checks: readonly ReachCheck[]): Waiting<CheckResult[]> {
    const { hosts } = this.lab;
    const results: CheckResult[] = [];
    for (let at = 0; at < checks.length; at += AT_ONCE) {
      const begun = checks.slice(at, at + AT_ONCE).map((check) => {
        const host = hosts.get(check.task?.name ?? OUTSIDE);
        const command = host === undefined ? undefined : new RunningCommand(host, check.line, undefined, check.from);
        return { check, command };
      });
      const endNs = process.clock.nowNs + CHECK_LIMIT_NS;
      for (const { check, command } of begun) {
        while (command !== undefined && !command.ended && process.clock.nowNs < endNs)
          yield { queues: [command.exited], untilNs: endNs };
        if (command?.ended === false) command.signal("SIGKILL");
        results.push(resultOf(check, command));
      }
    }
    return results;
  }
}

function resultOf(check: ReachCheck, command: RunningCommand | undefined): CheckResult {
  const { kind, from, to, line, expected, output } = check;
  if (command === undefined) return { kind, from, to, line, expected, holds: false, found: "its container is gone" };
  const { status, stdout, stderr } = command.result;
  const succeeded = output === undefined ? status === 0 : output.test(stdout);
  const said = (stderr + stdout).trim().split("\n").at(-1) ?? "";
  const end = status === undefined ? "it did not end" : `status ${status}`;
  return {
    kind,
    from,
    to,
    line,
    expected,
    holds: succeeded === expected,
    found: said === "" ? end : `${end}: ${said}`,
  };
}

const NOWHERE = { write: () => undefined };

function scenarioOf(settings: StackRunSettings, serving: ReadonlyMap<string, ServingHint>): Scenario {
  const machines = settings.nodes.map(({ name, role, labels }) => [name, { role, labels: Object.fromEntries(labels) }]);
  const scenario = scenarioFrom(
    {
      name: settings.name,
      seed: settings.seed,
      swarm: settings.isSealed ? { "control-plane": "sealed" } : {},
      nodes: Object.fromEntries([...machines, [OUTSIDE, { role: "host" }]]),
      capture: [...(settings.capture ?? CAPTURE)],
    },
    settings.files[0]?.path ?? settings.name,
  );
  return { ...scenario, serving };
}

/** As the shell gives it back. */
function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function refuseMultitudes({ loaded }: StackRunSettings): void {
  let tasks = 0;
  let ports = 0;
  const refuse = (service: string, found: string, most: number, path: readonly string[]) => {
    throw new StackError(
      `service ${service}: ${found} in all are more than are run here (${most})`,
      loaded.placeOf(["services", service, ...path]),
    );
  };
  for (const [name, { deploy, ports: published }] of loaded.stack.services) {
    const replicas = (deploy as Structure | undefined)?.replicas;
    tasks += replicas === undefined ? 1 : Number(replicas);
    ports += Array.isArray(published) ? published.length : 0;
    if (tasks > MOST_TASKS) refuse(name, `${tasks} tasks`, MOST_TASKS, ["deploy", "replicas"]);
    if (ports > MOST_PORTS) refuse(name, `${ports} published ports`, MOST_PORTS, ["ports"]);
  }
}
