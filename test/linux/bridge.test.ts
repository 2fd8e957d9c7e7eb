import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bridge, bridgeOf, portOf } from "../../src/linux/bridge.ts";
import { FRAME_FLAG_FOR_HOST } from "../../src/linux/frame-flags.ts";
import { NO_FRAME } from "../../src/linux/frame-store.ts";
import { SECOND } from "../../src/sim/time.ts";
import { MAC_BROADCAST, MAC_ZERO, type MacAddress } from "../../src/wire/address.ts";
import { BridgeLab, type End, farMac, frameBytes, nearMac } from "./bridge-lab.ts";

const BRIDGE_MAC = 0x02bb_0000_0001 as MacAddress;

function threeHosts(): { lab: BridgeLab; bridge: Bridge; c: [End, End, End] } {
  const lab = new BridgeLab();
  const bridge = lab.bridge({ address: BRIDGE_MAC });
  const c: [End, End, End] = [lab.attach(bridge, 1), lab.attach(bridge, 2), lab.attach(bridge, 3)];
  lab.pass(1_000);
  return { lab, bridge, c };
}

function counts(c: readonly End[]): number[] {
  return c.map((end) => end.host.got.length);
}

describe("A bridge", () => {
  it("floods a broadcast to all others and to the host, and the answer to the one who asked", () => {
    const { lab, c } = threeHosts();
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1)));
    expect(counts(c)).toEqual([0, 1, 1]);
    expect(lab.node.got).toEqual([`br0 ffffffffffff02420a00000188b50000`]);
    lab.send(c[1].far, frameBytes(farMac(1), farMac(2)));
    expect(counts(c)).toEqual([1, 1, 1]);
    expect(lab.node.got.length).toBe(1);
    lab.expectNothingLost();
  });

  it("floods to the newest port first, and to the host last", () => {
    const { lab, bridge, c } = threeHosts();
    const order: string[] = [];
    for (const device of [...c.map((end) => end.near), bridge.device])
      device.tap = { frame: (_frame, direction) => order.push(`${device.name} ${direction}`) };
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1)));
    expect(order).toEqual(["v-c1 in", "v-c3 out", "v-c2 out", "br0 in"]);
  });

  it("moves an address to another port at once", () => {
    const { lab, bridge, c } = threeHosts();
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(9)));
    lab.send(c[2].far, frameBytes(MAC_BROADCAST, farMac(9)));
    expect(bridge.fdb.get(farMac(9), 0, lab.simulation.nowNs)?.port).toBe(c[2].port);
    const before = counts(c);
    lab.send(c[1].far, frameBytes(farMac(9), farMac(2)));
    expect(counts(c)).toEqual([before[0], before[1], before[2]! + 1]);
  });

  it("forgets an address when its age has passed, and floods again", () => {
    const { lab, bridge, c } = threeHosts();
    bridge.ageingNs = 2 * SECOND;
    lab.send(c[1].far, frameBytes(MAC_BROADCAST, farMac(2)));
    lab.passSeconds(1.9);
    lab.send(c[0].far, frameBytes(farMac(2), farMac(1)));
    expect(counts(c)).toEqual([1, 1, 1]);
    lab.passSeconds(0.2);
    lab.send(c[0].far, frameBytes(farMac(2), farMac(1)));
    expect(counts(c)).toEqual([1, 2, 2]);
  });

  it("learns nothing with an ageing time of 0", () => {
    const { lab, bridge, c } = threeHosts();
    bridge.ageingNs = 0;
    lab.send(c[1].far, frameBytes(MAC_BROADCAST, farMac(2)));
    lab.send(c[0].far, frameBytes(farMac(2), farMac(1)));
    expect(counts(c)).toEqual([1, 1, 2]);
  });

  it("drops what lies behind the port it came by, unless hairpin is on", () => {
    const { lab, c } = threeHosts();
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(8)));
    lab.send(c[0].far, frameBytes(farMac(8), farMac(1)));
    expect(lab.drops()).toEqual({ "bridge-same-port": 1 });
    c[0].port.hairpin = true;
    lab.send(c[0].far, frameBytes(farMac(8), farMac(1)));
    expect(c[0].host.got.length).toBe(1);
    lab.expectNothingLost();
  });

  it("takes frames to its own address and to the ingress port's for the host, and those to another port's as a stranger's", () => {
    const { lab, c } = threeHosts();
    for (const destination of [BRIDGE_MAC, nearMac(1), nearMac(2)])
      lab.send(c[0].far, frameBytes(destination, farMac(1)));
    expect(lab.node.got.length).toBe(3);
    expect(lab.node.flags).toEqual([FRAME_FLAG_FOR_HOST, FRAME_FLAG_FOR_HOST, 0]);
    expect(counts(c)).toEqual([0, 0, 0]);
  });

  it("sends what the host sends: to the port that is known, else to all", () => {
    const { lab, bridge, c } = threeHosts();
    lab.send(bridge.device, frameBytes(farMac(2), BRIDGE_MAC));
    expect(counts(c)).toEqual([1, 1, 1]);
    lab.send(c[1].far, frameBytes(BRIDGE_MAC, farMac(2)));
    lab.send(bridge.device, frameBytes(farMac(2), BRIDGE_MAC));
    expect(counts(c)).toEqual([1, 2, 1]);
    lab.expectNothingLost();
  });

  it("shows a promiscuous capture what it relays, once, without another holder", () => {
    const { lab, bridge, c } = threeHosts();
    const seen: string[] = [];
    bridge.device.tap = { frame: (_frame, direction) => seen.push(direction) };
    lab.send(c[1].far, frameBytes(farMac(1), farMac(2)));
    expect(seen).toEqual([]);
    bridge.device.promiscuous = true;
    lab.send(c[0].far, frameBytes(farMac(2), farMac(1)));
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1)));
    expect(seen).toEqual(["in", "in"]);
    expect(lab.drops()).toEqual({});
  });

  it("refuses group and zero sources and frames that are too short, each with its reason", () => {
    const { lab, c } = threeHosts();
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, 0x0300_0000_0001));
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, 0));
    lab.send(c[0].far, new Uint8Array(13).fill(2));
    expect(lab.drops()).toEqual({ "bridge-invalid-source": 2, "frame-truncated": 1 });
    expect(counts(c)).toEqual([0, 0, 0]);
  });

  it("does not learn a local address from a frame that claims it, but forwards the frame", () => {
    const { lab, bridge, c } = threeHosts();
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, nearMac(2)));
    expect(counts(c)).toEqual([0, 1, 1]);
    expect(bridge.fdb.get(nearMac(2), 0, lab.simulation.nowNs)?.port).toBe(c[1].port);
  });

  it("keeps 01:80:c2:00:00:0x to itself, but for BPDUs while it speaks no spanning tree and what the mask lets through", () => {
    const { lab, bridge, c } = threeHosts();
    lab.send(c[0].far, frameBytes(0x0180_c200_0000, farMac(1), "0026424203"));
    expect(counts(c)).toEqual([0, 1, 1]);
    lab.send(c[0].far, frameBytes(0x0180_c200_0001, farMac(1)));
    lab.send(c[0].far, frameBytes(0x0180_c200_000e, farMac(1)));
    bridge.tree.setEnabled(true);
    lab.send(c[0].far, frameBytes(0x0180_c200_0000, farMac(1), "0026424203"));
    expect(lab.drops()).toEqual({ "bridge-reserved-address": 3 });
    bridge.groupForwardMask = 1 << 14;
    lab.send(c[0].far, frameBytes(0x0180_c200_000e, farMac(1)));
    expect(counts(c)).toEqual([0, 2, 2]);
  });

  it("drops what is longer than the egress MTU with a header and a tag", () => {
    const { lab, c } = threeHosts();
    c[1].near.setMtu(100);
    lab.send(c[1].far, frameBytes(BRIDGE_MAC, farMac(2)));
    lab.send(c[0].far, frameBytes(farMac(2), farMac(1), "88b5".padEnd(2 * 106, "0")));
    lab.send(c[0].far, frameBytes(farMac(2), farMac(1), "88b5".padEnd(2 * 107, "0")));
    expect(counts(c)).toEqual([0, 1, 0]);
    expect(lab.drops()).toEqual({ "device-mtu-exceeded": 1 });
  });

  it("obeys the ports' flood flags, isolation and learning", () => {
    const { lab, c } = threeHosts();
    c[1].port.flood = false;
    lab.send(c[0].far, frameBytes(farMac(7), farMac(1)));
    expect(counts(c)).toEqual([0, 0, 1]);
    c[1].port.broadcastFlood = false;
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1)));
    expect(counts(c)).toEqual([0, 0, 2]);
    c[2].port.multicastFlood = false;
    lab.send(c[0].far, frameBytes(0x0100_5e01_0101, farMac(1)));
    expect(counts(c)).toEqual([0, 1, 2]);
    c[0].port.isolated = true;
    c[2].port.isolated = true;
    lab.send(c[0].far, frameBytes(farMac(7), farMac(1)));
    expect(counts(c)).toEqual([0, 1, 2]);
    c[1].port.isolated = true;
    c[1].port.flood = true;
    lab.send(c[0].far, frameBytes(farMac(7), farMac(1)));
    expect(lab.drops()).toEqual({ "bridge-flood-off": 1, "bridge-port-isolated": 1 });
    c[1].port.isolated = false;
    c[1].port.learning = false;
    lab.send(c[1].far, frameBytes(farMac(1), farMac(2)));
    lab.send(c[2].far, frameBytes(farMac(2), farMac(3)));
    expect(c[1].host.got.length).toBe(2); // flooded, not led: nobody else may have it
    lab.expectNothingLost();
  });

  it("forgets what it learnt at a port that loses its carrier, and drops what still comes for it", () => {
    const { lab, bridge, c } = threeHosts();
    lab.send(c[1].far, frameBytes(MAC_BROADCAST, farMac(2)));
    bridge.fdb.set(
      farMac(5),
      0,
      c[1].port,
      { local: false, fixed: true, byUser: true, sticky: false, external: false },
      0,
    );
    c[1].near.setUp(false);
    lab.pass(1_000);
    expect(bridge.fdb.get(farMac(2), 0, lab.simulation.nowNs)).toBeUndefined();
    lab.send(c[0].far, frameBytes(farMac(5), farMac(1)));
    expect(lab.drops()).toEqual({ "bridge-port-not-forwarding": 1 });
  });

  it("has carrier while a port forwards", () => {
    const lab = new BridgeLab();
    const bridge = lab.bridge();
    expect(bridge.device.carrier).toBe(false);
    const end = lab.attach(bridge, 1);
    expect(bridge.device.carrier).toBe(true);
    end.far.setUp(false);
    lab.passSeconds(2);
    expect(bridge.device.carrier).toBe(false);
    end.far.setUp(true);
    lab.passSeconds(2);
    expect(bridge.device.carrier).toBe(true);
  });

  it("relays nothing while it is down", () => {
    const { lab, bridge, c } = threeHosts();
    bridge.device.setUp(false);
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1)));
    expect(lab.drops()).toEqual({ "bridge-port-not-forwarding": 1 });
    bridge.device.setUp(true);
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1)));
    expect(counts(c)).toEqual([0, 1, 1]);
  });

  it("asks the firewall's hooks at every point, and lets them end a frame", () => {
    const { lab, bridge, c } = threeHosts();
    const points: string[] = [];
    lab.node.netfilterBridge = {
      run: (point, frame, ingress, egress) => {
        points.push(`${point} ${ingress?.name ?? "-"} ${egress?.name ?? "-"}`);
        if (point !== "postrouting" || egress !== c[2].near) return frame;
        lab.frames.drop(frame, "netfilter-drop", c[2].near);
        return NO_FRAME;
      },
    };
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1)));
    expect(points).toEqual([
      "prerouting v-c1 -",
      "forward v-c1 v-c3",
      "postrouting v-c1 v-c3",
      "forward v-c1 v-c2",
      "postrouting v-c1 v-c2",
      "input v-c1 -",
    ]);
    expect(counts(c)).toEqual([0, 1, 0]);
    points.length = 0;
    lab.send(bridge.device, frameBytes(farMac(1), BRIDGE_MAC));
    expect(points).toEqual(["output - v-c1", "postrouting - v-c1"]);
    lab.expectNothingLost();
  });
});

