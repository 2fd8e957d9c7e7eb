/** `-j LOG`: one line of the kernel's log a packet (nf_log_syslog). */
import { formatIpv4, formatMac, type Ipv4Address, type MacAddress } from "../../../wire/address.ts";
import { getU16, getU32, getU48, toHex } from "../../../wire/bytes.ts";
import * as icmp from "../../../wire/icmp.ts";
import * as ipv4 from "../../../wire/ipv4.ts";
import * as tcp from "../../../wire/tcp.ts";
import { flag, option, parseInteger, RuleError, type TargetExtension } from "../extension.ts";
import type { Packet } from "../packet.ts";
import { quoted } from "../quoting.ts";
import type { Target } from "../rule-parts.ts";
import { CONTINUE, type Verdict } from "../verdict.ts";

const LEVELS = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
const LEVEL_NAMES: ReadonlyMap<string, number> = new Map([
  ["emerg", 0],
  ["panic", 0],
  ["alert", 1],
  ["crit", 2],
  ["error", 3],
  ["err", 3],
  ["warning", 4],
  ["warn", 4],
  ["notice", 5],
  ["info", 6],
  ["debug", 7],
]);
const DEFAULT_LEVEL = 4;
const MAXIMUM_PREFIX = 29;
const ETHERNET_BYTES = 14;

const TCP_SEQUENCE = 1;
const TCP_OPTIONS = 2;
const IP_OPTIONS = 4;

class LogTarget implements Target {
  readonly name = "LOG";
  readonly #level: number;
  readonly #prefix: string;
  readonly #flags: number;

  constructor(level: number, prefix: string, flags: number) {
    this.#level = level;
    this.#prefix = prefix;
    this.#flags = flags;
  }

