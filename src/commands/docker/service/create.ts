/** `docker service create`: flags become a spec. */
import { endpointSpecShape } from "../../../swarm/api/parts.ts";
import {
  containerSpecShape,
  placementShape,
  type ServiceSpec,
  serviceSpecShape,
  taskSpecShape,
} from "../../../swarm/api/specs.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { shellWords } from "../../../swarm/stack/shell-words.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, clientOf, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import type { Flags } from "../flags.ts";
import { noSuchFile, readFile } from "../machine-files.ts";
import { parsePreference } from "./flag-checks.ts";
import { parseServicePort } from "./port-flag.ts";
import { waitOnService } from "./progress.ts";
import { attachmentsOf, configsOf, secretsOf } from "./references.ts";
import { SERVICE_CREATE_FLAGS } from "./service-flags.ts";
import {
  environmentOf,
  healthOf,
  hostLines,
  mountsOf,
  refuseForeign,
  resourcesOf,
  restartOf,
  sortedMap,
  taggedImage,
  updateConfigOf,
} from "./spec-values.ts";

export const SERVICE_CREATE: DockerCommand = {
  path: "service create",
  takes: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a new service",
  flags: SERVICE_CREATE_FLAGS,
  least: 1,
  most: undefined,
  interspersed: false,
  *run(process, context, flags, operands) {
    refuseForeign(flags);
    const mode = modeOf(flags);
    const parts = localParts(context, flags, operands, randomName(process.random.u32()));
    const client = clientOf(context);
    const spec = yield* withReferences(client, flags, { ...parts, ...mode });
    const { service } = yield* must(client.call("CreateService", { spec }));
    const id = service?.id ?? "";
    process.stdout.write(`${id}\n`);
    if (flags.bool("detach")) return 0;
    return yield* waitOnService(process, client, id, flags.bool("quiet"));
  },
};

const ONLY_REPLICATED = "can only be used with replicated or replicated-job mode";

type Mode = Pick<ServiceSpec, "replicated" | "global" | "replicatedJob" | "globalJob">;

function modeOf(flags: Flags): Mode {
  const none = { replicated: undefined, global: undefined, replicatedJob: undefined, globalJob: undefined };
  const mode = flags.string("mode") ?? "replicated";
  const replicas = flags.int("replicas");
  const maxConcurrent = flags.int("max-concurrent");
  const onlyJobs = "max-concurrent can only be used with replicated-job mode";
  switch (mode) {
    case "global":
    case "global-job":
      if (replicas !== undefined) throw new CommandError(1, `replicas ${ONLY_REPLICATED}`);
      if ((flags.int("replicas-max-per-node") ?? 0) > 0)
        throw new CommandError(1, `replicas-max-per-node ${ONLY_REPLICATED}`);
      if (maxConcurrent !== undefined) throw new CommandError(1, onlyJobs);
      return mode === "global" ? { ...none, global: {} } : { ...none, globalJob: {} };
    case "replicated":
      if (maxConcurrent !== undefined) throw new CommandError(1, onlyJobs);
      return { ...none, replicated: { replicas: replicas ?? 1 } };
    case "replicated-job": {
      const concurrent = maxConcurrent ?? replicas ?? 1;
      return { ...none, replicatedJob: { maxConcurrent: concurrent, totalCompletions: replicas ?? concurrent } };
    }
    default:
      throw new CommandError(1, `Unknown mode: ${mode}, only replicated and global supported`);
  }
}

const ADJECTIVES = [
  "amber",
  "brave",
  "calm",
  "eager",
  "gentle",
  "happy",
  "keen",
  "lucid",
  "quiet",
  "swift",
  "vivid",
  "wise",
];
const PEOPLE = ["bellman", "cerf", "dijkstra", "floyd", "hamming", "kahn", "lamport", "moore", "perlman", "shannon"];

