/**
 * Engines of a swarm without managers: node1, node2, … are 192.168.50.11, .12, … on one switch, the client is 192.168.50.100. What managers would decide, which
 * network comes where and which address is whose, the test says; what the nodes tell each other is real gossip.
 */
import { Host, TextBuffer } from "../../src/commands/host.ts";
import { runLine } from "../../src/commands/shell.ts";
import { WORDS } from "../../src/commands/words.ts";
import { type ClusterNetwork, ClusterNetworking } from "../../src/docker/cluster-networking.ts";
import type { Container } from "../../src/docker/container/container.ts";
import type { ContainerSpec } from "../../src/docker/container-spec.ts";
import { Engine, type Release } from "../../src/docker/engine.ts";
import type { NetworkKey } from "../../src/docker/overlay/network-key.ts";
import { isRefusal } from "../../src/docker/refusal.ts";
import { type Bridge, createBridge } from "../../src/linux/bridge.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { WireEnd } from "../../src/linux/wire-end.ts";
import { World } from "../../src/linux/world.ts";
import { MICROSECOND, SECOND } from "../../src/sim/time.ts";
import type { Ipv4Address, Vni } from "../../src/wire/address.ts";
import { ip, net } from "../linux/two-hosts.ts";
import { ShellStarter } from "./engine-lab.ts";

export const INGRESS = clusterNetwork("1acqcenrj8c1r8vlqxgd8vqyz", "ingress", 0, { ingress: true });
export const TESTNET = clusterNetwork("say6mhukvycnvxxxcp30z7lcn", "testnet", 1);
export const ENCNET = clusterNetwork("rj3f1ruz6jx0aaaaaaaaaaaaa", "encnet", 2, {
  options: new Map([["encrypted", ""]]),
});

/** With direct routing in place of translation. */
export const DIRECT = clusterNetwork("dsr0000000000000000000000", "direct", 3, { options: new Map([["dsr", ""]]) });

function clusterNetwork(id: string, name: string, third: number, more: Partial<ClusterNetwork> = {}): ClusterNetwork {
  const subnets = [{ subnet: net(`10.0.${third}.0/24`), gateway: ip(`10.0.${third}.1`), vni: (4_096 + third) as Vni }];
  const plain = { ingress: false, attachable: true, internal: false, options: new Map(), labels: new Map() };
  return { id, name, subnets, ...plain, ...more };
}

/** Three keys for each use, the eldest with that time. */
export function keysFrom(time: number): NetworkKey[] {
  return (["gossip", "ipsec"] as const).flatMap((subsystem) =>
    [0, 1, 2].map((age) => ({
      subsystem,
      lamportTime: time + age,
      key: new Uint8Array(16).fill(time + age + (subsystem === "gossip" ? 0 : 100)),
    })),
  );
}

export interface LabNode {
  readonly host: Host;
  readonly address: Ipv4Address;
  readonly engine: Engine;
  readonly cluster: ClusterNetworking;
  readonly wires: readonly WireEnd[];
}

/** A service's part of a container's wishes. */
export interface TaskOf {
  readonly service: string;
  readonly slot: number;
  /** By network: the task's address, and the service's. */
  readonly addresses: readonly (readonly [network: ClusterNetwork, own: string, virtual: string | undefined])[];
  /** Published and target port. */
  readonly port?: readonly [published: number, target: number];
}

export class ClusterLab {
  readonly world = new World({ seed: "cluster" });
  readonly nodes: LabNode[] = [];
  readonly client: Host;
  readonly #release: Release;
  readonly #switch: Bridge;
  readonly #programs: ShellStarter;
  readonly #gossipInClear: boolean;

  /** All nodes have the ingress network. */
  constructor(count: number, options: { release?: Release; gossipInClear?: boolean; ipvsLoaded?: boolean } = {}) {
    this.#release = options.release ?? "20.10";
    this.#gossipInClear = options.gossipInClear ?? true;
    this.#programs = new ShellStarter(this.world);
    this.#switch = createBridge(this.world.createNamespace("switch"), { name: "br0" });
    this.#switch.device.setUp(true);
    const client = this.world.createNamespace("client");
    this.#cable(client, ip("192.168.50.100"));
    this.client = new Host({ name: "client", world: this.world, namespace: client, words: WORDS });
    for (let number = 1; number <= count; number++) this.#addNode(number, options.ipvsLoaded ?? false);
    this.wait(2);
    this.nodes.forEach((_, index) => {
      this.join(index + 1);
      this.wait(1);
    });
    this.wait(2);
  }

  /** The node becomes part of the swarm, which it meets at the node `manager`, and gets the ingress network. */
  join(number: number, manager = 1): void {
    const { cluster, address } = this.nodes[number - 1]!;
    const problem = cluster.start({
      nodeId: `node-${number}`,
      advertiseAddress: address,
      listenAddress: ip("0.0.0.0"),
      bootstrap: [this.nodes[manager - 1]!.address],
      keys: keysFrom(1),
      gossipInClear: this.#gossipInClear,
    });
    if (problem !== undefined) throw new Error(problem);
    this.allocate(number, INGRESS, `10.0.0.${1 + number}`);
  }