describe("A bridge's ports", () => {
  it("are numbered by the lowest free number and found by their device", () => {
    const { bridge, c } = threeHosts();
    expect(c.map((end) => end.port.number)).toEqual([1, 2, 3]);
    bridge.removePort(c[1].near);
    const again = bridge.addPort(c[1].near);
    expect(portOf(c[1].near)).toBe(again);
    expect(portOf(c[1].near)?.number).toBe(2);
    expect(bridgeOf(bridge.device)).toBe(bridge);
    expect(bridge.addPort(c[1].near)).toBe("EBUSY");
    expect(bridge.addPort(bridge.device)).toBe("ELOOP");
  });

  it("take their learnt and local entries with them when they leave", () => {
    const { lab, bridge, c } = threeHosts();
    lab.send(c[1].far, frameBytes(MAC_BROADCAST, farMac(2)));
    bridge.removePort(c[1].near);
    expect(bridge.fdb.list(lab.simulation.nowNs).filter((entry) => entry.port === c[1].port)).toEqual([]);
    expect(c[1].near.ingress).toBeUndefined();
    expect(c[1].near.master).toBeUndefined();
    lab.send(c[1].far, frameBytes(MAC_BROADCAST, farMac(2)));
    expect(lab.node.got.at(-1)).toMatch(/^v-c2 /);
  });

  it("start to forward when their carrier is reported", () => {
    const lab = new BridgeLab();
    const bridge = lab.bridge();
    const end = lab.attach(bridge, 1);
    end.near.setUp(false);
    lab.passSeconds(2);
    expect(end.port.state).toBe("disabled");
    end.near.setUp(true);
    expect(end.port.state).toBe("disabled");
    lab.passSeconds(1);
    expect(end.port.state).toBe("forwarding");
  });
});

