/** The word `ipvsadm` 1.31: virtual services, their real servers, connections, timeouts. */
import type { Errno } from "../../linux/errno.ts";
import { ipvsOf } from "../../linux/ipvs/attach.ts";
import type { Ipvs } from "../../linux/ipvs/ipvs.ts";
import { parseSchedulerName } from "../../linux/ipvs/scheduler.ts";
import type { ServiceOptions } from "../../linux/ipvs/virtual-service.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { instantWord, type Outcome, type Word } from "../word.ts";
import { parseArguments, type Request, tryHelp, USAGE_STATUS } from "./arguments.ts";
import {
  connectionsText,
  HEADER,
  type PrintOptions,
  ruleText,
  serviceText,
  sortedServices,
  titleText,
} from "./print.ts";

const VERSION = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";
const DEFAULT_SCHEDULER = "wlc";
const FAILURE = 2;

/** Where an `ipvsadm` runs, and what it is given. */
export interface IpvsadmSurroundings {
  readonly namespace: NetworkNamespace;
  readonly stdin: string;
  hostName(address: Ipv4Address): string | undefined;
}

export const IPVSADM: Word = instantWord("ipvsadm", (argv, context) =>
  ipvsadm(argv, {
    namespace: context.namespace,
    stdin: context.stdin,
    hostName: (address) => {
      for (const [name, own] of context.host.hostsFile) if (own === address) return name;
      return undefined;
    },
  }),
);

export function ipvsadm(argv: readonly string[], surroundings: IpvsadmSurroundings): Outcome {
  const output: string[] = [];
  try {
    const refused = runLine(argv, surroundings, output, false);
    if (refused === undefined) return { status: 0, stdout: output.join(""), stderr: "" };
    return { status: USAGE_STATUS, stdout: output.join(""), stderr: `${refused}\n` };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { status: error.status, stdout: output.join(""), stderr: `${error.message}\n` };
  }
}

/** The kernel's refusal in words, if it refused; wrong usage is thrown. */
function runLine(
  argv: readonly string[],
  surroundings: IpvsadmSurroundings,
  output: string[],
  restoring: boolean,
): string | undefined {
  const ipvs = ipvsOf(surroundings.namespace);
  const request: Request | undefined = argv.length === 0 ? undefined : parseArguments(argv);
  const print: PrintOptions = {
    options: request?.options ?? new Set(),
    nowNs: surroundings.namespace.clock.nowNs,
    hostName: surroundings.hostName,
  };
  if (request === undefined) {
    output.push(listAll(ipvs, print));
    return undefined;
  }
  switch (request.command) {
    case "help":
      output.push(VERSION, USAGE);
      return undefined;
    case "version":
      output.push(VERSION);
      return undefined;
    case "list":
      output.push(list(ipvs, request, print));
      return undefined;
    case "save":
      output.push(...sortedServices(ipvs.services.list, print).map((service) => ruleText(service, print)));
      return undefined;
    case "restore":
      if (restoring) throw tryHelp();
      return restore(surroundings, output);
    default:
      return change(ipvs, request);
  }
}

