import { describe, expect, it, vi } from "vitest";
import { Neighbour, type NeighbourState } from "../../src/linux/neighbour.ts";
import { PacketSocket } from "../../src/linux/packet-socket.ts";
import { RawSocket } from "../../src/linux/raw-socket.ts";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import { SECOND } from "../../src/sim/time.ts";
import { type Ipv4Address, MAC_BROADCAST, type MacAddress } from "../../src/wire/address.ts";
import * as arp from "../../src/wire/arp.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import { ip, mac, net, pass, twoHosts, watch } from "./two-hosts.ts";

const DATA = new Uint8Array(8);
const C1 = ip("10.0.0.2");
const C2 = ip("10.0.0.3");

function arpFrame(operation: number, sender: [MacAddress, string], target: [MacAddress, string], to: MacAddress) {
  const bytes = new Uint8Array(42);
  ethernet.write(bytes, 0, to, sender[0], ethernet.ETHERTYPE_ARP);
  arp.write(bytes, 14, operation, sender[0], ip(sender[1]), target[0], ip(target[1]));
  return bytes;
}

describe("the neighbour table", () => {
  it("learns the asker when it is asked, and nothing as a bystander", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    new RawSocket(c1).send(C2, 1, DATA);
    new PacketSocket(c1, eth1, undefined).send(
      arpFrame(arp.OPERATION_REQUEST, [eth1.address, "10.0.0.9"], [0 as MacAddress, "10.0.0.77"], MAC_BROADCAST),
    );
    pass(world, 0.1);
    expect(c1.neighbours.list(eth1).map((each) => each.state)).toEqual(["REACHABLE"]);
    expect(c2.neighbours.list(eth2).map((each) => each.address)).toEqual([C1]);
  });

  it("keeps 101 packets while it asks, and drops the oldest first", () => {
    const { world, c1 } = twoHosts();
    const socket = new UdpSocket(c1);
    for (let count = 0; count < 105; count++) socket.sendTo(DATA, ip("10.0.0.99"), 9);
    expect(world.frames.dropsByReason.get("neighbour-queue-full")).toBe(4);
    pass(world, 5);
    expect(world.frames.dropsByReason.get("neighbour-failed")).toBe(101);
    expect(world.frames.inFlight).toBe(0);
  });

  it("is REACHABLE for 15 to 45 seconds and then STALE", () => {
    for (const seed of ["a", "b", "c", "d"]) {
      const { world, c1, eth1 } = twoHosts(seed);
      const socket = new UdpSocket(c1);
      socket.sendTo(DATA, C2, 9);
      pass(world, 14.9);
      expect(c1.neighbours.get(eth1, C2)?.state).toBe("REACHABLE");
      pass(world, 33);
      expect(c1.neighbours.get(eth1, C2)?.state).toBe("STALE");
    }
  });

  it("is not probed while upper layers confirm it", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    c2.neighbours.replace({ device: eth2, address: C1, mac: eth1.address });
    const seen = watch(world, eth1);
    const socket = new RawSocket(c1);
    for (let second = 0; second < 60; second++) {
      socket.send(C2, second, DATA, { confirm: second > 0 });
      pass(world, 1);
    }
    expect(seen.filter((frame) => ethernet.etherType(frame.bytes, 0) === ethernet.ETHERTYPE_ARP)).toHaveLength(2);
  });

  it("takes a proper gratuitous ARP at once, another one only after locktime", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    const other = mac("02:42:0a:00:00:99");
    new RawSocket(c1).send(C2, 1, DATA);
    pass(world, 0.1);
    const sender = new PacketSocket(c2, eth2, undefined);
    const known = () => c1.neighbours.lookup(eth1, C2);
    sender.send(arpFrame(arp.OPERATION_REPLY, [other, "10.0.0.3"], [eth1.address, "10.0.0.2"], eth1.address));
    pass(world, 0.1);
    expect(known()).toBe(eth2.address);
    sender.send(arpFrame(arp.OPERATION_REQUEST, [other, "10.0.0.3"], [0 as MacAddress, "10.0.0.3"], MAC_BROADCAST));
    pass(world, 0.1);
    expect(known()).toBe(other);
    pass(world, 1.2);
    sender.send(arpFrame(arp.OPERATION_REPLY, [eth2.address, "10.0.0.3"], [eth1.address, "10.0.0.2"], eth1.address));
    pass(world, 0.1);
    expect(known()).toBe(eth2.address);
    sender.send(arpFrame(arp.OPERATION_REQUEST, [other, "10.0.0.88"], [0 as MacAddress, "10.0.0.88"], MAC_BROADCAST));
    pass(world, 0.1);
    expect(c1.neighbours.get(eth1, ip("10.0.0.88"))).toBeUndefined();
  });

  it("leaves permanent entries alone, until the device goes down or changes its MAC", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    const other = mac("02:42:0a:00:00:99");
    expect(c1.neighbours.add({ device: eth1, address: C2, mac: other })).toBeUndefined();
    expect(c1.neighbours.add({ device: eth1, address: C2, mac: other })).toBe("EEXIST");
    new RawSocket(c2).send(C1, 1, DATA);
    pass(world, 0.1);
    expect(c1.neighbours.get(eth1, C2)).toMatchObject({ state: "PERMANENT", mac: other });
    eth1.address = mac("02:42:0a:00:00:07");
    expect(c1.neighbours.list(eth1)).toEqual([]);
    c1.neighbours.add({ device: eth1, address: C2, mac: other });
    eth1.setCarrier(false);
    expect(c1.neighbours.list(eth1)).toHaveLength(1);
    eth1.setCarrier(true);
    eth1.setUp(false);
    expect(c1.neighbours.list(eth1)).toEqual([]);
    expect(c1.neighbours.delete(eth1, C2)).toBe("ENOENT");
    expect(eth2.address).toBe(mac("02:42:0a:00:00:03"));
  });

  it("ends what waits when an entry is deleted, and resolves anew through the same path", () => {
    const { world, c1, eth1 } = twoHosts();
    const path = c1.ipv4.resolve({ destination: C2 });
    const socket = new UdpSocket(c1);
    socket.sendTo(DATA, C2, 9);
    c1.neighbours.delete(eth1, C2);
    expect(world.frames.dropsByReason.get("neighbour-failed")).toBe(1);
    socket.sendTo(DATA, C2, 9);
    pass(world, 0.1);
    expect(c1.neighbours.get(eth1, C2)?.state).toBe("REACHABLE");
    expect(c1.ipv4.resolve({ destination: C2 })).toBe(path);
  });

  it("tells listeners of every state", () => {
    const { world, c1 } = twoHosts();
    const states: string[] = [];
    c1.neighbours.listeners.push({ neighbourChanged: (neighbour: Neighbour) => states.push(neighbour.state) });
    const socket = new UdpSocket(c1);
    socket.sendTo(DATA, C2, 9);
    pass(world, 50);
    socket.sendTo(DATA, C2, 9);
    pass(world, 6);
    expect(states).toEqual(["INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "REACHABLE"]);
  });

  it("answers for other interfaces' addresses, as weak hosts do, unless arp_ignore forbids it", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    c2.addAddress(c2.loopback, net("10.9.9.9/32"));
    c1.routes.add({ destination: net("10.9.9.9/32"), device: eth1 });
    const socket = new RawSocket(c1);
    socket.send(ip("10.9.9.9"), 1, DATA);
    pass(world, 0.1);
    expect(socket.receive()).toMatchObject({ kind: "reply", source: ip("10.9.9.9") });
    c1.neighbours.delete(eth1, ip("10.9.9.9"));
    c2.sysctl.set("net.ipv4.conf.all.arp_ignore", "1");
    socket.send(ip("10.9.9.9"), 2, DATA);
    pass(world, 4);
    expect(socket.receive()).toMatchObject({ kind: "error", type: 3, code: 1 });
    expect(world.frames.dropsByReason.get("arp-ignored")).toBe(3);
  });

  it("sends the second and third request 1.004 to 1.032 s after the one before", () => {
    for (const startMs of [0, 1, 13, 777]) {
      const { world, c1, eth1 } = twoHosts();
      pass(world, startMs / 1_000);
      const seen = watch(world, eth1);
      new RawSocket(c1).send(ip("10.0.0.99"), 1, DATA);
      pass(world, 5);
      const gaps = [seen[1]!.timeNs - seen[0]!.timeNs, seen[2]!.timeNs - seen[1]!.timeNs];
      for (const gap of gaps) {
        expect(gap).toBeGreaterThan(SECOND);
        expect(gap).toBeLessThanOrEqual(1.036 * SECOND);
      }
    }
  });
});