describe("A bridge's own address", () => {
  it("is the ports' lowest while none is set, and zero without ports", () => {
    const lab = new BridgeLab();
    const bridge = lab.bridge();
    const five = lab.attach(bridge, 5);
    expect(bridge.device.address).toBe(nearMac(5));
    const three = lab.attach(bridge, 3);
    expect(bridge.device.address).toBe(nearMac(3));
    bridge.removePort(three.near);
    expect(bridge.device.address).toBe(nearMac(5));
    bridge.removePort(five.near);
    expect(bridge.device.address).toBe(MAC_ZERO);
  });

  it("stays once it is set, at creation or later", () => {
    const lab = new BridgeLab();
    const bridge = lab.bridge();
    lab.attach(bridge, 5);
    bridge.device.address = BRIDGE_MAC;
    lab.attach(bridge, 3);
    expect(bridge.device.address).toBe(BRIDGE_MAC);
    expect(bridge.tree.identifier.address).toBe(BRIDGE_MAC);
    const own = bridge.fdb.get(BRIDGE_MAC, 0, 0);
    expect(own?.local).toBe(true);
    expect(own?.port).toBeUndefined();
  });

  it("follows a port whose address changes, and so does the port's local entry", () => {
    const lab = new BridgeLab();
    const bridge = lab.bridge();
    const end = lab.attach(bridge, 5);
    end.near.address = nearMac(2);
    expect(bridge.device.address).toBe(nearMac(2));
    expect(bridge.fdb.get(nearMac(5), 0, 0)).toBeUndefined();
    const entry = bridge.fdb.get(nearMac(2), 0, 0);
    expect(entry?.local).toBe(true);
    expect(entry?.port).toBe(end.port);
  });

  it("comes with the ports' smallest MTU, until one is set", () => {
    const { bridge, c } = threeHosts();
    c[1].near.setMtu(1400);
    expect(bridge.device.mtu).toBe(1400);
    bridge.device.setMtu(1300);
    c[1].near.setMtu(1350);
    expect(bridge.device.mtu).toBe(1300);
  });
});

