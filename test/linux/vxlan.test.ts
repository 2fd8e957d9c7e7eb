import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBridge } from "../../src/linux/bridge.ts";
import { createVxlan, Vxlan } from "../../src/linux/vxlan.ts";
import { SECOND } from "../../src/sim/time.ts";
import type { Ipv4Address, MacAddress, Vni } from "../../src/wire/address.ts";
import * as arp from "../../src/wire/arp.ts";
import { fromHex, toHex } from "../../src/wire/bytes.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as icmp from "../../src/wire/icmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as udp from "../../src/wire/udp.ts";
import * as vxlan from "../../src/wire/vxlan.ts";
import { DEFAULT_ENTRY, innerFrame, ip, mac, type Node, VNI, VxlanNetwork } from "./vxlan-network.ts";

const IP_AT = ethernet.HEADER_BYTES;
const UDP_AT = IP_AT + ipv4.HEADER_BYTES;
const VXLAN_AT = UDP_AT + udp.HEADER_BYTES;
const INNER_AT = VXLAN_AT + vxlan.HEADER_BYTES;

/** Two nodes that know each other as the default destination. */
function twoNodes(
  ...options: ConstructorParameters<typeof VxlanNetwork> extends [number, ...infer Rest] ? Rest : never
) {
  const network = new VxlanNetwork(2, ...options);
  const [n1, n2] = network.nodes as [Node, Node];
  n1.vxlan.fdb.add({ mac: DEFAULT_ENTRY, address: n2.address });
  n2.vxlan.fdb.add({ mac: DEFAULT_ENTRY, address: n1.address });
  return { network, n1, n2 };
}

const sent = (node: Node) => node.outer.filter(({ direction }) => direction === "out").map(({ bytes }) => bytes);

/** Is the outer UDP checksum of an Ethernet frame right? */
function outerChecksumOk(frame: Uint8Array): boolean {
  const bytes = new Uint8Array((frame.length + 1) & ~1);
  bytes.set(frame);
  const memory = { bytes, words: new Uint16Array(bytes.buffer) };
  return (
    udp.checksum(bytes, UDP_AT) !== 0 &&
    udp.checksumOk(memory, UDP_AT, ipv4.source(bytes, IP_AT), ipv4.destination(bytes, IP_AT))
  );
}

