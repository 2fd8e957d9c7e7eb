/**
 * From a service as a stack file has it, in its long form, to what the cluster is asked for (docker/cli compose/convert/service.go). Names are as they are written:
 * a scenario is no stack, and puts nothing before them.
 */
import { type EndpointSpec, endpointSpecShape, resourceRequirementsShape } from "../swarm/api/parts.ts";
import {
  configReferenceShape,
  containerSpecShape,
  type HealthConfig,
  healthConfigShape,
  type Mount,
  mountShape,
  networkAttachmentConfigShape,
  type Placement,
  placementShape,
  type RestartPolicy,
  restartPolicyShape,
  type ServiceSpec,
  secretReferenceShape,
  serviceSpecShape,
  taskSpecShape,
  type UpdateConfig,
  updateConfigShape,
} from "../swarm/api/specs.ts";
import { parseDuration } from "../swarm/stack/duration.ts";
import { isFloat, isStructure, type Structure, type Value } from "../swarm/stack/value.ts";

/** What a service names: identifiers of the cluster's objects, undefined where there is none. */
export interface ServiceObjects {
  network(name: string): string | undefined;
  secret(name: string): string | undefined;
  config(name: string): string | undefined;
}

const BILLION = 1e9;

export function serviceSpecOf(name: string, source: Structure, objects: ServiceObjects): ServiceSpec {
  const deploy = structureOf(source["deploy"]);
  const mode = textOf(deploy["mode"]) || "replicated";
  const replicas = numberOf(deploy["replicas"]);
  return serviceSpecShape.make({
    annotations: { name, labels: mapOf(deploy["labels"]) },
    task: taskSpecShape.make({
      container: containerOf(source, objects),
      resources: resourcesOf(structureOf(deploy["resources"])),
      restart: restartOf(deploy["restart_policy"], textOf(source["restart"])),
      placement: placementOf(structureOf(deploy["placement"])),
      networks: [...dictionaryOf(source["networks"])].map(([network, attachment]) =>
        networkAttachmentConfigShape.make({
          target: objects.network(network) ?? network,
          aliases: textsOf(structureOf(attachment)["aliases"]),
          driverOptions: mapOf(structureOf(attachment)["driver_opts"]),
        }),
      ),
    }),
    ...(mode === "replicated" && { replicated: { replicas: replicas ?? 1 } }),
    ...(mode === "global" && { global: {} }),
    ...(mode === "replicated-job" && {
      replicatedJob: { maxConcurrent: replicas ?? 1, totalCompletions: replicas ?? 1 },
    }),
    ...(mode === "global-job" && { globalJob: {} }),
    update: updateOf(deploy["update_config"]),
    rollback: updateOf(deploy["rollback_config"]),
    endpoint: endpointOf(textOf(deploy["endpoint_mode"]), source["ports"]),
  });
}

function containerOf(source: Structure, objects: ServiceObjects) {
  const servers = textsOf(source["dns"]);
  const search = textsOf(source["dns_search"]);
  return containerSpecShape.make({
    image: textOf(source["image"]),
    labels: mapOf(source["labels"]),
    command: textsOf(source["entrypoint"]),
    args: textsOf(source["command"]),
    env: [...dictionaryOf(source["environment"])].map(([key, value]) =>
      value === null ? key : `${key}=${spellingOf(value)}`,
    ),
    dir: textOf(source["working_dir"]),
    user: textOf(source["user"]),
    hostname: textOf(source["hostname"]),
    // `name:address` there, `address name` here.
    hosts: textsOf(source["extra_hosts"]).map((line) => {
      const colon = line.indexOf(":");
      return `${line.slice(colon + 1)} ${line.slice(0, colon)}`;
    }),
    dns: servers.length + search.length === 0 ? undefined : { nameservers: servers, search, options: [] },
    mounts: listOf(source["volumes"]).map(mountOf),
    stopGracePeriod: durationOf(source["stop_grace_period"]),
    stopSignal: textOf(source["stop_signal"]),
    healthcheck: healthOf(source["healthcheck"]),
    secrets: listOf(source["secrets"]).map((reference) => {
      const { name, file } = fileOf(reference);
      return secretReferenceShape.make({ secretId: objects.secret(name) ?? "", secretName: name, file });
    }),
    configs: listOf(source["configs"]).map((reference) => {
      const { name, file } = fileOf(reference);
      return configReferenceShape.make({ configId: objects.config(name) ?? "", configName: name, file });
    }),
    sysctls: mapOf(source["sysctls"]),
    capabilityAdd: textsOf(source["cap_add"]),
    capabilityDrop: textsOf(source["cap_drop"]),
    tty: source["tty"] === true,
    openStdin: source["stdin_open"] === true,
    readOnly: source["read_only"] === true,
    init: source["init"] === true,
  });
}

function fileOf(reference: Value) {
  const { source, target, uid, gid, mode } = structureOf(reference);
  const name = textOf(source);
  const file = {
    name: textOf(target) || name,
    uid: textOf(uid) || "0",
    gid: textOf(gid) || "0",
    mode: numberOf(mode) ?? 0o444,
  };
  return { name, file };
}

