/** What the real kernel was seen to do (Linux 6.18), host by host: the recorded cases 19, 40, 44, 45, 50, 52, 53 in small. */
import { describe, expect, it } from "vitest";
import { PacketSocket } from "../../src/linux/packet-socket.ts";
import { RawSocket } from "../../src/linux/raw-socket.ts";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import { MILLISECOND } from "../../src/sim/time.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as icmp from "../../src/wire/icmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { ip, mac, net, pass, type Seen, twoHosts, twoRouters, watch } from "./two-hosts.ts";

const DATA = new Uint8Array(56);

describe("a host that is sent broken and foreign frames (case 45)", () => {
  const payload = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
  const c2mac = "02420a000003";
  const c1mac = "02420a000002";
  const frames: [what: string, hex: string, answered: boolean, drop?: string][] = [
    ["good", `${c2mac}${c1mac}08004500004c00000000400166ad0a0000020a0000030800cd4500770001${payload}`, true],
    [
      "a wrong ICMP checksum",
      `${c2mac}${c1mac}08004500004c00000000400166ad0a0000020a0000030800dc5500770002${payload}`,
      false,
      "icmp-bad-checksum",
    ],
    [
      "a wrong IP checksum",
      `${c2mac}${c1mac}08004500004c00000000400133f80a0000020a0000030800cd4300770003${payload}`,
      false,
      "ipv4-bad-checksum",
    ],
    [
      "another MAC",
      `02420a000063${c1mac}08004500004c00000000400166ad0a0000020a0000030800cd4200770004${payload}`,
      false,
      "not-for-us",
    ],
    [
      "broadcast MAC with a unicast address",
      `ffffffffffff${c1mac}08004500004c00000000400166ad0a0000020a0000030800cd4100770005${payload}`,
      true,
    ],
    [
      "a length beyond the frame",
      `${c2mac}${c1mac}08004500019000000000400165690a0000020a0000030800cd4000770006${payload}`,
      false,
      "ipv4-malformed",
    ],
    [
      "padding",
      `${c2mac}${c1mac}08004500004c00000000400166ad0a0000020a0000030800cd3f00770007${payload}${"00".repeat(20)}`,
      true,
    ],
    [
      "another host's address",
      `${c2mac}${c1mac}08004500004c000000004001667e0a0000020a0000320800cd3e00770008${payload}`,
      false,
      "ipv4-not-local",
    ],
    ["TTL 0", `${c2mac}${c1mac}08004500004c000000000001a6ad0a0000020a0000030800cd3d00770009${payload}`, true],
    [
      "its own source address",
      `${c2mac}${c1mac}08004500004c00000000400166ac0a0000030a0000030800cd3b0077000b${payload}`,
      false,
      "ipv4-martian-source",
    ],
    [
      "a broadcast source",
      `${c2mac}${c1mac}08004500004c00000000400170afffffffff0a0000030800cd3a0077000c${payload}`,
      false,
      "ipv4-martian-source",
    ],
    [
      "a source without a way back",
      `${c2mac}${c1mac}08004500004c000000004001664b0a6300010a0000030800cd390077000d${payload}`,
      false,
    ],
    [
      "an unknown protocol",
      `${c2mac}${c1mac}0800450000200000000040fd65dd0a0000020a00000368656c6c6f20776f726c642e`,
      true,
      "protocol-unknown",
    ],
    ["an unknown EtherType", `${c2mac}${c1mac}88b5${"00".repeat(46)}`, false, "ethertype-unknown"],
    [
      "a wrong UDP checksum",
      `${c2mac}${c1mac}08004500003000000000401166b90a0000020a0000034e210007001cf9c5${"78".repeat(20)}`,
      false,
      "udp-bad-checksum",
    ],
    ["an ARP probe", `ffffffffffff${c1mac}0806000108000604000102420a000002000000000000000000000a000003`, true],
    [
      "an ARP sender that is not the frame's",
      `ffffffffffff${c1mac}0806000108000604000102420a0000630a0000580000000000000a000003`,
      true,
    ],
    ["a unicast ARP request", `${c2mac}${c1mac}0806000108000604000102420a0000020a0000020000000000000a000003`, true],
    [
      "an ARP request from a foreign subnet",
      `ffffffffffff${c1mac}0806000108000604000102420a0000020a6300010000000000000a000003`,
      true,
    ],
    ["a cut ARP request", `ffffffffffff${c1mac}08060001080006040001`, false, "arp-malformed"],
  ];
  for (const [what, hex, answered, drop] of frames)
    it(`${answered ? "answers" : "is silent about"} ${what}`, () => {
      const { world, c1, c2, eth1, eth2 } = twoHosts();
      c2.neighbours.add({ device: eth2, address: ip("10.0.0.2"), mac: mac("02:42:0a:00:00:02") });
      new UdpSocket(c2).bind(ip("10.0.0.3"), 7);
      const seen = watch(world, eth2);
      expect(new PacketSocket(c1, eth1, undefined).send(fromHex(hex)!)).toBeTypeOf("number");
      pass(world, 0.1);
      expect(seen.filter((frame) => frame.direction === "out")).toHaveLength(answered ? 1 : 0);
      if (drop !== undefined) expect([...world.frames.dropsByReason.keys()]).toContain(drop);
      expect(world.frames.inFlight).toBe(0);
    });

  it("answers to the MAC in the ARP body, not to the frame's", () => {
    const { world, c1, eth1, eth2 } = twoHosts();
    const seen = watch(world, eth2);
    new PacketSocket(c1, eth1, undefined).send(
      fromHex(`ffffffffffff${c1mac}0806000108000604000102420a0000630a0000580000000000000a000003`)!,
    );
    pass(world, 0.1);
    expect(ethernet.destination(seen[1]!.bytes, 0)).toBe(mac("02:42:0a:00:00:63"));
  });
});

