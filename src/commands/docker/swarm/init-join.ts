/** `docker swarm init` and `docker swarm join`. */
import type { Process } from "../../../linux/process.ts";
import type { Availability } from "../../../swarm/ca/ca-shapes.ts";
import type { InitOptions } from "../../../swarm/swarm-node.ts";
import { formatPrefix, parsePrefix } from "../../../wire/address.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, daemonError, outcome, swarmNodeOf } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import type { FlagDefinition, Flags } from "../flags.ts";
import { CLUSTER_FLAGS, clusterOptionsOf } from "./cluster-flags.ts";
import { joinText, unlockKey, unlockText } from "./swarm-texts.ts";

const AVAILABILITIES: readonly Availability[] = ["active", "pause", "drain"];
const FIRST_DATA_PORT = 1_024;
const LAST_DATA_PORT = 49_151;
const LONGEST_SUBNET = 29;
const DEFAULT_SUBNET = 24;

const NODE_FLAGS: readonly FlagDefinition[] = [
  { name: "advertise-addr", kind: "string", usage: 'Advertised address (format: "<ip|interface>[:port]")' },
  {
    name: "availability",
    kind: "string",
    usage: 'Availability of the node ("active", "pause", "drain")',
    byDefault: '"active"',
  },
  {
    name: "data-path-addr",
    kind: "string",
    usage: 'Address or interface to use for data path traffic (format: "<ip|interface>")',
  },
  {
    name: "listen-addr",
    kind: "node-addr",
    usage: 'Listen address (format: "<ip|interface>[:port]")',
    byDefault: "0.0.0.0:2377",
  },
];

export const SWARM_INIT: DockerCommand = {
  path: "swarm init",
  takes: "[OPTIONS]",
  summary: "Initialize a swarm",
  flags: [
    ...NODE_FLAGS,
    ...CLUSTER_FLAGS,
    {
      name: "autolock",
      kind: "bool",
      usage: "Enable manager autolocking (requiring an unlock key to start a stopped manager)",
    },
    {
      name: "data-path-port",
      kind: "uint32",
      usage:
        "Port number to use for data path traffic (1024 - 49151). If no value is set or is set to 0, the default port (4789) is used.",
    },
    {
      name: "default-addr-pool",
      kind: "ipNetSlice",
      usage: "default address pool in CIDR format",
      byDefault: "[]",
      check: (value) =>
        value.split(",").every((each) => each.includes("/") && parsePrefix(each) !== undefined)
          ? undefined
          : `invalid string being converted to CIDR: ${value}`,
    },
    {
      name: "default-addr-pool-mask-length",
      kind: "uint32",
      usage: "default address pool subnet mask length",
      byDefault: "24",
    },
    { name: "force-new-cluster", kind: "bool", usage: "Force create a new cluster from current state" },
  ],
  least: 0,
  most: 0,
  run: init,
};

function* init(process: Process, context: CommandContext, flags: Flags): Asking<number> {
  const options = initOptions(flags);
  const node = swarmNodeOf(context);
  yield* advertised(outcome((done) => node.init(options, done)));
  const nodeId = node.nodeId ?? "";
  process.stdout.write(`Swarm initialized: current node (${nodeId}) is now a manager.\n\n`);
  process.stdout.write(yield* joinText(context, nodeId, "worker"));
  process.stdout.write(
    "To add a manager to this swarm, run 'docker swarm join-token manager' and follow the instructions.\n\n",
  );
  const key = flags.bool("autolock") ? yield* unlockKey(context) : undefined;
  if (key !== undefined) process.stdout.write(unlockText(key));
  return 0;
}

/** The client knows what to do about a machine with several addresses. */
function* advertised(act: Asking<void>): Asking<void> {
  try {
    yield* act;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (!/could not choose an IP address to advertise|could not find the system's IP address/.test(error.message))
      throw error;
    throw new CommandError(error.status, `${error.message} - specify one with --advertise-addr`);
  }
}

function nodeOptions(flags: Flags) {
  return {
    listenAddress: flags.string("listen-addr") ?? "",
    advertiseAddress: flags.string("advertise-addr") ?? "",
    dataPathAddress: flags.string("data-path-addr") ?? "",
    availability: availabilityOf(flags),
  };
}

function availabilityOf(flags: Flags): Availability {
  const text = flags.string("availability") ?? "active";
  const found = AVAILABILITIES.find((each) => each === text.toLowerCase());
  if (found !== undefined) return found;
  throw new CommandError(1, `invalid availability "${text}", only active, pause and drain are supported`);
}

function initOptions(flags: Flags): InitOptions {
  const options = nodeOptions(flags);
  const dataPathPort = flags.int("data-path-port") ?? 0;
  if (dataPathPort !== 0 && (dataPathPort < FIRST_DATA_PORT || dataPathPort > LAST_DATA_PORT))
    throw daemonError(`Datapath port number is not in valid range (1024-49151) : ${dataPathPort}`);
  const pools = flags.list("default-addr-pool").map((text) => parsePrefix(text)!);
  const subnetSize = flags.int("default-addr-pool-mask-length") ?? DEFAULT_SUBNET;
  if (pools.length > 0 && (subnetSize > LONGEST_SUBNET || subnetSize === 0))
    throw daemonError(`subnet size is out of range: ${subnetSize}`);
  const long = pools.find(({ length }) => length > subnetSize);
  if (long !== undefined)
    throw daemonError(`invalid default address pool mask size ${long.length}, subnet size ${subnetSize}`);
  return {
    ...options,
    forceNewCluster: flags.bool("force-new-cluster"),
    cluster: {
      ...clusterOptionsOf(flags),
      dataPathPort,
      autoLock: flags.bool("autolock"),
      defaultAddressPool: pools.map(formatPrefix),
      subnetSize,
    },
  };
}

export const SWARM_JOIN: DockerCommand = {
  path: "swarm join",
  takes: "[OPTIONS] HOST:PORT",
  summary: "Join a swarm as a node and/or manager",
  flags: [...NODE_FLAGS, { name: "token", kind: "string", usage: "Token for entry into the swarm" }],
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const options = { ...nodeOptions(flags), remoteAddress: operands[0]!, token: flags.string("token") ?? "" };
    const node = swarmNodeOf(context);
    yield* outcome((done) => node.join(options, done));
    const role = node.manager === undefined ? "worker" : "manager";
    process.stdout.write(`This node joined a swarm as a ${role}.\n`);
    return 0;
  },
};
