/** Services, servers and connections as ipvsadm 1.31 prints them. */

import type { IpvsConnection } from "../../linux/ipvs/connection.ts";
import type { ForwardingMethod, RealServer } from "../../linux/ipvs/real-server.ts";
import type { VirtualService } from "../../linux/ipvs/virtual-service.ts";
import { portName } from "../../linux/netfilter/names.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import type { OptionName } from "./arguments.ts";

const TCP = 6;
const UDP = 17;
export const HEADER = "IP Virtual Server version 1.2.1 (size=4096)\n";
const METHOD_NAMES: Record<ForwardingMethod, string> = { masquerade: "Masq", route: "Route", tunnel: "Tunnel" };
const METHOD_OPTIONS: Record<ForwardingMethod, string> = { masquerade: "-m", route: "-g", tunnel: "-i" };
const ALL_ONES = 0xffff_ffff;

export interface PrintOptions {
  readonly options: ReadonlySet<OptionName>;
  readonly nowNs: Nanoseconds;
  /** A host's name; undefined: it has none. */
  hostName(address: Ipv4Address): string | undefined;
}

type Columns = "stats" | "rate" | "thresholds" | "persistent-conn" | "plain";

function columnsOf(print: PrintOptions): Columns {
  for (const columns of ["stats", "rate", "thresholds", "persistent-conn"] as const)
    if (print.options.has(columns)) return columns;
  return "plain";
}

export function titleText(print: PrintOptions): string {
  const first = "Prot LocalAddress:Port";
  const right = (names: readonly string[]) => names.map((name) => ` ${name.padStart(8)}`).join("");
  switch (columnsOf(print)) {
    case "stats":
      return `${first.padEnd(33)}${right(["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"])}\n  -> RemoteAddress:Port\n`;
    case "rate":
      return `${first.padEnd(33)}${right(["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"])}\n  -> RemoteAddress:Port\n`;
    case "thresholds":
      return `${first.padEnd(33)} Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n`;
    case "persistent-conn":
      return `${first.padEnd(33)} Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n`;
    case "plain":
      return `${first} Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n`;
  }
}

/** Services in the order of their marks, protocols, addresses and ports, unless they are not to be sorted. */
export function sortedServices(services: readonly VirtualService[], print: PrintOptions): VirtualService[] {
  if (print.options.has("nosort")) return [...services];
  return [...services].sort(
    ({ key: a }, { key: b }) => a.mark - b.mark || a.protocol - b.protocol || a.address - b.address || a.port - b.port,
  );
}

function sortedServers(service: VirtualService, print: PrintOptions): RealServer[] {
  if (print.options.has("nosort")) return [...service.servers];
  return [...service.servers].sort((a, b) => a.address - b.address || a.port - b.port);
}

/** A service with its servers. */
export function serviceText(service: VirtualService, print: PrintOptions): string {
  const { key, options, statistics } = service;
  const columns = columnsOf(print);
  const protocol = key.protocol === UDP ? "UDP" : "TCP";
  const name =
    key.mark !== 0
      ? `FWM  ${key.mark}`
      : `${protocol}  ${endpoint(key.address, key.port, key.protocol, print)}`.slice(0, 33);
  let line: string;
  if (columns === "stats" || columns === "rate") {
    line =
      name.padEnd(33) +
      figures(statistics, columns, print)
        .map((figure) => large(figure, print))
        .join("");
  } else {
    line = `${name} ${options.scheduler}`;
    if (options.persistentSeconds !== undefined) {
      line += ` persistent ${options.persistentSeconds}`;
      if (options.clientMask !== ALL_ONES) line += ` mask ${formatIpv4(options.clientMask as Ipv4Address)}`;
    }
    if (options.onePacket) line += " ops";
  }
  return [line, ...sortedServers(service, print).map((server) => serverText(service, server, columns, print))]
    .map((text) => `${text}\n`)
    .join("");
}