describe("ICMP port unreachables (case 44)", () => {
  it("are sent six times at once and then once a second, to each peer", () => {
    const { world, c1, eth1 } = twoHosts();
    const seen = watch(world, eth1);
    const socket = new UdpSocket(c1);
    for (let count = 0; count < 40; count++) {
      socket.sendTo(DATA, ip("10.0.0.3"), 9);
      pass(world, 0.05);
    }
    const errors = seen.filter((frame) => frame.direction === "in" && frame.bytes.length > 42);
    expect(errors.length).toBeGreaterThanOrEqual(7);
    expect(errors.length).toBeLessThanOrEqual(8);
    expect(world.frames.dropsByReason.get("udp-no-socket")).toBe(40);
  });
});

describe("a router without a way (case 19)", () => {
  it("says which way is missing, and nothing about a blackhole", () => {
    const { world, c1, r1 } = twoRouters();
    r1.routes.add({ destination: net("10.9.2.0/24"), type: "unreachable" });
    r1.routes.add({ destination: net("10.9.3.0/24"), type: "prohibit" });
    r1.routes.add({ destination: net("10.9.4.0/24"), type: "blackhole" });
    const codes = ["10.9.1.1", "10.9.2.1", "10.9.3.1", "10.9.4.1"].map((to) => {
      const socket = new RawSocket(c1);
      socket.send(ip(to), 1, DATA);
      pass(world, 1);
      const event = socket.receive();
      return event?.kind === "error" ? [event.type, event.code, event.source] : undefined;
    });
    const from = ip("10.0.1.1");
    expect(codes).toEqual([[3, 0, from], [3, 1, from], [3, 13, from], undefined]);
  });

  it("asks three times for a next hop and then answers each packet that waited", () => {
    const { world, c1, middle } = twoRouters();
    const seen = watch(world, middle.a);
    const socket = new RawSocket(c1);
    socket.send(ip("10.0.2.99"), 1, DATA);
    socket.send(ip("10.0.2.99"), 2, DATA);
    pass(world, 4);
    expect(seen.map((frame) => frame.bytes.length)).toEqual([42, 42, 42]);
    expect([socket.receive(), socket.receive()]).toMatchObject([
      { kind: "error", type: 3, code: 1, source: ip("10.0.1.1"), sequence: 1 },
      { kind: "error", type: 3, code: 1, source: ip("10.0.1.1"), sequence: 2 },
    ]);
  });
});

