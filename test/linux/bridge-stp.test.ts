import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bridge } from "../../src/linux/bridge.ts";
import {
  setForwardDelay,
  setHelloTime,
  setMaximumAge,
  setPortCost,
  setPortPriority,
  setPortState,
  setPriority,
} from "../../src/linux/bridge-settings.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import { formatStorm, StormGuard } from "../../src/linux/storm-guard.ts";
import { SECOND } from "../../src/sim/time.ts";
import { MAC_BROADCAST, type MacAddress } from "../../src/wire/address.ts";
import { putU32 } from "../../src/wire/bytes.ts";
import * as stp from "../../src/wire/stp.ts";
import { BridgeLab, farMac, frameBytes, Host, hex } from "./bridge-lab.ts";

const ARP_REQUEST = frameBytes(
  MAC_BROADCAST,
  farMac(1),
  "0806000108000604000102420a0000020a0000020000000000000a000063",
);

/** Two bridges with a host each and two links between them, times as in the recorded case: hello 1 s, forward delay 2 s, maximum age 6 s. */
function ring(options: { stp: boolean; guard?: boolean }) {
  const lab = new BridgeLab();
  const nodes = [new Host("s1", lab), new Host("s2", lab)] as const;
  const guard = options.guard === true ? new StormGuard(lab.simulation) : undefined;
  const bridges = nodes.map((node, index) => {
    node.stormGuard = guard;
    const bridge = lab.bridge({ address: (0x02bb_0001_0000 + index * 0x1_0000) as MacAddress }, node);
    if (options.stp) bridge.tree.setEnabled(true);
    setHelloTime(bridge, SECOND);
    setForwardDelay(bridge, 2 * SECOND);
    setMaximumAge(bridge, 6 * SECOND);
    return bridge;
  }) as [Bridge, Bridge];
  const hosts = [new Host("c1", lab), new Host("c2", lab)] as const;
  const ends = hosts.map((host, index) => {
    const cable = lab.cable(nodes[index]!, host, index + 1, `v-c${index + 1}`);
    bridges[index]!.addPort(cable.near);
    return cable.far;
  });
  const links = ["l1", "l2"].map((name, index) => {
    const cable = lab.cable(nodes[0], nodes[1], 10 + index, name, name);
    bridges[0].addPort(cable.near);
    bridges[1].addPort(cable.far);
    return cable;
  }) as [{ near: NetDevice; far: NetDevice }, { near: NetDevice; far: NetDevice }];
  return { lab, bridges, hosts, ends, links, guard };
}

function states(bridge: Bridge): string[] {
  return [...bridge.ports].reverse().map((port) => `${port.device.name} ${port.state}`);
}

function bpdus(
  lab: BridgeLab,
  device: NetDevice,
): { atNs: number; direction: string; message: stp.Stp; length: number }[] {
  const seen: { atNs: number; direction: string; message: stp.Stp; length: number }[] = [];
  device.tap = {
    frame: (frame, direction) => {
      const at = lab.frames.start(frame);
      const message = stp.parse(lab.frames.bytes, at + 14, lab.frames.end(frame));
      if (typeof message === "string") return;
      seen.push({ atNs: lab.simulation.nowNs, direction, message, length: lab.frames.length(frame) });
    },
  };
  return seen;
}

