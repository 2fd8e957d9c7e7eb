/**
 * Which ports of a host are published already, and the next free one of its ephemeral range (libnetwork portallocator): those go up from the
 * range's beginning and come round, so that a port given back is not given out again at once.
 */
import type { Ipv4Address } from "../../wire/address.ts";
import type { PortProtocol } from "./published-port.ts";

export class PortAllocator {
  readonly #range: () => readonly [first: number, last: number];
  /** By protocol, then by port: the addresses that have it. */
  readonly #taken = new Map<PortProtocol, Map<number, Set<Ipv4Address>>>();
  readonly #last = new Map<PortProtocol, number>();

  /** `range`: net.ipv4.ip_local_port_range, as it is when it is asked for. */
  constructor(range: () => readonly [first: number, last: number]) {
    this.#range = range;
  }

  /** False: somebody has it, on this address, or one of the two is for all addresses. */
  claim(protocol: PortProtocol, address: Ipv4Address, port: number): boolean {
    if (!this.#isFree(protocol, address, port)) return false;
    const ports = this.#taken.get(protocol) ?? new Map<number, Set<Ipv4Address>>();
    this.#taken.set(protocol, ports);
    const addresses = ports.get(port);
    if (addresses === undefined) ports.set(port, new Set([address]));
    else addresses.add(address);
    return true;
  }

  /** The next free port of the range, or of the one given; undefined: all are taken. */
  claimAny(
    protocol: PortProtocol,
    address: Ipv4Address,
    range?: readonly [first: number, last: number],
  ): number | undefined {
    const [first, last] = range ?? this.#range();
    const before = range === undefined ? (this.#last.get(protocol) ?? first - 1) : first - 1;
    let port = before < first || before >= last ? first : before + 1;
    for (let tried = first; tried <= last; tried++) {
      if (this.claim(protocol, address, port)) {
        if (range === undefined) this.#last.set(protocol, port);
        return port;
      }
      port = port === last ? first : port + 1;
    }
    return undefined;
  }

  release(protocol: PortProtocol, address: Ipv4Address, port: number): void {
    const ports = this.#taken.get(protocol);
    const addresses = ports?.get(port);
    addresses?.delete(address);
    if (addresses?.size === 0) ports?.delete(port);
  }

  #isFree(protocol: PortProtocol, address: Ipv4Address, port: number): boolean {
    const addresses = this.#taken.get(protocol)?.get(port);
    if (addresses === undefined) return true;
    return address !== 0 && !addresses.has(address) && !addresses.has(0 as Ipv4Address);
  }
}
