import { describe, expect, it } from "vitest";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import { PacketSocket } from "../../src/linux/packet-socket.ts";
import { SECOND } from "../../src/sim/time.ts";
import { multicastMac } from "../../src/wire/address.ts";
import { toHex } from "../../src/wire/bytes.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as igmp from "../../src/wire/igmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { ip, mac, net, pass, type Seen, twoHosts, watch } from "./two-hosts.ts";

const GROUP = ip("239.1.1.1");

function messages(seen: readonly Seen[]): igmp.Igmp[] {
  return seen
    .filter((frame) => frame.direction === "out" && ipv4.protocol(frame.bytes, 14) === 2)
    .map((frame) => igmp.parse(frame.bytes, 14 + ipv4.headerBytes(frame.bytes, 14), frame.bytes.length))
    .filter((message) => typeof message !== "string");
}

function query(host: NetworkNamespace, device: NetDevice, message: igmp.Igmp, to: string): void {
  const bytes = new Uint8Array(34 + igmp.messageBytes(message));
  ethernet.write(bytes, 0, multicastMac(ip(to)), device.address, ethernet.ETHERTYPE_IPV4);
  ipv4.write(bytes, 14, bytes.length - 14, 0, 0, 1, 2, ip("10.0.0.3"), ip(to), 0xc0);
  igmp.emit(message, bytes, 34);
  new PacketSocket(host, device, undefined).send(bytes);
}

describe("IGMP of a host", () => {
  it("reports a join as Linux does, byte by byte, and again within a second", () => {
    const { world, c1, eth1 } = twoHosts();
    eth1.address = mac("02:01:c0:a8:38:0c");
    c1.removeAddress(eth1, net("10.0.0.2/24"));
    c1.addAddress(eth1, net("192.168.56.12/24"));
    const seen = watch(world, eth1);
    expect(c1.igmp.join(eth1, GROUP)).toBeUndefined();
    c1.igmp.join(eth1, GROUP);
    pass(world, 3);
    expect(seen).toHaveLength(2);
    // Recorded from Linux 6.18.
    expect(toHex(seen[0]!.bytes)).toBe(
      "01005e0000160201c0a8380c080046c000280000400001020b45c0a8380ce0000016940400002200e9fb0000000104000000ef010101",
    );
    expect(seen[1]!.timeNs - seen[0]!.timeNs).toBeLessThan(1.1 * SECOND);
    expect(c1.igmp.memberships(eth1).map(({ holders }) => holders)).toEqual([2, 1]);
    expect(world.frames.inFlight).toBe(0);
  });

  it("reports leaving when the last holder leaves", () => {
    const { world, c1, eth1 } = twoHosts();
    c1.igmp.join(eth1, GROUP);
    c1.igmp.join(eth1, GROUP);
    pass(world, 3);
    const seen = watch(world, eth1);
    c1.igmp.leave(eth1, GROUP);
    pass(world, 3);
    expect(seen).toEqual([]);
    c1.igmp.leave(eth1, GROUP);
    expect(c1.igmp.leave(eth1, GROUP)).toBe("EADDRNOTAVAIL");
    pass(world, 3);
    const left = { type: igmp.CHANGE_TO_INCLUDE, group: GROUP, sources: [] };
    expect(messages(seen)).toEqual(Array(2).fill({ kind: "report-v3", records: [left] }));
  });

  it("answers queries with its state, an older querier in its own version", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    c1.igmp.join(eth1, GROUP);
    pass(world, 3);
    const seen = watch(world, eth1);
    const rest = { suppressRouterProcessing: false, robustness: 2, queryIntervalCode: 125, sources: [] };
    query(c2, eth2, { kind: "query-v3", responseCode: 20, group: ip("0.0.0.0"), ...rest }, "224.0.0.1");
    pass(world, 3);
    const state = { type: igmp.MODE_IS_EXCLUDE, group: GROUP, sources: [] };
    expect(messages(seen)).toEqual([{ kind: "report-v3", records: [state] }]);
    seen.length = 0;
    query(c2, eth2, { kind: "query", responseCode: 20, group: ip("0.0.0.0") }, "224.0.0.1");
    pass(world, 3);
    c1.igmp.leave(eth1, GROUP);
    pass(world, 1);
    expect(messages(seen)).toEqual([
      { kind: "report-v2", group: GROUP },
      { kind: "leave", group: GROUP },
    ]);
  });

  it("reports again what was joined when the device comes up", () => {
    const { world, c1, eth1 } = twoHosts();
    eth1.setUp(false);
    c1.igmp.join(eth1, GROUP);
    pass(world, 1);
    const seen = watch(world, eth1);
    eth1.setUp(true);
    pass(world, 3);
    expect(messages(seen)).toHaveLength(2);
    expect(c1.igmp.join(eth1, ip("10.0.0.1"))).toBe("EINVAL");
  });

  it("drops what is no IGMP message", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    c1.igmp.join(eth1, GROUP);
    const bytes = new Uint8Array(34 + 4);
    ethernet.write(bytes, 0, multicastMac(GROUP), eth2.address, ethernet.ETHERTYPE_IPV4);
    ipv4.write(bytes, 14, 24, 0, 0, 1, 2, ip("10.0.0.3"), GROUP, 0);
    new PacketSocket(c2, eth2, undefined).send(bytes);
    pass(world, 3);
    expect(world.frames.dropsByReason.get("igmp-malformed")).toBe(1);
  });
});
