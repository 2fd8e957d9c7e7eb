/** `-j DNAT`, `SNAT`, `MASQUERADE`, `REDIRECT`, `NETMAP`: what a connection's tuple becomes (xt_nat, xt_MASQUERADE, xt_REDIRECT, xt_NETMAP). */
import { formatIpv4, type Ipv4Address, maskOf, parseIpv4, parsePrefix } from "../../../wire/address.ts";
import * as info from "../conntrack/connection-info.ts";
import { MASQUERADED } from "../conntrack/connection-table.ts";
import { hasPorts } from "../conntrack/tuple.ts";
import { flag, option, type RuleContext, RuleError, type TargetExtension, type Uses } from "../extension.ts";
import { parsePort } from "../names.ts";
import type { Manipulation, NatRange } from "../nat-range.ts";
import type { Packet } from "../packet.ts";
import type { Target } from "../rule-parts.ts";
import { ACCEPT, DROP, type Verdict } from "../verdict.ts";

const RANDOM = [flag("random"), flag("random-fully"), flag("persistent")];
const DESTINATION_POINTS = ["prerouting", "output"] as const;
const SOURCE_POINTS = ["postrouting", "input"] as const;
const LOOPBACK = 0x7f00_0001;

/** How it was asked for, beside the range itself. */
interface Wording {
  readonly random: boolean;
  readonly randomFully: boolean;
  readonly persistent: boolean;
}

function wordingOf(uses: Uses): Wording {
  return { random: uses.has("random"), randomFully: uses.has("random-fully"), persistent: uses.has("persistent") };
}

function withWording(range: NatRange, wording: Wording): NatRange {
  return {
    ...range,
    ...(wording.random || wording.randomFully ? { random: true } : {}),
    ...(wording.persistent ? { persistent: true } : {}),
  };
}

function formatWording(wording: Wording, prefix: string): string {
  const words = [];
  if (wording.random) words.push(`${prefix}random`);
  if (wording.randomFully) words.push(`${prefix}random-fully`);
  if (wording.persistent) words.push(`${prefix}persistent`);
  return words.map((word) => ` ${word}`).join("");
}

/** `1.2.3.4-1.2.3.9:100-200`; either part may be missing. */
function formatRange(range: NatRange): string {
  let text = "";
  if (range.minimumAddress !== undefined) {
    text = formatIpv4(range.minimumAddress as Ipv4Address);
    if (range.maximumAddress !== undefined && range.maximumAddress !== range.minimumAddress)
      text += `-${formatIpv4(range.maximumAddress as Ipv4Address)}`;
  }
  if (range.minimumPort !== undefined) text += `:${formatPorts(range)}`;
  if (range.basePort !== undefined) text += `/${range.basePort}`;
  return text;
}

function formatPorts(range: NatRange): string {
  return range.minimumPort === range.maximumPort
    ? String(range.minimumPort)
    : `${range.minimumPort}-${range.maximumPort}`;
}

class TupleTarget implements Target {
  readonly name: string;
  readonly needsConntrack = true;
  readonly table = "nat";
  readonly points;
  readonly #manipulation: Manipulation;
  readonly #range: NatRange;
  readonly #wording: Wording;

  constructor(manipulation: Manipulation, range: NatRange, wording: Wording) {
    this.name = manipulation === "source" ? "SNAT" : "DNAT";
    this.points = manipulation === "source" ? SOURCE_POINTS : DESTINATION_POINTS;
    this.#manipulation = manipulation;
    this.#range = withWording(range, wording);
    this.#wording = wording;
  }

  run(packet: Packet): Verdict {
    return packet.services.bind(packet, this.#manipulation, this.#range);
  }
  save(): string {
    return `--to-${this.#manipulation} ${formatRange(this.#range)}${formatWording(this.#wording, "--")}`;
  }
  list(): string {
    return `to:${formatRange(this.#range)}${formatWording(this.#wording, "")}`;
  }
}

function needPorts(context: RuleContext): void {
  if (context.protocolInverted || !hasPorts(context.protocol))
    throw new RuleError("Need TCP, UDP, SCTP or DCCP with port specification");
}

function parsePorts(text: string, separator: string): { minimumPort: number; maximumPort: number } {
  const [low, high, more] = text.split(separator);
  if (more !== undefined || !/^\d+$/.test(low ?? "")) throw new RuleError(`Port \`${text}' not valid`);
  const minimumPort = Number(low);
  const maximumPort = high === undefined ? minimumPort : Number(high);
  if (!(minimumPort <= 0xffff && maximumPort <= 0xffff)) throw new RuleError(`Port \`${text}' not valid`);
  if (maximumPort < minimumPort) throw new RuleError(`Port range \`${text}' funky`);
  return { minimumPort, maximumPort };
}

function parseRange(text: string, context: RuleContext): NatRange {
  const colon = text.indexOf(":");
  const addresses = colon < 0 ? text : text.slice(0, colon);
  let range: NatRange = {};
  if (colon >= 0) {
    needPorts(context);
    const [ports, base] = text.slice(colon + 1).split("/");
    range = parsePorts(ports ?? "", "-");
    if (base !== undefined) range = { ...range, basePort: parsePort(base) };
  }
  if (addresses === "") {
    if (colon < 0) throw new RuleError(`Bad IP address "${addresses}"`);
    return range;
  }
  const [low, high] = addresses.split("-");
  const minimumAddress = parseIpv4(low ?? "");
  const maximumAddress = high === undefined ? minimumAddress : parseIpv4(high);
  if (minimumAddress === undefined) throw new RuleError(`Bad IP address "${low}"`);
  if (maximumAddress === undefined) throw new RuleError(`Bad IP address "${high}"`);
  return { ...range, minimumAddress, maximumAddress };
}

function tupleTarget(name: string, manipulation: Manipulation): TargetExtension {
  const optionName = `to-${manipulation}`;
  return {
    name,
    options: [option(optionName), ...RANDOM],
    build: (uses, context) =>
      new TupleTarget(manipulation, parseRange(uses.required(optionName), context), wordingOf(uses)),
  };
}

export const DNAT_TARGET = tupleTarget("DNAT", "destination");
export const SNAT_TARGET = tupleTarget("SNAT", "source");

/** Source becomes the address of the device that the packet leaves by. */
class MasqueradeTarget implements Target {
  readonly name = "MASQUERADE";
  readonly needsConntrack = true;
  readonly table = "nat";
  readonly points = ["postrouting"] as const;
  readonly #range: NatRange;
  readonly #wording: Wording;

