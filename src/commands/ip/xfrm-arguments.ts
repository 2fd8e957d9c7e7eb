/** What `ip xfrm state` and `ip xfrm policy` read alike (iproute2's ip/ipxfrm.c), with its errors. */

import type { Mark, Selector } from "../../linux/xfrm/selector.ts";
import type { Lifetime } from "../../linux/xfrm/state.ts";
import type { Ipv4Address, Prefix } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, matches, parseNumber, prefixOf, USAGE_STATUS } from "./arguments.ts";

export const PROTOCOL_ESP = 50;
const TRANSFORM_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["esp", PROTOCOL_ESP],
  ["ah", 51],
  ["comp", 108],
  ["route2", 43],
  ["hao", 60],
  ["ipsec-any", 255],
]);
/** What /etc/protocols calls those that selectors are used with. */
const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["icmp", 1],
  ["igmp", 2],
  ["tcp", 6],
  ["udp", 17],
  ["dccp", 33],
  ["gre", 47],
  ["esp", 50],
  ["ah", 51],
  ["ipv6-icmp", 58],
  ["sctp", 132],
  ["mobility-header", 135],
]);
const WITH_PORTS = [6, 17, 33, 132];
const WITH_TYPES = [1, 58, 135];
export const MODES = ["transport", "tunnel", "ro", "in_trigger", "beet"] as const;
export type Mode = (typeof MODES)[number];
const ANYWHERE: Prefix = { address: 0 as Ipv4Address, length: 0 };
export const ANY_SELECTOR: Selector = {
  source: ANYWHERE,
  destination: ANYWHERE,
  protocol: 0,
  sourcePort: undefined,
  destinationPort: undefined,
  device: 0,
};

/** What names an association: `src`, `dst`, `proto`, `spi`; what was not given is undefined. */
export interface Identity {
  source?: Ipv4Address;
  destination?: Ipv4Address;
  protocol?: number;
  spi?: number;
}

/** invarg() without a second newline. */
export function wrong(text: string, message: string): CommandError {
  return new CommandError(USAGE_STATUS, `Error: argument "${text}" is wrong: ${message}`);
}

/** missarg() */
export function required(name: string): CommandError {
  return new CommandError(USAGE_STATUS, `Error: argument "${name}" is required`);
}

export function transformProtocolName(protocol: number): string {
  for (const [name, number] of TRANSFORM_PROTOCOLS) if (number === protocol) return name;
  return String(protocol);
}

export function protocolName(protocol: number): string {
  for (const [name, number] of PROTOCOLS) if (number === protocol) return name;
  return String(protocol);
}

export function readTransformProtocol(args: Arguments): number {
  const text = args.value();
  const protocol = TRANSFORM_PROTOCOLS.get(text);
  if (protocol === undefined) throw wrong(text, "XFRM-PROTO value is invalid");
  return protocol;
}

/** xfrm_id_parse; `loose`: the protocol may be missing. */
export function readIdentity(args: Arguments, loose: boolean): Identity {
  const identity: Identity = {};
  const first = args.peek();
  let count = 0;
  for (; !args.done; count++) {
    const word = args.peek();
    if (word === undefined || !IDENTITY_WORDS.includes(word)) break;
    args.take();
    if (word === "src") identity.source = prefixOf(args.value()).address;
    else if (word === "dst") identity.destination = prefixOf(args.value()).address;
    else if (word === "proto") identity.protocol = readTransformProtocol(args);
    else identity.spi = number(args, "SPI value is invalid");
  }
  if (!loose && identity.protocol === undefined) throw required("XFRM-PROTO");
  if (count === 0) throw wrong(first ?? "", "unknown");
  return identity;
}

const IDENTITY_WORDS = ["src", "dst", "proto", "spi"];

/** `mark VALUE [mask MASK]`; the word itself has been taken. */
export function readMark(args: Arguments): Mark {
  const value = number(args, "MARK value is invalid\n");
  if (args.peek() !== "mask") return { value, mask: 0xffff_ffff };
  args.take();
  return { value, mask: number(args, "MASK value is invalid\n") };
}

