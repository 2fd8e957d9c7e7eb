/**
 * One line a frame, as the Linux cases have them (../normalise.ts), with the owners' names in place of addresses, and with what a question or an answer of DNS
 * says. MAC addresses that were drawn are numbered by first appearance.
 */
import type { CapturedFrame } from "../../../capture/capture-frame.ts";
import { formatIpv4, type MacAddress, parseIpv4, parseMac } from "../../../wire/address.ts";
import { getU16 } from "../../../wire/bytes.ts";
import * as dns from "../../../wire/dns.ts";
import { Normaliser } from "../normalise.ts";
import type { Naming } from "./naming.ts";

/** Linux's range of ports for callers. */
export const PORTS = { portMinimum: 32_768, portMaximum: 60_999, window: false, payload: false } as const;

const IPV4_HEADER_AT = 14;
const RESOLVER = "127.0.0.11";
const MACHINE_MACS = parseMac("52:54:00:00:00:00") as MacAddress;
const BROADCAST = "ff:ff:ff:ff:ff:ff";

export interface NamedFrame {
  readonly line: string;
  readonly layers: readonly string[];
}

export class FrameNamer {
  readonly #naming: Naming;
  readonly #machine: string;
  readonly #normaliser = new Normaliser(PORTS);
  readonly #macs = new Map<string, string>();
  readonly #sequences = new Map<string, number>();
  readonly #spis = new Map<string, string>();

  constructor(naming: Naming, machine: string) {
    this.#naming = naming;
    this.#machine = machine;
  }

  frame({ bytes, originalLength }: CapturedFrame): NamedFrame {
    const { line, layers } = this.#normaliser.frame(bytes, originalLength);
    const named = line
      .replace(/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/g, (text) => this.#mac(text))
      .replace(/\b\d+\.\d+\.\d+\.\d+\b/g, (text) => this.#address(text))
      .replace(
        / id (I\d+) seq (\d+)/g,
        (_, id: string, sequence: string) => ` id ${id} seq ${this.#sequence(id, sequence)}`,
      )
      .replace(/spi (0x\w+)/, (_, spi: string) => `spi ${numbered(this.#spis, spi, "S")}`)
      // Partial sums of veths, and those that offload leaves to the device.
      .replaceAll(" sum BAD", " sum ok");
    const message = dnsOf(bytes, line);
    return { line: message === undefined ? named : `${named} | ${this.#dns(message)}`, layers };
  }

  /** Counted from the first: BusyBox's ping begins with 0, others with 1. */
  #sequence(id: string, text: string): number {
    const first = this.#sequences.get(id) ?? Number(text);
    this.#sequences.set(id, first);
    return Number(text) - first;
  }

  #address(text: string): string {
    const address = parseIpv4(text);
    return (address === undefined ? undefined : this.#naming.nameOf(this.#machine, address)) ?? text;
  }

  #mac(text: string): string {
    const mac = parseMac(text)!;
    if (text === BROADCAST || Math.floor(mac / 0x100_0000) === MACHINE_MACS / 0x100_0000 || text.startsWith("01:00:5e"))
      return text;
    const owner = this.#naming.nameOfMac(this.#machine, mac);
    return owner === undefined ? numbered(this.#macs, text, "M") : `<${owner}>`;
  }

  #dns(message: dns.Dns): string {
    const asked = message.questions.map(({ name, type }) => `${type} ${this.#dnsName(name)}`).join(" ");
    if (!message.response) return `dns ? ${asked}`;
    const answers = message.answers.map(({ name, timeToLiveS: ttl, data }) => {
      const value =
        data.kind === "a"
          ? this.#address(formatIpv4(data.address))
          : data.kind === "ptr"
            ? this.#dnsName(data.name)
            : data.kind;
      return `${this.#dnsName(name)}=${value} ttl ${ttl}`;
    });
    // Several answers are shuffled each time.
    return `dns ${asked} rcode ${message.responseCode}${message.authoritative ? " AA" : ""} ${answers.sort().join(" ")}`;
  }

  /** Without identifiers of tasks; addresses read backwards become their owners. */
  #dnsName(name: string): string {
    const reverse = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa\.?$/i.exec(name);
    if (reverse !== null) return `ptr(${this.#address([4, 3, 2, 1].map((part) => reverse[part]).join("."))})`;
    return name.replace(/\b([\w-]+\.\d+)\.[a-z0-9]{25}\b/g, "$1");
  }
}

/** What a datagram to or from a name server says; undefined for anything else. */
export function dnsOf(bytes: Uint8Array, line: string): dns.Dns | undefined {
  if (!line.includes("| udp ") || line.includes("vxlan") || line.includes("quote(")) return undefined;
  const at = IPV4_HEADER_AT + (bytes[IPV4_HEADER_AT]! & 15) * 4;
  const isDns =
    getU16(bytes, at) === dns.UDP_PORT || getU16(bytes, at + 2) === dns.UDP_PORT || line.includes(`>${RESOLVER}`);
  if (!isDns) return undefined;
  const message = dns.parse(bytes, at + 8, Math.min(bytes.length, at + getU16(bytes, at + 4)));
  return typeof message === "string" ? undefined : message;
}

function numbered(seen: Map<string, string>, text: string, letter: string): string {
  const known = seen.get(text) ?? `${letter}${seen.size + 1}`;
  seen.set(text, known);
  return known;
}
