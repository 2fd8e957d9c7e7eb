/** Engines that gossip on emulated hosts 192.168.50.11, .12, … behind one switch, and what their network cards saw of it. */
import { Host, TextBuffer } from "../../src/commands/host.ts";
import { runLine } from "../../src/commands/shell.ts";
import { WORDS } from "../../src/commands/words.ts";
import { GOSSIP_PORT, GossipAgent, type GossipAgentOptions } from "../../src/docker/gossip-agent.ts";
import type { GossipKey } from "../../src/gossip/seal.ts";
import { createBridge } from "../../src/linux/bridge.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import type { WireEnd } from "../../src/linux/wire-end.ts";
import { World } from "../../src/linux/world.ts";
import { MICROSECOND, SECOND } from "../../src/sim/time.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { getU16, toHex } from "../../src/wire/bytes.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { ip, type Seen, watch } from "../linux/two-hosts.ts";

const ETHERNET = 14;
const DELAY_NS = 200 * MICROSECOND;
const FIRST = ip("192.168.50.11");

export interface LabNode {
  readonly name: string;
  readonly namespace: NetworkNamespace;
  readonly address: Ipv4Address;
  readonly eth0: NetDevice;
  readonly wires: readonly [out: WireEnd, in_: WireEnd];
  readonly seen: Seen[];
  /** What it was told, in order. */
  readonly heard: string[];
  agent: GossipAgent;
}

/** A packet of gossip as a node's card saw it. */
export interface Packet {
  readonly timeNs: number;
  readonly direction: "in" | "out";
  readonly protocol: number;
  readonly from: Ipv4Address;
  readonly to: Ipv4Address;
  readonly fromPort: number;
  readonly toPort: number;
  /** Of TCP; 0 of UDP. */
  readonly flags: number;
  readonly payload: Uint8Array;
}

export class GossipLab {
  readonly world: World;
  readonly nodes: LabNode[] = [];
  readonly #keys: readonly GossipKey[] | undefined;
  readonly #settings: GossipAgentOptions["settings"];

  constructor(
    count: number,
    options: { seed?: string | number; keys?: readonly GossipKey[]; settings?: GossipAgentOptions["settings"] } = {},
  ) {
    this.#keys = options.keys;
    this.#settings = options.settings;
    this.world = new World({ seed: options.seed ?? 1 });
    const wire = this.world.createNamespace("switch");
    const bridge = createBridge(wire, { name: "br0", mtu: 1_500 });
    bridge.device.setUp(true);
    for (let index = 0; index < count; index++) {
      const name = `node${index + 1}`;
      const namespace = this.world.createNamespace(name);
      const address = (FIRST + index) as Ipv4Address;
      const link = this.world.createLink("nic", { namespace, name: "eth0" }, { namespace: wire, name: `port${index}` });
      for (const end of [link.aToB, link.bToA]) end.settings = { ...end.settings, delayNs: DELAY_NS };
      bridge.addPort(link.b);
      namespace.loopback.setUp(true);
      namespace.addAddress(link.a, { address, length: 24 });
      for (const device of [link.a, link.b]) device.setUp(true);
      const seen = watch(this.world, link.a);
      const heard: string[] = [];
      const agent = this.#agent(namespace, address, heard);
      const wires = [link.aToB, link.bToA] as const;
      this.nodes.push({ name, namespace, address, eth0: link.a, wires, seen, heard, agent });
    }
    this.pass(2);
  }

  /** As a Swarm: the first node begins, the others join it, all have `network`. */
  form(network?: string): void {
    for (const [index, node] of this.nodes.entries()) {
      node.agent.start();
      if (index > 0) node.agent.join([this.nodes[0]!.address]);
      this.pass(0.5);
      if (network !== undefined) node.agent.joinNetwork(network);
      this.pass(1.5);
    }
  }

  /** Its engine starts again: another name, nothing known. */
  renew(index: number): GossipAgent {
    const node = this.nodes[index]!;
    node.agent = this.#agent(node.namespace, node.address, node.heard);
    return node.agent;
  }

