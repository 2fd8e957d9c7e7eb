/**
 * An overlay network as Docker's overlay driver programs Linux for it: on each node a namespace (the sandbox) with a bridge `br0`, a `vxlan0`
 * made on the node and moved in (its UDP socket stays with the node), and one veth for each local endpoint. The peers' tables
 * are filled at once, from the whole network, as if gossip had brought them.
 *
 * Two modes: `swarm` is Docker's (proxy ARP, permanent FDB and neighbour entries, nothing is flooded across the tunnel);
 * `flood-and-learn` is RFC 7348 with head-end replication: unknown destinations go to every node, answers are learnt.
 */

import { type Bridge, createBridge } from "../linux/bridge.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import { createVxlan, Vxlan } from "../linux/vxlan.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { type Ipv4Address, MAC_ZERO, type MacAddress, type Prefix, type Vni } from "../wire/address.ts";
import { containerInterfaceName } from "./interface-names.ts";

/** IANA's port for VXLAN, RFC 7348 §8.2; Docker's `--data-path-port`. */
const DATA_PATH_PORT = 4_789;

export interface OverlaySettings {
  readonly name: string;
  readonly mode: "swarm" | "flood-and-learn";
  readonly vni: Vni;
  readonly mtu: number;
  readonly subnet: Prefix;
  /** What `br0` has in every sandbox, in `swarm` mode. */
  readonly gateway: Ipv4Address;
}

export interface OverlayEndpoint {
  readonly address: Prefix;
  readonly mac: MacAddress;
}

/** The network on one node. */
interface Sandbox {
  readonly namespace: NetworkNamespace;
  readonly bridge: Bridge;
  readonly vxlan: Vxlan;
  /** The node's address on the underlay. */
  readonly vtep: Ipv4Address;
  readonly endpoints: OverlayEndpoint[];
  /** veth0, veth1, … */
  nextVeth: number;
}

export class OverlayNetwork {
  readonly #world: World;
  readonly #settings: OverlaySettings;
  readonly #sandboxes = new Map<string, Sandbox>();

  constructor(world: World, settings: OverlaySettings) {
    this.#world = world;
    this.#settings = settings;
  }

  /** Brings the network to a node whose address on the underlay is `vtep`; the sandbox's namespace. */
  addNode(node: NetworkNamespace, vtep: Ipv4Address): NetworkNamespace {
    const { name, mode, vni, mtu, subnet, gateway } = this.#settings;
    const namespace = this.#world.createNamespace(`${node.name}/${name}`);
    namespace.loopback.setUp(true);
    const bridge = createBridge(namespace, { name: "br0", mtu });
    const swarm = mode === "swarm";
    const vxlan = createVxlan(namespace, node, {
      name: "vxlan0",
      vni,
      mtu,
      destinationPort: DATA_PATH_PORT,
      learning: true,
      proxy: swarm,
      l2miss: swarm,
      l3miss: swarm,
    });
    assert(vxlan instanceof Vxlan, "two overlay networks with one VNI on a node");
    bridge.addPort(vxlan.device);
    if (swarm) namespace.addAddress(bridge.device, { address: gateway, length: subnet.length });
    bridge.device.setUp(true);
    vxlan.device.setUp(true);
    const sandbox: Sandbox = { namespace, bridge, vxlan, vtep, endpoints: [], nextVeth: 0 };
    for (const other of this.#sandboxes.values()) {
      if (!swarm) {
        flood(sandbox, other.vtep);
        flood(other, vtep);
      }
      for (const endpoint of other.endpoints) this.#learnPeer(sandbox, endpoint, other.vtep);
    }
    this.#sandboxes.set(node.name, sandbox);
    return namespace;
  }

  /** Gives a container on `node` an interface in the network: the lowest free `eth` number. Every other node gets to know it. */
  join(node: string, container: NetworkNamespace, endpoint: OverlayEndpoint): void {
    const sandbox = this.#sandboxes.get(node);
    assert(sandbox !== undefined, `the network is not on ${node}`);
    const { mtu } = this.#settings;
    container.loopback.setUp(true);
    const { a, b } = this.#world.createLink(
      "veth",
      { namespace: container, name: containerInterfaceName(container), address: endpoint.mac, mtu },
      { namespace: sandbox.namespace, name: `veth${sandbox.nextVeth++}`, mtu },
    );
    sandbox.bridge.addPort(b);
    container.addAddress(a, endpoint.address);
    b.setUp(true);
    a.setUp(true);
    sandbox.endpoints.push(endpoint);
    for (const other of this.#sandboxes.values()) if (other !== sandbox) this.#learnPeer(other, endpoint, sandbox.vtep);
  }

  /** A peer record: where the endpoint's MAC address lives, and which MAC address answers for its IP address. */
  #learnPeer(sandbox: Sandbox, endpoint: OverlayEndpoint, vtep: Ipv4Address): void {
    if (this.#settings.mode !== "swarm") return;
    const device = sandbox.vxlan.device;
    const address = endpoint.address.address;
    sandbox.namespace.neighbours.add({ device, address, mac: endpoint.mac, state: "PERMANENT" });
    sandbox.vxlan.fdb.add({ mac: endpoint.mac, address: vtep, state: "permanent" });
  }
}

/** Adds a VTEP to those that get what has no entry: `bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst VTEP`. */
function flood(sandbox: Sandbox, vtep: Ipv4Address): void {
  sandbox.vxlan.fdb.append({ mac: MAC_ZERO, address: vtep });
}