describe("A VXLAN device, sending", () => {
  it("puts 36 bytes of IPv4, UDP and VXLAN in front: TTL 64, TOS 0, DF clear, an id, a real checksum", () => {
    const { network, n1 } = twoNodes();
    const inner = innerFrame({ timeToLive: 33, typeOfService: 0xb8, dontFragment: true });
    network.send(n1, inner);
    const [outer] = sent(n1);
    expect(outer).toHaveLength(inner.length + 50);
    const header = ipv4.parse(outer!, IP_AT, outer!.length);
    expect(header).toMatchObject({
      typeOfService: 0,
      timeToLive: 64,
      dontFragment: false,
      source: ip("192.168.56.11"),
      destination: ip("192.168.56.12"),
    });
    expect(ipv4.identification(outer!, IP_AT)).not.toBe(0);
    expect(udp.destinationPort(outer!, UDP_AT)).toBe(4789);
    expect(outerChecksumOk(outer!)).toBe(true);
    expect([...outer!.subarray(VXLAN_AT, INNER_AT)]).toEqual([8, 0, 0, 0, 0, 0, 100, 0]);
    expect([...outer!.subarray(INNER_AT)]).toEqual([...inner]);
  });

  it("computes the same checksum from headers alone when the inner one is known to be right", () => {
    fc.assert(
      fc.property(fc.nat(1_400), fc.boolean(), fc.boolean(), (payloadBytes, moreFragments, padded) => {
        const { network, n1, n2 } = twoNodes();
        const bare = innerFrame({ payloadBytes, moreFragments });
        const inner = padded ? Uint8Array.from([...bare, 1, 2, 3]) : bare;
        network.send(n1, inner, true);
        network.send(n1, inner, false);
        expect(sent(n1).map(outerChecksumOk)).toEqual([true, true]);
        expect(n2.received.map((bytes) => [...bytes])).toEqual([[...inner], [...inner]]);
      }),
      { numRuns: 50 },
    );
  });

  it("leaves the checksum zero with noudpcsum, which the other side accepts", () => {
    const { network, n1, n2 } = twoNodes((index) => ({ udpChecksum: index !== 0 }));
    network.send(n1, innerFrame({}));
    expect(udp.checksum(sent(n1)[0]!, UDP_AT)).toBe(0);
    expect(n2.received).toHaveLength(1);
  });

  it("takes ECN from the inner packet, congestion experienced as ECT(0), and DSCP, TTL and DF only by inheritance", () => {
    const plain = twoNodes();
    for (const typeOfService of [0, 0xb8, 1, 2, 3]) plain.network.send(plain.n1, innerFrame({ typeOfService }));
    expect(sent(plain.n1).map((bytes) => ipv4.typeOfService(bytes, IP_AT))).toEqual([0, 0, 1, 2, 2]);
    const heir = twoNodes(() => ({ typeOfService: "inherit", timeToLive: "inherit", dontFragment: "inherit" }));
    heir.network.send(heir.n1, innerFrame({ typeOfService: 0xba, timeToLive: 33, dontFragment: true }));
    const [outer] = sent(heir.n1);
    expect(ipv4.parse(outer!, IP_AT, outer!.length)).toMatchObject({
      typeOfService: 0xba,
      timeToLive: 33,
      dontFragment: true,
    });
  });

  it("hashes flows to source ports: both directions alike, other ports apart, fragments without ports, ARP all one", () => {
    const { network, n1 } = twoNodes();
    const portOf = (bytes: Uint8Array) => {
      network.send(n1, bytes);
      return udp.sourcePort(sent(n1).at(-1)!, UDP_AT);
    };
    const flow = portOf(innerFrame({}));
    expect(flow).toBeGreaterThanOrEqual(32_768);
    expect(flow).toBeLessThan(60_999);
    expect(portOf(innerFrame({ typeOfService: 4, timeToLive: 3, payloadBytes: 9 }))).toBe(flow);
    expect(portOf(innerFrame({ from: "10.0.0.3", to: "10.0.0.2", sourcePort: 7, destinationPort: 20_001 }))).toBe(flow);
    expect(portOf(innerFrame({ sourcePort: 20_002 }))).not.toBe(flow);
    const fragment = portOf(innerFrame({ moreFragments: true }));
    expect(fragment).not.toBe(flow);
    expect(portOf(innerFrame({ moreFragments: true, sourcePort: 9 }))).toBe(fragment);
    expect(portOf(arpRequest("10.0.0.2", "10.0.0.3"))).toBe(portOf(arpRequest("10.0.0.7", "10.0.0.9")));
  });

  it("spreads many flows over the whole range of ports", () => {
    const { network, n1 } = twoNodes(() => ({ sourcePortLow: 100, sourcePortHigh: 110 }));
    for (let sourcePort = 1; sourcePort <= 200; sourcePort++) network.send(n1, innerFrame({ sourcePort }));
    const ports = new Set(sent(n1).map((bytes) => udp.sourcePort(bytes, UDP_AT)));
    expect([...ports].sort((a, b) => a - b)).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
  });

  it("replicates to every remote of the default entry, the first configured last", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), (count) => {
        const network = new VxlanNetwork(count);
        const [first, ...others] = network.nodes as [Node, ...Node[]];
        for (const other of others) first.vxlan.fdb.append({ mac: DEFAULT_ENTRY, address: other.address });
        const inner = innerFrame({ destination: "ff:ff:ff:ff:ff:ff" });
        network.send(first, inner);
        const expected = others.map(({ address }) => address);
        const order = sent(first).map((bytes) => ipv4.destination(bytes, IP_AT));
        expect(order).toEqual([...expected.slice(1), expected[0]]);
        const ports = new Set(sent(first).map((bytes) => udp.sourcePort(bytes, UDP_AT)));
        expect(ports.size).toBe(1);
        for (const other of others) {
          expect(other.received.map((bytes) => [...bytes])).toEqual([[...inner]]);
          expect(sent(other)).toEqual([]); // split horizon: nothing goes back into the tunnel
        }
        expect(network.world.frames.inFlight).toBe(0);
      }),
      { numRuns: 10 },
    );
  });

  it("gives each remote its own port and VNI", () => {
    const { network, n1, n2 } = twoNodes();
    n1.vxlan.fdb.add({ mac: mac("02:00:00:00:00:09"), address: n2.address, port: 99, vni: 7 as Vni });
    network.send(n1, innerFrame({ destination: "02:00:00:00:00:09" }));
    const [outer] = sent(n1);
    expect(udp.destinationPort(outer!, UDP_AT)).toBe(99);
    expect(vxlan.vni(outer!, VXLAN_AT)).toBe(7);
  });

  it("follows a change of routes", () => {
    const { network, n1, n2 } = twoNodes();
    network.send(n1, innerFrame({}));
    n1.namespace.routes.delete({ destination: { address: n2.address, length: 32 } });
    network.send(n1, innerFrame({}));
    expect(network.drops("vxlan-no-route")).toBe(1);
    expect(sent(n1)).toHaveLength(1);
  });

  it("changes no byte of a frame that others hold", () => {
    const { network, n1 } = twoNodes();
    const { frames } = network.world;
    const inner = innerFrame({});
    const frame = frames.make(inner.length);
    frames.bytes.set(inner, frames.start(frame));
    frames.hold(frame);
    n1.vxlan.device.transmit(frame);
    network.settle();
    expect([...frames.bytes.subarray(frames.start(frame), frames.end(frame))]).toEqual([...inner]);
    frames.consume(frame);
    expect(frames.inFlight).toBe(0);
  });
});

