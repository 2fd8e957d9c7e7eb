/** A task's container, as its spec says (moby daemon/cluster/executor/container/container.go): names, labels, networks, ports, files. */
import type { PortBinding } from "../../docker/bridge/published-port.ts";
import type { ContainerSpec, Mount, MountedFile, NetworkAttachment } from "../../docker/container-spec.ts";
import { type Ipv4Address, parseIpv4, parsePrefix } from "../../wire/address.ts";
import type { Task } from "../api/objects.ts";
import type { HealthConfig } from "../api/specs.ts";
import type { Dependencies } from "./worker.ts";

/** What placeholders in a spec are filled with. */
export interface TaskPlace {
  readonly nodeId: string;
  readonly hostname: string;
}

/** `web.1.<task id>`; of a global service with the node's id. */
export function containerName(task: Task): string {
  if (task.annotations.name !== "") return task.annotations.name;
  const place = task.slot === 0 ? task.nodeId : String(task.slot);
  return `${task.serviceAnnotations.name}.${place}.${task.id}`;
}

/** The spec of the container, or the words for what is missing. */
export function containerOf(
  task: Task,
  place: TaskPlace,
  dependencies: Dependencies,
): ContainerSpec | { readonly problem: string } {
  const spec = task.spec.container;
  if (spec === undefined) return { problem: "task: invalid runtime" };
  const fill = (text: string) => filled(text, task, place);
  const secrets = filesOf(spec.secrets, (id) => dependencies.secret(id)?.spec.data, "secret", "/run/secrets/");
  if ("problem" in secrets) return secrets;
  const configs = filesOf(spec.configs, (id) => dependencies.config(id)?.spec.data, "config", "/");
  if ("problem" in configs) return configs;
  const healthCheck = spec.healthcheck === undefined ? undefined : healthCheckOf(spec.healthcheck);
  return {
    name: containerName(task),
    image: spec.image,
    command: [...spec.command, ...spec.args].map(fill),
    environment: new Map(spec.env.map((line) => pairOf(fill(line)))),
    ...(spec.hostname !== "" && { hostname: fill(spec.hostname) }),
    labels: labelsOf(task, place),
    networks: attachmentsOf(task),
    ports: hostPortsOf(task),
    service: serviceOf(task, place),
    ...(healthCheck !== undefined && { healthCheck }),
    ...(spec.stopSignal !== "" && { stopSignal: spec.stopSignal }),
    ...(spec.stopGracePeriod !== undefined && { stopGraceNs: spec.stopGracePeriod }),
    ...(spec.dns !== undefined && {
      dns: { servers: addressesIn(spec.dns.nameservers), search: spec.dns.search, options: spec.dns.options },
    }),
    extraHosts: spec.hosts.flatMap(hostLine),
    mounts: spec.mounts.flatMap((mount): Mount[] =>
      mount.type === "bind" || mount.type === "volume" || mount.type === "tmpfs"
        ? [
            {
              type: mount.type,
              source: mount.source === "" ? undefined : fill(mount.source),
              target: fill(mount.target),
              readOnly: mount.readOnly,
            },
          ]
        : [],
    ),
    secrets: secrets.files,
    configs: configs.files,
  };
}

function serviceOf(task: Task, { nodeId }: TaskPlace): NonNullable<ContainerSpec["service"]> {
  const virtualAddresses = new Map<string, Ipv4Address>();
  for (const { networkId, address } of task.endpoint?.virtualIps ?? []) {
    const parsed = parsePrefix(address)?.address;
    if (parsed !== undefined) virtualAddresses.set(networkId, parsed);
  }
  const mesh = (task.endpoint?.ports ?? []).filter(({ publishMode }) => publishMode === "ingress");
  return {
    id: task.serviceId,
    name: task.serviceAnnotations.name,
    taskId: task.id,
    slot: task.slot,
    nodeId,
    virtualAddresses,
    aliases: [],
    ingressPorts: mesh.map(({ protocol, targetPort, publishedPort }) => ({ protocol, targetPort, publishedPort })),
    taskAliases: [],
  };
}

