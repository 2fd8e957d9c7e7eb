/** Words of pcap-filter(7) that stand for numbers: protocols, offsets and values of fields, well-known ports. */

/** EtherTypes (IEEE 802 numbers) of the protocols that have a word. */
export const ETHER_TYPES: ReadonlyMap<string, number> = new Map([
  ["ip", 0x0800],
  ["arp", 0x0806],
  ["rarp", 0x8035],
  ["ip6", 0x86dd],
]);

export interface TransportProtocol {
  readonly number: number;
  /** Which kinds of packet the bare word matches. */
  readonly over: "ip" | "ip6" | "both";
}

/** IP protocol numbers (IANA). */
export const TRANSPORT_PROTOCOLS: ReadonlyMap<string, TransportProtocol> = new Map<string, TransportProtocol>([
  ["icmp", { number: 1, over: "ip" }],
  ["igmp", { number: 2, over: "ip" }],
  ["tcp", { number: 6, over: "both" }],
  ["udp", { number: 17, over: "both" }],
  ["esp", { number: 50, over: "both" }],
  ["ah", { number: 51, over: "both" }],
  ["icmp6", { number: 58, over: "ip6" }],
  ["pim", { number: 103, over: "both" }],
  ["vrrp", { number: 112, over: "ip" }],
  ["sctp", { number: 132, over: "both" }],
]);

/** Offsets and values that may stand in an expression. */
export const FIELD_CONSTANTS: ReadonlyMap<string, number> = new Map([
  ["icmptype", 0],
  ["icmpcode", 1],
  ["icmp-echoreply", 0],
  ["icmp-unreach", 3],
  ["icmp-sourcequench", 4],
  ["icmp-redirect", 5],
  ["icmp-echo", 8],
  ["icmp-routeradvert", 9],
  ["icmp-routersolicit", 10],
  ["icmp-timxceed", 11],
  ["icmp-paramprob", 12],
  ["icmp-tstamp", 13],
  ["icmp-tstampreply", 14],
  ["icmp-ireq", 15],
  ["icmp-ireqreply", 16],
  ["icmp-maskreq", 17],
  ["icmp-maskreply", 18],
  ["tcpflags", 13],
  ["tcp-fin", 0x01],
  ["tcp-syn", 0x02],
  ["tcp-rst", 0x04],
  ["tcp-push", 0x08],
  ["tcp-ack", 0x10],
  ["tcp-urg", 0x20],
  ["tcp-ece", 0x40],
  ["tcp-cwr", 0x80],
]);

export interface NamedPort {
  readonly port: number;
  /** The one protocol that uses it; undefined when several do. */
  readonly protocol: "tcp" | "udp" | undefined;
}

/** The services that container networks meet, as /etc/services of Debian has them. */
export const NAMED_PORTS: ReadonlyMap<string, NamedPort> = new Map<string, NamedPort>([
  ["ftp", { port: 21, protocol: "tcp" }],
  ["ssh", { port: 22, protocol: "tcp" }],
  ["telnet", { port: 23, protocol: "tcp" }],
  ["smtp", { port: 25, protocol: "tcp" }],
  ["domain", { port: 53, protocol: undefined }],
  ["bootps", { port: 67, protocol: "udp" }],
  ["bootpc", { port: 68, protocol: "udp" }],
  ["tftp", { port: 69, protocol: "udp" }],
  ["http", { port: 80, protocol: "tcp" }],
  ["ntp", { port: 123, protocol: "udp" }],
  ["snmp", { port: 161, protocol: undefined }],
  ["https", { port: 443, protocol: undefined }],
  ["syslog", { port: 514, protocol: "udp" }],
]);

/** Words that go in front of a value. */
const QUALIFIERS: readonly string[] = ["src", "dst", "host", "net", "port", "portrange", "proto"];
const OTHER_WORDS: readonly string[] = [
  ...["and", "or", "not", "ether", "link", "mask", "len", "less", "greater", "broadcast", "multicast", "stp"],
  ...["vlan", "vxlan", "geneve", "inbound", "outbound"],
];

export function isQualifier(text: string): boolean {
  return QUALIFIERS.includes(text);
}

/** Words of the language, which a host's or port's name may be only behind a backslash. */
export function isReserved(text: string): boolean {
  return (
    isQualifier(text) ||
    OTHER_WORDS.includes(text) ||
    ETHER_TYPES.has(text) ||
    TRANSPORT_PROTOCOLS.has(text) ||
    FIELD_CONSTANTS.has(text)
  );
}