describe("A bridge beside a naive one", () => {
  const HOSTS = 4;
  const step = fc.record({
    ingress: fc.nat(HOSTS - 1),
    source: fc.nat(6),
    destination: fc.oneof(fc.nat(6), fc.constant(-1)),
    waitSeconds: fc.constantFrom(0, 0, 0, 1, 200, 301),
  });

  it("sends every frame to the same hosts, whatever came before", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const lab = new BridgeLab();
        const bridge = lab.bridge({ address: BRIDGE_MAC });
        const ends = Array.from({ length: HOSTS }, (_, index) => lab.attach(bridge, index + 1));
        const model = new Map<string, { ingress: number; atNs: number }>();
        for (const { ingress, source, destination, waitSeconds } of steps) {
          lab.passSeconds(waitSeconds);
          const nowNs = lab.simulation.nowNs + 1_000; // when it arrives at the bridge
          const others = [0, 1, 2, 3].filter((index) => index !== ingress);
          model.set(`mac ${source}`, { ingress, atNs: nowNs });
          const known = model.get(`mac ${destination}`);
          const live = known !== undefined && known.atNs + 300 * SECOND > nowNs;
          const expected = live ? (known.ingress === ingress ? [] : [known.ingress]) : others;
          const before = counts(ends);
          const to = destination < 0 ? MAC_BROADCAST : farMac(100 + destination);
          lab.send(ends[ingress]!.far, frameBytes(to, farMac(100 + source)));
          const receivers = counts(ends).flatMap((count, index) => (count > before[index]! ? [index] : []));
          expect(receivers).toEqual(expected);
          lab.expectNothingLost();
        }
      }),
    );
  });
});
