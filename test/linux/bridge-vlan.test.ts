import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bridge } from "../../src/linux/bridge.ts";
import { NetDevice } from "../../src/linux/net-device.ts";
import { createVlanDevice, vlanOf } from "../../src/linux/vlan-device.ts";
import { MAC_BROADCAST, type MacAddress } from "../../src/wire/address.ts";
import { BridgeLab, type End, farMac, frameBytes } from "./bridge-lab.ts";

const BRIDGE_MAC = 0x02bb_0000_0001 as MacAddress;
const PAYLOAD = "88b5cafe";

function tagged(vid: number, priority = 0): string {
  return `8100${((priority << 13) | vid).toString(16).padStart(4, "0")}${PAYLOAD}`;
}

function filtering(): { lab: BridgeLab; bridge: Bridge; c: [End, End, End] } {
  const lab = new BridgeLab();
  const bridge = lab.bridge({ address: BRIDGE_MAC });
  const c: [End, End, End] = [lab.attach(bridge, 1), lab.attach(bridge, 2), lab.attach(bridge, 3)];
  bridge.filtersVlans = true;
  return { lab, bridge, c };
}

/** What a host got last, behind the addresses. */
function last(end: End): string | undefined {
  return end.host.got.at(-1)?.slice("eth0 ".length + 24);
}

describe("VLAN filtering (IEEE 802.1Q §8.6)", () => {
  it("puts untagged frames into VLAN 1 by default, and nothing changes", () => {
    const { lab, c } = filtering();
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1), PAYLOAD));
    expect([last(c[1]), last(c[2])]).toEqual([PAYLOAD, PAYLOAD]);
    expect(lab.node.got).toHaveLength(1);
  });

  it("tags on a trunk, untags at the access port, and refuses other VLANs", () => {
    const { lab, c } = filtering();
    c[0].port.vlans.add(10, { pvid: true, untagged: true });
    c[1].port.vlans.add(10, { pvid: false, untagged: false });
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1), PAYLOAD));
    expect(last(c[1])).toBe(tagged(10));
    expect(last(c[2])).toBeUndefined();
    expect(lab.node.got).toEqual([]);
    lab.send(c[1].far, frameBytes(farMac(1), farMac(2), tagged(10)));
    expect(last(c[0])).toBe(PAYLOAD);
    lab.send(c[1].far, frameBytes(farMac(1), farMac(2), tagged(11)));
    expect(lab.drops()["bridge-vlan-filtered"]).toBe(2); // what would have gone to the host, and VLAN 11
    lab.expectNothingLost();
  });

  it("keeps a tag's priority, and gives a priority tag the port's VLAN", () => {
    const { lab, c } = filtering();
    c[0].port.vlans.add(10, { pvid: true, untagged: true });
    c[1].port.vlans.add(10, { pvid: false, untagged: false });
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1), tagged(0, 5)));
    expect(last(c[1])).toBe(tagged(10, 5));
  });

  it("learns for each VLAN alone", () => {
    const { lab, bridge, c } = filtering();
    for (const end of c) end.port.vlans.add(20, { pvid: false, untagged: false });
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1), tagged(20)));
    lab.send(c[1].far, frameBytes(farMac(1), farMac(2), PAYLOAD));
    expect(c[2].host.got).toHaveLength(2); // VLAN 1 does not know the address: flooded
    expect(bridge.fdb.get(farMac(1), 20, lab.simulation.nowNs)?.port).toBe(c[0].port);
    expect(bridge.fdb.get(farMac(1), 1, lab.simulation.nowNs)).toBeUndefined();
  });

  it("refuses untagged frames where there is no pvid", () => {
    const { lab, c } = filtering();
    c[0].port.vlans.delete(1);
    lab.send(c[0].far, frameBytes(MAC_BROADCAST, farMac(1), PAYLOAD));
    expect(lab.drops()).toEqual({ "bridge-vlan-filtered": 1 });
    expect(c[0].port.vlans.list()).toEqual([]);
    c[0].port.vlans.add(7, { pvid: true, untagged: true });
    c[0].port.vlans.add(8, { pvid: true, untagged: false });
    expect(c[0].port.vlans.list()).toEqual([
      { vid: 7, pvid: false, untagged: true },
      { vid: 8, pvid: true, untagged: false },
    ]);
  });

  it("takes frames to local addresses in any VLAN that its own device is in", () => {
    const { lab, bridge, c } = filtering();
    bridge.vlans.add(10, { pvid: false, untagged: false });
    c[0].port.vlans.add(10, { pvid: true, untagged: true });
    lab.send(c[0].far, frameBytes(BRIDGE_MAC, farMac(1), PAYLOAD));
    expect(lab.node.got.at(-1)?.slice(-tagged(10).length)).toBe(tagged(10));
    lab.send(bridge.device, frameBytes(farMac(1), BRIDGE_MAC, tagged(10)));
    expect(last(c[0])).toBe(PAYLOAD);
  });
});

