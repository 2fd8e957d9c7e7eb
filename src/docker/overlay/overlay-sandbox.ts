/**
 * An overlay network on one node, as libnetwork's overlay driver programs Linux for it (drivers/overlay/ov_network.go): a namespace of its own with a bridge and
 * a VXLAN device for each subnet, made when the first endpoint or peer of the subnet comes, and one veth for each local endpoint. The VXLAN device
 * is made in the node's namespace and moved in, so that its UDP socket stays with the node.
 */
import { createBridge } from "../../linux/bridge.ts";
import { errorText } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { createVxlan, Vxlan } from "../../linux/vxlan.ts";
import type { World } from "../../linux/world.ts";
import type { Random } from "../../sim/random.ts";
import { broadcastOf, formatPrefix, type Ipv4Address, type MacAddress, networkOf } from "../../wire/address.ts";
import { OverlaySegment, type OverlaySubnet } from "./overlay-segment.ts";

/** IANA's port for VXLAN, RFC 7348 §8.2; another with `docker swarm init --data-path-port`. */
export const DATA_PATH_PORT = 4_789;

export interface OverlaySandboxSettings {
  readonly world: World;
  /** The node. */
  readonly host: NetworkNamespace;
  /** The namespace's name in the world, where no other has it. */
  readonly name: string;
  /** The network's, of which names of devices show five characters. */
  readonly networkId: string;
  readonly mtu: number;
  readonly dataPathPort: number;
  /** False: RFC 7348's flooding with learning instead of answers out of tables. */
  readonly proxy: boolean;
  /** Names of the ports: counted up since the namespace was made (20.10), or the lowest that is free. */
  readonly portNames: "counted" | "lowest";
}

/** The two ends of an endpoint's veth. */
export interface EndpointLink {
  /** In the node's namespace, down, under a passing name: to be moved into the endpoint's sandbox. */
  readonly inner: NetDevice;
  /** The bridge's port. */
  readonly port: NetDevice;
}

export class OverlaySandbox {
  readonly namespace: NetworkNamespace;
  readonly #settings: OverlaySandboxSettings;
  readonly #names: Random;
  readonly #segments = new Map<OverlaySubnet, OverlaySegment>();
  #ports = 0;

  constructor(settings: OverlaySandboxSettings) {
    this.#settings = settings;
    this.namespace = settings.world.createNamespace(settings.name);
    this.#names = this.namespace.random.fork("names of veths");
    this.namespace.loopback.setUp(true);
    // A new namespace starts with what the node's has.
    for (const key of INHERITED) inherit(settings.host, this.namespace, key);
  }

  /** In the order in which they were made: br0, br1, … */
  get segments(): readonly OverlaySegment[] {
    return [...this.#segments.values()];
  }

  /** The subnet's bridge and tunnel, made if need be; or in Docker's words why they cannot be: another network on the node has the VNI. */
  open(subnet: OverlaySubnet): OverlaySegment | string {
    const known = this.#segments.get(subnet);
    if (known !== undefined) return known;
    const { host, mtu, dataPathPort, proxy } = this.#settings;
    const number = this.#segments.size;
    const bridge = createBridge(this.namespace, { name: `br${number}`, mtu });
    const vxlanName = this.#nameBefore(subnet);
    const vxlan = createVxlan(host, host, {
      name: vxlanName,
      address: this.namespace.drawMac(`vxlan${number}`),
      vni: subnet.vni,
      mtu,
      destinationPort: dataPathPort,
      learning: true,
      proxy,
      l2miss: proxy,
      l3miss: proxy,
    });
    if (!(vxlan instanceof Vxlan)) {
      this.namespace.removeDevice(bridge.device);
      const why = `error creating vxlan interface: ${errorText(vxlan.errno).toLowerCase()}`;
      const prefix = formatPrefix({ address: networkOf(subnet.subnet), length: subnet.subnet.length });
      return `subnet sandbox join failed for "${prefix}": ${why}`;
    }
    host.moveDevice(vxlan.device, this.namespace, `vxlan${number}`);
    bridge.addPort(vxlan.device);
    if (subnet.gateway !== undefined) {
      const address = { address: subnet.gateway, length: subnet.subnet.length };
      this.namespace.addAddress(bridge.device, address, { broadcast: broadcastOf(address) });
    }
    bridge.device.setUp(true);
    vxlan.device.setUp(true);
    const segment = new OverlaySegment(this.namespace, subnet, bridge, vxlan, vxlanName);
    this.#segments.set(subnet, segment);
    return segment;
  }

  /** Makes an endpoint's veth; its outer end is a port of the segment's bridge from now on. */
  attach(segment: OverlaySegment, mac: MacAddress): EndpointLink {
    const { world, host, mtu } = this.#settings;
    const name = this.#nextPort();
    const { a, b } = world.createLink(
      "veth",
      { namespace: host, name: this.#passingName(), address: mac, mtu },
      { namespace: host, name: this.#passingName(), address: this.namespace.drawMac(name), mtu },
    );
    host.moveDevice(b, this.namespace, name);
    segment.bridge.addPort(b);
    b.setUp(true);
    return { inner: a, port: b };
  }

  /** The veth goes, with the end that is in `holder`. */
  detach(link: EndpointLink, holder: NetworkNamespace): void {
    if (holder.device(link.inner.name) === link.inner) holder.removeDevice(link.inner);
    if (this.namespace.device(link.port.name) === link.port) this.namespace.removeDevice(link.port);
  }

  /** After the last endpoint has left. */
  destroy(): void {
    this.#settings.world.removeNamespace(this.namespace);
  }

  #nextPort(): string {
    if (this.#settings.portNames === "counted") return `veth${this.#ports++}`;
    let number = 0;
    while (this.namespace.device(`veth${number}`) !== undefined) number++;
    return `veth${number}`;
  }

  /** `vx-001001-s6cdp`: the VNI, and the network. */
  #nameBefore(subnet: OverlaySubnet): string {
    return `vx-${subnet.vni.toString(16).padStart(6, "0")}-${this.#settings.networkId.slice(0, 5)}`;
  }

  /** `veth` and seven hexadecimal digits. */
  #passingName(): string {
    for (;;) {
      const name = `veth${this.#names.u32().toString(16).padStart(8, "0").slice(0, 7)}`;
      if (this.#settings.host.device(name) === undefined) return name;
    }
  }
}

const INHERITED = [
  "net.ipv4.ip_forward",
  "net.ipv4.neigh.default.gc_thresh1",
  "net.ipv4.neigh.default.gc_thresh2",
  "net.ipv4.neigh.default.gc_thresh3",
];

function inherit(from: NetworkNamespace, to: NetworkNamespace, key: string): void {
  const value = from.sysctl.get(key);
  if (value !== undefined && value !== to.sysctl.get(key)) to.sysctl.set(key, value);
}

/** The subnet that an address with its length belongs to. */
export function subnetOf(
  subnets: readonly OverlaySubnet[],
  prefix: { readonly address: Ipv4Address; readonly length: number },
): OverlaySubnet | undefined {
  return subnets.find(({ subnet }) => subnet.length === prefix.length && networkOf(subnet) === networkOf(prefix));
}
