/** What the flags of `docker run` come to: a container's specification, or a problem in the client's words. */
import type {
  ContainerSpec,
  HealthCheck,
  Mount,
  NetworkAttachment,
  RestartPolicy,
} from "../../../docker/container-spec.ts";
import type { Engine } from "../../../docker/engine.ts";
import { isRefusal } from "../../../docker/refusal.ts";
import { SECOND } from "../../../sim/time.ts";
import { type Ipv4Address, parseIpv4, parseMac } from "../../../wire/address.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Flags, splitPair } from "../flags.ts";
import { splitAddHost } from "./flag-checks.ts";
import { parseMount, parseVolume } from "./mount-flags.ts";
import { isUserDefined, parseNetworkFlag } from "./network-flag.ts";
import { parseExpose, parsePublish } from "./port-flags.ts";
import { REFUSED_FLAGS } from "./run-flags.ts";

/** The client's own refusals; the engine's begin with `Error response from daemon: `. */
export function readSpec(
  flags: Flags,
  operands: readonly string[],
  { environment }: CommandContext,
  engine: Engine,
): ContainerSpec {
  for (const { name } of REFUSED_FLAGS) if (flags.has(name)) throw problem(`--${name} is not emulated`);
  if (flags.list("env-file").length > 0) throw problem(`open ${flags.string("env-file")}: no such file or directory`);
  if (flags.list("label-file").length > 0)
    throw problem(`open ${flags.string("label-file")}: no such file or directory`);
  if (flags.bool("rm") && (flags.string("restart") ?? "no") !== "no")
    throw problem("conflicting options: cannot specify both --restart and --rm");
  const [image = "", ...command] = operands;
  const entrypoint = flags.string("entrypoint");
  const exposedPorts = flags.list("expose").flatMap((value) => valid(parseExpose(value)));
  const ports = flags.list("publish").flatMap((value) => valid(parsePublish(value)));
  if (flags.bool("publish-all"))
    for (const { protocol, port } of exposedPorts) ports.push({ protocol, containerPort: port });
  const timeoutS = flags.int("stop-timeout");
  return {
    name: flags.string("name"),
    image,
    command: entrypoint === undefined || entrypoint === "" ? command : [entrypoint, ...command],
    environment: new Map(flags.list("env").flatMap((value) => readVariable(value, environment))),
    hostname: flags.string("hostname"),
    labels: flags.map("label"),
    networks: readNetworks(flags),
    ports,
    exposedPorts,
    healthCheck: readHealthCheck(flags),
    stopSignal: flags.string("stop-signal"),
    stopGraceNs: timeoutS === undefined || timeoutS < 0 ? undefined : timeoutS * SECOND,
    dns: readDns(flags),
    extraHosts: flags.list("add-host").flatMap((value) => readHost(value, engine)),
    mounts: readMounts(flags),
    restart: readRestart(flags.string("restart")),
    removeAtExit: flags.bool("rm"),
  };
}

/** A name without a value takes it from where the client runs. */
function readVariable(value: string, environment: ReadonlyMap<string, string>): [string, string][] {
  if (value.includes("=")) return [splitPair(value)];
  const known = environment.get(value);
  return known === undefined ? [] : [[value, known]];
}