describe("A VXLAN device, receiving", () => {
  it("gives out the very bytes that went in, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 14, maxLength: 1_464 }), fc.boolean(), (bytes, udpChecksum) => {
        bytes[6] = (bytes[6]! & 0xfe) | 2; // a single host's source address, not zero
        const { network, n1, n2 } = twoNodes(() => ({ udpChecksum }));
        network.send(n1, bytes);
        expect(n2.received.map((got) => [...got])).toEqual([[...bytes]]);
        expect(network.world.frames.inFlight).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it("learns the sender's VTEP at once, and follows it when the source moves", () => {
    const network = new VxlanNetwork(3);
    const [n1, n2, n3] = network.nodes as [Node, Node, Node];
    for (const node of [n2, n3]) node.vxlan.fdb.add({ mac: DEFAULT_ENTRY, address: n1.address });
    const remoteOf = () =>
      n1.vxlan.fdb
        .list()
        .find((entry) => entry.mac === mac("02:42:0a:00:00:02"))
        ?.remotes.map(({ address }) => address);
    network.send(n2, innerFrame({}));
    expect(remoteOf()).toEqual([n2.address]);
    network.send(n3, innerFrame({}));
    expect(remoteOf()).toEqual([n3.address]);
    network.send(n1, innerFrame({ source: "02:42:0a:00:00:03", destination: "02:42:0a:00:00:02" }));
    expect(n2.received).toHaveLength(0);
    expect(n3.received).toHaveLength(1);
  });

  it("ends the inner frame where the UDP datagram ends, though the IP packet be longer", () => {
    const { network, n1, n2 } = twoNodes();
    const inner = innerFrame({});
    const payload = Uint8Array.from([8, 0, 0, 0, 0, 0, 100, 0, ...inner, 1, 2, 3]);
    const bytes = outerFrame(n1, n2, payload);
    bytes[UDP_AT + 5] = bytes[UDP_AT + 5]! - 3;
    network.arrive(n2, bytes);
    expect(n2.received.map((got) => [...got])).toEqual([[...inner]]);
  });

  it("checks sources only in order to learn them: with nolearning even a group address passes", () => {
    const { network, n1, n2 } = twoNodes(() => ({ learning: false }));
    network.send(n1, innerFrame({ source: "03:42:0a:00:00:09" }));
    expect(n2.received).toHaveLength(1);
  });

  it("learns nothing with nolearning", () => {
    const { network, n1, n2 } = twoNodes(() => ({ learning: false }));
    network.send(n1, innerFrame({}));
    expect(n2.received).toHaveLength(1);
    expect(n2.vxlan.fdb.list().map((entry) => entry.mac)).toEqual([0]);
  });

  it("refuses a source whose permanent entry names another VTEP", () => {
    const { network, n1, n2 } = twoNodes();
    n2.vxlan.fdb.add({ mac: mac("02:42:0a:00:00:02"), address: ip("192.168.56.99") });
    network.send(n1, innerFrame({}));
    expect(n2.received).toHaveLength(0);
    expect(network.drops("vxlan-fixed-entry")).toBe(1);
  });

  it("forgets what it has learnt after 300 s without a frame, and when it goes down", () => {
    const { network, n1, n2 } = twoNodes();
    const learnt = () => n2.vxlan.fdb.list().some((entry) => entry.mac === mac("02:42:0a:00:00:02"));
    network.send(n1, innerFrame({}));
    network.world.simulation.run(network.world.simulation.nowNs + 299e9);
    expect(learnt()).toBe(true);
    network.world.simulation.run(network.world.simulation.nowNs + 1e9);
    expect(learnt()).toBe(false);
    network.send(n1, innerFrame({}));
    n2.vxlan.device.setUp(false);
    n2.vxlan.device.setUp(true);
    expect(learnt()).toBe(false);
    expect(n2.vxlan.fdb.list().map((entry) => entry.mac)).toEqual([0]);
  });

  it("carries congestion in, as RFC 6040 says: into ECT, not into Not-ECT", () => {
    for (const [outer, inner, expected] of [
      [3, 2, 3],
      [3, 1, 3],
      [1, 2, 1],
      [0, 2, 2],
      [2, 0, 0],
      [3, 0, undefined],
    ] as const) {
      const { network, n1, n2 } = twoNodes();
      network.send(n1, innerFrame({ typeOfService: inner }));
      const bytes = sent(n1)[0]!;
      ipv4.setTypeOfService(bytes, IP_AT, outer);
      n2.received.length = 0;
      network.arrive(n2, bytes);
      expect(n2.received.map((got) => ipv4.typeOfService(got, ethernet.HEADER_BYTES))).toEqual(
        expected === undefined ? [] : [expected],
      );
      expect(n2.received.every((got) => typeof ipv4.parse(got, ethernet.HEADER_BYTES, got.length) !== "string")).toBe(
        true,
      );
      expect(network.drops("vxlan-ecn")).toBe(expected === undefined ? 1 : 0);
    }
  });

  it("takes or drops hand-made packets as the kernel was recorded to (case 23)", () => {
    const outcome = (payload: string, udpChecksum?: number) => {
      const { network, n1, n2 } = twoNodes((index) => (index === 1 ? { address: mac("02:ee:00:02:00:64") } : {}));
      network.arrive(n2, outerFrame(n1, n2, fromHex(payload)!, udpChecksum));
      expect(network.world.frames.inFlight).toBe(0);
      return n2.received.length > 0 ? "received" : [...network.world.frames.dropsByReason.keys()].join();
    };
    const inner = [...innerFrame({})].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const from = (source: string) => inner.slice(0, 12) + source + inner.slice(24);
    expect(outcome(`0800000000006400${inner}`)).toBe("received");
    expect(outcome(`0800000000006400${inner}`, 0x1234)).toBe("udp-bad-checksum");
    expect(outcome(`0000000000006400${inner}`)).toBe("vxlan-without-vni");
    expect(outcome(`0c00000000006400${inner}`)).toBe("vxlan-reserved-bits");
    expect(outcome(`0800000000006401${inner}`)).toBe("vxlan-reserved-bits");
    expect(outcome(`080000000000c800${inner}`)).toBe("vxlan-unknown-vni");
    expect(outcome("08000000")).toBe("vxlan-truncated");
    expect(outcome("0800000000006400")).toBe("frame-truncated");
    expect(outcome(`0800000000006400${inner.slice(0, 20)}`)).toBe("frame-truncated");
    expect(outcome(`0800000000006400${from("02ee00020064")}`)).toBe("vxlan-own-source");
    expect(outcome(`0800000000006400${from("03420a000009")}`)).toBe("vxlan-invalid-source");
    expect(outcome(`0800000000006400${from("000000000000")}`)).toBe("vxlan-invalid-source");
  });

  it("is drowned out by nothing: any garbage after the UDP header ends as received or as a drop", () => {
    const { network, n1, n2 } = twoNodes();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (payload, wellFormed) => {
        const bytes = wellFormed ? Uint8Array.from([8, 0, 0, 0, 0, 0, 100, 0, ...payload]) : payload;
        network.arrive(n2, outerFrame(n1, n2, bytes));
        expect(network.world.frames.inFlight).toBe(0);
      }),
    );
  });
});

