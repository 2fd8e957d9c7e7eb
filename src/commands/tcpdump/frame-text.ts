/** How `tcpdump` prints a frame: when, between whom with -e, the packet in one line, with -v its IPv4 header, with -x its bytes. */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatMac } from "../../wire/address.ts";
import { describe } from "../../wire/describe.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import { civilDate, DEFAULT_START_SECONDS } from "../wall-date.ts";
import type { TcpdumpOptions } from "./options.ts";

const DAY_SECONDS = 86_400;
const ROW_BYTES = 16;

export class FrameText {
  readonly #options: TcpdumpOptions;
  #firstNs: Nanoseconds | undefined = undefined;
  #lastNs: Nanoseconds | undefined = undefined;

  constructor(options: TcpdumpOptions) {
    this.#options = options;
  }

  /** All lines of a frame. `where` stands in front with `-i any`. */
  text(count: number, timeNs: Nanoseconds, where: string, bytes: Uint8Array, at: number, end: number): string {
    const options = this.#options;
    let text = options.number ? `${String(count).padStart(5)}  ` : "";
    text += this.#time(timeNs) + where;
    const packet = options.quiet ? quietLine(bytes, at, end) : describe(bytes, at, end);
    const [protocol, line] = splitProtocol(packet);
    if (options.linkHeader) text += linkHeader(bytes, at, end);
    else if (protocol !== "") text += `${protocol} `;
    if (options.verbose > 0) text += verboseHeader(bytes, at, end);
    text += `${line}\n`;
    return text + this.#dump(bytes, at, end);
  }

  #time(timeNs: Nanoseconds): string {
    this.#firstNs ??= timeNs;
    const before = this.#lastNs ?? timeNs;
    this.#lastNs = timeNs;
    const decimals = this.#options.nanoseconds ? 9 : 6;
    const seconds = DEFAULT_START_SECONDS + Math.floor(timeNs / SECOND);
    switch (this.#options.timeStyle) {
      case 1:
        return "";
      case 2:
        return `${seconds}.${fraction(timeNs, decimals)} `;
      case 3:
        return ` ${clockText(timeNs - before, decimals)} `;
      case 4:
        return `${dateText(seconds)} ${clockText(timeNs + (DEFAULT_START_SECONDS % DAY_SECONDS) * SECOND, decimals)} `;
      case 5:
        return ` ${clockText(timeNs - this.#firstNs, decimals)} `;
      default:
        return `${clockText(timeNs + (DEFAULT_START_SECONDS % DAY_SECONDS) * SECOND, decimals)} `;
    }
  }

  #dump(bytes: Uint8Array, at: number, end: number): string {
    const { hexadecimal, letters } = this.#options;
    const times = Math.max(hexadecimal, letters);
    if (times === 0) return "";
    const start = times > 1 ? at : Math.min(at + ethernet.HEADER_BYTES, end);
    let text = "";
    for (let row = start; row < end; row += ROW_BYTES) {
      const rowEnd = Math.min(row + ROW_BYTES, end);
      let hex = "";
      let shown = "";
      for (let index = row; index < rowEnd; index++) {
        const value = bytes[index]!;
        hex += ((index - row) % 2 === 0 && index > row ? " " : "") + value.toString(16).padStart(2, "0");
        shown += value > 0x20 && value < 0x7f ? String.fromCharCode(value) : ".";
      }
      const offset = (row - start).toString(16).padStart(4, "0");
      text += `\t0x${offset}:  ${letters > 0 ? `${hex.padEnd(39)}  ${shown}` : hex}\n`;
    }
    return text;
  }
}

/** `IP 10.0.0.1 > …` in two: with -e the protocol stands in the link header. */
function splitProtocol(line: string): readonly [protocol: string, rest: string] {
  const match = /^(IP6?|ARP)(?: |, )/.exec(line);
  return match === null ? ["", line] : [match[1]!, line.slice(match[0].length)];
}