describe("the collection of neighbours", () => {
  /** Adds entries of 10.1.0.0/16 to c1's table. */
  function fill(lab: ReturnType<typeof twoHosts>, count: number, state: NeighbourState): void {
    const { c1, eth1 } = lab;
    for (let index = 0; index < count; index++) {
      const address = ((ip("10.1.0.0") | 0) + index) as Ipv4Address;
      c1.neighbours.replace({ device: eth1, address, mac: (0x0242_0000_0000 + index) as MacAddress, state });
    }
  }

  it("never looks at permanent entries, however many there are", () => {
    const looked = vi.spyOn(Neighbour.prototype, "ages", "get");
    const lab = twoHosts();
    fill(lab, 20_000, "PERMANENT");
    pass(lab.world, 60);
    for (let last = 10; last < 40; last++) lab.c1.neighbours.obtain(lab.eth1, ip(`10.0.0.${last}`));
    expect(lab.c1.neighbours.list(lab.eth1)).toHaveLength(20_030);
    expect(looked).toHaveBeenCalledTimes(0);
    looked.mockRestore();
  });

  it("looks at the others once in 15 s, and takes those unused for gc_stale_time", () => {
    const lab = twoHosts();
    lab.c1.sysctl.set("net.ipv4.neigh.default.gc_thresh2", "100000");
    lab.c1.sysctl.set("net.ipv4.neigh.default.gc_thresh3", "100000");
    fill(lab, 1_000, "STALE");
    pass(lab.world, 62);
    const looked = vi.spyOn(Neighbour.prototype, "ages", "get");
    lab.c1.neighbours.obtain(lab.eth1, ip("10.0.0.10"));
    expect(lab.c1.neighbours.list(lab.eth1)).toHaveLength(1);
    expect(looked.mock.calls.length).toBeLessThanOrEqual(2_000);
    fill(lab, 1_000, "STALE");
    const before = looked.mock.calls.length;
    for (let last = 11; last < 40; last++) lab.c1.neighbours.obtain(lab.eth1, ip(`10.0.0.${last}`));
    expect(looked.mock.calls.length).toBe(before);
    looked.mockRestore();
  });

  it("makes room from gc_thresh2 on: the oldest that are not in use go until gc_thresh2 are left", () => {
    const lab = twoHosts();
    fill(lab, 600, "STALE");
    expect(lab.c1.neighbours.list(lab.eth1)).toHaveLength(600); // all younger than 5 s
    pass(lab.world, 6);
    lab.c1.neighbours.obtain(lab.eth1, ip("10.0.0.10"));
    const left = lab.c1.neighbours.list(lab.eth1);
    expect(left).toHaveLength(513);
    expect(left[0]!.address).toBe(ip("10.1.0.88"));
  });

  it("counts an entry that is made permanent no more, and again when it is not", () => {
    const lab = twoHosts();
    fill(lab, 600, "STALE");
    fill(lab, 600, "PERMANENT");
    pass(lab.world, 6);
    lab.c1.neighbours.obtain(lab.eth1, ip("10.0.0.10"));
    expect(lab.c1.neighbours.list(lab.eth1)).toHaveLength(601);
    fill(lab, 600, "STALE");
    pass(lab.world, 6);
    lab.c1.neighbours.obtain(lab.eth1, ip("10.0.0.11"));
    expect(lab.c1.neighbours.list(lab.eth1)).toHaveLength(513);
  });
});
