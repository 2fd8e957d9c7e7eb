/** Which keys a stack file may have, and what they take: the compose file format 3.0 to 3.13 of the Docker client (28.2). */
import {
  ANYTHING,
  anyOfTypes,
  BOOLEAN,
  closed,
  DURATION,
  INTEGER,
  type Keys,
  list,
  NUMBER,
  named,
  oneOf,
  open,
  type Schema,
  STRING,
  uniqueList,
} from "./schema-language.ts";

/** The version of a file that names none, or "3". */
export const DEFAULT_VERSION = "3.13";
const MOST_MINOR = 13;

const NAME = /^[a-zA-Z0-9._-]+$/;
const ANY_NAME = /^.+$/;
const EXTENSIONS: Schema = { patterns: [[/^x-/, ANYTHING]] };

const STRINGS = uniqueList(STRING);
const STRING_OR_STRINGS = oneOf(STRING, STRINGS);
const COMMAND = oneOf(STRING, list(STRING));
const MAPPING_OR_LIST = oneOf(
  named(/.+/, anyOfTypes("string", "number", "null"), { closed: true }),
  uniqueList(STRING),
);
const OPTIONS = named(ANY_NAME, anyOfTypes("string", "number"));
const EXTERNAL: Schema = { ...closed({ name: STRING }), types: ["boolean", "object"] };

/** The schema of `version`, or undefined if Docker does not know that version. */
export function stackSchema(version: string): Schema | undefined {
  const minor = /^3\.(0|[1-9][0-9]?)$/.exec(version)?.[1];
  return minor === undefined || Number(minor) > MOST_MINOR ? undefined : fileSchema(Number(minor));
}

function fileSchema(minor: number): Schema {
  const since = (first: number, schema: Schema): Schema | undefined => (minor >= first ? schema : undefined);
  const strict: Schema = { closed: true };
  const extensible: Schema = minor >= 7 ? EXTENSIONS : {};
  return closed(
    {
      version: STRING,
      services: named(NAME, closed(serviceKeys(minor), extensible), strict),
      networks: named(NAME, nullable(closed(networkKeys(minor), extensible))),
      volumes: named(NAME, nullable(closed(volumeKeys(minor), extensible)), strict),
      secrets: since(1, named(NAME, closed(fileObjectKeys(minor, true), extensible), strict)),
      configs: since(3, named(NAME, closed(fileObjectKeys(minor, false), extensible), strict)),
    },
    { ...(minor >= 4 ? EXTENSIONS : {}), ...(minor < 10 ? { required: ["version"] } : {}) },
  );
}

function nullable(schema: Schema): Schema {
  return { ...schema, types: ["object", "null"] };
}

function serviceKeys(minor: number): Keys {
  const since = (first: number, schema: Schema): Schema | undefined => (minor >= first ? schema : undefined);
  return {
    deploy: nullable(closed(deployKeys(minor))),
    build: oneOf(STRING, buildSchema(minor)),
    cap_add: STRINGS,
    cap_drop: STRINGS,
    cgroupns_mode: since(9, STRING),
    cgroup_parent: STRING,
    command: COMMAND,
    configs: since(3, list(oneOf(STRING, FILE_REFERENCE))),
    container_name: STRING,
    credential_spec: since(3, closed({ config: since(8, STRING), file: STRING, registry: STRING })),
    depends_on: STRINGS,
    devices: STRINGS,
    dns: STRING_OR_STRINGS,
    dns_search: STRING_OR_STRINGS,
    domainname: STRING,
    entrypoint: COMMAND,
    env_file: STRING_OR_STRINGS,
    environment: MAPPING_OR_LIST,
    expose: uniqueList({ types: ["string", "number"], format: "expose" }),
    external_links: STRINGS,
    extra_hosts: MAPPING_OR_LIST,
    healthcheck: closed(healthKeys(minor)),
    hostname: STRING,
    image: STRING,
    init: since(7, BOOLEAN),
    ipc: STRING,
    isolation: since(5, STRING),
    labels: MAPPING_OR_LIST,
    links: STRINGS,
    logging: closed({ driver: STRING, options: named(ANY_NAME, anyOfTypes("string", "number", "null")) }),
    mac_address: STRING,
    network_mode: STRING,
    networks: oneOf(STRINGS, named(NAME, oneOf(closed(attachmentKeys(minor)), { types: ["null"] }), { closed: true })),
    pid: anyOfTypes("string", "null"),
    ports: uniqueList(minor < 2 ? { types: ["string", "number"], format: "ports" } : PORT),
    privileged: BOOLEAN,
    read_only: BOOLEAN,
    restart: STRING,
    security_opt: STRINGS,
    shm_size: anyOfTypes("number", "string"),
    secrets: since(1, list(oneOf(STRING, FILE_REFERENCE))),
    sysctls: MAPPING_OR_LIST,
    stdin_open: BOOLEAN,
    stop_grace_period: DURATION,
    stop_signal: STRING,
    tmpfs: STRING_OR_STRINGS,
    tty: BOOLEAN,
    ulimits: named(
      /^[a-z]+$/,
      oneOf(INTEGER, closed({ hard: INTEGER, soft: INTEGER }, { required: ["soft", "hard"] })),
    ),
    oom_score_adj: since(13, INTEGER),
    user: STRING,
    userns_mode: STRING,
    volumes: minor < 2 ? STRINGS : list({ ...oneOf(STRING, mountSchema(minor)), unique: true }),
    working_dir: STRING,
  };
}