describe("A VXLAN device's UDP socket", () => {
  it("is open while a device of its port is up: otherwise the host answers port unreachable, which the sender ignores", () => {
    const { network, n1, n2 } = twoNodes();
    n2.vxlan.device.setUp(false);
    network.send(n1, innerFrame({}));
    const answers = n1.outer.filter(({ direction }) => direction === "in");
    expect(answers).toHaveLength(1);
    const at = IP_AT + ipv4.HEADER_BYTES;
    expect([answers[0]!.bytes[at], answers[0]!.bytes[at + 1]]).toEqual([
      icmp.TYPE_UNREACHABLE,
      icmp.CODE_PORT_UNREACHABLE,
    ]);
    expect(network.drops("udp-no-socket")).toBe(1);
    expect(network.world.frames.inFlight).toBe(0);
    n2.vxlan.device.setUp(true);
    network.send(n1, innerFrame({}));
    expect(n2.received).toHaveLength(1);
  });

  it("is shared by devices of several VNIs, and refuses a second device of one VNI", () => {
    const { network, n1, n2 } = twoNodes();
    const second = createVxlan(n2.namespace, n2.namespace, { name: "vxlan1", vni: 200 as Vni, destinationPort: 4789 });
    if (!(second instanceof Vxlan)) throw new Error(second.message);
    second.device.setUp(true);
    const seen: number[] = [];
    second.device.ingress = {
      receive(frame) {
        seen.push(network.world.frames.length(frame));
        network.world.frames.consume(frame);
      },
    };
    n1.vxlan.fdb.add({ mac: mac("02:42:0a:00:00:05"), address: n2.address, vni: 200 as Vni });
    network.send(n1, innerFrame({ destination: "02:42:0a:00:00:05" }));
    network.send(n1, innerFrame({}));
    expect([seen.length, n2.received.length]).toEqual([1, 1]);
    expect(createVxlan(n2.namespace, n2.namespace, { name: "vxlan2", vni: VNI, destinationPort: 4789 })).toEqual({
      errno: "EEXIST",
      message: "A VXLAN device with the specified VNI already exists",
    });
    n2.namespace.removeDevice(n2.vxlan.device);
    network.send(n1, innerFrame({}));
    expect(network.drops("vxlan-unknown-vni")).toBe(1);
    expect(createVxlan(n2.namespace, n2.namespace, { name: "vxlan2", vni: VNI, destinationPort: 4789 })).toBeInstanceOf(
      Vxlan,
    );
  });

  it("stays with the node when the device is moved to a sandbox (case 37)", () => {
    const { network, n1, n2 } = twoNodes(() => ({ local: undefined }));
    const sandbox = network.world.createNamespace("o2");
    n2.namespace.moveDevice(n2.vxlan.device, sandbox);
    n2.vxlan.device.setUp(true);
    expect(n2.vxlan.namespace).toBe(sandbox);
    network.send(n1, innerFrame({}));
    expect(n2.received).toHaveLength(1);
    n2.vxlan.fdb.add({ mac: DEFAULT_ENTRY, address: n1.address });
    network.send(n2, innerFrame({ source: "02:42:0a:00:00:03", destination: "02:42:0a:00:00:02" }));
    expect(n1.received).toHaveLength(1);
    expect(ipv4.source(sent(n2)[0]!, IP_AT)).toBe(n2.address);
  });

  it("goes with the underlay device that it is bound to", () => {
    const { n1 } = twoNodes((index) => (index === 0 ? {} : {}));
    const bound = createVxlan(n1.namespace, n1.namespace, {
      name: "vxlan9",
      vni: 9 as Vni,
      destinationPort: 4789,
      device: n1.eth0,
      remote: ip("192.168.56.12"),
    });
    if (!(bound instanceof Vxlan)) throw new Error(bound.message);
    expect(bound.device.mtu).toBe(n1.eth0.mtu - 50);
    expect(bound.fdb.list()).toMatchObject([{ mac: 0, state: "permanent" }]);
    n1.namespace.removeDevice(n1.eth0);
    expect(n1.namespace.device("vxlan9")).toBeUndefined();
  });

  it("needs a device for a group", () => {
    const { n1 } = twoNodes();
    const made = createVxlan(n1.namespace, n1.namespace, { name: "v", vni: 5 as Vni, remote: ip("239.1.1.1") });
    expect(made).toMatchObject({ errno: "EINVAL" });
  });
});

