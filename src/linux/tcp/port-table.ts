/** Who has which TCP port: bind(2) with SO_REUSEADDR, and the ephemeral ports of connect(2) (inet_csk_get_port, __inet_hash_connect). */
import type { Ipv4Address } from "../../wire/address.ts";
import type { Errno } from "../errno.ts";
import type { NetDevice } from "../net-device.ts";
import type { Sysctl } from "../sysctl.ts";

/** A socket or connection that holds a port. Address 0: all. */
export interface PortHolder {
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly reuseAddress: boolean;
  readonly listening: boolean;
  readonly device: NetDevice | undefined;
}

export class PortTable {
  readonly #sysctl: Sysctl;
  readonly #holders = new Map<number, PortHolder[]>();

  constructor(sysctl: Sysctl) {
    this.#sysctl = sysctl;
  }

  /** May `holder` have the port at `address`? Of two with SO_REUSEADDR it is the other that must not listen yet (inet_bind_conflict). */
  isFree(holder: PortHolder, address: Ipv4Address, port: number): boolean {
    const others = this.#holders.get(port);
    if (others === undefined) return true;
    return others.every(
      (other) =>
        other === holder ||
        (holder.reuseAddress && other.reuseAddress && !other.listening) ||
        (other.device !== undefined && holder.device !== undefined && other.device !== holder.device) ||
        (address !== 0 && other.localAddress !== 0 && other.localAddress !== address),
    );
  }

  add(holder: PortHolder, port: number): void {
    const others = this.#holders.get(port);
    if (others === undefined) this.#holders.set(port, [holder]);
    else others.push(holder);
  }

  remove(holder: PortHolder, port: number): void {
    const left = this.#holders.get(port)?.filter((other) => other !== holder) ?? [];
    if (left.length > 0) this.#holders.set(port, left);
    else this.#holders.delete(port);
  }

  /** A port for bind(2) without one: the odd half of the range first; 0: none is free. */
  findForBind(holder: PortHolder, address: Ipv4Address, draw: number): number {
    return this.#find(draw, 1, (port) => this.isFree(holder, address, port)) ?? 0;
  }

  /** A port for connect(2): the even half first, none that a program has bound, and not the same peer twice. */
  findForPeer(draw: number, isUnused: (port: number) => boolean): number | Errno {
    return this.#find(draw, 0, (port) => this.#isOnlyConnected(port) && isUnused(port)) ?? "EADDRNOTAVAIL";
  }

  #isOnlyConnected(port: number): boolean {
    return !this.#holders.has(port);
  }

  #find(draw: number, parity: number, suits: (port: number) => boolean): number | undefined {
    const { localPortLow: low, localPortHigh: high } = this.#sysctl;
    const span = high - low + 1;
    const half = Math.ceil(span / 2);
    for (const offset of [parity, 1 - parity]) {
      for (let step = 0; step < half; step++) {
        const port = low + offset + 2 * ((draw + step) % half);
        if (port <= high && suits(port)) return port;
      }
    }
    return undefined;
  }
}