function serverText(service: VirtualService, server: RealServer, columns: Columns, print: PrintOptions): string {
  const name = endpoint(server.address, server.port, service.key.protocol, print).slice(0, 28).padEnd(28);
  const column = (value: number | string, width: number) => ` ${String(value).padEnd(width)}`;
  const active = column(server.activeConnections, 10) + column(server.inactiveConnections, 10);
  const begin = `  -> ${name}`;
  switch (columns) {
    case "stats":
      return (
        begin +
        figures(server.statistics, columns, print)
          .map((figure) => large(figure, print))
          .join("")
      );
    case "rate": {
      const [connections, inPackets, outPackets, inBytes, outBytes] = figures(server.statistics, columns, print);
      const packets = [connections, inPackets, outPackets].map((figure) => ` ${String(figure).padStart(8)}`).join("");
      return begin + packets + large(inBytes!, print) + large(outBytes!, print);
    }
    case "thresholds":
      return begin + column(server.upperThreshold, 10) + column(server.lowerThreshold, 10) + active;
    case "persistent-conn":
      return begin + column(server.weight, 9) + column(server.persistentConnections, 11) + active;
    case "plain":
      return begin + column(METHOD_NAMES[server.method], 7) + column(server.weight, 6) + active;
  }
}

/** The commands that would make the service: `ipvsadm -S`. */
export function ruleText(service: VirtualService, print: PrintOptions): string {
  const { key, options } = service;
  const name =
    key.mark !== 0
      ? `-f ${key.mark}`
      : `${key.protocol === UDP ? "-u" : "-t"} ${endpoint(key.address, key.port, key.protocol, print)}`;
  let line = `-A ${name} -s ${options.scheduler}`;
  if (options.persistentSeconds !== undefined) {
    line += ` -p ${options.persistentSeconds}`;
    if (options.clientMask !== ALL_ONES) line += ` -M ${formatIpv4(options.clientMask as Ipv4Address)}`;
  }
  if (options.onePacket) line += " ops";
  const servers = sortedServers(service, print).map(
    (server) =>
      `-a ${name} -r ${endpoint(server.address, server.port, key.protocol, print)} ${METHOD_OPTIONS[server.method]} -w ${server.weight}`,
  );
  return [line, ...servers].map((text) => `${text}\n`).join("");
}

/** `ipvsadm -Lc`. */
export function connectionsText(connections: readonly IpvsConnection[], print: PrintOptions): string {
  let text = `IPVS connection entries\npro expire ${"state".padEnd(11)} ${"source".padEnd(18)} ${"virtual".padEnd(18)} destination\n`;
  for (const connection of connections) {
    const { protocol } = connection;
    const name = protocol === TCP ? "TCP" : protocol === UDP ? "UDP" : "IP";
    const left = Math.max(0, Math.floor((connection.expiresNs - print.nowNs) / SECOND));
    const expire = `${String(Math.floor(left / 60)).padStart(2, "0")}:${String(left % 60).padStart(2, "0")}`;
    const end = (address: number, port: number) => endpoint(address as Ipv4Address, port, protocol, print);
    text +=
      `${name.padEnd(3)} ${expire.padEnd(6)} ${connection.stateName.padEnd(11)}` +
      ` ${end(connection.clientAddress, connection.clientPort).padEnd(18)}` +
      ` ${end(connection.virtualAddress, connection.virtualPort).padEnd(18)}` +
      ` ${end(connection.server.address, connection.serverPort)}\n`;
  }
  return text;
}

function figures(statistics: RealServer["statistics"], columns: "stats" | "rate", print: PrintOptions): number[] {
  const { connections, inPackets, outPackets, inBytes, outBytes } =
    columns === "stats" ? statistics : statistics.rates(print.nowNs);
  return [connections, inPackets, outPackets, inBytes, outBytes];
}

/** Nine places; large figures in thousands and above, unless exact ones are wanted. */
function large(value: number, print: PrintOptions): string {
  if (print.options.has("exact")) return ` ${String(value).padStart(8)}`;
  if (value < 1e8) return String(value).padStart(9);
  if (value < 1e9) return `${String(Math.floor(value / 1e3)).padStart(8)}K`;
  if (value < 1e11) return `${String(Math.floor(value / 1e6)).padStart(8)}M`;
  if (value < 1e14) return `${String(Math.floor(value / 1e9)).padStart(8)}G`;
  return `${String(Math.floor(value / 1e12)).padStart(8)}T`;
}

function endpoint(address: Ipv4Address, port: number, protocol: number, print: PrintOptions): string {
  if (print.options.has("numeric")) return `${formatIpv4(address)}:${port}`;
  const named = protocol === TCP || protocol === UDP ? portName(port, false) : String(port);
  return `${print.hostName(address) ?? formatIpv4(address)}:${named}`;
}
