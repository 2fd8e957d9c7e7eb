/**
 * A user-defined bridge network on one node, as Docker's bridge driver programs Linux for it: a bridge in the node's own namespace that holds the gateway
 * address, and one veth for each container, whose default route it is. (Outbound NAT and published ports need the firewall.)
 */
import { type Bridge, createBridge } from "../linux/bridge.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { World } from "../linux/world.ts";
import { IPV4_ANY, type Ipv4Address, type MacAddress, type Prefix } from "../wire/address.ts";
import { containerInterfaceName } from "./interface-names.ts";

export interface BridgeSettings {
  readonly name: string;
  readonly mtu: number;
  readonly subnet: Prefix;
  readonly gateway: Ipv4Address;
}

export class BridgeNetwork {
  readonly #world: World;
  readonly #node: NetworkNamespace;
  readonly #settings: BridgeSettings;
  readonly #bridge: Bridge;

  constructor(world: World, node: NetworkNamespace, settings: BridgeSettings) {
    this.#world = world;
    this.#node = node;
    this.#settings = settings;
    this.#bridge = createBridge(node, { name: bridgeName(settings.name), mtu: settings.mtu });
    node.addAddress(this.#bridge.device, { address: settings.gateway, length: settings.subnet.length });
    this.#bridge.device.setUp(true);
  }

  join(container: NetworkNamespace, endpoint: { readonly address: Prefix; readonly mac: MacAddress }): void {
    const { mtu, gateway } = this.#settings;
    container.loopback.setUp(true);
    const { a, b } = this.#world.createLink(
      "veth",
      { namespace: container, name: containerInterfaceName(container), address: endpoint.mac, mtu },
      { namespace: this.#node, name: hostVethName(this.#node), mtu },
    );
    this.#bridge.addPort(b);
    container.addAddress(a, endpoint.address);
    b.setUp(true);
    a.setUp(true);
    const hasDefault = container.routes.list().some(({ destination }) => destination.length === 0);
    if (!hasDefault) container.routes.add({ destination: { address: IPV4_ANY, length: 0 }, gateway, device: a });
  }
}

/** Docker's is `br-` and the network's id; people know the network by its name. Linux allows 15 characters. */
function bridgeName(network: string): string {
  return `br-${network}`.slice(0, 15);
}

/** `veth` and seven hexadecimal digits. */
function hostVethName(node: NetworkNamespace): string {
  for (let number = 0; ; number++) {
    const digits = node.random.fork(`veth ${number}`).u32().toString(16).padStart(8, "0").slice(0, 7);
    if (node.device(`veth${digits}`) === undefined) return `veth${digits}`;
  }
}
