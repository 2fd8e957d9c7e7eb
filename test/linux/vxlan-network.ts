/** Nodes on one underlay, each with a VXLAN device whose received frames are noted: what the tests of VXLAN build on. */
import type { DropReason } from "../../src/linux/drop-reason.ts";
import type { FrameId } from "../../src/linux/frame-store.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import { createVxlan, Vxlan } from "../../src/linux/vxlan.ts";
import type { VxlanOptions } from "../../src/linux/vxlan-settings.ts";
import { World } from "../../src/linux/world.ts";
import { type Ipv4Address, type MacAddress, parseIpv4, parseMac, type Vni } from "../../src/wire/address.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as udp from "../../src/wire/udp.ts";

export const ip = (text: string): Ipv4Address => parseIpv4(text)!;
export const mac = (text: string): MacAddress => parseMac(text)!;
export const VNI = 100 as Vni;
export const DEFAULT_ENTRY = 0 as MacAddress;

export interface Node {
  readonly namespace: NetworkNamespace;
  readonly address: Ipv4Address;
  readonly eth0: NetDevice;
  readonly vxlan: Vxlan;
  /** Inner frames that came out of the tunnel. */
  readonly received: Uint8Array[];
  /** Outer frames seen on eth0, without ARP. */
  readonly outer: { direction: "in" | "out"; bytes: Uint8Array }[];
}

export class VxlanNetwork {
  readonly world: World;
  readonly nodes: Node[] = [];

  /** `count` nodes 192.168.56.11, .12, …, each cabled to each other one; their neighbours are known, so that no ARP disturbs. */
  constructor(count: number, options: (index: number) => Partial<VxlanOptions> = () => ({}), crossingNs = 1_000) {
    this.world = new World({ seed: "vxlan", crossingNs });
    const namespaces = Array.from({ length: count }, (_, index) => this.world.createNamespace(`n${index + 1}`));
    const addressOf = (index: number) => (ip("192.168.56.11") + index) as Ipv4Address;
    for (let index = 0; index < count; index++) {
      const namespace = namespaces[index]!;
      for (let other = index + 1; other < count; other++) {
        const link = this.world.createLink(
          "nic",
          { namespace, name: `to${other + 1}` },
          { namespace: namespaces[other]!, name: `to${index + 1}` },
        );
        for (const device of [link.a, link.b]) device.setUp(true);
        const ends = [
          [namespace, link.a, link.b, index, other],
          [namespaces[other]!, link.b, link.a, other, index],
        ] as const;
        for (const [here, device, peer, from, to] of ends) {
          here.addAddress(device, { address: addressOf(from), length: 32 });
          here.routes.add({
            destination: { address: addressOf(to), length: 32 },
            device,
            source: addressOf(from),
            scope: "link",
          });
          here.neighbours.replace({ device, address: addressOf(to), mac: peer.address });
        }
      }
    }
    for (let index = 0; index < count; index++)
      this.nodes.push(this.#makeNode(namespaces[index]!, addressOf(index), options(index)));
  }

  #makeNode(namespace: NetworkNamespace, address: Ipv4Address, options: Partial<VxlanOptions>): Node {
    const made = createVxlan(namespace, namespace, {
      name: "vxlan0",
      vni: VNI,
      destinationPort: 4789,
      local: address,
      address: (0x02ee_0000_0000 + address) as MacAddress,
      mtu: 1450,
      ...options,
    });
    if (!(made instanceof Vxlan)) throw new Error(made.message);
    const received: Uint8Array[] = [];
    const outer: Node["outer"] = [];
    const { frames } = this.world;
    made.device.ingress = {
      receive(frame: FrameId) {
        received.push(frames.bytes.slice(frames.start(frame), frames.end(frame)));
        frames.consume(frame);
      },
    };
    made.device.setUp(true);
    const devices = namespace.devices.filter((device) => device.kind === "nic");
    for (const device of devices) {
      device.tap = {
        frame(frame, direction) {
          outer.push({ direction, bytes: frames.bytes.slice(frames.start(frame), frames.end(frame)) });
        },
      };
    }
    return { namespace, address, eth0: devices[0]!, vxlan: made, received, outer };
  }

  /** Gives a frame with these bytes to the node's VXLAN device, and runs until all is quiet. */
  send(node: Node, bytes: Uint8Array, checksumKnown = false): void {
    const { frames } = this.world;
    const frame = frames.make(bytes.length);
    frames.bytes.set(bytes, frames.start(frame));
    frames.checksumKnown[frame] = checksumKnown ? 1 : 0;
    node.vxlan.device.transmit(frame);
    this.settle();
  }

  /** Lets a frame of these bytes, an outer one, come in by the node's underlay device. */
  arrive(node: Node, bytes: Uint8Array): void {
    const { frames } = this.world;
    const frame = frames.make(bytes.length);
    frames.bytes.set(bytes, frames.start(frame));
    node.eth0.receive(frame);
    this.settle();
  }

  settle(): void {
    this.world.simulation.run(this.world.simulation.nowNs + 100_000_000);
  }

  drops(reason: DropReason): number {
    return this.world.frames.dropsByReason.get(reason) ?? 0;
  }
}

/** An Ethernet frame around an IPv4 packet with a UDP datagram of `payloadBytes`, all checksums right. */
export function innerFrame(options: {
  source?: string;
  destination?: string;
  from?: string;
  to?: string;
  payloadBytes?: number;
  sourcePort?: number;
  destinationPort?: number;
  typeOfService?: number;
  timeToLive?: number;
  dontFragment?: boolean;
  moreFragments?: boolean;
}): Uint8Array {
  const payloadBytes = options.payloadBytes ?? 32;
  const udpLength = udp.HEADER_BYTES + payloadBytes;
  const total = ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + udpLength;
  const buffer = new ArrayBuffer((total + 1) & ~1);
  const memory = { bytes: new Uint8Array(buffer), words: new Uint16Array(buffer) };
  const { bytes } = memory;
  ethernet.write(
    bytes,
    0,
    mac(options.destination ?? "02:42:0a:00:00:03"),
    mac(options.source ?? "02:42:0a:00:00:02"),
    ethernet.ETHERTYPE_IPV4,
  );
  const from = ip(options.from ?? "10.0.0.2");
  const to = ip(options.to ?? "10.0.0.3");
  const at = ethernet.HEADER_BYTES;
  const flags = (options.dontFragment ? ipv4.DONT_FRAGMENT : 0) | (options.moreFragments ? ipv4.MORE_FRAGMENTS : 0);
  ipv4.write(
    bytes,
    at,
    ipv4.HEADER_BYTES + udpLength,
    7,
    flags,
    options.timeToLive ?? 64,
    ipv4.PROTOCOL_UDP,
    from,
    to,
    options.typeOfService ?? 0,
  );
  const udpAt = at + ipv4.HEADER_BYTES;
  udp.write(bytes, udpAt, options.sourcePort ?? 20_001, options.destinationPort ?? 7, udpLength);
  for (let index = 0; index < payloadBytes; index++) bytes[udpAt + udp.HEADER_BYTES + index] = index;
  udp.finishChecksum(memory, udpAt, from, to);
  return bytes.slice(0, total);
}
