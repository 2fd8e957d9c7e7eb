/** What a service's spec must be like (swarmkit manager/controlapi/service.go): the first thing that is wrong, in swarmkit's order and words. */
import { MILLISECOND, type Nanoseconds } from "../../sim/time.ts";
import type { Resources } from "../api/parts.ts";
import type { ContainerSpec, HealthConfig, RestartPolicy, ServiceSpec, TaskSpec, UpdateConfig } from "../api/specs.ts";
import { type Status, status } from "../grpc/status.ts";
import { parseConstraints } from "../scheduler/constraint.ts";
import { quoted } from "../stack/go-quote.ts";
import { refuseName } from "./names.ts";

const LEAST_NANO_CPUS = 1e6;
const LEAST_MEMORY_BYTES = 4 * 1024 * 1024;
const LEAST_HEALTH_NS = MILLISECOND;

export const MODES = ["replicated", "global", "replicatedJob", "globalJob"] as const;
export type Mode = (typeof MODES)[number];

/** Undefined: none is there. */
export function modeOf(spec: ServiceSpec): Mode | undefined {
  return MODES.find((mode) => spec[mode] !== undefined);
}

function invalid(message: string): Status {
  return status("InvalidArgument", message);
}

export function refuseServiceSpec(spec: ServiceSpec): Status | undefined {
  return (
    refuseName(spec.annotations) ??
    refuseTaskSpec(spec.task) ??
    refuseMode(spec) ??
    refuseUpdates(spec) ??
    refusePorts(spec)
  );
}

function refuseTaskSpec(task: TaskSpec): Status | undefined {
  const { resources, restart, placement, container } = task;
  const refused =
    refuseResources(resources?.limits) ??
    refuseResources(resources?.reservations) ??
    refuseRestart(restart) ??
    refuseConstraints(placement?.constraints ?? []) ??
    refuseReferences(
      "secret",
      (container?.secrets ?? []).map(({ secretId, secretName, file }) => ({ id: secretId, name: secretName, file })),
    ) ??
    refuseReferences(
      "config",
      (container?.configs ?? []).map(({ configId, configName, file }) => ({ id: configId, name: configName, file })),
    );
  if (refused !== undefined) return refused;
  return container === undefined ? invalid("TaskSpec: missing runtime") : refuseContainer(container);
}

function refuseResources(resources: Resources | undefined): Status | undefined {
  if (resources === undefined) return undefined;
  const { nanoCpus, memoryBytes } = resources;
  if (nanoCpus !== 0 && nanoCpus < LEAST_NANO_CPUS)
    return invalid(`invalid cpu value ${goFloat(nanoCpus / 1e9)}: Must be at least 0.001`);
  if (memoryBytes !== 0 && memoryBytes < LEAST_MEMORY_BYTES)
    return invalid(`invalid memory value ${memoryBytes}: Must be at least 4MiB`);
  return undefined;
}

/** `%g`: below a ten-thousandth with an exponent of two digits. */
function goFloat(value: number): string {
  const text = value < 1e-4 ? value.toExponential() : String(value);
  return text.replace(/e-(\d)$/, "e-0$1");
}

function refuseRestart(restart: RestartPolicy | undefined): Status | undefined {
  if ((restart?.delay ?? 0) < 0) return invalid("TaskSpec: restart-delay cannot be negative");
  if ((restart?.window ?? 0) < 0) return invalid("TaskSpec: restart-window cannot be negative");
  return undefined;
}

function refuseConstraints(lines: readonly string[]): Status | undefined {
  const parsed = parseConstraints(lines);
  return "problem" in parsed ? status("Unknown", parsed.problem) : undefined;
}

interface Reference {
  readonly id: string;
  readonly name: string;
  readonly file: { readonly name: string } | undefined;
}

