/** `docker network create`: networks of this engine alone, and those that the managers are asked for. */
import type { Network } from "../../../docker/network.ts";
import { contains, type Ipv4Address, type Prefix, parseIpv4, parsePrefix } from "../../../wire/address.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, granted } from "../daemon.ts";
import type { FlagDefinition, Flags } from "../flags.ts";
import { createSwarmNetwork } from "./swarm-network.ts";

export const NETWORK_CREATE_FLAGS: readonly FlagDefinition[] = [
  { name: "attachable", kind: "bool", usage: "Enable manual container attachment" },
  {
    name: "aux-address",
    kind: "map",
    usage: "Auxiliary IPv4 or IPv6 addresses used by Network driver",
    byDefault: "map[]",
  },
  { name: "config-from", kind: "string", usage: "The network from which to copy the configuration" },
  { name: "config-only", kind: "bool", usage: "Create a configuration only network" },
  { name: "driver", letter: "d", kind: "string", usage: "Driver to manage the Network", byDefault: '"bridge"' },
  { name: "gateway", kind: "strings", usage: "IPv4 or IPv6 Gateway for the master subnet" },
  { name: "ingress", kind: "bool", usage: "Create swarm routing-mesh network" },
  { name: "internal", kind: "bool", usage: "Restrict external access to the network" },
  { name: "ip-range", kind: "strings", usage: "Allocate container ip from a sub-range" },
  { name: "ipam-driver", kind: "string", usage: "IP Address Management Driver", byDefault: '"default"' },
  { name: "ipam-opt", kind: "map", usage: "Set IPAM driver specific options", byDefault: "map[]" },
  { name: "ipv4", kind: "bool", usage: "Enable or disable IPv4 address assignment", byDefault: "true" },
  { name: "ipv6", kind: "bool", usage: "Enable or disable IPv6 address assignment" },
  { name: "label", kind: "list", usage: "Set metadata on a network" },
  { name: "opt", letter: "o", kind: "map", usage: "Set driver specific options", byDefault: "map[]" },
  { name: "scope", kind: "string", usage: "Control the network's scope" },
  { name: "subnet", kind: "strings", usage: "Subnet in CIDR format that represents a network segment" },
];

/** A subnet as asked for on the command line. */
export interface SubnetRequest {
  readonly subnet: Prefix;
  readonly gateway: Ipv4Address | undefined;
  readonly range: Prefix | undefined;
  readonly auxiliary: ReadonlyMap<string, Ipv4Address>;
}

export const NETWORK_CREATE: DockerCommand = {
  path: "network create",
  takes: "[OPTIONS] NETWORK",
  summary: "Create a network",
  flags: NETWORK_CREATE_FLAGS,
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const name = operands[0]!;
    checkEmulated(flags);
    const id = isForSwarm(flags)
      ? yield* createSwarmNetwork(context, name, flags, readSubnets(flags))
      : create(context, name, flags).id;
    process.stdout.write(`${id}\n`);
    return 0;
  },
};

function checkEmulated(flags: Flags): void {
  if (flags.bool("ipv6")) throw daemonProblem("IPv6 is not emulated");
  if (flags.bool("config-only") || flags.has("config-from"))
    throw daemonProblem("configuration networks are not emulated");
}

function isForSwarm(flags: Flags): boolean {
  return flags.string("driver") === "overlay" || flags.bool("ingress") || flags.string("scope") === "swarm";
}

function create(context: CommandContext, name: string, flags: Flags): Network {
  const engine = engineOf(context);
  const driver = flags.string("driver") ?? "bridge";
  if (driver === "host" || driver === "null")
    throw daemonProblem(`only one instance of "${driver}" network is allowed`);
  if (driver !== "bridge") throw daemonProblem(`plugin "${driver}" not found`);
  const subnets = readSubnets(flags);
  if (subnets.length > 1) throw daemonProblem("bridge driver doesn't support multiple subnets");
  return granted(
    engine.createNetwork({
      name,
      driver: "bridge",
      internal: flags.bool("internal"),
      attachable: flags.bool("attachable"),
      options: flags.map("opt"),
      labels: flags.map("label"),
      subnet: subnets[0],
    }),
  );
}

/** Gateways, ranges and auxiliary addresses go to the subnet that they are in. */
export function readSubnets(flags: Flags): SubnetRequest[] {
  const subnets = flags.list("subnet").map((text) => {
    const subnet = text.includes("/") ? parsePrefix(text) : undefined;
    if (subnet === undefined)
      throw daemonProblem(`invalid network config:\ninvalid subnet ${text}: invalid CIDR address: ${text}`);
    return {
      subnet,
      gateway: undefined as Ipv4Address | undefined,
      range: undefined as Prefix | undefined,
      auxiliary: new Map<string, Ipv4Address>(),
    };
  });
  for (const [index, each] of subnets.entries())
    for (const other of subnets.slice(0, index))
      if (contains(other.subnet, each.subnet.address) || contains(each.subnet, other.subnet.address))
        throw new CommandError(1, "multiple overlapping subnet configuration is not supported");
  const home = (address: Ipv4Address, what: string) => {
    const found = subnets.find(({ subnet }) => contains(subnet, address));
    if (found === undefined) throw new CommandError(1, `no matching subnet for ${what}`);
    return found;
  };
  for (const text of flags.list("ip-range")) {
    const range = parsePrefix(text);
    if (range === undefined) throw new CommandError(1, `invalid CIDR address: ${text}`);
    home(range.address, `range ${text}`).range = range;
  }
  for (const text of flags.list("gateway")) {
    const gateway = parseIpv4(text);
    if (gateway === undefined) throw new CommandError(1, `invalid gateway ${text}`);
    home(gateway, `gateway ${text}`).gateway = gateway;
  }
  for (const [name, text] of flags.map("aux-address")) {
    const address = parseIpv4(text);
    if (address === undefined) throw new CommandError(1, `invalid aux-address ${text}`);
    home(address, `aux-address ${text}`).auxiliary.set(name, address);
  }
  return subnets;
}

function daemonProblem(message: string): CommandError {
  return new CommandError(1, `Error response from daemon: ${message}`);
}