function readNetworks(flags: Flags): NetworkAttachment[] {
  const given = [...flags.list("network"), ...flags.list("net")].map((value) => valid(parseNetworkFlag(value)));
  const aliases = [...flags.list("network-alias"), ...flags.list("net-alias")];
  const first = given[0] ?? { network: "default", aliases: [] };
  for (const { network } of given)
    if (network.startsWith("container:")) throw problem(`--network ${network} is not emulated`);
  if (given.length > 1 && given.some(({ network }) => !isUserDefined(network)))
    throw problem("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  const userDefined = isUserDefined(first.network);
  if ((aliases.length > 0 || first.aliases.length > 0) && !userDefined)
    throw problem("network-scoped aliases are only supported for user-defined networks");
  const ip = flags.string("ip");
  const macText = flags.string("mac-address");
  const mac = macText === undefined ? undefined : parseMac(macText);
  if (macText !== undefined && mac === undefined) throw problem(`${macText} is not a valid mac address`);
  if (ip !== undefined && first.address !== undefined)
    throw problem("conflicting options: cannot specify both --ip and per-network IPv4 address");
  const address = ip === undefined ? first.address : parseIpv4(ip);
  if (ip !== undefined && address === undefined) throw daemonProblem(`invalid IPv4 address: ${ip}`);
  if (address !== undefined && !userDefined)
    throw daemonProblem(
      `invalid config for network ${first.network === "default" ? "bridge" : first.network}: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only`,
    );
  if (given.length === 0 && mac === undefined) return [];
  const network = first.network === "default" ? "bridge" : first.network;
  return [{ network, address, mac: mac ?? first.mac, aliases: [...first.aliases, ...aliases] }, ...given.slice(1)];
}

function readHealthCheck(flags: Flags): HealthCheck | undefined {
  const line = flags.string("health-cmd");
  const parts = ["cmd", "interval", "timeout", "start-period", "start-interval", "retries"];
  if (flags.bool("no-healthcheck")) {
    if (parts.some((part) => flags.has(`health-${part}`)))
      throw problem("--no-healthcheck conflicts with --health-* options");
    return undefined;
  }
  if (line === undefined || line === "") return undefined;
  return {
    command: ["sh", "-c", line],
    intervalNs: flags.durationNs("health-interval"),
    timeoutNs: flags.durationNs("health-timeout"),
    startPeriodNs: flags.durationNs("health-start-period"),
    startIntervalNs: flags.durationNs("health-start-interval"),
    retries: flags.int("health-retries"),
  };
}

function readDns(flags: Flags): ContainerSpec["dns"] {
  const servers = flags.list("dns").map((text) => parseIpv4(text.trim()));
  const search = flags.list("dns-search");
  const options = flags.list("dns-option");
  if (servers.length + search.length + options.length === 0) return undefined;
  return { servers: servers.filter((each): each is Ipv4Address => each !== undefined), search, options };
}

function readHost(value: string, engine: Engine): [string, Ipv4Address][] {
  const [name, text] = splitAddHost(value) ?? ["", ""];
  const bridge = engine.findNetwork("bridge");
  // `host-gateway` is the address of docker0.
  const gateway = isRefusal(bridge) ? undefined : bridge.subnets[0]?.gateway;
  const address = text === "host-gateway" ? gateway : parseIpv4(text);
  return address === undefined ? [] : [[name, address]];
}

function readMounts(flags: Flags): Mount[] {
  const mounts = flags.list("mount").map((value) => valid(parseMount(value)));
  for (const value of flags.list("volume")) {
    const mount = parseVolume(value);
    if (typeof mount === "string") throw daemonProblem(mount);
    mounts.push(mount);
  }
  for (const value of flags.list("tmpfs"))
    mounts.push({ type: "tmpfs", source: undefined, target: value.split(":")[0]!, readOnly: false });
  return mounts;
}

function readRestart(text: string | undefined): RestartPolicy | undefined {
  if (text === undefined || text === "" || text === "no") return undefined;
  const [condition = "", count, ...more] = text.split(":");
  if (more.length > 0) throw problem("invalid restart policy format");
  if (count !== undefined && !/^\d+$/.test(count))
    throw problem("invalid restart policy format: maximum retry count must be an integer");
  if (condition !== "always" && condition !== "on-failure" && condition !== "unless-stopped")
    throw daemonProblem(
      `invalid restart policy: unknown policy '${condition}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  if (count !== undefined && condition !== "on-failure")
    throw daemonProblem("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  return { condition, maximumRetries: Number(count ?? 0) };
}

/** What was read, unless it was a problem. */
function valid<T extends object>(answer: T | string): T {
  if (typeof answer === "string") throw problem(answer);
  return answer;
}

function problem(message: string): CommandError {
  return new CommandError(125, message);
}

function daemonProblem(message: string): CommandError {
  return new CommandError(125, `Error response from daemon: ${message}`);
}