function refuseReferences(kind: "secret" | "config", references: readonly Reference[]): Status | undefined {
  const targets = new Map<string, string>();
  for (const { id, name, file } of references) {
    if (id === "" || name === "") return invalid(`malformed ${kind} reference`);
    if (file === undefined) return invalid(`malformed ${kind} reference, no target provided`);
    if (file.name === "") return invalid(`malformed file ${kind} reference, invalid target file name provided`);
    const other = targets.get(file.name);
    if (other !== undefined)
      return invalid(`${kind} references '${other}' and '${name}' have a conflicting target: '${file.name}'`);
    targets.set(file.name, name);
  }
  return undefined;
}

/** `[host[:port]/]path[:tag][@digest]`, as far as its letters go. */
const IMAGE =
  /^(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?$/;
const MOST_IMAGE = 512;

export function isImageReference(image: string): boolean {
  return image.length <= MOST_IMAGE && IMAGE.test(image);
}

function refuseContainer(container: ContainerSpec): Status | undefined {
  if (container.image === "") return invalid("ContainerSpec: image reference must be provided");
  if (!isImageReference(container.image))
    return invalid(`ContainerSpec: ${quoted(container.image)} is not a valid repository/tag`);
  const targets = new Set<string>();
  for (const { target } of container.mounts) {
    if (targets.has(target)) return invalid(`ContainerSpec: duplicate mount point: ${target}`);
    targets.add(target);
  }
  return refuseHealth(container.healthcheck);
}

function refuseHealth(health: HealthConfig | undefined): Status | undefined {
  if (health === undefined) return undefined;
  const { interval, timeout, startPeriod, startInterval } = health;
  const times: readonly [string, Nanoseconds | undefined][] = [
    ["Interval", interval],
    ["Timeout", timeout],
    ["StartPeriod", startPeriod],
    ["StartInterval", startInterval],
  ];
  for (const [name, timeNs] of times)
    if (timeNs !== undefined && timeNs !== 0 && timeNs < LEAST_HEALTH_NS)
      return invalid(`ContainerSpec: ${name} in HealthConfig cannot be less than 1ms`);
  return undefined;
}

/** Numbers on the wire have 64 bits without a sign; swarmkit refuses those that were negative before. */
function refuseMode(spec: ServiceSpec): Status | undefined {
  switch (modeOf(spec)) {
    case undefined:
      return invalid("Unrecognized service mode");
    case "replicated":
      return (spec.replicated?.replicas ?? 0) < 0 ? invalid("Number of replicas must be non-negative") : undefined;
    case "replicatedJob": {
      const { maxConcurrent = 0, totalCompletions = 0 } = spec.replicatedJob ?? {};
      if (maxConcurrent < 0) return invalid("Maximum concurrent jobs must be non-negative");
      return totalCompletions < 0 ? invalid("Total completed jobs must be non-negative") : undefined;
    }
    default:
      return undefined;
  }
}

function refuseUpdates(spec: ServiceSpec): Status | undefined {
  if (spec.replicatedJob !== undefined || spec.globalJob !== undefined)
    return spec.update === undefined ? undefined : invalid("Jobs may not have an update config");
  return refuseUpdate(spec.update);
}

function refuseUpdate(update: UpdateConfig | undefined): Status | undefined {
  if (update === undefined) return undefined;
  if ((update.delay ?? 0) < 0) return invalid("TaskSpec: update-delay cannot be negative");
  if ((update.monitor ?? 0) < 0) return invalid("TaskSpec: update-monitor cannot be negative");
  if (update.maxFailureRatio < 0 || update.maxFailureRatio > 1)
    return invalid("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1");
  return undefined;
}

function refusePorts({ endpoint }: ServiceSpec): Status | undefined {
  const taken = new Set<string>();
  for (const { publishMode, publishedPort, protocol } of endpoint?.ports ?? []) {
    if (endpoint?.mode === "dnsrr" && publishMode === "ingress")
      return invalid("EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
    if (publishedPort === 0) continue;
    const key = `${publishedPort}/${protocol}`;
    if (taken.has(key)) return invalid("EndpointSpec: duplicate published ports provided");
    taken.add(key);
  }
  return undefined;
}