function linkHeader(bytes: Uint8Array, at: number, end: number): string {
  if (ethernet.check(bytes, at, end) !== undefined) return "";
  const addresses = `${formatMac(ethernet.source(bytes, at))} > ${formatMac(ethernet.destination(bytes, at))}`;
  if (ethernet.llcLength(bytes, at) !== undefined) return `${addresses}, 802.3, length ${end - at}: `;
  const type = ethernet.etherType(bytes, at);
  const name = ETHER_TYPES.get(type) ?? "Unknown";
  return `${addresses}, ethertype ${name} (0x${type.toString(16).padStart(4, "0")}), length ${end - at}: `;
}

const ETHER_TYPES: ReadonlyMap<number, string> = new Map([
  [ethernet.ETHERTYPE_IPV4, "IPv4"],
  [ethernet.ETHERTYPE_ARP, "ARP"],
  [ethernet.ETHERTYPE_VLAN, "802.1Q"],
  [ethernet.ETHERTYPE_IPV6, "IPv6"],
]);

const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [ipv4.PROTOCOL_ICMP, "ICMP"],
  [ipv4.PROTOCOL_IGMP, "IGMP"],
  [ipv4.PROTOCOL_TCP, "TCP"],
  [ipv4.PROTOCOL_UDP, "UDP"],
  [ipv4.PROTOCOL_ESP, "ESP"],
]);

/** `(tos 0x0, ttl 64, id 8947, offset 0, flags [DF], proto ICMP (1), length 84)`, and the packet on the next line. */
function verboseHeader(bytes: Uint8Array, frame: number, end: number): string {
  const at = ipv4At(bytes, frame, end);
  if (at === undefined) return "";
  const flags: string[] = [];
  if (ipv4.dontFragment(bytes, at)) flags.push("DF");
  if (ipv4.moreFragments(bytes, at)) flags.push("+");
  const protocol = ipv4.protocol(bytes, at);
  const name = PROTOCOLS.get(protocol) ?? "unknown";
  return (
    `(tos 0x${ipv4.typeOfService(bytes, at).toString(16)}, ttl ${ipv4.timeToLive(bytes, at)}, ` +
    `id ${ipv4.identification(bytes, at)}, offset ${ipv4.fragmentOffsetBytes(bytes, at)}, ` +
    `flags [${flags.length === 0 ? "none" : flags.join("")}], proto ${name} (${protocol}), ` +
    `length ${ipv4.totalLength(bytes, at)})\n    `
  );
}

/** -q: of TCP only how much data there is. */
function quietLine(bytes: Uint8Array, frame: number, end: number): string {
  const line = describe(bytes, frame, end);
  const at = ipv4At(bytes, frame, end);
  if (at === undefined || ipv4.protocol(bytes, at) !== ipv4.PROTOCOL_TCP) return line;
  const header = at + ipv4.headerBytes(bytes, at);
  const packetEnd = at + ipv4.totalLength(bytes, at);
  if (packetEnd > end || tcp.check(bytes, header, packetEnd) !== undefined) return line;
  const flags = line.indexOf(": Flags [");
  const length = packetEnd - header - tcp.dataOffsetBytes(bytes, header);
  return flags < 0 ? line : `${line.slice(0, flags)}: tcp ${length}`;
}

function ipv4At(bytes: Uint8Array, frame: number, end: number): number | undefined {
  const at = frame + ethernet.HEADER_BYTES;
  if (ethernet.check(bytes, frame, end) !== undefined) return undefined;
  if (ethernet.etherType(bytes, frame) !== ethernet.ETHERTYPE_IPV4) return undefined;
  return ipv4.checkHeader(bytes, at, end) === undefined ? at : undefined;
}

/** `20:56:52.123832`, days cut off. */
function clockText(timeNs: Nanoseconds, decimals: number): string {
  const seconds = Math.floor(timeNs / SECOND) % DAY_SECONDS;
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${clock}.${fraction(timeNs, decimals)}`;
}

function fraction(timeNs: Nanoseconds, decimals: number): string {
  return String(timeNs % SECOND)
    .padStart(9, "0")
    .slice(0, decimals);
}

/** `2026-01-01` */
function dateText(seconds: number): string {
  const { year, month, day } = civilDate(Math.floor(seconds / DAY_SECONDS));
  return `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}