describe("A VXLAN device with a multicast group", () => {
  it("joins while it is up and sends unknown destinations to the group with TTL 1", () => {
    const network = new VxlanNetwork(2);
    const [n1, n2] = network.nodes as [Node, Node];
    const group = ip("239.1.1.1");
    const make = (node: Node) => {
      const made = createVxlan(node.namespace, node.namespace, {
        name: "vxlan5",
        vni: 5 as Vni,
        destinationPort: 4789,
        local: node.address,
        remote: group,
        device: node.eth0,
      });
      if (!(made instanceof Vxlan)) throw new Error(made.message);
      made.device.setUp(true);
      return made;
    };
    const [a, b] = [make(n1), make(n2)];
    expect(n1.namespace.igmp.isMember(n1.eth0, group)).toBe(true);
    let received = 0;
    b.device.ingress = {
      receive(frame) {
        received++;
        network.world.frames.consume(frame);
      },
    };
    const { frames } = network.world;
    const inner = innerFrame({ destination: "ff:ff:ff:ff:ff:ff" });
    const frame = frames.make(inner.length);
    frames.bytes.set(inner, frames.start(frame));
    n1.outer.length = 0;
    a.device.transmit(frame);
    network.settle();
    expect(received).toBe(1);
    const outer = sent(n1).find((bytes) => ipv4.protocol(bytes, IP_AT) === ipv4.PROTOCOL_UDP)!;
    expect(ethernet.destination(outer, 0)).toBe(mac("01:00:5e:01:01:01"));
    expect(ipv4.timeToLive(outer, IP_AT)).toBe(1);
    a.device.setUp(false);
    expect(n1.namespace.igmp.isMember(n1.eth0, group)).toBe(false);
    network.settle();
    expect(frames.inFlight).toBe(0);
  });
});