function attachmentsOf(task: Task): NetworkAttachment[] {
  return task.networks.flatMap(({ network, addresses, aliases }): NetworkAttachment[] => {
    if (network === undefined) return [];
    const address = parsePrefix(addresses[0] ?? "")?.address;
    // Networks of the node's own drivers go by their names.
    const isOwn = (network.spec.driver?.name ?? "overlay") !== "overlay" && network.spec.driver?.name !== "";
    return [
      { network: isOwn ? network.spec.annotations.name : network.id, address, aliases: [], serviceAliases: aliases },
    ];
  });
}

function hostPortsOf(task: Task): PortBinding[] {
  return (task.endpoint?.ports ?? [])
    .filter(({ publishMode }) => publishMode === "host")
    .map(({ protocol, targetPort, publishedPort }) => ({
      protocol,
      containerPort: targetPort,
      hostPort: publishedPort,
    }));
}

function healthCheckOf({ test, interval, timeout, retries, startPeriod, startInterval }: HealthConfig) {
  const [kind, ...rest] = test;
  const command =
    kind === "CMD-SHELL" ? ["sh", "-c", rest[0] ?? ""] : kind === "CMD" ? rest : kind === "NONE" ? [] : [...test];
  if (command.length === 0) return undefined;
  return {
    command,
    intervalNs: interval,
    timeoutNs: timeout,
    startPeriodNs: startPeriod,
    startIntervalNs: startInterval,
    ...(retries > 0 && { retries }),
  };
}

function labelsOf(task: Task, { nodeId }: TaskPlace): ReadonlyMap<string, string> {
  return new Map([
    ...(task.spec.container?.labels ?? []),
    ["com.docker.swarm.node.id", nodeId],
    ["com.docker.swarm.service.id", task.serviceId],
    ["com.docker.swarm.service.name", task.serviceAnnotations.name],
    ["com.docker.swarm.task", ""],
    ["com.docker.swarm.task.id", task.id],
    ["com.docker.swarm.task.name", containerName(task)],
  ]);
}

interface Reference {
  readonly file: { readonly name: string } | undefined;
  readonly secretId?: string;
  readonly secretName?: string;
  readonly configId?: string;
  readonly configName?: string;
}

function filesOf(
  references: readonly Reference[],
  dataOf: (id: string) => Uint8Array | undefined,
  kind: "secret" | "config",
  folder: string,
): { readonly files: MountedFile[] } | { readonly problem: string } {
  const files: MountedFile[] = [];
  for (const reference of references) {
    const id = reference.secretId ?? reference.configId ?? "";
    const name = reference.secretName ?? reference.configName ?? "";
    const data = dataOf(id);
    if (data === undefined) return { problem: `${kind} reference ${id} not found` };
    const target = reference.file?.name ?? name;
    files.push({ id, name, target: target.startsWith("/") ? target : `${folder}${target}`, data });
  }
  return { files };
}

/** Placeholders as Go's templates have them: `{{.Node.Hostname}}`. What is not known stays. */
function filled(text: string, task: Task, { nodeId, hostname }: TaskPlace): string {
  const values: Readonly<Record<string, string>> = {
    "Service.ID": task.serviceId,
    "Service.Name": task.serviceAnnotations.name,
    "Node.ID": nodeId,
    "Node.Hostname": hostname,
    "Node.Platform.OS": "linux",
    "Node.Platform.Architecture": "x86_64",
    "Task.ID": task.id,
    "Task.Name": containerName(task),
    "Task.Slot": String(task.slot),
  };
  return text.replace(/\{\{\s*\.([A-Za-z.]+)\s*\}\}/g, (whole, path: string) => values[path] ?? whole);
}

function pairOf(line: string): [string, string] {
  const equals = line.indexOf("=");
  return equals < 0 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
}

/** `10.0.0.1 name other`. */
function hostLine(line: string): [string, Ipv4Address][] {
  const [address, ...names] = line.split(/\s+/);
  const parsed = parseIpv4(address ?? "");
  return parsed === undefined ? [] : names.map((name) => [name, parsed]);
}

function addressesIn(texts: readonly string[]): Ipv4Address[] {
  return texts.flatMap((text) => parseIpv4(text) ?? []);
}
