/** A service as `docker service inspect` shows it (moby api/types/swarm): names and order of the engine's API. */

import type { Service } from "../../../swarm/api/objects.ts";
import type { EndpointSpec, PortConfig, Resources } from "../../../swarm/api/parts.ts";
import type { ContainerSpec, HealthConfig, ServiceSpec, TaskSpec, UpdateConfig } from "../../../swarm/api/specs.ts";
import { goTime, type Shown } from "../go-text.ts";

type Fields = { readonly [field: string]: Shown };

/** Left out when it is what Go calls empty. */
function unless<T>(isEmpty: boolean, name: string, value: T): { readonly [field: string]: T } {
  return isEmpty ? {} : { [name]: value };
}
const text = (name: string, value: string) => unless(value === "", name, value);
const list = (name: string, values: readonly Shown[]) => unless(values.length === 0, name, values);
const number = (name: string, value: number | undefined) => unless(value === undefined || value === 0, name, value);

export function serviceObject(service: Service): Fields {
  const { id, meta, spec, previousSpec, endpoint, updateStatus, jobStatus } = service;
  return {
    ID: id,
    Version: { Index: meta.version.index },
    CreatedAt: goTime(meta.createdAt),
    UpdatedAt: goTime(meta.updatedAt),
    Spec: specObject(spec),
    ...(previousSpec !== undefined && { PreviousSpec: specObject(previousSpec) }),
    Endpoint: {
      Spec: endpoint?.spec === undefined ? {} : endpointSpecObject(endpoint.spec),
      ...list("Ports", (endpoint?.ports ?? []).map(portObject)),
      ...list(
        "VirtualIPs",
        (endpoint?.virtualIps ?? []).map(({ networkId, address }) => ({ NetworkID: networkId, Addr: address })),
      ),
    },
    ...(updateStatus !== undefined && {
      UpdateStatus: {
        State: updateStatus.state,
        ...(updateStatus.startedAt !== undefined && { StartedAt: goTime(updateStatus.startedAt) }),
        ...(updateStatus.completedAt !== undefined && { CompletedAt: goTime(updateStatus.completedAt) }),
        Message: updateStatus.message,
      },
    }),
    ...(jobStatus !== undefined && {
      JobStatus: {
        JobIteration: jobStatus.jobIteration.index === 0 ? {} : { Index: jobStatus.jobIteration.index },
        LastExecution: goTime(jobStatus.lastExecution),
      },
    }),
  };
}

function specObject(spec: ServiceSpec): Fields {
  return {
    Name: spec.annotations.name,
    Labels: spec.annotations.labels,
    TaskTemplate: taskSpecObject(spec.task),
    Mode: modeObject(spec),
    ...(spec.update !== undefined && { UpdateConfig: updateObject(spec.update) }),
    ...(spec.rollback !== undefined && { RollbackConfig: updateObject(spec.rollback) }),
    ...(spec.endpoint !== undefined && { EndpointSpec: endpointSpecObject(spec.endpoint) }),
  };
}

function modeObject({ replicated, replicatedJob, globalJob }: ServiceSpec): Fields {
  if (replicated !== undefined) return { Replicated: { Replicas: replicated.replicas } };
  if (replicatedJob !== undefined) {
    const { maxConcurrent, totalCompletions } = replicatedJob;
    return { ReplicatedJob: { MaxConcurrent: maxConcurrent, TotalCompletions: totalCompletions } };
  }
  return globalJob === undefined ? { Global: {} } : { GlobalJob: {} };
}

export function taskSpecObject({
  container,
  resources,
  restart,
  placement,
  networks,
  logDriver,
  forceUpdate,
}: TaskSpec): Fields {
  return {
    ...(container !== undefined && { ContainerSpec: containerObject(container) }),
    ...(resources !== undefined && {
      Resources: { Limits: resourcesObject(resources.limits), Reservations: resourcesObject(resources.reservations) },
    }),
    ...(restart !== undefined && {
      RestartPolicy: {
        Condition: restart.condition,
        ...(restart.delay !== undefined && { Delay: restart.delay }),
        MaxAttempts: restart.maxAttempts,
        ...(restart.window !== undefined && { Window: restart.window }),
      },
    }),
    Placement: {
      ...list("Constraints", placement?.constraints ?? []),
      ...list(
        "Preferences",
        (placement?.preferences ?? []).map(({ spread }) => ({
          Spread: { SpreadDescriptor: spread?.descriptor ?? "" },
        })),
      ),
      ...number("MaxReplicas", placement?.maxReplicas),
    },
    ...list(
      "Networks",
      networks.map(({ target, aliases, driverOptions }) => ({
        Target: target,
        ...list("Aliases", aliases),
        ...unless(driverOptions.size === 0, "DriverOpts", driverOptions),
      })),
    ),
    ...(logDriver !== undefined && { LogDriver: { Name: logDriver.name, Options: logDriver.options } }),
    ForceUpdate: forceUpdate,
    Runtime: "container",
  };
}