  run(packet: Packet): Verdict {
    const line = this.#prefix + describe(packet, this.#flags);
    packet.services.log.write(packet.host.clock.nowNs, this.#level, line);
    return CONTINUE;
  }
  save(): string {
    const parts: string[] = [];
    if (this.#prefix !== "") parts.push(`--log-prefix ${quoted(this.#prefix)}`);
    if (this.#level !== DEFAULT_LEVEL) parts.push(`--log-level ${this.#level}`);
    if ((this.#flags & TCP_SEQUENCE) !== 0) parts.push("--log-tcp-sequence");
    if ((this.#flags & TCP_OPTIONS) !== 0) parts.push("--log-tcp-options");
    if ((this.#flags & IP_OPTIONS) !== 0) parts.push("--log-ip-options");
    return parts.join(" ");
  }
  list(numeric: boolean): string {
    const parts = ["LOG"];
    if (numeric) parts.push(`flags ${this.#flags} level ${this.#level}`);
    else {
      parts.push(`level ${LEVELS[this.#level]}`);
      if ((this.#flags & TCP_SEQUENCE) !== 0) parts.push("tcp-sequence");
      if ((this.#flags & TCP_OPTIONS) !== 0) parts.push("tcp-options");
      if ((this.#flags & IP_OPTIONS) !== 0) parts.push("ip-options");
    }
    if (this.#prefix !== "") parts.push(`prefix "${this.#prefix}"`);
    return parts.join(" ");
  }
}

function describe(packet: Packet, flags: number): string {
  const { bytes, at } = packet;
  let text = `IN=${packet.ingress?.name ?? ""} OUT=${packet.egress?.name ?? ""} `;
  if (packet.physicalIngress !== undefined) text += `PHYSIN=${packet.physicalIngress.name} `;
  if (packet.physicalEgress !== undefined) text += `PHYSOUT=${packet.physicalEgress.name} `;
  if (packet.ingress !== undefined && packet.ingress.kind !== "loopback") {
    const header = at - ETHERNET_BYTES;
    const destination = formatMac(getU48(bytes, header) as MacAddress);
    const source = formatMac(getU48(bytes, header + 6) as MacAddress);
    text += `MAC=${destination}:${source}:${toHex(bytes, header + 12, header + 13)}:${toHex(bytes, header + 13, header + 14)} `;
  }
  text += describeIp(bytes, at, packet.end, flags);
  const mark = packet.mark;
  return mark === 0 ? text : `${text}MARK=0x${mark.toString(16)} `;
}

function describeIp(bytes: Uint8Array, at: number, end: number, flags: number): string {
  const tos = ipv4.typeOfService(bytes, at);
  let text = `SRC=${formatIpv4(ipv4.source(bytes, at))} DST=${formatIpv4(ipv4.destination(bytes, at))} `;
  text += `LEN=${ipv4.totalLength(bytes, at)} TOS=0x${hexByte(tos & 0x1e)} PREC=0x${hexByte(tos & 0xe0)} `;
  text += `TTL=${ipv4.timeToLive(bytes, at)} ID=${ipv4.identification(bytes, at)} `;
  const bits = ipv4.flagsAndOffset(bytes, at);
  if ((bits & 0x8000) !== 0) text += "CE ";
  if ((bits & ipv4.DONT_FRAGMENT) !== 0) text += "DF ";
  if ((bits & ipv4.MORE_FRAGMENTS) !== 0) text += "MF ";
  const offset = bits & 0x1fff;
  if (offset !== 0) text += `FRAG:${offset} `;
  const headerBytes = ipv4.headerBytes(bytes, at);
  if ((flags & IP_OPTIONS) !== 0 && headerBytes > ipv4.HEADER_BYTES)
    text += `OPT (${toHex(bytes, at + ipv4.HEADER_BYTES, at + headerBytes).toUpperCase()}) `;
  const transportAt = at + headerBytes;
  const protocol = ipv4.protocol(bytes, at);
  const left = end - transportAt;
  switch (protocol) {
    case ipv4.PROTOCOL_TCP:
      text += "PROTO=TCP ";
      if (offset !== 0) return text;
      return left < tcp.HEADER_BYTES
        ? `${text}INCOMPLETE [${left} bytes] `
        : text + describeTcp(bytes, transportAt, end, flags);
    case ipv4.PROTOCOL_UDP:
      text += "PROTO=UDP ";
      if (offset !== 0) return text;
      if (left < 8) return `${text}INCOMPLETE [${left} bytes] `;
      return `${text}SPT=${getU16(bytes, transportAt)} DPT=${getU16(bytes, transportAt + 2)} LEN=${getU16(bytes, transportAt + 4)} `;
    case ipv4.PROTOCOL_ICMP:
      text += "PROTO=ICMP ";
      if (offset !== 0) return text;
      if (left < icmp.HEADER_BYTES) return `${text}INCOMPLETE [${left} bytes] `;
      return text + describeIcmp(bytes, transportAt, end, flags);
    default:
      return `${text}PROTO=${protocol} `;
  }
}

function describeTcp(bytes: Uint8Array, at: number, end: number, flags: number): string {
  let text = `SPT=${tcp.sourcePort(bytes, at)} DPT=${tcp.destinationPort(bytes, at)} `;
  if ((flags & TCP_SEQUENCE) !== 0) text += `SEQ=${tcp.sequence(bytes, at)} ACK=${tcp.acknowledgement(bytes, at)} `;
  text += `WINDOW=${tcp.window(bytes, at)} RES=0x${hexByte((bytes[at + 12]! & 0x0f) << 2)} `;
  const bits = tcp.flags(bytes, at);
  const names: readonly (readonly [number, string])[] = [
    [tcp.CWR, "CWR"],
    [tcp.ECE, "ECE"],
    [tcp.URG, "URG"],
    [tcp.ACK, "ACK"],
    [tcp.PSH, "PSH"],
    [tcp.RST, "RST"],
    [tcp.SYN, "SYN"],
    [tcp.FIN, "FIN"],
  ];
  for (const [bit, name] of names) if ((bits & bit) !== 0) text += `${name} `;
  text += `URGP=${tcp.urgentPointer(bytes, at)} `;
  const optionsEnd = Math.min(at + tcp.dataOffsetBytes(bytes, at), end);
  if ((flags & TCP_OPTIONS) !== 0 && optionsEnd > at + tcp.HEADER_BYTES)
    text += `OPT (${toHex(bytes, at + tcp.HEADER_BYTES, optionsEnd).toUpperCase()}) `;
  return text;
}

function describeIcmp(bytes: Uint8Array, at: number, end: number, flags: number): string {
  const type = icmp.type(bytes, at);
  let text = `TYPE=${type} CODE=${icmp.code(bytes, at)} `;
  if (type === icmp.TYPE_ECHO_REQUEST || type === icmp.TYPE_ECHO_REPLY)
    return `${text}ID=${icmp.identifier(bytes, at)} SEQ=${icmp.sequence(bytes, at)} `;
  if (type === icmp.TYPE_REDIRECT) text += `GATEWAY=${formatIpv4(getU32(bytes, at + 4) as Ipv4Address)} `;
  const quote = at + icmp.HEADER_BYTES;
  if (icmp.isError(type) && ipv4.checkHeader(bytes, quote, end) === undefined)
    text += `[${describeIp(bytes, quote, end, flags)}] `;
  if (type === icmp.TYPE_UNREACHABLE && icmp.code(bytes, at) === icmp.CODE_FRAGMENTATION_NEEDED)
    text += `MTU=${icmp.mtu(bytes, at)} `;
  return text;
}

function hexByte(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, "0");
}

export const LOG_TARGET: TargetExtension = {
  name: "LOG",
  options: [
    option("log-level"),
    option("log-prefix"),
    flag("log-tcp-sequence"),
    flag("log-tcp-options"),
    flag("log-ip-options"),
    flag("log-uid"),
    flag("log-macdecode"),
  ],
  build(uses) {
    const levelText = uses.value("log-level");
    const level =
      levelText === undefined ? DEFAULT_LEVEL : (parseInteger(levelText) ?? LEVEL_NAMES.get(levelText.toLowerCase()));
    if (level === undefined || level > 7) throw new RuleError(`log-level "${levelText}" unknown`);
    const prefix = uses.value("log-prefix") ?? "";
    if (prefix.length > MAXIMUM_PREFIX) throw new RuleError(`Maximum prefix length ${MAXIMUM_PREFIX} for --log-prefix`);
    const flags =
      (uses.has("log-tcp-sequence") ? TCP_SEQUENCE : 0) |
      (uses.has("log-tcp-options") ? TCP_OPTIONS : 0) |
      (uses.has("log-ip-options") ? IP_OPTIONS : 0);
    return new LogTarget(level, prefix, flags);
  },
};
