/** The network between the machines: a switch with one cable to each machine's `eth0`. */
import { type Bridge, createBridge } from "../linux/bridge.ts";
import type { BridgeHooks } from "../linux/bridge-hooks.ts";
import { type FrameId, NO_FRAME } from "../linux/frame-store.ts";
import type { HookPoint } from "../linux/hooks.ts";
import type { LinkSettings } from "../linux/link-settings.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import type { World } from "../linux/world.ts";
import type { Prefix } from "../wire/address.ts";
import type { BlockSpec } from "./format.ts";
import { PacketBlock } from "./packet-block.ts";

export interface Plug {
  readonly address: Prefix;
  readonly mtu: number;
  readonly link: LinkSettings;
}

/** The largest MTU of a cable: the switch itself limits nothing. */
const SWITCH_MTU = 65_535;

export class Underlay implements BridgeHooks {
  readonly name = "underlay";
  readonly #world: World;
  readonly #namespace: NetworkNamespace;
  readonly #bridge: Bridge;
  /** Each partition in force: machine to group; machines that it does not name reach everybody. */
  readonly #partitions: ReadonlyMap<string, number>[] = [];
  readonly #blocks: PacketBlock[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#namespace = world.createNamespace(this.name);
    this.#namespace.netfilterBridge = this;
    this.#bridge = createBridge(this.#namespace, { name: "switch", mtu: SWITCH_MTU });
    this.#bridge.multicast.enabled = false;
    // A switch in a rack is no host: what is addressed to everybody ends in it.
    this.#bridge.device.stack = { receive: (_device, frame) => world.frames.consume(frame) };
    this.#bridge.device.setUp(true);
  }

  /** Connects a machine: its `eth0`, with its address, up. */
  plug(machine: NetworkNamespace, plug: Plug): void {
    machine.loopback.setUp(true);
    const { a, b, aToB, bToA } = this.#world.createLink(
      "nic",
      { namespace: machine, name: "eth0", mtu: plug.mtu },
      { namespace: this.#namespace, name: machine.name, mtu: SWITCH_MTU },
    );
    aToB.settings = plug.link;
    bToA.settings = plug.link;
    this.#bridge.addPort(b);
    machine.addAddress(a, plug.address);
    b.setUp(true);
    a.setUp(true);
  }

  /** From now on machines of different groups do not reach each other; returns how to mend it. */
  partition(groups: readonly (readonly string[])[]): () => void {
    const partition = new Map(groups.flatMap((members, group) => members.map((member) => [member, group] as const)));
    this.#partitions.push(partition);
    return () => this.#partitions.splice(this.#partitions.indexOf(partition), 1);
  }

  /** From now on these packets do not pass between the machine and the others; returns how to let them. */
  block(block: BlockSpec): () => void {
    const filter = new PacketBlock(block);
    this.#blocks.push(filter);
    return () => this.#blocks.splice(this.#blocks.indexOf(filter), 1);
  }

  /** The switch's ports are named after the machines. */
  run(point: HookPoint, frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): FrameId {
    if (point !== "forward" || ingress === undefined || egress === undefined) return frame;
    for (const partition of this.#partitions) {
      const from = partition.get(ingress.name);
      const to = partition.get(egress.name);
      if (from === undefined || to === undefined || from === to) continue;
      this.#world.frames.drop(frame, "link-partition", egress);
      return NO_FRAME;
    }
    const { frames } = this.#world;
    for (const block of this.#blocks) {
      if (!block.stops(ingress.name, egress.name, frames.bytes, frames.start(frame), frames.end(frame))) continue;
      frames.drop(frame, "netfilter-drop", egress);
      return NO_FRAME;
    }
    return frame;
  }
}
