/**
 * An overlay network of a scenario without a swarm: on each node the namespace that Docker's overlay driver makes. The peers' tables are filled at once, from
 * the whole network, as if gossip had brought them.
 *
 * Two modes: `swarm` is Docker's (proxy ARP, permanent FDB and neighbour entries, nothing is flooded across the tunnel);
 * `flood-and-learn` is RFC 7348 with head-end replication: unknown destinations go to every node, answers are learnt.
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import type { Ipv4Address, MacAddress, Prefix, Vni } from "../wire/address.ts";
import { containerInterfaceName } from "./interface-names.ts";
import { DATA_PATH_PORT, OverlaySandbox } from "./overlay/overlay-sandbox.ts";
import type { OverlaySegment, OverlaySubnet } from "./overlay/overlay-segment.ts";

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
interface Member {
  readonly node: NetworkNamespace;
  readonly sandbox: OverlaySandbox;
  readonly segment: OverlaySegment;
  /** The node's address on the underlay. */
  readonly vtep: Ipv4Address;
  readonly endpoints: OverlayEndpoint[];
}

export class OverlayNetwork {
  readonly #world: World;
  readonly #settings: OverlaySettings;
  readonly #subnet: OverlaySubnet;
  readonly #members = new Map<string, Member>();

  constructor(world: World, settings: OverlaySettings) {
    this.#world = world;
    this.#settings = settings;
    const { subnet, vni, mode, gateway } = settings;
    this.#subnet = { subnet, vni, gateway: mode === "swarm" ? gateway : undefined };
  }

  /** Brings the network to a node whose address on the underlay is `vtep`; the sandbox's namespace. */
  addNode(node: NetworkNamespace, vtep: Ipv4Address): NetworkNamespace {
    const { name, mode, mtu } = this.#settings;
    const sandbox = new OverlaySandbox({
      world: this.#world,
      host: node,
      name: `${node.name}/${name}`,
      networkId: name,
      mtu,
      dataPathPort: DATA_PATH_PORT,
      proxy: mode === "swarm",
      portNames: "counted",
    });
    const segment = sandbox.open(this.#subnet);
    assert(typeof segment !== "string", "two overlay networks with one VNI on a node");
    const member: Member = { node, sandbox, segment, vtep, endpoints: [] };
    for (const other of this.#members.values()) {
      if (mode === "flood-and-learn") {
        segment.flood(other.vtep);
        other.segment.flood(vtep);
      }
      for (const endpoint of other.endpoints) this.#tell(member, endpoint, other.vtep);
    }
    this.#members.set(node.name, member);
    return sandbox.namespace;
  }

  /** Gives a container on `node` an interface in the network: the lowest free `eth` number. Every other node gets to know it. */
  join(node: string, container: NetworkNamespace, endpoint: OverlayEndpoint): void {
    const member = this.#members.get(node);
    assert(member !== undefined, `the network is not on ${node}`);
    container.loopback.setUp(true);
    const { inner } = member.sandbox.attach(member.segment, endpoint.mac);
    member.node.moveDevice(inner, container, containerInterfaceName(container));
    container.addAddress(inner, endpoint.address);
    inner.setUp(true);
    member.endpoints.push(endpoint);
    for (const other of this.#members.values()) if (other !== member) this.#tell(other, endpoint, member.vtep);
  }

  /** A peer record: where the endpoint's MAC address lives, and which MAC address answers for its IP address. */
  #tell({ segment }: Member, endpoint: OverlayEndpoint, vtep: Ipv4Address): void {
    if (this.#settings.mode !== "swarm") return;
    segment.addNeighbour(endpoint.address.address, endpoint.mac);
    segment.addForwarding(endpoint.mac, vtep, false);
  }
}