function resourcesObject(resources: Resources | undefined): Fields {
  return { ...number("NanoCPUs", resources?.nanoCpus), ...number("MemoryBytes", resources?.memoryBytes) };
}

function containerObject(container: ContainerSpec): Fields {
  const { dns, healthcheck, stopGracePeriod } = container;
  return {
    Image: container.image,
    ...unless(container.labels.size === 0, "Labels", container.labels),
    ...list("Command", container.command),
    ...list("Args", container.args),
    ...text("Hostname", container.hostname),
    ...list("Env", container.env),
    ...text("Dir", container.dir),
    ...text("User", container.user),
    ...list("Groups", container.groups),
    Init: container.init,
    ...text("StopSignal", container.stopSignal),
    ...unless(!container.tty, "TTY", true),
    ...unless(!container.openStdin, "OpenStdin", true),
    ...unless(!container.readOnly, "ReadOnly", true),
    ...list(
      "Mounts",
      container.mounts.map(({ type, source, target, readOnly }) => ({
        Type: type,
        ...text("Source", source),
        Target: target,
        ...unless(!readOnly, "ReadOnly", true),
      })),
    ),
    ...(stopGracePeriod !== undefined && { StopGracePeriod: stopGracePeriod }),
    ...(healthcheck !== undefined && { Healthcheck: healthObject(healthcheck) }),
    ...list("Hosts", container.hosts),
    DNSConfig: {
      ...list("Nameservers", dns?.nameservers ?? []),
      ...list("Search", dns?.search ?? []),
      ...list("Options", dns?.options ?? []),
    },
    ...list(
      "Secrets",
      container.secrets.map(({ secretId, secretName, file }) => ({
        ...fileObject(file),
        SecretID: secretId,
        SecretName: secretName,
      })),
    ),
    ...list(
      "Configs",
      container.configs.map(({ configId, configName, file }) => ({
        ...fileObject(file),
        ConfigID: configId,
        ConfigName: configName,
      })),
    ),
    Isolation: container.isolation === "" ? "default" : container.isolation,
    ...unless(container.sysctls.size === 0, "Sysctls", container.sysctls),
    ...list("CapabilityAdd", container.capabilityAdd),
    ...list("CapabilityDrop", container.capabilityDrop),
  };
}

function fileObject(file: ContainerSpec["secrets"][number]["file"]): Fields {
  if (file === undefined) return {};
  return { File: { Name: file.name, UID: file.uid, GID: file.gid, Mode: file.mode } };
}

function healthObject(health: HealthConfig): Fields {
  return {
    ...list("Test", health.test),
    ...number("Interval", health.interval),
    ...number("Timeout", health.timeout),
    ...number("StartPeriod", health.startPeriod),
    ...number("StartInterval", health.startInterval),
    ...number("Retries", health.retries),
  };
}

function updateObject(update: UpdateConfig): Fields {
  return {
    Parallelism: update.parallelism,
    ...number("Delay", update.delay),
    FailureAction: update.failureAction,
    ...number("Monitor", update.monitor),
    MaxFailureRatio: update.maxFailureRatio,
    Order: update.order,
  };
}

function endpointSpecObject({ mode, ports }: EndpointSpec): Fields {
  return { Mode: mode, ...list("Ports", ports.map(portObject)) };
}

export function portObject({ name, protocol, targetPort, publishedPort, publishMode }: PortConfig): Fields {
  return {
    ...text("Name", name),
    Protocol: protocol,
    TargetPort: targetPort,
    ...number("PublishedPort", publishedPort),
    PublishMode: publishMode,
  };
}