describe("The ARP proxy of a VXLAN device (cases 08, 09)", () => {
  const proxied = () => {
    const made = twoNodes((index) => (index === 0 ? { proxy: true, l2miss: true, l3miss: true } : {}));
    const missed: { address?: Ipv4Address; mac?: MacAddress }[] = [];
    made.n1.namespace.neighbours.listeners.push({
      neighbourChanged() {},
      neighbourMissed: (_device, missing) => missed.push(missing),
    });
    return { ...made, missed };
  };

  it("answers from the namespace's neighbours, as if the asked host had replied", () => {
    const { network, n1 } = proxied();
    const { device } = n1.vxlan;
    n1.namespace.neighbours.add({ device, address: ip("10.0.0.3"), mac: mac("02:42:0a:00:00:03") });
    network.send(n1, arpRequest("10.0.0.2", "10.0.0.3"));
    expect(sent(n1)).toHaveLength(0);
    const [reply] = n1.received;
    expect(ethernet.source(reply!, 0)).toBe(mac("02:42:0a:00:00:03"));
    expect(ethernet.destination(reply!, 0)).toBe(mac("02:42:0a:00:00:02"));
    expect(arp.parse(reply!, ethernet.HEADER_BYTES, reply!.length)).toEqual({
      operation: 2,
      senderHardwareAddress: mac("02:42:0a:00:00:03"),
      senderProtocolAddress: ip("10.0.0.3"),
      targetHardwareAddress: mac("02:42:0a:00:00:02"),
      targetProtocolAddress: ip("10.0.0.2"),
    });
    expect(network.world.frames.inFlight).toBe(0);
  });

  it("consumes what it cannot answer, and says so, though there is a default entry", () => {
    const { network, n1, missed } = proxied();
    network.send(n1, arpRequest("10.0.0.2", "10.0.0.3"));
    expect(sent(n1)).toHaveLength(0);
    expect(missed).toEqual([{ address: ip("10.0.0.3") }]);
    expect(network.drops("vxlan-arp-consumed")).toBe(1);
  });

  it("does not answer for a neighbour that the FDB places behind this host's own bridge", () => {
    const { network, n1 } = proxied();
    const { device, fdb } = n1.vxlan;
    n1.namespace.neighbours.add({ device, address: ip("10.0.0.3"), mac: mac("02:42:0a:00:00:03") });
    fdb.add({ mac: mac("02:42:0a:00:00:03"), address: ip("0.0.0.0") });
    network.send(n1, arpRequest("10.0.0.2", "10.0.0.3"));
    expect(n1.received).toHaveLength(0);
  });

  it("drops a unicast frame without an entry and tells of it, but not a broadcast", () => {
    const { network, n1, missed } = proxied();
    n1.vxlan.fdb.delete({ mac: DEFAULT_ENTRY });
    network.send(n1, innerFrame({}));
    network.send(n1, innerFrame({ destination: "ff:ff:ff:ff:ff:ff" }));
    expect(missed).toEqual([{ mac: mac("02:42:0a:00:00:03") }]);
    expect(network.drops("vxlan-no-remote")).toBe(2);
    expect(n1.vxlan.device.counters.txDropped).toBe(2);
  });
});