  allocate(number: number, network: ClusterNetwork, loadBalancer: string): void {
    const refusal = this.nodes[number - 1]!.cluster.allocate(network, net(`${loadBalancer}/24`));
    if (refusal !== undefined) throw new Error(refusal.message);
  }

  /** A container attached to the network, with an address that the manager has given. */
  container(number: number, name: string, network: ClusterNetwork, address: string): Container {
    const networks = [{ network: network.id, address: ip(address), aliases: [] }];
    return this.#start(number, { name, command: ["sleep 1000000"], networks });
  }

  /** A task of a service, which serves HTTP. */
  task(number: number, wishes: TaskOf, more: Partial<ContainerSpec> = {}): Container {
    const { service, slot, addresses, port } = wishes;
    const taskId = `${service}${slot}`.padEnd(25, "0");
    const ports = port === undefined ? [] : [{ protocol: "tcp" as const, publishedPort: port[0], targetPort: port[1] }];
    const virtual = addresses.flatMap(([network, , vip]) =>
      vip === undefined ? [] : [[network.id, ip(vip)] as const],
    );
    return this.#start(number, {
      name: `${service}.${slot}.${taskId}`,
      hostname: `node${number}-${slot}`,
      command: [`serve http ${port?.[1] ?? 80}`],
      networks: addresses.map(([network, own]) => ({ network: network.id, address: ip(own), aliases: [] })),
      service: {
        id: `${service}-id`.padEnd(25, "0"),
        name: service,
        taskId,
        slot,
        nodeId: `node-${number}`,
        virtualAddresses: new Map(virtual),
        aliases: [],
        ingressPorts: ports,
        taskAliases: [],
      },
      ...more,
    });
  }

  /** Runs a command to its end; what it printed. */
  run(where: Host | Container, line: string, limit = 60): string {
    return this.runIn(where instanceof Host ? where : this.#programs.hostOf(where), undefined, line, limit);
  }

  /** The same in a named namespace of a node: `ingress_sbox`, `lb_…`, `1-…`. */
  runIn(host: Host, handle: string | undefined, line: string, limit = 60): string {
    const namespace = handle === undefined ? host.namespace : host.namedNamespaces.get(handle);
    if (namespace === undefined) throw new Error(`no namespace ${handle} on ${host.name}`);
    const out = new TextBuffer();
    const process = host.spawn("sh", { stdout: out, stderr: out }, (self) =>
      runLine(self, { ...host.context(), namespace }, line),
    );
    for (let waited = 0; process.running && waited < limit; waited += 0.25) this.wait(0.25);
    return out.text;
  }

  /** Who answers an HTTP request: `host name` of the task. */
  ask(where: Host | Container, url: string): string {
    const text = this.run(where, `curl -s -m 5 ${url}`);
    return /^host:? (\S+)/m.exec(text)?.[1] ?? /node\d-\d/.exec(text)?.[0] ?? text;
  }

  /** The node's cable is pulled, or put back. */
  cut(number: number, isCut: boolean): void {
    for (const wire of this.nodes[number - 1]!.wires) wire.settings = { ...wire.settings, partitioned: isCut };
  }

  wait(seconds: number): void {
    this.world.simulation.run(this.world.simulation.nowNs + Math.round(seconds * SECOND));
  }

  #start(number: number, spec: Partial<ContainerSpec> & Pick<ContainerSpec, "command" | "networks">): Container {
    const { engine } = this.nodes[number - 1]!;
    const container = engine.createContainer({ image: "bb", ...spec });
    if (isRefusal(container)) throw new Error(container.message);
    const refusal = container.start();
    if (refusal !== undefined) throw new Error(refusal.message);
    return container;
  }

  #addNode(number: number, ipvsLoaded: boolean): void {
    const { world } = this;
    const namespace = world.createNamespace(`node${number}`);
    namespace.loopback.setUp(true);
    const address = (ip("192.168.50.10") + number) as Ipv4Address;
    const wires = this.#cable(namespace, address);
    const host = new Host({ name: `node${number}`, world, namespace, words: WORDS });
    const engine = new Engine({
      world,
      host: namespace,
      hostname: host.name,
      release: this.#release,
      programs: this.#programs,
    });
    const cluster = new ClusterNetworking({ engine, handles: host.namedNamespaces, ipvsLoaded });
    this.nodes.push({ host, address, engine, cluster, wires });
  }

  #cable(namespace: NetworkNamespace, address: Ipv4Address): WireEnd[] {
    const link = this.world.createLink(
      "nic",
      { namespace, name: "eth0" },
      { namespace: this.world.namespaces.get("switch")!, name: `port${this.#switch.ports.length}` },
    );
    for (const end of [link.aToB, link.bToA]) end.settings = { ...end.settings, delayNs: 200 * MICROSECOND };
    this.#switch.addPort(link.b);
    namespace.addAddress(link.a, { address, length: 24 });
    for (const device of [link.a, link.b]) device.setUp(true);
    return [link.aToB, link.bToA];
  }
}