describe("Spanning tree between two bridges joined twice (IEEE 802.1D-1998 §8)", () => {
  it("blocks the far end of the second link, and lets a broadcast pass once", () => {
    const { lab, bridges, hosts, ends } = ring({ stp: true });
    lab.passSeconds(6);
    expect(states(bridges[0])).toEqual(["v-c1 forwarding", "l1 forwarding", "l2 forwarding"]);
    expect(states(bridges[1])).toEqual(["v-c2 forwarding", "l1 forwarding", "l2 blocking"]);
    expect(bridges[0].tree.isRoot).toBe(true);
    expect(bridges[1].tree.rootPort?.device.name).toBe("l1");
    expect(bridges[1].tree.rootPathCost).toBe(2);
    hosts[1].got.length = 0;
    hosts[0].got.length = 0;
    lab.send(ends[0]!, ARP_REQUEST);
    expect(hosts[1].got.filter((line) => line.includes("0806"))).toHaveLength(1);
    expect(hosts[0].got.filter((line) => line.includes("0806"))).toHaveLength(0);
    expect(lab.drops()).toMatchObject({ "bridge-port-not-forwarding": 1 });
  });

  it("passes listening and learning for the forward delay each", () => {
    const { lab, bridges } = ring({ stp: true });
    lab.pass(1_000_000);
    expect(states(bridges[0])[1]).toBe("l1 listening");
    lab.passSeconds(2);
    expect(states(bridges[0])[1]).toBe("l1 learning");
    lab.passSeconds(2);
    expect(states(bridges[0])[1]).toBe("l1 forwarding");
  });

  it("goes over to the second link when the first is cut", () => {
    const { lab, bridges, hosts, ends, links } = ring({ stp: true });
    lab.passSeconds(7);
    links[0].near.setUp(false);
    lab.passSeconds(1);
    expect(states(bridges[1])).toEqual(["v-c2 forwarding", "l1 disabled", "l2 listening"]);
    lab.passSeconds(3.5);
    expect(states(bridges[1])).toEqual(["v-c2 forwarding", "l1 disabled", "l2 forwarding"]);
    hosts[1].got.length = 0;
    lab.send(ends[0]!, ARP_REQUEST);
    expect(hosts[1].got.filter((line) => line.includes("0806"))).toHaveLength(1);
  });

  it("sends BPDUs of the recorded form: 52 bytes a second from the root, a notification of 21 bytes, its acknowledgement", () => {
    const { lab, links } = ring({ stp: true });
    const first = bpdus(lab, links[0].near);
    lab.passSeconds(6);
    const own = first.filter((bpdu) => bpdu.direction === "out");
    expect(new Set(own.map((bpdu) => bpdu.length))).toEqual(new Set([52]));
    expect(own[0]!.message).toMatchObject({
      kind: "configuration",
      root: { priority: 0x8000, address: 0x02bb_0001_0000 },
      rootPathCost: 0,
      portIdentifier: 0x8002,
      messageAgeTicks: 0,
      maximumAgeTicks: 6 * 256,
      helloTimeTicks: 256,
      forwardDelayTicks: 512,
    });
    expect(own.length).toBeGreaterThanOrEqual(5);
    expect(own.length).toBeLessThanOrEqual(8);
    const others = first.filter((bpdu) => bpdu.direction === "in");
    expect(others.some((bpdu) => bpdu.message.kind === "topology-change-notification" && bpdu.length === 21)).toBe(
      true,
    );
    const acknowledged = own.filter(
      (bpdu) => bpdu.message.kind === "configuration" && bpdu.message.topologyChangeAcknowledgement,
    );
    expect(acknowledged.length).toBeGreaterThanOrEqual(1);
    for (const bpdu of acknowledged) expect(bpdu.message).toMatchObject({ topologyChange: true });
  });

  it("emits the very bytes that the kernel does", () => {
    const { lab, links } = ring({ stp: true });
    let bytes = "";
    links[0].near.tap = {
      frame: (frame, direction) => {
        if (bytes === "" && direction === "out") bytes = hex(lab.frames, frame);
      },
    };
    lab.passSeconds(2);
    expect(bytes).toBe(
      "0180c200000002aa0000000a0026424203" +
        "0000000000800002bb0001000000000000800002bb00010000800200000600010002" +
        "00",
    );
  });

  it("takes a lower priority, a cost and a port priority into account", () => {
    const { lab, bridges } = ring({ stp: true });
    setPriority(bridges[1], 0x1000);
    lab.passSeconds(8);
    expect(bridges[1].tree.isRoot).toBe(true);
    expect(bridges[0].tree.isRoot).toBe(false);
    const l1 = bridges[0].ports.find((port) => port.device.name === "l1")!;
    setPortCost(bridges[0], l1, 100);
    lab.passSeconds(8);
    expect(bridges[0].tree.rootPort?.device.name).toBe("l2");
    setPortCost(bridges[0], l1, 2);
    lab.passSeconds(8);
    expect(bridges[0].tree.rootPort?.device.name).toBe("l1");
    const l2 = bridges[1].ports.find((port) => port.device.name === "l2")!;
    setPortPriority(bridges[1], l2, 16);
    lab.passSeconds(8);
    expect(bridges[0].tree.rootPort?.device.name).toBe("l2");
  });

  it("disables a guarded port that hears a BPDU, and never makes a blocked root its way", () => {
    const { lab, bridges } = ring({ stp: true });
    const [l2, l1] = bridges[1].ports;
    l1!.guard = true;
    l2!.rootBlock = true;
    lab.passSeconds(5);
    expect(l1!.state).toBe("disabled");
    expect(bridges[1].tree.isRoot).toBe(true);
  });

  it("ages learnt addresses within the forward delay while the topology changes", () => {
    const { lab, bridges } = ring({ stp: true });
    lab.passSeconds(5);
    expect(bridges[0].tree.topologyChange).toBe(true);
    expect(bridges[0].fdb.ageingNs).toBe(2 * SECOND);
    lab.passSeconds(20);
    expect(bridges[0].tree.topologyChange).toBe(false);
    expect(bridges[0].fdb.ageingNs).toBe(300 * SECOND);
  });
});

