/** What the client sends to an engine (JSON of Docker's API) as specs of the swarm: dockerd's part (moby daemon/cluster/convert), as far as stacks have it. */
import { endpointSpecShape, ipamConfigShape, ipamOptionsShape, portConfigShape } from "../../../src/swarm/api/parts.ts";
import {
  configSpecShape,
  containerSpecShape,
  healthConfigShape,
  mountShape,
  networkAttachmentConfigShape,
  networkSpecShape,
  placementShape,
  restartPolicyShape,
  secretSpecShape,
  serviceSpecShape,
  taskSpecShape,
  updateConfigShape,
} from "../../../src/swarm/api/specs.ts";

// biome-ignore lint/suspicious/noExplicitAny: JSON of somebody else's making
type Json = any;

const map = (value: Json) => new Map<string, string>(Object.entries(value ?? {}));
const driver = (value: Json) => (value == null ? undefined : { name: value.Name ?? "", options: map(value.Options) });
const annotations = (value: Json) => ({ name: value.Name, labels: map(value.Labels) });
const resources = (value: Json) =>
  value == null ? undefined : { nanoCpus: value.NanoCPUs ?? 0, memoryBytes: value.MemoryBytes ?? 0 };

export function networkOf(json: Json) {
  return networkSpecShape.make({
    annotations: annotations(json),
    driver: { name: json.Driver, options: map(json.Options) },
    internal: json.Internal,
    attachable: json.Attachable,
    ipam:
      json.IPAM == null
        ? undefined
        : ipamOptionsShape.make({
            driver: json.IPAM.Driver === "" ? undefined : { name: json.IPAM.Driver, options: new Map() },
            configs: (json.IPAM.Config ?? []).map(({ Subnet }: Json) =>
              ipamConfigShape.make({ family: "ipv4", subnet: Subnet }),
            ),
          }),
  });
}

const dataOf = ({ Data }: Json) => Uint8Array.from(atob(Data ?? ""), (sign) => sign.charCodeAt(0));

export function secretOf(json: Json) {
  return secretSpecShape.make({ annotations: annotations(json), data: dataOf(json), driver: driver(json.Driver) });
}

export function configOf(json: Json) {
  return configSpecShape.make({ annotations: annotations(json), data: dataOf(json) });
}

export function serviceOf(json: Json) {
  const { TaskTemplate: task, Mode: mode } = json;
  return serviceSpecShape.make({
    annotations: annotations(json),
    task: taskSpecShape.make({
      container: containerOf(task.ContainerSpec),
      resources: { limits: resources(task.Resources.Limits), reservations: resources(task.Resources.Reservations) },
      restart: restartOf(task.RestartPolicy),
      placement: placementShape.make({
        constraints: task.Placement.Constraints ?? [],
        preferences: (task.Placement.Preferences ?? []).map(({ Spread }: Json) => ({
          spread: { descriptor: Spread.SpreadDescriptor },
        })),
        maxReplicas: task.Placement.MaxReplicas ?? 0,
      }),
      logDriver: driver(task.LogDriver),
      networks: task.Networks.map(({ Target, Aliases, DriverOpts }: Json) =>
        networkAttachmentConfigShape.make({ target: Target, aliases: Aliases ?? [], driverOptions: map(DriverOpts) }),
      ),
    }),
    replicated: mode.Replicated && { replicas: mode.Replicated.Replicas ?? 1 },
    global: mode.Global,
    replicatedJob: mode.ReplicatedJob && {
      maxConcurrent: mode.ReplicatedJob.MaxConcurrent ?? 1,
      totalCompletions: mode.ReplicatedJob.TotalCompletions ?? 1,
    },
    globalJob: mode.GlobalJob,
    update: updateOf(json.UpdateConfig),
    rollback: updateOf(json.RollbackConfig),
    endpoint: endpointSpecShape.make({
      mode: json.EndpointSpec.Mode ?? "vip",
      ports: (json.EndpointSpec.Ports ?? []).map(({ Protocol, TargetPort, PublishedPort, PublishMode }: Json) =>
        portConfigShape.make({
          protocol: Protocol ?? "tcp",
          targetPort: TargetPort ?? 0,
          publishedPort: PublishedPort ?? 0,
          publishMode: PublishMode ?? "ingress",
        }),
      ),
    }),
  });
}

function restartOf(json: Json) {
  if (json == null) return undefined;
  return restartPolicyShape.make({
    condition: json.Condition ?? "any",
    delay: json.Delay,
    maxAttempts: json.MaxAttempts ?? 0,
    window: json.Window,
  });
}

function updateOf(json: Json) {
  if (json == null) return undefined;
  return updateConfigShape.make({
    parallelism: json.Parallelism,
    delay: json.Delay,
    failureAction: json.FailureAction ?? "pause",
    monitor: json.Monitor,
    maxFailureRatio: json.MaxFailureRatio,
    order: json.Order || "stop-first",
  });
}

function containerOf(json: Json) {
  const file = ({ File }: Json) => ({ name: File.Name, uid: File.UID, gid: File.GID, mode: File.Mode });
  const { Healthcheck: health, DNSConfig: dns } = json;
  return containerSpecShape.make({
    image: json.Image,
    labels: map(json.Labels),
    command: json.Command ?? [],
    args: json.Args ?? [],
    env: json.Env ?? [],
    dir: json.Dir,
    user: json.User,
    mounts: (json.Mounts ?? []).map(mountOf),
    stopGracePeriod: json.StopGracePeriod,
    secrets: (json.Secrets ?? []).map((each: Json) => ({
      secretId: each.SecretID,
      secretName: each.SecretName,
      file: file(each),
    })),
    configs: (json.Configs ?? []).map((each: Json) => ({
      configId: each.ConfigID,
      configName: each.ConfigName,
      file: file(each),
    })),
    tty: json.TTY,
    openStdin: json.OpenStdin,
    readOnly: json.ReadOnly,
    hostname: json.Hostname,
    dns: dns == null ? undefined : { nameservers: dns.Nameservers ?? [], search: dns.Search ?? [], options: [] },
    healthcheck:
      health == null
        ? undefined
        : healthConfigShape.make({
            test: health.Test ?? [],
            interval: health.Interval,
            timeout: health.Timeout,
            retries: health.Retries,
            startPeriod: health.StartPeriod,
            startInterval: health.StartInterval,
          }),
    hosts: json.Hosts ?? [],
    stopSignal: json.StopSignal,
    isolation: json.Isolation,
    init: json.Init,
    sysctls: map(json.Sysctls),
    capabilityAdd: json.CapabilityAdd ?? [],
    capabilityDrop: json.CapabilityDrop ?? [],
  });
}

function mountOf(json: Json) {
  const { VolumeOptions: volume } = json;
  return mountShape.make({
    type: json.Type,
    source: json.Source,
    target: json.Target,
    readOnly: json.ReadOnly,
    volumeDriver:
      volume == null
        ? undefined
        : { noCopy: volume.NoCopy ?? false, labels: map(volume.Labels), driver: driver(volume.DriverConfig) },
  });
}
