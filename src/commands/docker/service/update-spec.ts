/** A service's spec with the changes that the flags of `docker service update` ask for (docker/cli command/service/update.go). */
import type { PortConfig } from "../../../swarm/api/parts.ts";
import {
  type ContainerSpec,
  containerSpecShape,
  placementShape,
  type ServiceSpec,
  type TaskSpec,
} from "../../../swarm/api/specs.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { shellWords } from "../../../swarm/stack/shell-words.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, must } from "../cluster.ts";
import { splitAddHost } from "../container/flag-checks.ts";
import { type Flags, splitPair } from "../flags.ts";
import { parsePreference } from "./flag-checks.ts";
import { parseServicePort } from "./port-flag.ts";
import { attachmentsOf, configsOf, secretsOf } from "./references.ts";
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

export function* updatedSpec(
  context: CommandContext,
  client: ControlClient,
  flags: Flags,
  spec: ServiceSpec,
): Asking<ServiceSpec> {
  refuseForeign(flags);
  const { endpoint } = spec;
  const mode = flags.string("endpoint-mode");
  const ports = changedPorts(flags, endpoint?.ports ?? []);
  return {
    ...spec,
    ...scaled(flags, spec),
    annotations: { ...spec.annotations, labels: changedMap(flags, "label", spec.annotations.labels) },
    task: yield* updatedTask(context, client, flags, spec.task),
    update: updateConfigOf(flags, "update", spec.update),
    rollback: updateConfigOf(flags, "rollback", spec.rollback),
    endpoint: { mode: mode === undefined ? (endpoint?.mode ?? "vip") : mode === "dnsrr" ? "dnsrr" : "vip", ports },
  };
}

function scaled(flags: Flags, spec: ServiceSpec): Partial<ServiceSpec> {
  const replicas = flags.int("replicas");
  const maxConcurrent = flags.int("max-concurrent");
  const { replicatedJob } = spec;
  if (replicas !== undefined && spec.replicated === undefined && replicatedJob === undefined)
    throw new CommandError(1, "replicas can only be used with replicated mode");
  if (maxConcurrent !== undefined && replicatedJob === undefined)
    throw new CommandError(1, "max-concurrent can only be used with replicated-job mode");
  if (replicatedJob !== undefined)
    return {
      replicatedJob: {
        maxConcurrent: maxConcurrent ?? replicatedJob.maxConcurrent,
        totalCompletions: replicas ?? replicatedJob.totalCompletions,
      },
    };
  return replicas === undefined ? {} : { replicated: { replicas } };
}

function* updatedTask(context: CommandContext, client: ControlClient, flags: Flags, task: TaskSpec): Asking<TaskSpec> {
  const { resources, placement = placementShape.make() } = task;
  const preferences = changedPreferences(flags, placement.preferences);
  const logDriver = flags.string("log-driver");
  return {
    ...task,
    container: yield* updatedContainer(context, client, flags, task.container ?? containerSpecShape.make()),
    resources: {
      limits: resourcesOf(flags, "limit", resources?.limits),
      reservations: resourcesOf(flags, "reserve", resources?.reservations),
    },
    restart: restartOf(flags, task.restart),
    placement: {
      ...placement,
      constraints: changedList(flags, "constraint", placement.constraints),
      preferences,
      maxReplicas: flags.int("replicas-max-per-node") ?? placement.maxReplicas,
    },
    logDriver: logDriver === undefined ? task.logDriver : { name: logDriver, options: sortedMap(flags.map("log-opt")) },
    networks: yield* changedNetworks(client, flags, task.networks),
    forceUpdate: task.forceUpdate + (flags.bool("force") ? 1 : 0),
  };
}

function* updatedContainer(
  context: CommandContext,
  client: ControlClient,
  flags: Flags,
  container: ContainerSpec,
): Asking<ContainerSpec> {
  const image = flags.string("image");
  const environment = environmentOf(flags.list("env-add"), context.environment);
  const secrets = container.secrets.filter(({ secretName }) => !flags.list("secret-rm").includes(secretName));
  const configs = container.configs.filter(({ configName }) => !flags.list("config-rm").includes(configName));
  const newSecrets = yield* secretsOf(client, flags, "secret-add");
  const newConfigs = yield* configsOf(client, flags, "config-add");
  const newMounts = mountsOf(flags, "mount-add");
  const dns = container.dns ?? { nameservers: [], search: [], options: [] };
  return {
    ...container,
    image: image === undefined ? container.image : flags.bool("no-resolve-image") ? image : taggedImage(image),
    labels: changedMap(flags, "container-label", container.labels),
    command: words(flags, "entrypoint") ?? container.command,
    args: words(flags, "args") ?? container.args,
    env: changedPairs(container.env, environment, flags.list("env-rm")),
    dir: flags.string("workdir") ?? container.dir,
    user: flags.string("user") ?? container.user,
    groups: changedList(flags, "group", container.groups),
    hostname: flags.string("hostname") ?? container.hostname,
    mounts: [
      ...container.mounts.filter(({ target }) => !newMounts.some((mount) => mount.target === target)),
      ...newMounts,
    ].filter(({ target }) => !flags.list("mount-rm").includes(target)),
    stopGracePeriod: flags.has("stop-grace-period")
      ? (flags.durationNs("stop-grace-period") ?? 0)
      : container.stopGracePeriod,
    stopSignal: flags.string("stop-signal") ?? container.stopSignal,
    tty: flags.bool("tty", container.tty),
    readOnly: flags.bool("read-only", container.readOnly),
    init: flags.bool("init", container.init),
    isolation: flags.string("isolation") ?? container.isolation,
    dns: {
      nameservers: changedList(flags, "dns", dns.nameservers),
      search: changedList(flags, "dns-search", dns.search),
      options: changedList(flags, "dns-option", dns.options),
    },
    hosts: changedHosts(flags, container.hosts),
    healthcheck: healthOf(flags, container.healthcheck),
    secrets: [
      ...secrets.filter((old) => !newSecrets.some((added) => added.file?.name === old.file?.name)),
      ...newSecrets,
    ],
    configs: [
      ...configs.filter((old) => !newConfigs.some((added) => added.file?.name === old.file?.name)),
      ...newConfigs,
    ],
    sysctls: changedMap(flags, "sysctl", container.sysctls),
    capabilityAdd: [...new Set([...container.capabilityAdd, ...flags.list("cap-add")])].sort(),
    capabilityDrop: [...new Set([...container.capabilityDrop, ...flags.list("cap-drop")])].sort(),
  };
}