const FILE_REFERENCE = open({ source: STRING, target: STRING, uid: STRING, gid: STRING, mode: NUMBER });

const PORT = oneOf(
  { types: ["number"], format: "ports" },
  { types: ["string"], format: "ports" },
  closed({ mode: STRING, target: INTEGER, published: INTEGER, protocol: STRING }),
);

function buildSchema(minor: number): Schema {
  const keys: Keys = {
    context: STRING,
    dockerfile: STRING,
    args: MAPPING_OR_LIST,
    labels: minor >= 3 ? MAPPING_OR_LIST : undefined,
    cache_from: minor >= 2 ? STRINGS : undefined,
    network: minor >= 4 ? STRING : undefined,
    target: minor >= 4 ? STRING : undefined,
    shm_size: minor >= 5 ? anyOfTypes("integer", "string") : undefined,
    extra_hosts: minor >= 9 ? MAPPING_OR_LIST : undefined,
  };
  return minor >= 11 ? open(keys) : closed(keys);
}

function attachmentKeys(minor: number): Keys {
  return {
    aliases: STRINGS,
    driver_opts: minor >= 13 ? OPTIONS : undefined,
    ipv4_address: STRING,
    ipv6_address: STRING,
  };
}

function mountSchema(minor: number): Schema {
  return closed(
    {
      type: STRING,
      source: STRING,
      target: STRING,
      read_only: BOOLEAN,
      consistency: STRING,
      bind: open({ propagation: STRING }),
      volume: open({ nocopy: BOOLEAN }),
      tmpfs: minor >= 6 ? open({ size: { types: ["integer"], minimum: 0 } }) : undefined,
    },
    { required: ["type"] },
  );
}

function healthKeys(minor: number): Keys {
  const duration = minor >= 4 ? DURATION : STRING;
  return {
    disable: BOOLEAN,
    interval: duration,
    retries: NUMBER,
    test: COMMAND,
    timeout: duration,
    start_period: minor >= 4 ? DURATION : undefined,
    start_interval: minor >= 12 ? DURATION : undefined,
  };
}

function deployKeys(minor: number): Keys {
  const since = (first: number, schema: Schema): Schema | undefined => (minor >= first ? schema : undefined);
  const update = closed({
    parallelism: INTEGER,
    delay: DURATION,
    failure_action: STRING,
    monitor: DURATION,
    max_failure_ratio: NUMBER,
    order: since(4, { types: ["string"], choices: ["start-first", "stop-first"] }),
  });
  const amounts = { cpus: STRING, memory: STRING };
  const generic = list(closed({ discrete_resource_spec: closed({ kind: STRING, value: NUMBER }) }));
  return {
    mode: STRING,
    endpoint_mode: since(2, STRING),
    replicas: INTEGER,
    labels: MAPPING_OR_LIST,
    rollback_config: since(7, update),
    update_config: update,
    resources: closed({
      limits: closed({ ...amounts, pids: since(9, INTEGER) }),
      reservations: closed({ ...amounts, generic_resources: since(5, generic) }),
    }),
    restart_policy: closed({ condition: STRING, delay: DURATION, max_attempts: INTEGER, window: DURATION }),
    placement: closed({
      constraints: list(STRING),
      preferences: since(3, list(closed({ spread: STRING }))),
      max_replicas_per_node: since(8, INTEGER),
    }),
  };
}

function networkKeys(minor: number): Keys {
  return {
    name: minor >= 5 ? STRING : undefined,
    driver: STRING,
    driver_opts: OPTIONS,
    ipam: closed({ driver: STRING, config: list(closed({ subnet: STRING })) }),
    external: EXTERNAL,
    internal: BOOLEAN,
    attachable: minor >= 2 ? BOOLEAN : undefined,
    labels: MAPPING_OR_LIST,
  };
}

function volumeKeys(minor: number): Keys {
  return {
    name: minor >= 4 ? STRING : undefined,
    driver: STRING,
    driver_opts: OPTIONS,
    external: EXTERNAL,
    labels: MAPPING_OR_LIST,
    "x-cluster-spec": minor >= 10 ? CLUSTER_VOLUME : undefined,
  };
}

const TOPOLOGIES = list(open({ segments: MAPPING_OR_LIST }));
const CLUSTER_VOLUME = open({
  group: STRING,
  access_mode: open({
    scope: STRING,
    sharing: STRING,
    block_volume: open({}),
    mount_volume: open({ fs_type: STRING, mount_flags: list(STRING) }),
  }),
  accessibility_requirements: open({ requisite: TOPOLOGIES, preferred: TOPOLOGIES }),
  capacity_range: open({ required_bytes: STRING, limit_bytes: STRING }),
  availability: STRING,
});

function fileObjectKeys(minor: number, secret: boolean): Keys {
  return {
    name: minor >= 5 ? STRING : undefined,
    file: STRING,
    external: open({ name: STRING }, { types: ["boolean", "object"] }),
    labels: MAPPING_OR_LIST,
    driver: secret && minor >= 8 ? STRING : undefined,
    driver_opts: secret && minor >= 8 ? OPTIONS : undefined,
    template_driver: minor >= 8 ? STRING : undefined,
  };
}
