import { describe, expect, it } from "vitest";
import type { Bridge } from "../../src/linux/bridge.ts";
import type { Ipv4Address, MacAddress } from "../../src/wire/address.ts";
import { multicastMac } from "../../src/wire/address.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as igmp from "../../src/wire/igmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { BridgeLab, type End, farMac } from "./bridge-lab.ts";

const GROUP = 0xef01_0101 as Ipv4Address;
const ALL_HOSTS = 0xe000_0001 as Ipv4Address;
const REPORTS = 0xe000_0016 as Ipv4Address;

function packet(source: End, destination: Ipv4Address, protocol: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(34 + payload.length);
  ethernet.write(bytes, 0, multicastMac(destination), source.far.address, ethernet.ETHERTYPE_IPV4);
  ipv4.write(
    bytes,
    14,
    20 + payload.length,
    0,
    0,
    1,
    protocol,
    (0x0a00_0000 + source.port.number) as Ipv4Address,
    destination,
    0,
  );
  bytes.set(payload, 34);
  return bytes;
}

function message(source: End, destination: Ipv4Address, content: igmp.Igmp): Uint8Array {
  const payload = new Uint8Array(igmp.messageBytes(content));
  igmp.emit(content, payload, 0);
  return packet(source, destination, ipv4.PROTOCOL_IGMP, payload);
}

function join(source: End, type = igmp.CHANGE_TO_EXCLUDE): Uint8Array {
  return message(source, REPORTS, { kind: "report-v3", records: [{ type, group: GROUP, sources: [] }] });
}

function query(source: End): Uint8Array {
  return message(source, ALL_HOSTS, { kind: "query", responseCode: 100, group: 0 as Ipv4Address });
}

function datagram(source: End, group = GROUP): Uint8Array {
  return packet(source, group, ipv4.PROTOCOL_UDP, new Uint8Array(8));
}

function lab(): {
  lab: BridgeLab;
  bridge: Bridge;
  c: [End, End, End];
  got: (bytes: Uint8Array, from: End) => number[];
} {
  const lab = new BridgeLab();
  const bridge = lab.bridge({ address: 0x02bb_0000_0001 as MacAddress });
  const c: [End, End, End] = [lab.attach(bridge, 1), lab.attach(bridge, 2), lab.attach(bridge, 3)];
  const got = (bytes: Uint8Array, from: End) => {
    const before = [...c.map((end) => end.host.got.length), lab.node.got.length];
    lab.send(from.far, bytes);
    const after = [...c.map((end) => end.host.got.length), lab.node.got.length];
    return after.map((count, index) => count - before[index]!);
  };
  return { lab, bridge, c, got };
}

describe("Multicast snooping (RFC 4541)", () => {
  it("floods while no querier is known, though it knows the members", () => {
    const { lab: world, bridge, c, got } = lab();
    expect(got(datagram(c[0]), c[0])).toEqual([0, 1, 1, 1]);
    got(join(c[1]), c[1]);
    expect(bridge.multicast.list()).toMatchObject([{ group: GROUP, vlan: 0 }]);
    expect([...bridge.multicast.list()[0]!.ports.keys()][0]).toBe(c[1].port);
    expect(got(datagram(c[0]), c[0])).toEqual([0, 1, 1, 1]);
    world.expectNothingLost();
  });

  it("leads a group's frames to members and routers once a querier is known and had time to be answered", () => {
    const { lab: world, bridge, c, got } = lab();
    got(query(c[2]), c[2]);
    got(join(c[1]), c[1]);
    expect(got(datagram(c[0]), c[0])).toEqual([0, 1, 1, 1]);
    world.passSeconds(11);
    const fourth = world.attach(bridge, 4);
    expect(got(datagram(c[0]), c[0])).toEqual([0, 1, 1, 0]); // a member, and the port where the querier is
    expect(fourth.host.got).toHaveLength(0);
    expect(bridge.multicast.routerPorts()).toHaveLength(1);
    expect(got(datagram(c[0], 0xe000_004d as Ipv4Address), c[0])).toEqual([0, 1, 1, 1]);
    world.expectNothingLost();
  });

  it("forgets members that do not report again, and queriers that fall silent", () => {
    const { lab: world, bridge, c, got } = lab();
    got(query(c[2]), c[2]);
    got(join(c[1]), c[1]);
    world.passSeconds(100);
    got(query(c[2]), c[2]);
    world.passSeconds(161);
    expect(bridge.multicast.list()).toEqual([]);
    expect(got(datagram(c[0]), c[0])).toEqual([0, 0, 1, 0]);
    world.passSeconds(100);
    expect(got(datagram(c[0]), c[0])).toEqual([0, 1, 1, 1]);
  });

  it("shortens a membership that is left: to two seconds, or to none with fast leave", () => {
    const { lab: world, bridge, c, got } = lab();
    got(join(c[1]), c[1]);
    got(join(c[1], igmp.CHANGE_TO_INCLUDE), c[1]);
    expect(bridge.multicast.list()).toHaveLength(1);
    world.passSeconds(2.1);
    expect(bridge.multicast.list()).toHaveLength(0);
    got(message(c[1], GROUP, { kind: "report-v2", group: GROUP }), c[1]);
    c[1].port.fastLeave = true;
    got(message(c[1], 0xe000_0002 as Ipv4Address, { kind: "leave", group: GROUP }), c[1]);
    expect(bridge.multicast.list()).toHaveLength(0);
  });

  it("keeps memberships set by hand, until they are taken back", () => {
    const { lab: world, bridge, c } = lab();
    bridge.multicast.add(GROUP, 0, c[1].port);
    world.passSeconds(1000);
    expect(bridge.multicast.list()).toHaveLength(1);
    expect(bridge.multicast.delete(GROUP, 0, c[2].port)).toBe(false);
    expect(bridge.multicast.delete(GROUP, 0, c[1].port)).toBe(true);
    expect(bridge.multicast.list()).toHaveLength(0);
  });

  it("forgets what was learnt at a port that goes down", () => {
    const { lab: world, bridge, c, got } = lab();
    got(join(c[1]), c[1]);
    c[1].near.setUp(false);
    world.pass(1_000);
    expect(bridge.multicast.list()).toEqual([]);
  });

  it("drops malformed IGMP, and looks at nothing when it is off", () => {
    const { lab: world, bridge, c, got } = lab();
    const broken = join(c[0]);
    broken[broken.length - 1]! ^= 1;
    expect(got(broken, c[0])).toEqual([0, 0, 0, 0]);
    expect(world.drops()).toEqual({ "igmp-malformed": 1 });
    bridge.setMulticastSnooping(false);
    expect(got(broken, c[0])).toEqual([0, 1, 1, 1]);
  });

  it("has the host join the snoopers' group while the bridge is up", () => {
    const world = new BridgeLab();
    const calls: string[] = [];
    const host = Object.assign(world.node, {
      igmp: {
        join: (_: unknown, group: Ipv4Address) => void calls.push(`join ${group.toString(16)}`),
        leave: (_: unknown, group: Ipv4Address) => void calls.push(`leave ${group.toString(16)}`),
      },
    });
    const bridge = world.bridge({}, host);
    bridge.setMulticastSnooping(false);
    bridge.setMulticastSnooping(true);
    bridge.device.setUp(false);
    expect(calls).toEqual(["join e000006a", "leave e000006a", "join e000006a", "leave e000006a"]);
    expect(farMac(1)).toBe(0x0242_0a00_0001);
  });
});
