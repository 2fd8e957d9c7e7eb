/** IPv4 addresses of devices and the routes that come and go with them: `ip address` (net/ipv4/devinet.c, fib_add_ifaddr). */
import { contains, type Ipv4Address, type Prefix } from "../wire/address.ts";
import { connectedRoutes } from "./connected-route.ts";
import type { Errno } from "./errno.ts";
import type { InetDevices } from "./inet-device.ts";
import type { DeviceAddress, DeviceChange, NetDevice } from "./net-device.ts";
import { defaultScope, type Routing, SCOPE_ORDER } from "./routing.ts";

export interface AddressOptions {
  readonly broadcast?: Ipv4Address | undefined;
  readonly scope?: "global" | "link" | "host" | undefined;
  /** The other end of a point-to-point link; the prefix is then the peer's. */
  readonly peer?: Ipv4Address | undefined;
}

export class Addresses {
  readonly #routing: Routing;
  readonly #devices: InetDevices;

  constructor(routing: Routing, devices: InetDevices) {
    this.#routing = routing;
    this.#devices = devices;
  }

  /** EEXIST: the device has it already. */
  add(device: NetDevice, prefix: Prefix, options: AddressOptions = {}): Errno | undefined {
    const peer = options.peer ?? prefix.address;
    const subnet: Prefix = { address: peer, length: prefix.length };
    const siblings = device.addresses.filter(
      (other) => other.length === prefix.length && contains({ address: other.peer, length: other.length }, peer),
    );
    if (siblings.some((other) => other.address === prefix.address)) return "EEXIST";
    const address: DeviceAddress = {
      address: prefix.address,
      length: prefix.length,
      broadcast: options.broadcast,
      secondary: siblings.length > 0,
      scope: options.scope ?? defaultScope(prefix.address),
      peer: subnet.address,
    };
    device.addresses = withAddress(device.addresses, address);
    this.#routing.countAddress(address.address, 1);
    this.#addRoutes(device, address);
    this.#routing.changed();
    device.announce("ipv4");
    return undefined;
  }

  /** EADDRNOTAVAIL: the device has no such address. A primary address takes its secondary ones along, unless they may be promoted. */
  remove(device: NetDevice, prefix: Prefix): Errno | undefined {
    const index = device.addresses.findIndex(
      (other) => other.address === prefix.address && other.length === prefix.length,
    );
    const address = device.addresses[index];
    if (address === undefined) return "EADDRNOTAVAIL";
    device.addresses = device.addresses.filter((_, at) => at !== index);
    this.#forget(device, address);
    if (!address.secondary) {
      const followers = device.addresses.filter(
        (other) =>
          other.secondary &&
          other.length === address.length &&
          contains({ address: address.peer, length: address.length }, other.peer),
      );
      if (this.#devices.of(device).settings.promoteSecondaries) this.#promote(device, followers);
      else for (const follower of followers) this.remove(device, follower);
    }
    this.#routing.changed();
    device.announce("ipv4");
    return undefined;
  }

  deviceChanged(device: NetDevice, change: DeviceChange): void {
    if (change === "up") {
      if (device.kind === "loopback" && device.addresses.length === 0)
        this.add(device, { address: 0x7f00_0001 as Ipv4Address, length: 8 });
      else for (const address of device.addresses) this.#addRoutes(device, address);
    } else if (change === "removed") {
      const gone = device.addresses;
      device.addresses = [];
      for (const address of gone) this.#forget(device, address);
    }
  }

  #promote(device: NetDevice, followers: readonly DeviceAddress[]): void {
    const [heir] = followers;
    if (heir === undefined) return;
    const promoted: DeviceAddress = { ...heir, secondary: false };
    device.addresses = withAddress(
      device.addresses.filter((address) => address !== heir),
      promoted,
    );
    this.#addRoutes(device, promoted);
  }

  #addRoutes(device: NetDevice, address: DeviceAddress): void {
    for (const route of connectedRoutes(device, address))
      if (device.up || route.type === "local") this.#routing.addOwn(route);
  }

  #forget(device: NetDevice, address: DeviceAddress): void {
    this.#routing.countAddress(address.address, -1);
    for (const route of connectedRoutes(device, address)) this.#routing.delete(route);
    this.#routing.addressGone(address.address);
  }
}

/** __inet_insert_ifa: primary addresses first, those of narrow scope before those of wide scope, then secondary ones, each kind in the order of coming. */
function withAddress(addresses: readonly DeviceAddress[], address: DeviceAddress): readonly DeviceAddress[] {
  if (address.secondary) return addresses.concat(address);
  let place = 0;
  addresses.forEach((other, at) => {
    if (!other.secondary && SCOPE_ORDER[address.scope] <= SCOPE_ORDER[other.scope]) place = at + 1;
  });
  return addresses.slice(0, place).concat(address, addresses.slice(place));
}
