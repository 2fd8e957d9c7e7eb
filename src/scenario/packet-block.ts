/** A firewall between one machine and the underlay, as people forget one: it drops packets of some protocols and ports. */

import { getU16 } from "../wire/bytes.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { BlockSpec } from "./format.ts";

interface Blocked {
  readonly protocol: number;
  /** Undefined: all of the protocol. */
  readonly port: number | undefined;
}

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["icmp", 1],
  ["tcp", 6],
  ["udp", 17],
  ["esp", 50],
]);

export class PacketBlock {
  readonly #node: string;
  readonly #direction: "in" | "out" | "both";
  readonly #blocked: readonly Blocked[];

  constructor({ node, ports, direction }: BlockSpec) {
    this.#node = node;
    this.#direction = direction ?? "both";
    this.#blocked = ports.map((text) => {
      const [protocol = "", port] = text.split("/");
      return { protocol: PROTOCOLS.get(protocol) ?? 0, port: port === undefined ? undefined : Number(port) };
    });
  }

  /** Does the frame that goes from one machine to another end here? Fragments without ports pass, as they pass such firewalls. */
  stops(from: string, to: string, bytes: Uint8Array, at: number, end: number): boolean {
    const leaves = from === this.#node && this.#direction !== "in";
    const comes = to === this.#node && this.#direction !== "out";
    if (!leaves && !comes) return false;
    if (end - at < ethernet.HEADER_BYTES || ethernet.etherType(bytes, at) !== ethernet.ETHERTYPE_IPV4) return false;
    const packet = at + ethernet.HEADER_BYTES;
    if (typeof ipv4.check(bytes, packet, end) === "string") return false;
    const protocol = ipv4.protocol(bytes, packet);
    const segment = packet + ipv4.headerBytes(bytes, packet);
    const hasPorts = ipv4.fragmentOffsetBytes(bytes, packet) === 0 && end - segment >= 4;
    return this.#blocked.some((blocked) => {
      if (blocked.protocol !== protocol) return false;
      if (blocked.port === undefined) return true;
      return hasPorts && (getU16(bytes, segment) === blocked.port || getU16(bytes, segment + 2) === blocked.port);
    });
  }
}