describe("Spanning tree settings", () => {
  it("are refused out of the kernel's limits", () => {
    const { bridges } = ring({ stp: true });
    const bridge = bridges[0];
    const port = bridge.ports[0]!;
    expect(setHelloTime(bridge, 0.5 * SECOND)).toBe("ERANGE");
    expect(setMaximumAge(bridge, 50 * SECOND)).toBe("ERANGE");
    expect(setForwardDelay(bridge, SECOND)).toBe("ERANGE");
    expect(setPortCost(bridge, port, 0)).toBe("ERANGE");
    expect(setPortPriority(bridge, port, 64)).toBe("ERANGE");
    expect(setPortState(bridge, port, "blocking")).toBe("EBUSY");
    bridge.tree.setEnabled(false);
    expect(setForwardDelay(bridge, SECOND)).toBeUndefined();
    expect(setPortState(bridge, port, "listening")).toBeUndefined();
    expect(port.state).toBe("listening");
    port.device.setUp(false);
    expect(setPortState(bridge, port, "listening")).toBe("ENETDOWN");
  });
});

describe("A ring without spanning tree", () => {
  it("is noticed by the storm guard, which stops the run and names the bridges", () => {
    const { lab, ends, guard } = ring({ stp: false, guard: true });
    lab.pass(1_000);
    lab.send(ends[0]!, ARP_REQUEST);
    lab.pass(1_000_000);
    expect(guard!.report).toMatchObject({ bridges: ["s2/br0", "s1/br0"] });
    expect(Buffer.from(guard!.report!.frame).toString("hex")).toBe(Buffer.from(ARP_REQUEST).toString("hex"));
    expect(formatStorm(guard!.report!)).toContain("s2/br0, s1/br0");
    lab.pass(1_000_000);
    lab.expectNothingLost();
    expect(lab.drops()["bridge-storm"]).toBeGreaterThan(0);
  });

  it("is not what many copies of one packet to many addresses are", () => {
    const { lab, ends, guard } = ring({ stp: true, guard: true });
    lab.passSeconds(6);
    const frame = lab.frames.make(60);
    const at = lab.frames.start(frame);
    lab.frames.bytes.set(frameBytes(farMac(2), farMac(1), "0800".padEnd(2 * 48, "0")), at);
    for (let remote = 0; remote < 1_000; remote++) {
      const copy = lab.frames.clone(frame);
      putU32(lab.frames.bytes, lab.frames.start(copy) + 30, 0x0a00_0000 + remote);
      ends[0]!.transmit(copy);
      lab.pass(1_000);
    }
    lab.frames.consume(frame);
    lab.pass(1_000_000);
    expect(guard!.report).toBeUndefined();
  });

  it("goes on for ever when nobody guards it", () => {
    const { lab, hosts, ends, links } = ring({ stp: false });
    lab.pass(1_000);
    lab.send(ends[0]!, ARP_REQUEST);
    expect(hosts[1].got.length).toBeGreaterThan(50);
    for (const link of links) link.near.setUp(false);
    lab.passSeconds(2);
    lab.expectNothingLost();
  });
});

describe("Spanning tree on any graph of bridges", () => {
  const BRIDGES = 5;
  const edges = fc.array(fc.tuple(fc.nat(BRIDGES - 1), fc.nat(BRIDGES - 1)), { minLength: 1, maxLength: 9 });

  it("leaves a tree that joins all bridges that were joined", { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(edges, fc.shuffledSubarray([1, 2, 3, 4, 5], { minLength: 5 }), (pairs, order) => {
        const lab = new BridgeLab();
        const nodes = order.map((number) => new Host(`s${number}`, lab));
        const bridges = nodes.map((node, index) => {
          const bridge = lab.bridge({ address: (0x02bb_0000_0000 + order[index]!) as MacAddress }, node);
          bridge.tree.setEnabled(true);
          return bridge;
        });
        const links = pairs.map(([a, b], index) => {
          const cable = lab.cable(nodes[a]!, nodes[b]!, index, `p${index}a`, `p${index}b`);
          bridges[a]!.addPort(cable.near);
          bridges[b]!.addPort(cable.far);
          return { a, b, ...cable };
        });
        lab.passSeconds(60);
        const wired = new Components(BRIDGES);
        const active = new Components(BRIDGES);
        for (const link of links) {
          wired.join(link.a, link.b);
          const forwards = [link.near, link.far].every((device) => {
            const port = bridges.flatMap((bridge) => bridge.ports).find((candidate) => candidate.device === device);
            return port?.state === "forwarding";
          });
          if (forwards) expect(active.join(link.a, link.b)).toBe(true); // else it closes a ring
        }
        for (let a = 0; a < BRIDGES; a++)
          for (let b = 0; b < BRIDGES; b++) expect(active.joined(a, b)).toBe(wired.joined(a, b));
      }),
      { numRuns: 50 },
    );
  });
});

/** Union and find. */
class Components {
  readonly #parent: number[];

  constructor(size: number) {
    this.#parent = Array.from({ length: size }, (_, index) => index);
  }

  /** False when they were joined already. */
  join(a: number, b: number): boolean {
    const [rootA, rootB] = [this.#root(a), this.#root(b)];
    this.#parent[rootA] = rootB;
    return rootA !== rootB;
  }

  joined(a: number, b: number): boolean {
    return this.#root(a) === this.#root(b);
  }

  #root(node: number): number {
    let root = node;
    while (this.#parent[root] !== root) root = this.#parent[root]!;
    return root;
  }
}