describe("a link with a smaller MTU on the way (case 40)", () => {
  function narrow() {
    const lab = twoRouters();
    lab.middle.a.setMtu(1_400);
    lab.middle.b.setMtu(1_400);
    return lab;
  }

  it("is crossed in fragments that stay fragments", () => {
    const { world, c1, middle, last } = narrow();
    const onMiddle = watch(world, middle.a);
    const onLast = watch(world, last.b);
    const socket = new RawSocket(c1);
    socket.send(ip("10.0.3.2"), 1, new Uint8Array(1_472), { dontFragment: "dont" });
    pass(world, 0.1);
    expect(socket.receive()?.kind).toBe("reply");
    const lengths = (seen: Seen[], direction: "in" | "out") =>
      seen
        .filter((frame) => frame.direction === direction && frame.bytes.length !== 42)
        .map((f) => f.bytes.length - 14);
    expect(lengths(onMiddle, "out")).toEqual([1_396, 124]);
    expect(lengths(onLast, "in")).toEqual([1_396, 124]);
    expect(lengths(onLast, "out")).toEqual([1_500]);
    expect(world.frames.inFlight).toBe(0);
  });

  it("is reported when DF forbids that, and then remembered", () => {
    const { world, c1, first } = narrow();
    const seen = watch(world, first.a);
    const socket = new RawSocket(c1);
    socket.send(ip("10.0.3.2"), 1, new Uint8Array(1_472), { dontFragment: "do" });
    pass(world, 0.1);
    expect(socket.receive()).toMatchObject({ kind: "error", type: 3, code: 4, info: 1_400, source: ip("10.0.1.1") });
    expect(socket.send(ip("10.0.3.2"), 2, new Uint8Array(1_472), { dontFragment: "do" })).toBe("EMSGSIZE");
    seen.length = 0;
    socket.send(ip("10.0.3.2"), 3, new Uint8Array(1_472));
    pass(world, 0.1);
    const out = seen.filter((frame) => frame.direction === "out");
    expect(out.map((frame) => [frame.bytes.length - 14, ipv4.dontFragment(frame.bytes, 14)])).toEqual([
      [1_396, false],
      [124, false],
    ]);
  });
});

describe("the reverse path filter (case 52)", () => {
  const passed = (mode: number): boolean[] =>
    ["10.66.0.1", "10.0.3.77", "10.0.1.2"].map((source) => {
      const { world, c1, r1, c2, first } = twoRouters();
      r1.sysctl.set("net.ipv4.conf.eth0.rp_filter", String(mode));
      const server = new UdpSocket(c2);
      server.bind(ip("0.0.0.0"), 7);
      // An ARP request would name the foreign source and be filtered itself.
      c1.neighbours.add({ device: first.a, address: ip("10.0.1.1"), mac: first.b.address });
      const spoofed = new UdpSocket(c1);
      c1.addAddress(first.a, net(`${source}/32`));
      expect(spoofed.bind(ip(source), 20_001)).toBeUndefined();
      spoofed.sendTo(DATA, ip("10.0.3.2"), 7);
      pass(world, 1);
      expect(world.frames.inFlight).toBe(0);
      return typeof server.receive() === "object";
    });
  it("off lets every source through", () => expect(passed(0)).toEqual([true, true, true]));
  it("strict lets only those through that are routed back the same way", () =>
    expect(passed(1)).toEqual([false, false, true]));
  it("loose wants some way back", () => expect(passed(2)).toEqual([false, true, true]));
});

