/** One connection as `conntrack -L` prints it (libnetfilter_conntrack's default output). */
import { type Nanoseconds, SECOND } from "../../../sim/time.ts";
import { formatIpv4, type Ipv4Address } from "../../../wire/address.ts";
import * as ipv4 from "../../../wire/ipv4.ts";
import { ASSURED, type ConnectionTable, SEEN_REPLY } from "./connection-table.ts";
import { stateOf, TCP_STATES } from "./tcp-tracking.ts";
import { hasPorts } from "./tuple.ts";

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [33, "dccp"],
  [47, "gre"],
  [132, "sctp"],
  [136, "udplite"],
]);

export function protocolOf(name: string): number | undefined {
  for (const [number, known] of PROTOCOL_NAMES) if (known === name) return number;
  return undefined;
}

export function formatConnection(table: ConnectionTable, row: number, nowNs: Nanoseconds): string {
  const protocol = table.protocol(row);
  const status = table.status(row);
  const seconds = Math.max(0, Math.floor((table.expiresNs(row) - nowNs) / SECOND));
  const words = [`${(PROTOCOL_NAMES.get(protocol) ?? "unknown").padEnd(8)} ${protocol} ${seconds}`];
  if (protocol === ipv4.PROTOCOL_TCP) words.push(TCP_STATES[stateOf(table, row)] ?? "NONE");
  words.push(formatTuple(table, row * 2, protocol));
  if ((status & SEEN_REPLY) === 0) words.push("[UNREPLIED]");
  words.push(formatTuple(table, row * 2 + 1, protocol));
  if ((status & ASSURED) !== 0) words.push("[ASSURED]");
  words.push(`mark=${table.mark[row]! >>> 0}`, "use=1");
  return words.join(" ");
}

function formatTuple(table: ConnectionTable, handle: number, protocol: number): string {
  const source = formatIpv4(table.source(handle) as Ipv4Address);
  const destination = formatIpv4(table.destination(handle) as Ipv4Address);
  const ports = table.ports(handle);
  const addresses = `src=${source} dst=${destination}`;
  if (protocol === ipv4.PROTOCOL_ICMP)
    return `${addresses} type=${(ports >>> 8) & 0xff} code=${ports & 0xff} id=${ports >>> 16}`;
  return hasPorts(protocol) ? `${addresses} sport=${ports >>> 16} dport=${ports & 0xffff}` : addresses;
}
