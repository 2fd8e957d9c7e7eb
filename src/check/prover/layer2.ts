/**
 * Where a frame would come out, read from tables alone: cables, bridges' filtering databases, VTEPs' forwarding databases. Nothing is sent and nothing is learnt.
 */
import { type Bridge, bridgeOf, portOf } from "../../linux/bridge.ts";
import type { BridgePort } from "../../linux/bridge-port.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { vlanOf } from "../../linux/vlan-device.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import { WireEnd } from "../../linux/wire-end.ts";
import type { World } from "../../linux/world.ts";
import { type Ipv4Address, MAC_BROADCAST, type MacAddress } from "../../wire/address.ts";

/** What a walk came to. */
export interface Spread {
  /** Devices whose protocols get the frame. */
  readonly receivers: readonly NetDevice[];
  /** MAC addresses with which tunnels answer for `asked` (ARP suppression). */
  readonly answers: readonly MacAddress[];
  /** Bridges that the frame would meet a second time. */
  readonly loops: readonly string[];
  /** Parts of Linux on the way that the prover does not model. */
  readonly unknown: readonly string[];
}

/** Does a bridge's namespace let the frame pass from port to port (br_netfilter)? */
export type BridgeFilter = (bridge: NetDevice, ingress: NetDevice | undefined, egress: NetDevice) => boolean;
/** Where the underlay carries a datagram: the namespace's name; undefined: nowhere, or beyond what the prover models. */
export interface Carriage {
  readonly to: string | undefined;
  readonly unknown?: string;
}
/** Where a datagram from the VTEP to the remote comes to. */
export type Tunnel = (vxlan: Vxlan, remote: Ipv4Address) => Carriage;

export interface Layer2Rules {
  readonly filter: BridgeFilter;
  readonly tunnel: Tunnel;
}

/** The walk of a frame to `mac` that leaves by `device`. With `asked` it is an ARP request for that address. */
export function spread(
  world: World,
  rules: Layer2Rules,
  device: NetDevice,
  mac: MacAddress,
  asked?: Ipv4Address,
): Spread {
  const walk = new Walk(world, rules, mac, asked);
  walk.send(device);
  return walk;
}

class Walk implements Spread {
  readonly receivers: NetDevice[] = [];
  readonly answers: MacAddress[] = [];
  readonly loops: string[] = [];
  readonly unknown: string[] = [];
  readonly #world: World;
  readonly #rules: Layer2Rules;
  readonly #mac: MacAddress;
  readonly #asked: Ipv4Address | undefined;
  readonly #met = new Set<Bridge>();

  constructor(world: World, rules: Layer2Rules, mac: MacAddress, asked: Ipv4Address | undefined) {
    this.#world = world;
    this.#rules = rules;
    this.#mac = mac;
    this.#asked = asked;
  }

  send(device: NetDevice): void {
    if (!device.up) return;
    const { driver } = device;
    const bridge = bridgeOf(device);
    if (driver instanceof WireEnd) {
      const { peer, settings } = driver;
      if (peer !== undefined && device.carrier && !settings.partitioned) this.#arrive(peer);
    } else if (bridge !== undefined) this.#relay(bridge, undefined);
    else if (driver instanceof Vxlan) this.#encapsulate(driver);
    else if (vlanOf(device) !== undefined) this.unknown.push(`${device.place} is a VLAN device`);
  }

  #arrive(device: NetDevice): void {
    if (!device.up) return;
    const port = portOf(device);
    if (port === undefined) this.#receive(device);
    else this.#relay(bridgeOf(device.master!)!, port);
  }

  #receive(device: NetDevice): void {
    if (this.#mac === MAC_BROADCAST || this.#mac === device.address) this.receivers.push(device);
  }

  #relay(bridge: Bridge, ingress: BridgePort | undefined): void {
    if (bridge.filtersVlans) this.unknown.push(`${bridge.device.place} filters VLANs`);
    if (ingress !== undefined && ingress.state !== "forwarding") return;
    if (this.#met.has(bridge)) {
      this.loops.push(bridge.device.place);
      return;
    }
    this.#met.add(bridge);
    const group = this.#mac === MAC_BROADCAST;
    const entry = group ? undefined : bridge.fdb.get(this.#mac, 0, bridge.clock.nowNs);
    if (entry === undefined) {
      for (const port of bridge.ports)
        if (group ? port.broadcastFlood || ingress === undefined : port.flood) this.#leave(bridge, ingress, port);
      if (group && ingress !== undefined && bridge.device.up) this.#receive(bridge.device);
    } else if (!entry.local) {
      if (entry.port !== undefined) this.#leave(bridge, ingress, entry.port);
    } else if (ingress !== undefined && bridge.device.up) {
      // Its own address and the ingress port's make it the host's.
      if (this.#mac === bridge.device.address || this.#mac === ingress.device.address)
        this.receivers.push(bridge.device);
    }
  }

  #leave(bridge: Bridge, ingress: BridgePort | undefined, egress: BridgePort): void {
    if (egress === ingress && !egress.hairpin) return;
    if (egress.state !== "forwarding" || (egress.isolated && ingress?.isolated === true)) return;
    if (!this.#rules.filter(bridge.device, ingress?.device, egress.device)) return;
    this.send(egress.device);
  }

  #encapsulate(driver: Vxlan): void {
    if (this.#asked !== undefined && driver.settings.proxy) {
      const answer = driver.neighbour(this.#asked);
      if (typeof answer === "number" && !driver.isLocal(answer)) this.answers.push(answer);
      return;
    }
    const entries = driver.fdb.list();
    const remotes =
      (entries.find(({ mac }) => mac === this.#mac) ?? entries.find(({ mac }) => mac === 0))?.remotes ?? [];
    for (const remote of remotes) {
      const { to, unknown } = this.#rules.tunnel(driver, remote.address);
      if (unknown !== undefined) this.unknown.push(unknown);
      const device = to === undefined ? undefined : this.#endpoint(to, remote.vni, remote.port);
      if (device !== undefined) this.#arrive(device);
    }
  }

  /** The VXLAN device whose socket is in the namespace. */
  #endpoint(namespaceName: string, vni: number, port: number): NetDevice | undefined {
    for (const { devices } of this.#world.namespaces.values())
      for (const device of devices) {
        const { driver } = device;
        if (
          driver instanceof Vxlan &&
          driver.underlay.name === namespaceName &&
          driver.vni === vni &&
          driver.port === port
        )
          return device.up ? device : undefined;
      }
    return undefined;
  }
}
