/** `-m mac` and `-m pkttype`: what the Ethernet header of a received packet says (xt_mac, xt_pkttype). */
import { formatMac, isGroup, MAC_BROADCAST, type MacAddress, parseMac } from "../../../wire/address.ts";
import { getU48 } from "../../../wire/bytes.ts";
import { invertible, type MatchExtension, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

/** The header that was taken off stands in front of the packet still. */
const ETHERNET_BYTES = 14;

class MacMatch implements Match {
  readonly name = "mac";
  readonly #address: MacAddress;
  readonly #inverted: boolean;
  readonly points = ["prerouting", "input", "forward"] as const;

  constructor(address: MacAddress, inverted: boolean) {
    this.#address = address;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    if (packet.ingress === undefined || packet.ingress.kind === "loopback") return false;
    return (getU48(packet.bytes, packet.at - ETHERNET_BYTES + 6) === this.#address) !== this.#inverted;
  }
  save(): string {
    return `${this.#inverted ? "! " : ""}--mac-source ${formatMac(this.#address)}`;
  }
  list(): string {
    return `MAC${this.#inverted ? " !" : " "}${formatMac(this.#address)}`;
  }
}

export const MAC_MATCH: MatchExtension = {
  name: "mac",
  options: [invertible("mac-source")],
  build(uses) {
    const text = uses.required("mac-source");
    const address = parseMac(text);
    if (address === undefined) throw new RuleError(`mac: Bad value for "--mac-source" option: "${text}"`);
    return new MacMatch(address, uses.inverted("mac-source"));
  },
};

type PacketType = "unicast" | "broadcast" | "multicast";

class PacketTypeMatch implements Match {
  readonly name = "pkttype";
  readonly #type: PacketType;
  readonly #inverted: boolean;

  constructor(type: PacketType, inverted: boolean) {
    this.#type = type;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    return (typeOf(packet) === this.#type) !== this.#inverted;
  }
  save(): string {
    return `${this.#inverted ? "! " : ""}--pkt-type ${this.#type}`;
  }
  list(): string {
    return `PKTTYPE ${this.#inverted ? "!=" : "="} ${this.#type}`;
  }
}

/** Packets made here count by their IP address, as those over the loopback do. */
function typeOf(packet: Packet): PacketType {
  if (packet.ingress === undefined || packet.ingress.kind === "loopback") {
    const type = packet.host.addressType(packet.destination, undefined);
    return type === "BROADCAST" ? "broadcast" : type === "MULTICAST" ? "multicast" : "unicast";
  }
  const destination = getU48(packet.bytes, packet.at - ETHERNET_BYTES) as MacAddress;
  if (destination === MAC_BROADCAST) return "broadcast";
  return isGroup(destination) ? "multicast" : "unicast";
}

export const PKTTYPE_MATCH: MatchExtension = {
  name: "pkttype",
  options: [invertible("pkt-type")],
  build(uses) {
    const text = uses.required("pkt-type");
    const type = text === "host" ? "unicast" : text;
    if (type !== "unicast" && type !== "broadcast" && type !== "multicast")
      throw new RuleError(`Bad packet type '${text}'`);
    return new PacketTypeMatch(type, uses.inverted("pkt-type"));
  },
};
