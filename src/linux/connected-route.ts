/**
 * A route that comes with an address (fib_add_ifaddr): to the address itself, to its subnet, to its broadcasts. Every container has half a dozen, so
 * that nothing is stored of them that the address says.
 */
import { broadcastOf, contains, type Ipv4Address, networkOf, type Prefix } from "../wire/address.ts";
import type { DeviceAddress, NetDevice } from "./net-device.ts";
import { type Route, type RouteProtocol, type RouteScope, type RouteType, TABLE_LOCAL, TABLE_MAIN } from "./route.ts";

type Destination = "address" | "broadcast" | "subnet" | "end of subnet";

export class ConnectedRoute implements Route {
  readonly device: NetDevice;
  readonly #address: DeviceAddress;
  readonly #to: Destination;

  constructor(device: NetDevice, address: DeviceAddress, to: Destination) {
    this.device = device;
    this.#address = address;
    this.#to = to;
  }

  get table(): number {
    return this.type === "unicast" ? TABLE_MAIN : TABLE_LOCAL;
  }

  get type(): RouteType {
    switch (this.#to) {
      case "address":
        return "local";
      case "subnet":
        return this.device.kind === "loopback" ? "local" : "unicast";
      default:
        return "broadcast";
    }
  }

  get destination(): Prefix {
    const address = this.#address;
    switch (this.#to) {
      case "address":
        return { address: address.address, length: 32 };
      case "broadcast":
        return { address: address.broadcast ?? address.address, length: 32 };
      case "subnet":
        return { address: networkOf(subnetOf(address)), length: address.length };
      default:
        return { address: broadcastOf(subnetOf(address)), length: 32 };
    }
  }

  get scope(): RouteScope {
    return this.type === "local" ? "host" : "link";
  }

  get protocol(): RouteProtocol {
    return "kernel";
  }

  get metric(): number {
    return 0;
  }

  get gateway(): undefined {
    return undefined;
  }

  /** A secondary address is its primary one's: what the host says to it comes from there. */
  get source(): Ipv4Address {
    const address = this.#address;
    if (!address.secondary) return address.address;
    const primary = this.device.addresses.find(
      (other) => !other.secondary && other.length === address.length && contains(subnetOf(other), address.peer),
    );
    return (primary ?? address).address;
  }

  get mtu(): undefined {
    return undefined;
  }

  get onLink(): boolean {
    return false;
  }
}

/** All that come with the address, in the order in which the kernel makes them. */
export function connectedRoutes(device: NetDevice, address: DeviceAddress): ConnectedRoute[] {
  const subnet = subnetOf(address);
  const network = networkOf(subnet);
  const routes = [new ConnectedRoute(device, address, "address")];
  if (address.secondary || network >>> 24 === 0) return routes;
  if (address.broadcast !== undefined && address.broadcast !== 0xffff_ffff)
    routes.push(new ConnectedRoute(device, address, "broadcast"));
  if (network !== address.address || address.length < 32) {
    routes.push(new ConnectedRoute(device, address, "subnet"));
    if (address.length < 31 && address.broadcast !== broadcastOf(subnet))
      routes.push(new ConnectedRoute(device, address, "end of subnet"));
  }
  return routes;
}

/** The prefix is the peer's, where there is one. */
function subnetOf(address: DeviceAddress): Prefix {
  return { address: address.peer, length: address.length };
}
