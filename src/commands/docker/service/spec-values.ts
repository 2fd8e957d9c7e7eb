/** Parts of a service's spec from flags, for a new service and for a change of one alike (docker/cli command/service/opts.go, update.go). */
import type { Resources } from "../../../swarm/api/parts.ts";
import {
  type HealthConfig,
  healthConfigShape,
  type Mount,
  mountShape,
  type RestartPolicy,
  type UpdateConfig,
} from "../../../swarm/api/specs.ts";
import { DEFAULT_RESTART, DEFAULT_UPDATE } from "../../../swarm/control/service-defaults.ts";
import { quoted } from "../../../swarm/stack/go-quote.ts";
import { parseMemorySize } from "../../../swarm/stack/memory-size.ts";
import { CommandError } from "../../command-error.ts";
import { daemonError } from "../cluster.ts";
import { splitAddHost } from "../container/flag-checks.ts";
import { parseMount } from "../container/mount-flags.ts";
import { type Flags, splitPair } from "../flags.ts";

/** Undefined: none of its flags was given and there was none before. `Ns` flags that say 0 count. */
function durationOf(flags: Flags, name: string, otherwise: number | undefined): number | undefined {
  return flags.has(name) ? (flags.durationNs(name) ?? 0) : otherwise;
}

function oneOf<T extends string>(what: string, known: readonly T[], text: string): T {
  const found = known.find((each) => each === text);
  if (found === undefined) throw daemonError(`${what}: ${quoted(text)}`);
  return found;
}

/** `kind`: which of the two it is. */
export function updateConfigOf(
  flags: Flags,
  kind: "update" | "rollback",
  before: UpdateConfig | undefined,
): UpdateConfig | undefined {
  const names = ["parallelism", "delay", "monitor", "failure-action", "max-failure-ratio", "order"];
  if (!names.some((name) => flags.has(`${kind}-${name}`))) return before;
  const base = before ?? DEFAULT_UPDATE;
  const ratio = flags.string(`${kind}-max-failure-ratio`);
  const actions = kind === "update" ? (["pause", "continue", "rollback"] as const) : (["pause", "continue"] as const);
  return {
    parallelism: flags.int(`${kind}-parallelism`) ?? base.parallelism,
    delay: durationOf(flags, `${kind}-delay`, base.delay),
    monitor: durationOf(flags, `${kind}-monitor`, base.monitor),
    failureAction: oneOf(
      `unrecongized ${kind} failure action`,
      actions,
      flags.string(`${kind}-failure-action`) ?? base.failureAction,
    ),
    maxFailureRatio: ratio === undefined ? base.maxFailureRatio : Number(ratio),
    order: oneOf(
      `unrecongized ${kind} order`,
      ["stop-first", "start-first"] as const,
      flags.string(`${kind}-order`) ?? base.order,
    ),
  };
}

export function restartOf(flags: Flags, before: RestartPolicy | undefined): RestartPolicy | undefined {
  const names = ["condition", "delay", "max-attempts", "window"];
  if (!names.some((name) => flags.has(`restart-${name}`))) return before;
  const base = before ?? DEFAULT_RESTART;
  return {
    condition: oneOf(
      "invalid RestartPolicy condition",
      ["none", "on-failure", "any"] as const,
      flags.string("restart-condition") ?? base.condition,
    ),
    delay: durationOf(flags, "restart-delay", base.delay),
    maxAttempts: flags.int("restart-max-attempts") ?? base.maxAttempts,
    window: durationOf(flags, "restart-window", base.window),
  };
}

/** CPUs may be a fraction; memory in units of 1024. */
export function resourcesOf(flags: Flags, kind: "limit" | "reserve", before: Resources | undefined): Resources {
  const cpus = flags.string(`${kind}-cpu`);
  const memory = flags.string(`${kind}-memory`);
  const size = memory === undefined ? undefined : parseMemorySize(memory);
  if (typeof size === "string") throw new CommandError(1, size);
  return {
    nanoCpus: cpus === undefined ? (before?.nanoCpus ?? 0) : Math.round(Number(cpus) * 1e9),
    memoryBytes: size ?? before?.memoryBytes ?? 0,
  };
}

const HEALTH_FLAGS = ["cmd", "interval", "timeout", "start-period", "start-interval", "retries"];

export function healthOf(flags: Flags, before: HealthConfig | undefined): HealthConfig | undefined {
  const isGiven = HEALTH_FLAGS.some((name) => flags.has(`health-${name}`));
  if (flags.bool("no-healthcheck")) {
    if (isGiven) throw new CommandError(1, "--no-healthcheck conflicts with --health-* options");
    return healthConfigShape.make({ test: ["NONE"] });
  }
  if (!isGiven) return before;
  const base = before ?? healthConfigShape.make();
  const command = flags.string("health-cmd");
  const test =
    command === undefined ? base.test.filter((word) => word !== "NONE") : command === "" ? [] : ["CMD-SHELL", command];
  return {
    test,
    interval: durationOf(flags, "health-interval", base.interval),
    timeout: durationOf(flags, "health-timeout", base.timeout),
    retries: flags.int("health-retries") ?? base.retries,
    startPeriod: durationOf(flags, "health-start-period", base.startPeriod),
    startInterval: durationOf(flags, "health-start-interval", base.startInterval),
  };
}

export function mountsOf(flags: Flags, name: string): Mount[] {
  return flags.list(name).map((text) => {
    const mount = parseMount(text);
    if (typeof mount === "string") throw new CommandError(1, mount);
    const { type, source = "", target, readOnly } = mount;
    return mountShape.make({ type, source, target, readOnly: readOnly ?? false });
  });
}

/** Lines of /etc/hosts: address, space, name. */
export function hostLines(flags: Flags, name: string): string[] {
  return flags.list(name).map((text) => {
    const [host, address] = splitAddHost(text) ?? ["", ""];
    return `${address} ${host}`;
  });
}

/** Keys without a value take it from the environment of the command, if it is there. */
export function environmentOf(values: readonly string[], environment: ReadonlyMap<string, string>): string[] {
  const variables = new Map<string, string>();
  for (const text of values) {
    const [key] = splitPair(text);
    const own = environment.get(key);
    variables.set(key, text.includes("=") || own === undefined ? text : `${key}=${own}`);
  }
  return [...variables.values()];
}

/** In the order of their keys. */
export function sortedMap(entries: Iterable<readonly [string, string]>): Map<string, string> {
  return new Map([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** `nginx` means `nginx:latest`. */
export function taggedImage(image: string): string {
  return /[@]|:[^/]+$/.test(image) || /^[0-9a-f]{64}$/.test(image) ? image : `${image}:latest`;
}

const FOREIGN = ["generic-resource", "generic-resource-add", "generic-resource-rm", "credential-spec"];

/** What would change where tasks run or what they are, and cannot be had here, is not passed over in silence. */
export function refuseForeign(flags: Flags): void {
  const name = FOREIGN.find((each) => flags.has(each));
  if (name !== undefined) throw new CommandError(1, `--${name} is not emulated`);
}
