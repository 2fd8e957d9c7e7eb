/** The fields of a stack file's structures in the order in which the client prints them, each with the way it is read. */
import * as as from "./convert.ts";
import { type Field, field } from "./convert.ts";

const UPDATE: readonly Field[] = [
  field("parallelism", as.unsignedPointer(64)),
  field("delay", as.duration),
  field("failure_action", as.text),
  field("monitor", as.duration),
  field("max_failure_ratio", as.float32),
  field("order", as.text),
];

const GENERIC_RESOURCE: readonly Field[] = [
  field("discrete_resource_spec", as.pointerTo([field("kind", as.text), field("value", as.integerOrZero)])),
];

const LIMITS: readonly Field[] = [field("cpus", as.text), field("memory", as.memory), field("pids", as.integer)];
const RESERVATIONS: readonly Field[] = [
  field("cpus", as.text),
  field("memory", as.memory),
  field("generic_resources", as.listOf(GENERIC_RESOURCE)),
];
const RESTART: readonly Field[] = [
  field("condition", as.text),
  field("delay", as.durationPointer),
  field("max_attempts", as.unsignedPointer(64)),
  field("window", as.durationPointer),
];
const PLACEMENT: readonly Field[] = [
  field("constraints", as.strings),
  field("preferences", as.listOf([field("spread", as.text)])),
  field("max_replicas_per_node", as.unsigned(64)),
];

const DEPLOY: readonly Field[] = [
  field("mode", as.text),
  field("replicas", as.unsignedPointer(64)),
  field("labels", as.labels),
  field("update_config", as.pointerTo(UPDATE)),
  field("rollback_config", as.pointerTo(UPDATE)),
  field(
    "resources",
    as.structure([field("limits", as.pointerTo(LIMITS)), field("reservations", as.pointerTo(RESERVATIONS))]),
  ),
  field("restart_policy", as.pointerTo(RESTART)),
  field("placement", as.structure(PLACEMENT)),
  field("endpoint_mode", as.text),
];

const HEALTH: readonly Field[] = [
  field("test", as.healthTest),
  field("timeout", as.durationPointer),
  field("interval", as.durationPointer),
  field("retries", as.unsignedPointer(64)),
  field("start_period", as.durationPointer),
  field("start_interval", as.durationPointer),
  field("disable", as.flag),
];

export const SERVICE: readonly Field[] = [
  field("build", as.build),
  field("cap_add", as.strings),
  field("cap_drop", as.strings),
  field("cgroupns_mode", as.text),
  field("cgroup_parent", as.text),
  field("command", as.command),
  field("configs", as.references),
  field("container_name", as.text),
  field(
    "credential_spec",
    as.structure([field("config", as.text), field("file", as.text), field("registry", as.text)]),
  ),
  field("depends_on", as.strings),
  field("deploy", as.structure(DEPLOY)),
  field("devices", as.strings),
  field("dns", as.stringOrStrings),
  field("dns_search", as.stringOrStrings),
  field("domainname", as.text),
  field("entrypoint", as.command),
  field("environment", as.environment),
  field("env_file", as.stringOrStrings),
  field("expose", as.looseStrings),
  field("external_links", as.strings),
  field("extra_hosts", as.hosts),
  field("hostname", as.text),
  field("healthcheck", as.pointerTo(HEALTH)),
  field("image", as.text),
  field("init", as.flagPointer),
  field("ipc", as.text),
  field("isolation", as.text),
  field("labels", as.labels),
  field("links", as.strings),
  field("logging", as.pointerTo([field("driver", as.text), field("options", as.labels)])),
  field("mac_address", as.text),
  field("network_mode", as.text),
  field("networks", as.attachments),
  field("pid", as.text),
  field("ports", as.ports),
  field("privileged", as.flag),
  field("read_only", as.flag),
  field("restart", as.text),
  field("secrets", as.references),
  field("security_opt", as.strings),
  field("shm_size", as.text),
  field("stdin_open", as.flag),
  field("stop_grace_period", as.durationPointer),
  field("stop_signal", as.text),
  field("sysctls", as.labels),
  field("tmpfs", as.stringOrStrings),
  field("tty", as.flag),
  field("ulimits", as.ulimits),
  field("user", as.text),
  field("userns_mode", as.text),
  field("volumes", as.mounts),
  field("working_dir", as.text),
];

/** `external` is read beside these: it also decides the name. */
export const NETWORK: readonly Field[] = [
  field("name", as.text),
  field("driver", as.text),
  field("driver_opts", as.labels),
  field("ipam", as.structure([field("driver", as.text), field("config", as.listOf([field("subnet", as.text)]))])),
  field("external", () => undefined),
  field("internal", as.flag),
  field("attachable", as.flag),
  field("labels", as.labels),
];

const TOPOLOGIES = as.listOf([field("segments", as.labels)]);

const CLUSTER_VOLUME: readonly Field[] = [
  field("group", as.text),
  field(
    "access_mode",
    as.pointerTo([
      field("scope", as.text),
      field("sharing", as.text),
      field("mount_volume", as.pointerTo([field("fs_type", as.text), field("mount_flags", as.strings)])),
      field("block_volume", as.pointerTo([])),
    ]),
  ),
  field("accessibility_requirements", as.pointerTo([field("requisite", TOPOLOGIES), field("preferred", TOPOLOGIES)])),
  field("capacity_range", as.pointerTo([field("required_bytes", as.memory), field("limit_bytes", as.memory)])),
  field("availability", as.text),
];

export const VOLUME: readonly Field[] = [
  field("name", as.text),
  field("driver", as.text),
  field("driver_opts", as.labels),
  field("external", () => undefined),
  field("labels", as.labels),
];
export const VOLUME_SPEC: readonly Field[] = [field("x-cluster-spec", as.pointerTo(CLUSTER_VOLUME))];

/** A secret or a config; `x-` keys stand between the two parts. */
export const FILE_OBJECT: readonly Field[] = [
  field("name", as.text),
  field("file", as.text),
  field("external", () => undefined),
  field("labels", as.labels),
];
export const FILE_OBJECT_DRIVER: readonly Field[] = [
  field("driver", as.text),
  field("driver_opts", as.labels),
  field("template_driver", as.text),
];

/** The structures within a service by their key: what a merge puts together comes out in this order. */
export const STRUCTURES: ReadonlyMap<string, readonly Field[]> = new Map([
  ["deploy", DEPLOY],
  ["update_config", UPDATE],
  ["rollback_config", UPDATE],
  ["limits", LIMITS],
  ["reservations", RESERVATIONS],
  ["restart_policy", RESTART],
  ["placement", PLACEMENT],
  ["healthcheck", HEALTH],
]);
