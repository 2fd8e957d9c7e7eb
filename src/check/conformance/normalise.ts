/**
 * One line a frame, layer by layer, with everything taken out that varies between two runs of the same network: times, IP
 * identifications, TCP timestamps and initial sequence numbers, ports drawn at random, ICMP echo identifiers. Two captures are equal
 * when their lines are.
 *
 * The lines are those of the reference's own comparison program, which reads captures through tshark: the same bytes give the same text, so
 * that either may judge the other. Where tshark has a habit (it verifies no checksum of a quoted packet), the habit is kept.
 */
import type { MacAddress } from "../../wire/address.ts";
import { formatIpv4, formatMac, type Ipv4Address } from "../../wire/address.ts";
import * as arp from "../../wire/arp.ts";
import { getU16, getU32, getU48, toHex } from "../../wire/bytes.ts";
import { finish, pseudoSum, sumBytes } from "../../wire/checksum.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as icmp from "../../wire/icmp.ts";
import * as igmp from "../../wire/igmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as stp from "../../wire/stp.ts";
import * as tcp from "../../wire/tcp.ts";
import { parseOptions } from "../../wire/tcp-options.ts";
import * as udp from "../../wire/udp.ts";
import * as vlan from "../../wire/vlan.ts";
import * as vxlan from "../../wire/vxlan.ts";

export interface NormaliseOptions {
  /** Ports from here to `portMaximum` are numbered by first appearance. */
  readonly portMinimum: number;
  readonly portMaximum: number;
  /** Keep TCP's window values. */
  readonly window: boolean;
  /** Keep UDP's and TCP's payload. */
  readonly payload: boolean;
}

/** A segment, as the summary of connections counts it. */
export interface SegmentNote {
  readonly scope: string;
  readonly source: string;
  readonly sourcePort: string;
  readonly destination: string;
  readonly destinationPort: string;
  readonly flags: number;
  readonly sequence: number;
  readonly length: number;
}

/** What became of one frame. */
export interface NormalFrame {
  readonly line: string;
  /** The layers' names, the outermost first; a quoted packet's are not among them. */
  readonly layers: readonly string[];
  /** The innermost TCP segment that is no quotation. */
  readonly segment: SegmentNote | undefined;
}

type Verdict = "ok" | "BAD" | "-";

/** Remembers what has appeared in one capture, so that numbers count from the first appearance. */
export class Normaliser {
  readonly #options: NormaliseOptions;
  readonly #ephemeral = new Map<number, number>();
  readonly #tunnelPorts = new Map<string, Map<number, number>>();
  readonly #echoIds = new Map<number, number>();
  /** First sequence number of each direction of each connection. */
  readonly #bases = new Map<string, number>();
  // Of the frame in hand:
  #bytes: Uint8Array = new Uint8Array(0);
  #layers: string[] = [];
  #segment: SegmentNote | undefined = undefined;

  constructor(options: NormaliseOptions) {
    this.#options = options;
  }

  frame(bytes: Uint8Array, originalLength: number): NormalFrame {
    this.#bytes = bytes;
    this.#layers = [];
    this.#segment = undefined;
    const parts = this.#ethernet(0, bytes.length, "", false);
    return {
      line: [...parts, `frame ${originalLength}`].join(" | "),
      layers: this.#layers,
      segment: this.#segment,
    };
  }