/** Each line of standard input is a command line; one that fails does not stop the rest, wrong usage does. */
function restore(surroundings: IpvsadmSurroundings, output: string[]): string | undefined {
  let refused: string | undefined;
  for (const line of surroundings.stdin.split("\n")) {
    const words = line.replace(/#.*/, "").trim().split(/\s+/);
    if (words[0] !== "") refused = runLine(words, surroundings, output, true);
  }
  return refused;
}

function list(ipvs: Ipvs, request: Request, print: PrintOptions): string {
  const { options } = request;
  const special = options.has("connection") || options.has("timeout") || options.has("daemon");
  if (special && (["stats", "persistent-conn", "rate", "thresholds"] as const).some((name) => options.has(name)))
    throw new CommandError(FAILURE, "options conflicts in the list command");
  if (options.has("connection")) return connectionsText(ipvs.connections.list(), print);
  if (options.has("timeout")) {
    const { tcp, tcpFin, udp } = ipvs.timeouts;
    return `Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`;
  }
  if (options.has("daemon")) return "";
  if (!options.has("service-address")) return listAll(ipvs, print);
  const service = ipvs.services.find(request.service);
  if (service === undefined) throw new CommandError(1, "No such service");
  return titleText(print) + serviceText(service, print);
}

function listAll(ipvs: Ipvs, print: PrintOptions): string {
  const services = sortedServices(ipvs.services.list, print);
  return HEADER + titleText(print) + services.map((service) => serviceText(service, print)).join("");
}

function change(ipvs: Ipvs, request: Request): string | undefined {
  const { command, service, server } = request;
  switch (command) {
    case "flush":
      ipvs.flush();
      return undefined;
    case "zero":
      return zero(ipvs, request);
    case "set": {
      const [tcp = 0, tcpFin = 0, udp = 0] = request.timeouts;
      ipvs.setTimeouts({ tcp, tcpFin, udp });
      return undefined;
    }
    case "add-service":
    case "edit-service": {
      const options = serviceOptions(request);
      if (options === undefined) return "Scheduler or persistence engine not found";
      if (service.mark === 0 && !isUnicast(service.address)) return NOT_UNICAST;
      const problem =
        command === "add-service" ? ipvs.addService(service, options) : ipvs.editService(service, options);
      return problem === undefined ? undefined : SERVICE_PROBLEMS[problem];
    }
    case "delete-service": {
      const problem = ipvs.deleteService(service);
      return problem === undefined ? undefined : SERVICE_PROBLEMS[problem];
    }
    case "add-server":
    case "edit-server": {
      // Without translation a server has to listen on the service's own port.
      if (service.mark === 0 && server.method !== "masquerade") server.port = service.port;
      if (!isUnicast(server.address)) return NOT_UNICAST;
      const problem = command === "add-server" ? ipvs.addServer(service, server) : ipvs.editServer(service, server);
      return problem === undefined ? undefined : SERVER_PROBLEMS[problem];
    }
    case "delete-server": {
      const problem = ipvs.deleteServer(service, server.address, server.port);
      return problem === undefined ? undefined : SERVER_PROBLEMS[problem];
    }
    default:
      return undefined; // lists and the like have been seen to
  }
}

const NOT_UNICAST = "Invalid operation.  Possibly wrong module version, address not unicast, ...";
const SERVICE_PROBLEMS: Partial<Record<Errno, string>> = {
  EEXIST: "Service already exists",
  ESRCH: "No such service",
};
const SERVER_PROBLEMS: Partial<Record<Errno, string>> = {
  ESRCH: "Service not defined",
  EEXIST: "Destination already exists",
  ENOENT: "No such destination",
};

/** undefined: there is no such scheduler. */
function serviceOptions(request: Request): ServiceOptions | undefined {
  const { service, persistentSeconds, onePacket } = request;
  if (service.mark === 0 && service.port === 0 && persistentSeconds === undefined)
    throw new CommandError(FAILURE, "Zero port specified for non-persistent service");
  if (onePacket && service.mark === 0 && service.protocol !== 17)
    throw new CommandError(FAILURE, "One-Packet Scheduling is only for UDP virtual services");
  const scheduler = parseSchedulerName(request.scheduler === "" ? DEFAULT_SCHEDULER : request.scheduler);
  if (scheduler === undefined) return undefined;
  return { scheduler, persistentSeconds, clientMask: request.clientMask, onePacket };
}

function zero(ipvs: Ipvs, request: Request): string | undefined {
  const named = request.options.has("service-address");
  const service = named ? ipvs.services.find(request.service) : undefined;
  if (named && service === undefined) return SERVICE_PROBLEMS.ESRCH;
  if (!named) ipvs.statistics.zero();
  for (const one of service === undefined ? ipvs.services.list : [service]) {
    one.statistics.zero();
    for (const server of one.servers) server.statistics.zero();
  }
  return undefined;
}

function isUnicast(address: Ipv4Address): boolean {
  return address >>> 24 !== 0 && address >>> 28 < 0xe;
}

const USAGE = `Usage:
  ipvsadm -A|E virtual-service [-s scheduler] [-p [timeout]] [-M netmask] [-o]
  ipvsadm -D virtual-service
  ipvsadm -C
  ipvsadm -R
  ipvsadm -S [-n]
  ipvsadm -a|e virtual-service -r server-address [-m|-g|-i] [-w weight] [-x uthreshold] [-y lthreshold]
  ipvsadm -d virtual-service -r server-address
  ipvsadm -L|l [virtual-service] [-n] [-c] [--timeout] [--stats] [--rate] [--thresholds] [--persistent-conn]
  ipvsadm -Z [virtual-service]
  ipvsadm --set tcp tcpfin udp
  ipvsadm -h
virtual-service: -t|-u address[:port], -f fwmark; scheduler: rr|wrr|lc|wlc|sed|nq|fo|sh|dh (wlc)
`;