  constructor(range: NatRange, wording: Wording) {
    this.#range = withWording(range, wording);
    this.#wording = wording;
  }

  run(packet: Packet): Verdict {
    const { egress } = packet;
    const row = info.connectionOf(packet.connection);
    if (egress === undefined || row === 0) return ACCEPT;
    if (packet.source === 0) return ACCEPT; // a host that asks for its first address
    const address = packet.host.addressFor(egress, packet.destination);
    if (address === undefined) return DROP;
    const { connections } = packet;
    connections.masqueradeDevice[row] = egress.index;
    connections.addStatus(row, MASQUERADED);
    return packet.services.bind(packet, "source", {
      ...this.#range,
      minimumAddress: address,
      maximumAddress: address,
    });
  }
  save(): string {
    const ports = this.#range.minimumPort === undefined ? "" : `--to-ports ${formatPorts(this.#range)}`;
    return `${ports}${formatWording(this.#wording, "--")}`.trim();
  }
  list(): string {
    const ports = this.#range.minimumPort === undefined ? "" : `masq ports: ${formatPorts(this.#range)}`;
    return `${ports}${formatWording(this.#wording, "")}`.trim();
  }
}

export const MASQUERADE_TARGET: TargetExtension = {
  name: "MASQUERADE",
  options: [option("to-ports"), flag("random"), flag("random-fully")],
  build(uses, context) {
    const text = uses.value("to-ports");
    if (text !== undefined) needPorts(context);
    return new MasqueradeTarget(text === undefined ? {} : parsePorts(text, "-"), wordingOf(uses));
  },
};

/** Destination becomes this host: the address of the device that the packet came in by, or the loopback's. */
class RedirectTarget implements Target {
  readonly name = "REDIRECT";
  readonly needsConntrack = true;
  readonly table = "nat";
  readonly points = DESTINATION_POINTS;
  readonly #range: NatRange;
  readonly #wording: Wording;

  constructor(range: NatRange, wording: Wording) {
    this.#range = withWording(range, wording);
    this.#wording = wording;
  }

  run(packet: Packet): Verdict {
    let address: number | undefined = LOOPBACK;
    if (packet.point === "prerouting") address = packet.ingress?.addresses[0]?.address;
    if (address === undefined) return DROP;
    return packet.services.bind(packet, "destination", {
      ...this.#range,
      minimumAddress: address,
      maximumAddress: address,
    });
  }
  save(): string {
    const ports = this.#range.minimumPort === undefined ? "" : `--to-ports ${formatPorts(this.#range)}`;
    return `${ports}${formatWording(this.#wording, "--")}`.trim();
  }
  list(): string {
    const ports = this.#range.minimumPort === undefined ? "" : `redir ports ${formatPorts(this.#range)}`;
    return `${ports}${formatWording(this.#wording, "")}`.trim();
  }
}

export const REDIRECT_TARGET: TargetExtension = {
  name: "REDIRECT",
  options: [option("to-ports"), flag("random")],
  build(uses, context) {
    const text = uses.value("to-ports");
    if (text !== undefined) needPorts(context);
    return new RedirectTarget(text === undefined ? {} : parsePorts(text, "-"), wordingOf(uses));
  },
};

/** A whole network is mapped one to one. */
class NetmapTarget implements Target {
  readonly name = "NETMAP";
  readonly needsConntrack = true;
  readonly table = "nat";
  readonly points = ["prerouting", "input", "output", "postrouting"] as const;
  readonly #address: number;
  readonly #length: number;

  constructor(address: number, length: number) {
    this.#address = address;
    this.#length = length;
  }

  run(packet: Packet): Verdict {
    const isSource = packet.point === "postrouting" || packet.point === "input";
    return packet.services.bind(packet, isSource ? "source" : "destination", {
      minimumAddress: this.#address,
      netmapMask: maskOf(this.#length),
    });
  }
  save(): string {
    return `--to ${this.#format()}`;
  }
  list(): string {
    return `to:${this.#format()}`;
  }
  #format(): string {
    const address = formatIpv4(this.#address as Ipv4Address);
    return this.#length === 32 ? address : `${address}/${this.#length}`;
  }
}

export const NETMAP_TARGET: TargetExtension = {
  name: "NETMAP",
  options: [option("to")],
  build(uses) {
    const text = uses.required("to");
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new RuleError(`NETMAP: Bad value for "--to" option: "${text}"`);
    return new NetmapTarget((prefix.address & maskOf(prefix.length)) >>> 0, prefix.length);
  },
};