describe("A VXLAN device whose frames are too long for the underlay", () => {
  it("lets the outer packet be fragmented when the inner one allows it", () => {
    const { network, n1, n2 } = twoNodes(() => ({ mtu: 1500 }));
    const inner = innerFrame({ payloadBytes: 1_472 });
    network.send(n1, inner);
    expect(sent(n1)).toHaveLength(2);
    expect(n2.received.map((bytes) => [...bytes])).toEqual([[...inner]]);
  });

  it("answers for the destination when the inner packet may not be fragmented and the device is a bridge port", () => {
    const { network, n1 } = twoNodes(() => ({ mtu: 1500 }));
    n1.vxlan.device.master = n1.eth0; // any device: being a port is what counts
    const inner = innerFrame({ payloadBytes: 1_472, dontFragment: true, timeToLive: 63 });
    inner.fill(0, 40, 42); // the recorded datagram had no checksum
    network.send(n1, inner);
    expect(sent(n1)).toHaveLength(0);
    expect(network.drops("vxlan-mtu-exceeded")).toBe(1);
    // What Linux 6.18 sent in answer to this very frame: 590 bytes, of which these are the first.
    const recorded =
      "02420a00000202420a0000030800" +
      "4500024000004000" +
      "3f0125b9" +
      "0a0000030a000002" +
      "030416d2000005aa" +
      "450005dc000740003f1122060a0000020a0000034e21000705c80000" +
      "00010203040506070809";
    const [answer] = n1.received;
    expect(answer).toHaveLength(590);
    expect(toHex(answer!, 0, recorded.length / 2)).toBe(recorded);
    expect([...answer!.subarray(42)]).toEqual([...inner.subarray(14, 14 + 548)]);
  });

  it("drops with df set, and makes this host remember the smaller MTU where it routes into the tunnel itself", () => {
    const strict = twoNodes(() => ({ mtu: 1500, dontFragment: "set" }));
    strict.network.send(strict.n1, innerFrame({ payloadBytes: 1_472 }));
    expect(strict.network.drops("vxlan-mtu-exceeded")).toBe(1);
    const { network, n1 } = twoNodes(() => ({ mtu: 1500 }));
    n1.namespace.addAddress(n1.vxlan.device, { address: ip("10.0.0.2"), length: 24 });
    network.send(n1, innerFrame({ payloadBytes: 1_472 }));
    const path = n1.namespace.ipv4.resolve({ destination: ip("10.0.0.3") });
    expect(typeof path === "string" ? path : path.mtu()).toBe(1_450);
  });
});