  #enter(layer: string, quoted: boolean): void {
    if (!quoted) this.#layers.push(layer);
  }

  #malformed(quoted: boolean): string[] {
    this.#enter("_ws.malformed", quoted);
    return quoted ? [] : ["MALFORMED"];
  }

  #ethernet(at: number, end: number, scope: string, quoted: boolean): string[] {
    const bytes = this.#bytes;
    if (ethernet.check(bytes, at, end) !== undefined) return this.#malformed(quoted);
    this.#enter("eth", quoted);
    const type = ethernet.etherType(bytes, at);
    const length = ethernet.llcLength(bytes, at);
    const heading = `eth ${formatMac(ethernet.source(bytes, at))}>${formatMac(ethernet.destination(bytes, at))} `;
    const body = at + ethernet.HEADER_BYTES;
    if (length !== undefined)
      return [`${heading}len ${length}`, ...this.#llc(body, Math.min(end, body + length), quoted)];
    return [`${heading}${hexadecimal(type, 4)}`, ...this.#network(type, body, end, scope, quoted)];
  }

  #network(etherType: number, at: number, end: number, scope: string, quoted: boolean): string[] {
    switch (etherType) {
      case ethernet.ETHERTYPE_VLAN: {
        if (vlan.check(this.#bytes, at, end) !== undefined) return this.#malformed(quoted);
        this.#enter("vlan", quoted);
        const tag = `vlan ${vlan.vid(this.#bytes, at)} prio ${vlan.priority(this.#bytes, at)}`;
        const inner = vlan.etherType(this.#bytes, at);
        return [tag, ...this.#network(inner, at + vlan.HEADER_BYTES, end, scope, quoted)];
      }
      case ethernet.ETHERTYPE_ARP:
        return this.#arp(at, end, quoted);
      case ethernet.ETHERTYPE_IPV4:
        return this.#ipv4(at, end, scope, quoted);
      case ethernet.ETHERTYPE_IPV6:
        return this.#ipv6(at, end, quoted);
      default:
        return [];
    }
  }

  #llc(at: number, end: number, quoted: boolean): string[] {
    if (end - at < 3) return this.#malformed(quoted);
    this.#enter("llc", quoted);
    const message = stp.parse(this.#bytes, at, end);
    if (typeof message === "string") return ["llc"];
    this.#enter("stp", quoted);
    const type = hexadecimal(stp.type(this.#bytes, at), 2);
    if (message.kind === "topology-change-notification")
      return ["llc", `stp type ${type} flags - root -.- cost - bridge -.- port -`];
    const names = [stp.root(this.#bytes, at), stp.bridge(this.#bytes, at)].map(
      ({ priority, address }) => `${priority & 0xf000}.${formatMac(address)}`,
    );
    const flags = hexadecimal(stp.flags(this.#bytes, at), 2);
    const port = hexadecimal(stp.portIdentifier(this.#bytes, at), 4);
    const cost = stp.rootPathCost(this.#bytes, at);
    return ["llc", `stp type ${type} flags ${flags} root ${names[0]} cost ${cost} bridge ${names[1]} port ${port}`];
  }

  #arp(at: number, end: number, quoted: boolean): string[] {
    this.#enter("arp", quoted);
    const bytes = this.#bytes;
    if (end - at < 8) return ["arp op? ?/? asks ?/?", ...this.#malformed(quoted)];
    const operation = getU16(bytes, at + 6);
    if (arp.check(bytes, at, end) !== undefined) return [`arp op${operation} ?/? asks ?/?`, ...this.#malformed(quoted)];
    const sender = `${formatMac(getU48(bytes, at + 8) as MacAddress)}/${formatIpv4(arp.senderProtocolAddress(bytes, at))}`;
    const target = `${formatMac(getU48(bytes, at + 18) as MacAddress)}/${formatIpv4(arp.targetProtocolAddress(bytes, at))}`;
    return [`arp op${operation} ${sender} asks ${target}`];
  }

  #ipv6(at: number, end: number, quoted: boolean): string[] {
    this.#enter("ipv6", quoted);
    if (end - at < 40) return ["ipv6 ?>? nxt ?", ...this.#malformed(quoted)];
    const bytes = this.#bytes;
    return [`ipv6 ${formatIpv6(bytes, at + 8)}>${formatIpv6(bytes, at + 24)} nxt ${bytes[at + 6]}`];
  }

  #ipv4(at: number, frameEnd: number, scope: string, quoted: boolean): string[] {
    const bytes = this.#bytes;
    this.#enter("ip", quoted);
    const reason = ipv4.checkHeader(bytes, at, frameEnd);
    if (reason !== undefined) {
      // tshark shows what it could read of such a header; nothing of it is an address.
      return ["ip ?>? ttl? tos? - len? p?", ...(reason === "ipv4-truncated" ? this.#malformed(quoted) : [])];
    }
    const headerBytes = ipv4.headerBytes(bytes, at);
    const total = ipv4.totalLength(bytes, at);
    const source = formatIpv4(ipv4.source(bytes, at));
    const destination = formatIpv4(ipv4.destination(bytes, at));
    const offset = ipv4.fragmentOffsetBytes(bytes, at);
    const more = ipv4.moreFragments(bytes, at);
    const flags = `${ipv4.dontFragment(bytes, at) ? "DF" : ""}${more ? "MF" : ""}` || "-";
    const fragment = offset !== 0 || more;
    const protocol = ipv4.protocol(bytes, at);
    const badSum = finish(sumBytes(bytes, at, at + headerBytes)) !== 0;
    const line =
      `ip ${source}>${destination} ttl${ipv4.timeToLive(bytes, at)} tos${hexadecimal(ipv4.typeOfService(bytes, at), 2)}` +
      ` ${flags} len${total} p${protocol}${fragment ? ` frag@${offset / 8}` : ""}${badSum ? " BADSUM" : ""}`;
    if (fragment || total < headerBytes) return [line]; // of a fragment, what is inside is in the length
    const end = Math.min(frameEnd, at + total);
    const body = at + headerBytes;
    return [line, ...this.#transport(protocol, body, end, at, scope, quoted)];
  }

  #transport(protocol: number, at: number, end: number, ip: number, scope: string, quoted: boolean): string[] {
    switch (protocol) {
      case 1:
        return this.#icmp(at, end, scope, quoted);
      case 2:
        return this.#igmp(at, end, quoted);
      case 6:
        return this.#tcp(at, end, ip, scope, quoted);
      case 17:
        return this.#udp(at, end, ip, scope, quoted);
      case 50:
        this.#enter("esp", quoted);
        if (end - at < 8) return ["esp spi ? seq ?", ...this.#malformed(quoted)];
        return [`esp spi ${hexadecimal(getU32(this.#bytes, at), 8)} seq ${getU32(this.#bytes, at + 4)}`];
      default:
        return [];
    }
  }

  #icmp(at: number, end: number, scope: string, quoted: boolean): string[] {
    const bytes = this.#bytes;
    this.#enter("icmp", quoted);
    if (end - at < icmp.HEADER_BYTES) return ["icmp ?/? sum -", ...this.#malformed(quoted)];
    const type = icmp.type(bytes, at);
    let line = `icmp ${type}/${icmp.code(bytes, at)}`;
    const echo = type === icmp.TYPE_ECHO_REQUEST || type === icmp.TYPE_ECHO_REPLY;
    if (echo) {
      const number = numberOf(this.#echoIds, icmp.identifier(bytes, at));
      line += ` id I${number} seq ${icmp.sequence(bytes, at)}`;
    }
    if (type === icmp.TYPE_UNREACHABLE && icmp.code(bytes, at) === icmp.CODE_FRAGMENTATION_NEEDED)
      line += ` mtu ${icmp.mtu(bytes, at)}`;
    if (type === icmp.TYPE_REDIRECT) line += ` gw ${formatIpv4(icmp.gateway(bytes, at))}`;
    const sum: Verdict = quoted ? "-" : finish(sumBytes(bytes, at, end)) === 0 ? "ok" : "BAD";
    const parts = [`${line} sum ${sum}`];
    if (icmp.isError(type) && end - at > icmp.HEADER_BYTES)
      parts.push(`quote(${this.#ipv4(at + icmp.HEADER_BYTES, end, scope, true).join(" | ")})`);
    return parts;
  }

  #igmp(at: number, end: number, quoted: boolean): string[] {
    const bytes = this.#bytes;
    this.#enter("igmp", quoted);
    if (end - at < igmp.HEADER_BYTES) return ["igmp ? ", ...this.#malformed(quoted)];
    const type = igmp.type(bytes, at);
    const words: string[] = [];
    if (type === igmp.TYPE_REPORT_V3) {
      let record = at + 8;
      for (let left = getU16(bytes, at + 6); left > 0 && record + 8 <= end; left--) {
        words.push(String(bytes[record]), formatIpv4(getU32(bytes, record + 4) as Ipv4Address));
        record += 8 + getU16(bytes, record + 2) * 4 + bytes[record + 1]! * 4;
      }
    } else {
      words.push(formatIpv4(igmp.group(bytes, at)));
    }
    return [`igmp ${hexadecimal(type, 2)} ${words.join(" ")}`];
  }

  #udp(at: number, end: number, ip: number, scope: string, quoted: boolean): string[] {
    const bytes = this.#bytes;
    this.#enter("udp", quoted);
    if (end - at < udp.HEADER_BYTES) return ["udp -1>-1 len? sum -", ...this.#malformed(quoted)];
    const sourcePort = udp.sourcePort(bytes, at);
    const destinationPort = udp.destinationPort(bytes, at);
    const length = udp.length(bytes, at);
    const bodyEnd = Math.min(end, at + length);
    const body = at + udp.HEADER_BYTES;
    const isTunnel = destinationPort === vxlan.UDP_PORT || sourcePort === vxlan.UDP_PORT;
    let sum: string;
    if (udp.checksum(bytes, at) === 0) sum = "zero";
    else if (quoted || length < udp.HEADER_BYTES || at + length > end) sum = "-";
    else sum = this.#transportSum(at, at + length, ip, 17);
    const source = isTunnel ? this.#tunnelPort(ip, sourcePort) : this.#port(sourcePort);
    let line = `udp ${source}>${this.#port(destinationPort)} len${length} sum ${sum}`;
    if (length < udp.HEADER_BYTES || quoted) return [line]; // tshark reads a quoted datagram no further
    if (isTunnel && bodyEnd > body) return [line, ...this.#vxlan(body, bodyEnd, scope, quoted)];
    if (this.#options.payload && bodyEnd > body) line += ` data ${toHex(bytes, body, bodyEnd)}`;
    return [line];
  }

  #vxlan(at: number, end: number, scope: string, quoted: boolean): string[] {
    const bytes = this.#bytes;
    this.#enter("vxlan", quoted);
    if (end - at < vxlan.HEADER_BYTES) {
      const flags = end - at >= 2 ? hexadecimal(getU16(bytes, at), 4) : "?";
      const vni = end - at >= 7 ? String(vxlan.vni(bytes, at)) : "?";
      return [`vxlan ${flags} vni${vni}`, ...this.#malformed(quoted)];
    }
    const vni = vxlan.vni(bytes, at);
    const line = `vxlan ${hexadecimal(getU16(bytes, at), 4)} vni${vni}`;
    return [line, ...this.#ethernet(at + vxlan.HEADER_BYTES, end, scope === "" ? `${vni}` : `${scope}/${vni}`, quoted)];
  }

  #tcp(at: number, end: number, ip: number, scope: string, quoted: boolean): string[] {
    const bytes = this.#bytes;
    this.#enter("tcp", quoted);
    if (end - at < (quoted ? 8 : tcp.HEADER_BYTES)) return ["tcp -1>-1", ...this.#malformed(quoted)];
    const source = formatIpv4(ipv4.source(bytes, ip));
    const destination = formatIpv4(ipv4.destination(bytes, ip));
    const from = tcp.sourcePort(bytes, at);
    const to = tcp.destinationPort(bytes, at);
    const sequence = tcp.sequence(bytes, at);
    const key = `${scope} ${source}:${from}>${destination}:${to}`;
    const reverse = `${scope} ${destination}:${to}>${source}:${from}`;
    const ports = `${this.#port(from)}>${this.#port(to)}`;
    if (quoted) {
      const base = this.#bases.get(key);
      return [`tcp ${ports} seq ${base === undefined ? "*" : (sequence - base) >>> 0}`];
    }
    const flags = bytes[at + 13]! | ((bytes[at + 12]! & 1) << 8);
    if ((flags & tcp.SYN) !== 0 || (!this.#bases.has(key) && (flags & tcp.RST) === 0)) this.#bases.set(key, sequence);
    const base = this.#bases.get(key);
    const relative = base === undefined || sequence === 0 ? 0 : (sequence - base) >>> 0;
    const reverseBase = this.#bases.get(reverse);
    let acknowledged = "-";
    if ((flags & tcp.ACK) !== 0)
      acknowledged = reverseBase === undefined ? "*" : String((tcp.acknowledgement(bytes, at) - reverseBase) >>> 0);
    const headerBytes = tcp.dataOffsetBytes(bytes, at);
    const bodyAt = Math.min(end, at + Math.max(headerBytes, tcp.HEADER_BYTES));
    const length = end - bodyAt;
    const windowBytes = tcp.window(bytes, at);
    let window = "";
    if (this.#options.window) window = ` win${windowBytes}`;
    else if (windowBytes === 0 && (flags & tcp.RST) === 0) window = " win0";
    const options = this.#tcpOptions(at + tcp.HEADER_BYTES, bodyAt, reverseBase ?? 0) || "-";
    const sum = this.#transportSum(at, end, ip, 6);
    let line =
      `tcp ${ports} ${flagLetters(flags)} seq${relative} ack${acknowledged} len${length}${window} ${options}` +
      ` sum ${sum}`;
    if (this.#options.payload && length > 0) line += ` data ${toHex(bytes, bodyAt, end)}`;
    this.#segment = {
      scope,
      source,
      sourcePort: this.#port(from),
      destination,
      destinationPort: this.#port(to),
      flags,
      sequence: relative,
      length,
    };
    return [line];
  }

  /** The options that are compared, in a fixed order. */
  #tcpOptions(at: number, end: number, reverseBase: number): string {
    const options = parseOptions(this.#bytes, at, end);
    const words: string[] = [];
    for (const option of options) if (option.kind === "maximum-segment-size") words.push(`mss${option.sizeBytes}`);
    for (const option of options)
      if (option.kind === "window-scale") words.push(this.#options.window ? `ws${option.shift}` : "ws");
    if (options.some((option) => option.kind === "sack-permitted")) words.push("sackok");
    if (options.some((option) => option.kind === "timestamps")) words.push("ts");
    for (const option of options) {
      if (option.kind !== "sack") continue;
      for (const { left, right } of option.blocks)
        words.push(`sack${(left - reverseBase) >>> 0}-${(right - reverseBase) >>> 0}`);
    }
    return words.join(",");
  }

  #transportSum(at: number, end: number, ip: number, protocol: number): Verdict {
    const bytes = this.#bytes;
    const pseudo = pseudoSum(ipv4.source(bytes, ip), ipv4.destination(bytes, ip), protocol, end - at);
    return finish(pseudo + sumBytes(bytes, at, end)) === 0 ? "ok" : "BAD";
  }

  #port(port: number): string {
    if (port < this.#options.portMinimum || port > this.#options.portMaximum) return String(port);
    return `E${numberOf(this.#ephemeral, port)}`;
  }

  /** The outer source port of VXLAN, counted for each outer source address: one number for each flow. */
  #tunnelPort(ip: number, port: number): string {
    const source = formatIpv4(ipv4.source(this.#bytes, ip));
    let ports = this.#tunnelPorts.get(source);
    if (ports === undefined) {
      ports = new Map();
      this.#tunnelPorts.set(source, ports);
    }
    return `V${numberOf(ports, port)}`;
  }
}

/** 1 for what appears first, 2 for the next new one, and so on. */
function numberOf(seen: Map<number, number>, value: number): number {
  const known = seen.get(value);
  if (known !== undefined) return known;
  seen.set(value, seen.size + 1);
  return seen.size;
}

function flagLetters(flags: number): string {
  let letters = "";
  if ((flags & tcp.SYN) !== 0) letters += "S";
  if ((flags & tcp.FIN) !== 0) letters += "F";
  if ((flags & tcp.RST) !== 0) letters += "R";
  if ((flags & tcp.PSH) !== 0) letters += "P";
  if ((flags & tcp.ACK) !== 0) letters += "A";
  if ((flags & tcp.URG) !== 0) letters += "U";
  if ((flags & tcp.ECE) !== 0) letters += "E";
  if ((flags & tcp.CWR) !== 0) letters += "C";
  return letters || "none";
}

function hexadecimal(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** All eight groups, without the shortening `::`; it is only compared with itself. */
function formatIpv6(bytes: Uint8Array, at: number): string {
  const groups: string[] = [];
  for (let index = 0; index < 16; index += 2) groups.push(getU16(bytes, at + index).toString(16));
  return groups.join(":");
}