/** A service without a name gets one. */
function randomName(number: number): string {
  return `${ADJECTIVES[number % ADJECTIVES.length]}_${PEOPLE[(number >>> 8) % PEOPLE.length]}`;
}

/** All that needs nobody to ask. */
function localParts(context: CommandContext, flags: Flags, operands: readonly string[], name: string): ServiceSpec {
  const [image = "", ...args] = operands;
  const placement = placementShape.make({
    constraints: flags.list("constraint"),
    preferences: flags.list("placement-pref").map((text) => {
      const preference = parsePreference(text);
      return { spread: typeof preference === "string" ? undefined : preference };
    }),
    maxReplicas: flags.int("replicas-max-per-node") ?? 0,
  });
  const logDriver = flags.string("log-driver");
  const task = taskSpecShape.make({
    container: containerOf(context, flags, image, args),
    resources: {
      limits: resourcesOf(flags, "limit", undefined),
      reservations: resourcesOf(flags, "reserve", undefined),
    },
    restart: restartOf(flags, undefined),
    placement,
    logDriver: logDriver === undefined ? undefined : { name: logDriver, options: sortedMap(flags.map("log-opt")) },
  });
  return serviceSpecShape.make({
    annotations: { name: flags.string("name") ?? name, labels: sortedMap(flags.map("label")) },
    task,
    update: updateConfigOf(flags, "update", undefined),
    rollback: updateConfigOf(flags, "rollback", undefined),
    endpoint: endpointSpecShape.make({
      mode: flags.string("endpoint-mode")?.toLowerCase() === "dnsrr" ? "dnsrr" : "vip",
      ports: flags.list("publish").flatMap((text) => {
        const ports = parseServicePort(text);
        return typeof ports === "string" ? [] : ports;
      }),
    }),
  });
}

function containerOf(context: CommandContext, flags: Flags, image: string, args: readonly string[]) {
  const entrypoint = shellWords(flags.string("entrypoint") ?? "");
  if (typeof entrypoint === "string") throw new CommandError(1, entrypoint);
  const fromFiles = flags.list("env-file").flatMap((path) => {
    const text = readFile(context.host, path);
    if (text === undefined) throw new CommandError(1, noSuchFile(path));
    return text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  });
  const dns = {
    nameservers: flags.list("dns"),
    search: flags.list("dns-search"),
    options: flags.list("dns-option"),
  };
  return containerSpecShape.make({
    image: flags.bool("no-resolve-image") ? image : taggedImage(image),
    labels: sortedMap(flags.map("container-label")),
    command: entrypoint,
    args,
    env: environmentOf([...fromFiles, ...flags.list("env")], context.environment),
    dir: flags.string("workdir") ?? "",
    user: flags.string("user") ?? "",
    groups: flags.list("group"),
    hostname: flags.string("hostname") ?? "",
    mounts: mountsOf(flags, "mount"),
    stopGracePeriod: flags.has("stop-grace-period") ? (flags.durationNs("stop-grace-period") ?? 0) : undefined,
    stopSignal: flags.string("stop-signal") ?? "",
    tty: flags.bool("tty"),
    readOnly: flags.bool("read-only"),
    init: flags.bool("init"),
    isolation: flags.string("isolation") ?? "",
    dns,
    hosts: hostLines(flags, "host"),
    healthcheck: healthOf(flags, undefined),
    sysctls: sortedMap(flags.map("sysctl")),
    capabilityAdd: flags.list("cap-add"),
    capabilityDrop: flags.list("cap-drop"),
  });
}

function* withReferences(client: ControlClient, flags: Flags, spec: ServiceSpec): Asking<ServiceSpec> {
  const { task } = spec;
  const networks = yield* attachmentsOf(client, flags, "network");
  const secrets = yield* secretsOf(client, flags, "secret");
  const configs = yield* configsOf(client, flags, "config");
  const container = task.container === undefined ? undefined : { ...task.container, secrets, configs };
  return { ...spec, task: { ...task, container, networks } };
}