describe("a redirect (case 53)", () => {
  it("is sent by a router that sends back by the same device, and taken once the new gateway has answered ARP", () => {
    const { world, c1, c2: r1, eth1, eth2 } = twoHosts();
    const seen = watch(world, eth1);
    r1.sysctl.set("net.ipv4.ip_forward", "1");
    r1.addAddress(eth2, net("10.0.0.4/24"));
    c1.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("10.0.0.3") });
    r1.routes.add({ destination: net("10.5.0.0/24"), gateway: ip("10.0.0.77") });
    // The better gateway answers ARP here; it need not forward for this.
    r1.neighbours.add({ device: eth2, address: ip("10.0.0.77"), mac: mac("02:42:0a:00:00:77") });
    const socket = new RawSocket(c1);
    const hops: number[] = [];
    for (let count = 1; count <= 3; count++) {
      socket.send(ip("10.5.0.2"), count, DATA);
      pass(world, 0.3);
      if (count === 1) c1.neighbours.replace({ device: eth1, address: ip("10.0.0.77"), mac: mac("02:42:0a:00:00:77") });
    }
    for (const frame of seen)
      if (frame.direction === "out" && frame.bytes.length === 98) hops.push(ethernet.destination(frame.bytes, 0));
    expect(hops).toEqual([mac("02:42:0a:00:00:03"), mac("02:42:0a:00:00:03"), mac("02:42:0a:00:00:77")]);
    const redirects = seen.filter(
      (frame) => frame.direction === "in" && frame.bytes.length === 126 && icmp.type(frame.bytes, 34) === 5,
    );
    expect(redirects).toHaveLength(2);
    expect(socket.receive()).toMatchObject({ kind: "error", type: 5, code: 1, info: ip("10.0.0.77"), sequence: 1 });
    expect(icmp.gateway(redirects[0]!.bytes, 34)).toBe(ip("10.0.0.77"));
    expect(ipv4.timeToLive(redirects[0]!.bytes, 42)).toBe(63);
    expect(c1.ipv4.learnt()).toMatchObject([{ gateway: ip("10.0.0.77") }]);
  });
});

describe("neighbour states with short timers (case 50)", () => {
  it("go from INCOMPLETE over REACHABLE and STALE to DELAY, PROBE and FAILED", () => {
    const { world, c1, c2, eth1 } = twoHosts();
    for (const [key, value] of [
      ["base_reachable_time_ms", "1000"],
      ["delay_first_probe_time", "1"],
      ["retrans_time_ms", "500"],
    ])
      c1.sysctl.set(`net.ipv4.neigh.eth0.${key}`, value!);
    const sink = new UdpSocket(c2);
    sink.bind(ip("10.0.0.3"), 7);
    const seen = watch(world, eth1);
    const state = () => c1.neighbours.get(eth1, ip("10.0.0.3"))?.state;
    const socket = new UdpSocket(c1);
    const send = () => socket.sendTo(new Uint8Array(32), ip("10.0.0.3"), 7);
    send();
    expect(state()).toBe("INCOMPLETE");
    pass(world, 0.1);
    expect(state()).toBe("REACHABLE");
    pass(world, 2.4);
    expect(state()).toBe("STALE");
    send();
    expect(state()).toBe("DELAY");
    pass(world, 1.4);
    expect(state()).toBe("REACHABLE");
    pass(world, 1.9);
    c2.sysctl.set("net.ipv4.conf.eth0.arp_ignore", "8");
    pass(world, 0.7);
    send();
    pass(world, 1.3);
    expect(state()).toBe("PROBE");
    pass(world, 0.9);
    send();
    pass(world, 0.7);
    expect(state()).toBe("FAILED");
    pass(world, 2);
    expect(pattern(seen)).toEqual([
      "out broadcast 42",
      "in unicast 42",
      "out unicast 74",
      "out unicast 74",
      "out unicast 42",
      "in unicast 42",
      "out unicast 74",
      "out unicast 42",
      "out unicast 42",
      "out unicast 42",
      "out unicast 74",
    ]);
    const probes = seen.slice(7, 10).map((frame) => frame.timeNs / MILLISECOND);
    expect(probes[1]! - probes[0]!).toBeGreaterThan(500);
    expect(probes[1]! - probes[0]!).toBeLessThan(535);
    expect(world.frames.inFlight).toBe(0);
  });
});

function pattern(seen: readonly Seen[]): string[] {
  return seen.map(
    (frame) =>
      `${frame.direction} ${ethernet.isGroupDestination(frame.bytes, 0) ? "broadcast" : "unicast"} ${frame.bytes.length}`,
  );
}
