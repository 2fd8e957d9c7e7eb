/** Names for protocol numbers and ports, as /etc/protocols and /etc/services give them to iptables. */
import { RuleError } from "./extension.ts";

const PROTOCOLS: readonly (readonly [string, number])[] = [
  ["all", 0],
  ["ip", 0],
  ["icmp", 1],
  ["igmp", 2],
  ["ipencap", 4],
  ["tcp", 6],
  ["egp", 8],
  ["udp", 17],
  ["dccp", 33],
  ["ipv6", 41],
  ["gre", 47],
  ["esp", 50],
  ["ah", 51],
  ["ipv6-icmp", 58],
  ["ospf", 89],
  ["ipip", 94],
  ["pim", 103],
  ["vrrp", 112],
  ["sctp", 132],
  ["udplite", 136],
];
const PROTOCOL_BY_NAME = new Map([...PROTOCOLS, ["icmpv6", 58] as const]);
/** iptables' own short list comes first (libxtables, xtables_chain_protos). */
const NAME_BY_PROTOCOL = new Map(PROTOCOLS.filter(([name]) => name !== "ip").map(([name, number]) => [number, name]));

const SERVICES: readonly (readonly [string, number])[] = [
  ["ftp-data", 20],
  ["ftp", 21],
  ["ssh", 22],
  ["telnet", 23],
  ["smtp", 25],
  ["domain", 53],
  ["bootps", 67],
  ["bootpc", 68],
  ["tftp", 69],
  ["http", 80],
  ["pop3", 110],
  ["sunrpc", 111],
  ["ntp", 123],
  ["imap2", 143],
  ["snmp", 161],
  ["bgp", 179],
  ["ldap", 389],
  ["https", 443],
  ["isakmp", 500],
  ["syslog", 514],
  ["ldaps", 636],
  ["imaps", 993],
  ["pop3s", 995],
  ["mysql", 3306],
  ["postgresql", 5432],
  ["redis", 6379],
  ["http-alt", 8080],
];
const PORT_BY_NAME = new Map(SERVICES);
const NAME_BY_PORT = new Map(SERVICES.map(([name, port]) => [port, name]));

export function parseProtocol(text: string): number {
  const known = PROTOCOL_BY_NAME.get(text.toLowerCase());
  if (known !== undefined) return known;
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  throw new RuleError(`unknown protocol "${text}" specified`);
}

/** The name, or the number's digits. */
export function protocolName(protocol: number): string {
  return NAME_BY_PROTOCOL.get(protocol) ?? String(protocol);
}

export function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 0xffff) return Number(text);
  const known = PORT_BY_NAME.get(text);
  if (known === undefined) throw new RuleError(`invalid port/service \`${text}' specified`);
  return known;
}

export function portName(port: number, numeric: boolean): string {
  return numeric ? String(port) : (NAME_BY_PORT.get(port) ?? String(port));
}

/** `80`, `1:2`, `:2` (0 to 2), `5:` (5 to 65535). */
export function parsePortRange(text: string): { minimum: number; maximum: number } {
  const [low, high, more] = text.split(":");
  if (more !== undefined) throw new RuleError(`invalid port/service \`${text}' specified`);
  if (high === undefined) {
    const port = parsePort(low ?? "");
    return { minimum: port, maximum: port };
  }
  const minimum = low === "" ? 0 : parsePort(low ?? "");
  const maximum = high === "" ? 0xffff : parsePort(high);
  if (minimum > maximum) throw new RuleError(`invalid portrange (min > max)`);
  return { minimum, maximum };
}
