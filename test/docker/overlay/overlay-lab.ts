/** Nodes on one underlay, 192.168.50.11, .12, …, each with the overlay driver; what one tells of its endpoints, all hear at once, as if by gossip. */
import { Host, TextBuffer } from "../../../src/commands/host.ts";
import { runLine } from "../../../src/commands/shell.ts";
import { WORDS } from "../../../src/commands/words.ts";
import type { Endpoint } from "../../../src/docker/endpoint.ts";
import type { NetworkKey } from "../../../src/docker/overlay/network-key.ts";
import type { NodeOverlay, OverlaySpec } from "../../../src/docker/overlay/node-overlay.ts";
import { OverlayDriver, type OverlayDriverSettings } from "../../../src/docker/overlay/overlay-driver.ts";
import { isRefusal, refuse } from "../../../src/docker/refusal.ts";
import { Sandbox } from "../../../src/docker/sandbox.ts";
import { PERFECT_LINK } from "../../../src/linux/link-settings.ts";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { World } from "../../../src/linux/world.ts";
import { Underlay } from "../../../src/scenario/underlay.ts";
import { MICROSECOND, SECOND } from "../../../src/sim/time.ts";
import { type Ipv4Address, parseIpv4, parsePrefix, type Vni } from "../../../src/wire/address.ts";

export const ip = (text: string) => parseIpv4(text)!;
export const net = (text: string) => parsePrefix(text)!;

/** As it was recorded: the network of case 02. */
export const TESTNET: OverlaySpec = {
  id: "say6mhukvycnvxxxcp30z7lcn",
  name: "testnet",
  ingress: false,
  attachable: true,
  internal: false,
  options: new Map([["com.docker.network.driver.overlay.vxlanid_list", "4097"]]),
  labels: new Map(),
  subnets: [{ subnet: net("10.0.1.0/24"), gateway: ip("10.0.1.1"), vni: 4_097 as Vni }],
};

/** And the one of case 05. */
export const ENCNET: OverlaySpec = {
  ...TESTNET,
  id: "rj3f1ruz6jx0xe6s6x9robuc5",
  name: "encnet",
  options: new Map([["encrypted", ""]]),
  subnets: [{ subnet: net("10.0.2.0/24"), gateway: ip("10.0.2.1"), vni: 4_098 as Vni }],
};

export interface LabNode {
  readonly name: string;
  readonly namespace: NetworkNamespace;
  readonly address: Ipv4Address;
  readonly driver: OverlayDriver;
  readonly network: NodeOverlay;
  readonly named: Map<string, NetworkNamespace>;
}

export interface Member {
  readonly node: LabNode;
  readonly endpoint: Endpoint;
  readonly sandbox: Sandbox;
  readonly namespace: NetworkNamespace;
}

export class OverlayLab {
  readonly world = new World({ seed: "overlay lab" });
  readonly nodes: LabNode[] = [];
  readonly log: string[] = [];
  readonly #hosts = new Map<NetworkNamespace, Host>();

  constructor(
    options: {
      count?: number;
      spec?: OverlaySpec;
      keys?: readonly NetworkKey[];
      mtu?: number;
      driver?: Partial<OverlayDriverSettings>;
    } = {},
  ) {
    const { count = 2, spec = TESTNET, keys = [], mtu = 1_500 } = options;
    const underlay = new Underlay(this.world);
    for (let index = 0; index < count; index++) {
      const name = `node${index + 1}`;
      const namespace = this.world.createNamespace(name);
      const address = (ip("192.168.50.11") + index) as Ipv4Address;
      const link = { ...PERFECT_LINK, delayNs: 50 * MICROSECOND };
      underlay.plug(namespace, { address: { address, length: 24 }, mtu, link });
      const named = new Map<string, NetworkNamespace>();
      const driver = new OverlayDriver({
        world: this.world,
        host: namespace,
        release: "current",
        random: this.world.random.fork(`engine ${name}`),
        advertiseAddress: address,
        handles: named,
        log: (message) => this.log.push(`${name}: ${message}`),
        ...options.driver,
      });
      if (keys.length > 0) driver.setKeys(keys);
      this.nodes.push({ name, namespace, address, driver, network: driver.createNetwork(spec), named });
    }
    this.pass(2); // the switch's ports begin to forward
  }

  /** The same nodes with one more network, whose members this is for. */
  addNetwork(spec: OverlaySpec): Pick<OverlayLab, "join" | "leave"> {
    const nodes = this.nodes.map((node) => ({ ...node, network: node.driver.createNetwork(spec) }));
    return {
      join: (nodeIndex, address, silently) => joinNode(this.world, nodes, nodeIndex, address, silently),
      leave: (member, silently) => leaveNode(nodes, member, silently),
    };
  }

  pass(seconds: number): void {
    this.world.simulation.run(this.world.simulation.nowNs + Math.round(seconds * SECOND));
  }

  /** A container with this address joins on a node; the others are told, unless `silently`. */
  join(nodeIndex: number, address: string, silently = false): Member {
    return joinNode(this.world, this.nodes, nodeIndex, address, silently);
  }

  leave(member: Member, silently = false): void {
    leaveNode(this.nodes, member, silently);
  }

  /** What a command line says, standard error included; up to `seconds` go by. */
  run(where: NetworkNamespace, line: string, seconds = 20): string {
    let host = this.#hosts.get(where);
    if (host === undefined) {
      host = new Host({ name: where.name, world: this.world, namespace: where, words: WORDS });
      this.#hosts.set(where, host);
    }
    const text = new TextBuffer();
    const context = host.context();
    const process = host.spawn("bash", { stdout: text, stderr: text }, (self) => runLine(self, context, line));
    for (let passed = 0; process.running && passed < seconds; passed += 0.25) this.pass(0.25);
    return text.text;
  }

  /** The network's namespace on a node. */
  inside(nodeIndex: number): NetworkNamespace {
    return this.nodes[nodeIndex]!.network.sandbox!.namespace;
  }
}

function joinNode(world: World, nodes: readonly LabNode[], index: number, address: string, silently = false): Member {
  const node = nodes[index]!;
  const endpoint = node.network.createEndpoint({ name: address, address: ip(address) });
  if (isRefusal(endpoint)) throw new Error(endpoint.message);
  const namespace = world.createNamespace(`${node.name} ${address} ${endpoint.id}`);
  const sandbox = new Sandbox({
    id: endpoint.id,
    namespace,
    host: {
      release: "current",
      gatewayNetwork: () => refuse("not-found", "no docker_gwbridge here"),
      resolver: undefined,
    },
    needsGateway: false,
  });
  const refusal = sandbox.join(endpoint);
  if (refusal !== undefined) throw new Error(refusal.message);
  const record = node.network.recordOf(endpoint);
  if (!silently) for (const { network } of nodes) network.peers.notify(endpoint.id, undefined, record);
  return { node, endpoint, sandbox, namespace };
}

function leaveNode(nodes: readonly LabNode[], { node, endpoint, sandbox }: Member, silently = false): void {
  const record = node.network.recordOf(endpoint);
  sandbox.leave(endpoint);
  if (!silently) for (const { network } of nodes) network.peers.notify(endpoint.id, record, undefined);
}