export function readMode(args: Arguments): Mode {
  const text = args.value();
  const mode = MODES.find((candidate) => matches(text, candidate));
  if (mode === undefined) throw wrong(text, "MODE value is invalid");
  return mode;
}

/** xfrm_selector_parse: undefined when the word at hand begins none. */
export function readSelector(args: Arguments, deviceIndex: (name: string) => number): Selector | undefined {
  let { source, destination, protocol, sourcePort, destinationPort, device } = ANY_SELECTOR;
  let ports = false;
  let types = false;
  let count = 0;
  for (; !args.done; count++) {
    const word = args.peek()!;
    if (!SELECTOR_WORDS.includes(word)) break;
    args.take();
    if (word === "src") source = prefixOf(args.value());
    else if (word === "dst") destination = prefixOf(args.value());
    else if (word === "dev") device = readDevice(args, deviceIndex);
    else if (word === "proto") protocol = readProtocol(args);
    else if (word === "sport" || word === "dport") {
      const port = number(args, `value after "${word}" is invalid`, 0xffff);
      ports = true;
      if (word === "sport") sourcePort = port === 0 ? undefined : port;
      else destinationPort = port === 0 ? undefined : port;
    } else {
      const value = number(args, `value after "${word}" is invalid`, 0xff);
      types = true;
      if (word === "type") sourcePort = value;
      else destinationPort = value;
    }
  }
  if (count === 0) return undefined;
  if (ports && protocol !== 0 && !WITH_PORTS.includes(protocol))
    throw new CommandError(1, `"sport" and "dport" are invalid with PROTO value "${protocolName(protocol)}"`);
  if (types && !WITH_TYPES.includes(protocol))
    throw new CommandError(1, `"type" and "code" are invalid with PROTO value "${protocolName(protocol)}"`);
  return { source, destination, protocol, sourcePort, destinationPort, device };
}

const SELECTOR_WORDS = ["src", "dst", "dev", "proto", "sport", "dport", "type", "code"];

/** One `limit LIMIT VALUE`; the word `limit` has been taken. 0 seconds: never. */
export function readLimit(args: Arguments): Lifetime {
  const name = args.value();
  const field = LIMITS.get(name);
  if (field === undefined) throw wrong(name, "LIMIT value is invalid");
  const value = number(args, `value after "${name}" is invalid`, Number.MAX_SAFE_INTEGER);
  return { [field]: name.startsWith("time") && value === 0 ? undefined : value };
}

const LIMITS: ReadonlyMap<string, keyof Lifetime> = new Map([
  ["time-soft", "softSeconds"],
  ["time-hard", "hardSeconds"],
  ["time-use-soft", "softUseSeconds"],
  ["time-use-hard", "hardUseSeconds"],
  ["byte-soft", "softBytes"],
  ["byte-hard", "hardBytes"],
  ["packet-soft", "softPackets"],
  ["packet-hard", "hardPackets"],
]);

/** The names of `known` that follow; the first of them has to be there. */
export function readFlags(args: Arguments, known: readonly string[]): string[] {
  const given = new Set<string>();
  if (args.done) args.value();
  while (!args.done && known.includes(args.peek()!)) given.add(args.take());
  return known.filter((name) => given.has(name));
}

export function number(args: Arguments, message: string, maximum = 0xffff_ffff): number {
  const text = args.value();
  const value = parseNumber(text);
  if (value === undefined || value > maximum) throw wrong(text, message);
  return value;
}

function readProtocol(args: Arguments): number {
  const text = args.value();
  if (text === "any") return 0;
  const value = PROTOCOLS.get(text) ?? parseNumber(text);
  if (value === undefined || value > 255) throw wrong(text, "PROTO value is invalid");
  return value;
}

function readDevice(args: Arguments, deviceIndex: (name: string) => number): number {
  const name = args.value();
  if (name === "none") return 0;
  const index = deviceIndex(name);
  if (index === 0) throw wrong(name, "DEV value is invalid");
  return index;
}