function words(flags: Flags, name: string): string[] | undefined {
  const text = flags.string(name);
  const split = text === undefined ? undefined : shellWords(text);
  if (typeof split === "string") throw new CommandError(1, split);
  return split;
}

/** `-add` and `-rm` of plain values; what there is comes out in alphabetical order. */
function changedList(flags: Flags, name: string, before: readonly string[]): readonly string[] {
  const added = flags.list(`${name}-add`);
  const removed = flags.list(`${name}-rm`);
  if (added.length === 0 && removed.length === 0) return before;
  return [...new Set([...before, ...added])].filter((each) => !removed.includes(each)).sort();
}

function changedMap(flags: Flags, name: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const changed = new Map([...before, ...flags.list(`${name}-add`).map(splitPair)]);
  for (const key of flags.list(`${name}-rm`)) changed.delete(splitPair(key)[0]);
  return sortedMap(changed);
}

/** A variable that is set anew takes the place of the old one; they are sorted then, as the client sorts them. */
function changedPairs(
  before: readonly string[],
  added: readonly string[],
  removed: readonly string[],
): readonly string[] {
  if (added.length === 0 && removed.length === 0) return before;
  const variables = new Map([...before, ...added].map((text) => [splitPair(text)[0], text]));
  for (const key of removed) variables.delete(splitPair(key)[0]);
  return [...variables.values()].sort();
}

function changedHosts(flags: Flags, before: readonly string[]): readonly string[] {
  const removed = flags.list("host-rm").map((text) => splitAddHost(text) ?? ([text, undefined] as const));
  const kept = before.filter((line) => {
    const [address, ...names] = line.split(" ");
    return !removed.some(([name, only]) => names.includes(name) && (only === undefined || only === address));
  });
  return [...kept, ...hostLines(flags, "host-add")];
}

type Preferences = NonNullable<TaskSpec["placement"]>["preferences"];

function changedPreferences(flags: Flags, before: Preferences): Preferences {
  const read = (name: string) =>
    flags.list(name).flatMap((text) => {
      const preference = parsePreference(text);
      return typeof preference === "string" ? [] : [{ spread: preference }];
    });
  const removed = read("placement-pref-rm").map(({ spread }) => spread.descriptor);
  const kept = before.filter(({ spread }) => !removed.includes(spread?.descriptor ?? ""));
  return [...kept, ...read("placement-pref-add")];
}

function* changedNetworks(
  client: ControlClient,
  flags: Flags,
  before: TaskSpec["networks"],
): Asking<TaskSpec["networks"]> {
  const added = yield* attachmentsOf(client, flags, "network-add");
  const removed: string[] = [];
  for (const name of flags.list("network-rm")) removed.push((yield* must(client.find("network", name))).id);
  if (added.length === 0 && removed.length === 0) return before;
  const kept = before.filter(({ target }) => !removed.includes(target));
  for (const { target } of added)
    if (kept.some((other) => other.target === target))
      throw new CommandError(1, `service is already attached to network ${target}`);
  return [...kept, ...added].sort((a, b) => (a.target < b.target ? -1 : 1));
}

function portText({ protocol, publishedPort, targetPort, publishMode }: PortConfig): string {
  return `${publishedPort}:${targetPort}/${protocol}/${publishMode}`;
}

function readPorts(flags: Flags, name: string): PortConfig[] {
  return flags.list(name).flatMap((text) => {
    const ports = parseServicePort(text);
    return typeof ports === "string" ? [] : ports;
  });
}

/** `--publish-rm` names target ports. */
function changedPorts(flags: Flags, before: readonly PortConfig[]): readonly PortConfig[] {
  const added = readPorts(flags, "publish-add");
  const removed = readPorts(flags, "publish-rm");
  if (added.length === 0 && removed.length === 0) return before;
  const kept = before.filter(
    ({ protocol, targetPort }) => !removed.some((port) => port.protocol === protocol && port.targetPort === targetPort),
  );
  const all = new Map([...kept, ...added].map((port) => [portText(port), port]));
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, port]) => port);
}