  pass(seconds: number): void {
    const { simulation } = this.world;
    simulation.run(simulation.nowNs + Math.round(seconds * SECOND));
  }

  /** The seconds until it is so; undefined: not within `seconds`. */
  until(seconds: number, condition: () => boolean): number | undefined {
    const { simulation } = this.world;
    const startNs = simulation.nowNs;
    const isSo = simulation.run(startNs + Math.round(seconds * SECOND), condition);
    return isSo ? (simulation.nowNs - startNs) / SECOND : undefined;
  }

  /** Takes the node's port out of the switch; the node keeps its carrier. */
  cut(index: number, isCut: boolean): void {
    for (const wire of this.nodes[index]!.wires) wire.settings = { ...wire.settings, partitioned: isCut };
  }

  /** A command line typed on a node. */
  type(index: number, line: string): void {
    const { name, namespace } = this.nodes[index]!;
    const host = new Host({ name, world: this.world, namespace, words: WORDS, namedNamespaces: new Map() });
    const said = new TextBuffer();
    const shell = host.spawn("sh", { stdout: said, stderr: said }, (self) => runLine(self, host.context(), line));
    if (shell.exitStatus !== 0) throw new Error(`${line}: ${said.text}`);
  }

  belief(index: number, other: number): string | undefined {
    const name = this.nodes[other]!.agent.nodeName;
    return this.nodes[index]!.agent.members.find((member) => member.name === name)?.state;
  }

  isWhole(): boolean {
    const count = this.nodes.length;
    return this.nodes.every((node) => node.agent.members.filter(({ state }) => state === "alive").length === count);
  }

  table(index: number, network: string): string[] {
    return this.nodes[index]!.agent.entries(network).map(
      (entry) => `${entry.table} ${entry.key}=${toHex(entry.value)}`,
    );
  }

  /** The gossip that a node's card saw since `sinceNs`, UDP or TCP. */
  packets(index: number, sinceNs = 0): Packet[] {
    return this.nodes[index]!.seen.flatMap((frame) => {
      const packet = frame.timeNs >= sinceNs ? gossipIn(frame) : undefined;
      return packet === undefined ? [] : [packet];
    });
  }

  #agent(namespace: NetworkNamespace, address: Ipv4Address, heard: string[]): GossipAgent {
    return new GossipAgent({
      namespace,
      listenAddress: 0 as Ipv4Address,
      advertiseAddress: address,
      keyring: this.#keys,
      random: this.world.random.fork(`${namespace.name} ${heard.length}`),
      onTables: (changes) => {
        for (const { operation, network, table, key } of changes) heard.push(`${operation} ${network} ${table} ${key}`);
      },
      onNodes: (changes) => {
        for (const { node, standing } of changes) heard.push(`${standing} ${node}`);
      },
      ...(this.#settings === undefined ? {} : { settings: this.#settings }),
    });
  }
}

function gossipIn({ timeNs, direction, bytes }: Seen): Packet | undefined {
  if (getU16(bytes, 12) !== 0x0800) return undefined;
  const protocol = bytes[ETHERNET + 9]!;
  if (protocol !== 6 && protocol !== 17) return undefined;
  const transport = ETHERNET + ipv4.headerBytes(bytes, ETHERNET);
  const fromPort = getU16(bytes, transport);
  const toPort = getU16(bytes, transport + 2);
  if (fromPort !== GOSSIP_PORT && toPort !== GOSSIP_PORT) return undefined;
  const headerBytes = protocol === 17 ? 8 : (bytes[transport + 12]! >> 4) * 4;
  const end = ETHERNET + getU16(bytes, ETHERNET + 2);
  return {
    timeNs,
    direction,
    protocol,
    from: ipv4.source(bytes, ETHERNET),
    to: ipv4.destination(bytes, ETHERNET),
    fromPort,
    toPort,
    flags: protocol === 6 ? bytes[transport + 13]! : 0,
    payload: bytes.subarray(transport + headerBytes, end),
  };
}