function mountOf(value: Value): Mount {
  const { type, source, target, read_only } = structureOf(value);
  const kind = textOf(type);
  return mountShape.make({
    type: kind === "bind" || kind === "tmpfs" ? kind : "volume",
    source: textOf(source),
    target: textOf(target),
    readOnly: read_only === true,
  });
}

function healthOf(value: Value | undefined): HealthConfig | undefined {
  if (!isStructure(value)) return undefined;
  return healthConfigShape.make({
    test: value["disable"] === true ? ["NONE"] : textsOf(value["test"]),
    interval: durationOf(value["interval"]),
    timeout: durationOf(value["timeout"]),
    retries: numberOf(value["retries"]) ?? 0,
    startPeriod: durationOf(value["start_period"]),
    startInterval: durationOf(value["start_interval"]),
  });
}

function resourcesOf({ limits, reservations }: Structure) {
  const part = (value: Value | undefined) =>
    isStructure(value)
      ? {
          nanoCpus: Math.round(Number(textOf(value["cpus"]) || "0") * BILLION),
          memoryBytes: Number(textOf(value["memory"]) || "0"),
        }
      : undefined;
  if (limits === undefined && reservations === undefined) return undefined;
  return resourceRequirementsShape.make({ limits: part(limits), reservations: part(reservations) });
}

/** `deploy.restart_policy`, else the `restart` of a plain compose file. */
function restartOf(value: Value | undefined, restart: string): RestartPolicy | undefined {
  if (isStructure(value)) {
    const condition = textOf(value["condition"]);
    return restartPolicyShape.make({
      condition: condition === "none" || condition === "on-failure" ? condition : "any",
      delay: durationOf(value["delay"]),
      maxAttempts: numberOf(value["max_attempts"]) ?? 0,
      window: durationOf(value["window"]),
    });
  }
  const [condition = "", attempts] = restart.split(":");
  if (condition === "always" || condition === "unless-stopped") return restartPolicyShape.make({ condition: "any" });
  if (condition !== "on-failure") return undefined;
  return restartPolicyShape.make({ condition, maxAttempts: Number(attempts ?? 0) });
}

function placementOf(value: Structure): Placement {
  return placementShape.make({
    constraints: textsOf(value["constraints"]),
    preferences: listOf(value["preferences"]).map((preference) => ({
      spread: { descriptor: textOf(structureOf(preference)["spread"]) },
    })),
    maxReplicas: numberOf(value["max_replicas_per_node"]) ?? 0,
  });
}

function updateOf(value: Value | undefined): UpdateConfig | undefined {
  if (!isStructure(value)) return undefined;
  const action = textOf(value["failure_action"]);
  const ratio = value["max_failure_ratio"];
  return updateConfigShape.make({
    parallelism: numberOf(value["parallelism"]) ?? 1,
    delay: durationOf(value["delay"]),
    failureAction: action === "continue" || action === "rollback" ? action : "pause",
    monitor: durationOf(value["monitor"]),
    maxFailureRatio: ratio !== undefined && isFloat(ratio) ? ratio.float : 0,
    order: value["order"] === "start-first" ? "start-first" : "stop-first",
  });
}

function endpointOf(mode: string, ports: Value | undefined): EndpointSpec {
  return endpointSpecShape.make({
    mode: mode === "dnsrr" ? "dnsrr" : "vip",
    ports: listOf(ports).map((value) => {
      const port = structureOf(value);
      const protocol = textOf(port["protocol"]);
      return {
        name: "",
        protocol: protocol === "udp" || protocol === "sctp" ? protocol : "tcp",
        targetPort: numberOf(port["target"]) ?? 0,
        publishedPort: numberOf(port["published"]) ?? 0,
        publishMode: port["mode"] === "host" ? "host" : "ingress",
      };
    }),
  });
}

// ---- The reader's values: what is left out is the zero value

function structureOf(value: Value | undefined): Structure {
  return isStructure(value) ? value : {};
}

function dictionaryOf(value: Value | undefined): ReadonlyMap<string, Value> {
  return value instanceof Map ? value : new Map();
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: Value | undefined): string {
  return typeof value === "string" ? value : "";
}

function textsOf(value: Value | undefined): readonly string[] {
  return listOf(value).map(spellingOf);
}

function mapOf(value: Value | undefined): ReadonlyMap<string, string> {
  return new Map([...dictionaryOf(value)].map(([key, text]) => [key, spellingOf(text)]));
}

function spellingOf(value: Value): string {
  return isFloat(value) ? value.text : value === null ? "" : String(value);
}

function numberOf(value: Value | undefined): number | undefined {
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined;
}

function durationOf(value: Value | undefined): number | undefined {
  const parsed = typeof value === "string" ? parseDuration(value) : undefined;
  return parsed === undefined ? undefined : Number(parsed);
}