describe("A VXLAN device whose remote is its own host", () => {
  it("gives the frame to the device there without a tunnel, and learns it at 127.0.0.1", () => {
    const { network, n1 } = twoNodes();
    n1.vxlan.fdb.add({ mac: mac("02:00:00:00:00:09"), address: n1.address });
    network.send(n1, innerFrame({ destination: "02:00:00:00:00:09" }));
    expect(sent(n1)).toHaveLength(0);
    expect(n1.received).toHaveLength(1);
    const learnt = n1.vxlan.fdb.list().find((entry) => entry.mac === mac("02:42:0a:00:00:02"));
    expect(learnt?.remotes[0]?.address).toBe(ip("127.0.0.1"));
    n1.vxlan.fdb.add({ mac: mac("02:00:00:00:00:0a"), address: n1.address, vni: 77 as Vni });
    network.send(n1, innerFrame({ destination: "02:00:00:00:00:0a" }));
    expect(network.drops("vxlan-unknown-vni")).toBe(1);
  });

  it("does not send through itself", () => {
    const { network, n1 } = twoNodes();
    const loop = ip("10.9.0.1");
    n1.namespace.addAddress(n1.vxlan.device, { address: ip("10.9.0.2"), length: 24 });
    n1.vxlan.fdb.add({ mac: mac("02:00:00:00:00:09"), address: loop });
    network.send(n1, innerFrame({ destination: "02:00:00:00:00:09" }));
    expect(network.drops("vxlan-loop")).toBe(1);
  });

  it("gives up where a remote lies behind the bridge that the tunnel is a port of", () => {
    const { network, n1 } = twoNodes();
    const bridge = createBridge(n1.namespace, { name: "br0" });
    bridge.device.setUp(true);
    bridge.addPort(n1.vxlan.device);
    network.world.simulation.run(network.world.simulation.nowNs + 2 * SECOND);
    n1.namespace.addAddress(bridge.device, { address: ip("10.9.0.2"), length: 24 });
    const remote = mac("02:00:00:00:00:09");
    n1.namespace.neighbours.replace({ device: bridge.device, address: ip("10.9.0.1"), mac: remote });
    n1.vxlan.fdb.add({ mac: remote, address: ip("10.9.0.1") });
    network.send(n1, innerFrame({ destination: "02:00:00:00:00:09" }));
    network.world.simulation.run(network.world.simulation.nowNs + SECOND);
    expect(network.drops("vxlan-loop")).toBe(1);
    expect(network.world.frames.countHolders()).toBe(network.world.frames.inFlight);
  });
});

function arpRequest(from: string, target: string): Uint8Array {
  const bytes = new Uint8Array(ethernet.HEADER_BYTES + arp.HEADER_BYTES);
  const sender = mac("02:42:0a:00:00:02");
  ethernet.write(bytes, 0, mac("ff:ff:ff:ff:ff:ff"), sender, ethernet.ETHERTYPE_ARP);
  arp.write(bytes, ethernet.HEADER_BYTES, 1, sender, ip(from), 0 as MacAddress, ip(target));
  return bytes;
}

/** An Ethernet frame from one node's underlay device to another's, with a UDP payload for port 4789. */
function outerFrame(from: Node, to: Node, payload: Uint8Array, checksum = 0): Uint8Array {
  const bytes = new Uint8Array(VXLAN_AT + payload.length);
  ethernet.write(bytes, 0, to.eth0.address, from.eth0.address, ethernet.ETHERTYPE_IPV4);
  const udpLength = udp.HEADER_BYTES + payload.length;
  ipv4.write(bytes, IP_AT, ipv4.HEADER_BYTES + udpLength, 1, 0, 64, ipv4.PROTOCOL_UDP, from.address, to.address, 0);
  udp.write(bytes, UDP_AT, 40_000, 4789, udpLength);
  bytes[UDP_AT + 6] = checksum >>> 8;
  bytes[UDP_AT + 7] = checksum;
  bytes.set(payload, VXLAN_AT);
  return bytes;
}