describe("A VLAN device (ip link add link ... type vlan)", () => {
  function trunk() {
    const lab = new BridgeLab();
    const bridge = lab.bridge({ address: BRIDGE_MAC });
    const end = lab.attach(bridge, 1);
    const make = (vid: number) => {
      const device = createVlanDevice(end.host, { name: `eth0.${vid}`, real: end.far, vid });
      if (!(device instanceof NetDevice)) throw new Error(device);
      device.setUp(true);
      return device;
    };
    return { lab, bridge, end, make };
  }

  it("sends with its tag and receives without", () => {
    const { lab, end, make, bridge } = trunk();
    const device = make(10);
    lab.send(device, frameBytes(MAC_BROADCAST, farMac(1), PAYLOAD));
    expect(lab.node.got).toEqual([`br0 ffffffffffff02420a000001${tagged(10)}`]);
    lab.send(bridge.device, frameBytes(farMac(1), BRIDGE_MAC, tagged(10, 3)));
    expect(end.host.got).toEqual([`eth0.10 02420a00000102bb00000001${PAYLOAD}`]);
    lab.send(bridge.device, frameBytes(farMac(1), BRIDGE_MAC, tagged(11)));
    lab.send(bridge.device, frameBytes(farMac(1), BRIDGE_MAC, PAYLOAD));
    expect(end.host.got.slice(1).map((line) => line.split(" ")[0])).toEqual(["eth0", "eth0"]);
    expect(vlanOf(device)).toMatchObject({ vid: 10 });
    lab.expectNothingLost();
  });

  it("is one for each VLAN of a device", () => {
    const { end, make } = trunk();
    make(10);
    expect(createVlanDevice(end.host, { name: "again", real: end.far, vid: 10 })).toBe("EEXIST");
  });

  it("stands before a bridge port on the same device", () => {
    const { lab, bridge } = trunk();
    const port = bridge.ports[0]!;
    const device = createVlanDevice(lab.node, { name: "v-c1.5", real: port.device, vid: 5 });
    if (!(device instanceof NetDevice)) throw new Error(device);
    device.setUp(true);
    const peer = lab.cable(lab.node, lab.node, 9, "x", "y");
    bridge.addPort(peer.near);
    const end = trunk();
    expect(end.bridge.ports).toHaveLength(1);
    bridge.removePort(port.device);
    bridge.addPort(port.device);
    expect(port.device.ingress).not.toBeUndefined();
    device.announce("removed");
    expect(bridge.port(port.device)).toBe(port.device.ingress);
  });

  it("has its real device's carrier, and goes down with it", () => {
    const { lab, end, make } = trunk();
    const device = make(10);
    expect(device.running).toBe(true);
    end.near.setUp(false);
    expect(device.carrier).toBe(false);
    end.near.setUp(true);
    expect(device.running).toBe(true);
    end.far.setUp(false);
    expect(device.up).toBe(false);
    lab.expectNothingLost();
  });

  it("gives back the very frame, whatever it held", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 2, maxLength: 200 }),
        fc.integer({ min: 1, max: 4094 }),
        (payload, vid) => {
          const { lab, make, bridge } = trunk();
          const device = make(vid);
          const rest = `88b5${Buffer.from(payload).toString("hex")}`;
          lab.send(device, frameBytes(BRIDGE_MAC, farMac(1), rest));
          const sent = lab.node.got.at(-1)!.slice("br0 ".length);
          expect(sent).toBe(`02bb0000000102420a0000018100${vid.toString(16).padStart(4, "0")}${rest}`);
          expect(bridge.ports).toHaveLength(1);
        },
      ),
    );
  });
});
