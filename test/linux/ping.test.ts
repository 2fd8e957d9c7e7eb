import { describe, expect, it } from "vitest";
import { RawSocket } from "../../src/linux/raw-socket.ts";
import { MILLISECOND } from "../../src/sim/time.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as icmp from "../../src/wire/icmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { ip, net, pass, twoHosts, twoRouters, watch } from "./two-hosts.ts";

const DATA = Uint8Array.from({ length: 56 }, (_, index) => index);

describe("ping between two namespaces", () => {
  it("asks by broadcast, is answered by unicast, and gets its reply", () => {
    const { world, c1, eth1 } = twoHosts();
    const seen = watch(world, eth1);
    const socket = new RawSocket(c1);
    expect(socket.send(ip("10.0.0.3"), 1, DATA)).toBe(64);
    pass(world, 0.1);
    const reply = socket.receive();
    expect(reply).toMatchObject({ kind: "reply", sequence: 1, timeToLive: 64, source: ip("10.0.0.3") });
    expect(reply?.kind === "reply" && [...reply.data]).toEqual([...DATA]);
    expect(seen.map((frame) => [frame.direction, frame.bytes.length])).toEqual([
      ["out", 42],
      ["in", 42],
      ["out", 98],
      ["in", 98],
    ]);
    expect(ethernet.isGroupDestination(seen[0]!.bytes, 0)).toBe(true);
    expect(ipv4.dontFragment(seen[2]!.bytes, 14)).toBe(true);
    expect(ipv4.dontFragment(seen[3]!.bytes, 14)).toBe(false);
    expect(world.frames.inFlight).toBe(0);
    expect(world.frames.dropped).toBe(0);
  });

  it("is probed by the answering side five seconds later, by unicast", () => {
    const { world, c1, c2, eth1, eth2 } = twoHosts();
    const seen = watch(world, eth1);
    new RawSocket(c1).send(ip("10.0.0.3"), 1, DATA);
    pass(world, 4.9);
    expect(seen).toHaveLength(4);
    expect(c2.neighbours.get(eth2, ip("10.0.0.2"))?.state).toBe("DELAY");
    pass(world, 1);
    expect(seen).toHaveLength(6);
    expect(ethernet.isGroupDestination(seen[4]!.bytes, 0)).toBe(false);
    expect(c2.neighbours.get(eth2, ip("10.0.0.2"))?.state).toBe("REACHABLE");
  });

  it("hears host unreachable from itself when nobody answers ARP three times", () => {
    const { world, c1, eth1 } = twoHosts();
    const seen = watch(world, eth1);
    const looped = watch(world, c1.loopback);
    const socket = new RawSocket(c1);
    for (const sequence of [1, 2, 3]) socket.send(ip("10.0.0.99"), sequence, DATA);
    pass(world, 5);
    expect(seen).toHaveLength(3);
    for (const gap of [1, 2]) {
      const betweenMs = (seen[gap]!.timeNs - seen[gap - 1]!.timeNs) / MILLISECOND;
      expect(betweenMs).toBeGreaterThan(1_000);
      expect(betweenMs).toBeLessThan(1_037);
    }
    const errors = [socket.receive(), socket.receive(), socket.receive()];
    expect(errors.map((error) => error?.sequence)).toEqual([1, 2, 3]);
    expect(errors[0]).toMatchObject({ kind: "error", type: 3, code: 1, source: ip("10.0.0.2") });
    const messages = looped.filter((frame) => frame.direction === "in");
    expect(messages.map((frame) => frame.bytes.length)).toEqual([126, 126, 126]);
    expect(ipv4.typeOfService(messages[0]!.bytes, 14)).toBe(0xc0);
    expect(world.frames.dropsByReason.get("neighbour-failed")).toBe(3);
    expect(world.frames.inFlight).toBe(0);
  });

  it("crosses routers, each of which takes one from its time to live", () => {
    const { world, c1 } = twoRouters();
    const socket = new RawSocket(c1);
    socket.send(ip("10.0.3.2"), 1, DATA);
    pass(world, 0.1);
    expect(socket.receive()).toMatchObject({ kind: "reply", timeToLive: 62 });
    socket.send(ip("10.0.3.2"), 2, DATA, { timeToLive: 1 });
    socket.send(ip("10.0.3.2"), 3, DATA, { timeToLive: 2 });
    pass(world, 0.1);
    expect(socket.receive()).toMatchObject({
      kind: "error",
      type: icmp.TYPE_TIME_EXCEEDED,
      source: ip("10.0.1.1"),
      sequence: 2,
    });
    expect(socket.receive()).toMatchObject({
      kind: "error",
      type: icmp.TYPE_TIME_EXCEEDED,
      source: ip("10.0.2.2"),
      sequence: 3,
    });
    expect(world.frames.inFlight).toBe(0);
  });

  it("reaches the host's own addresses across lo, and needs lo up for it", () => {
    const { world, c1 } = twoHosts();
    const looped = watch(world, c1.loopback);
    const socket = new RawSocket(c1);
    socket.send(ip("10.0.0.2"), 1, DATA);
    socket.send(ip("127.0.0.1"), 2, DATA);
    pass(world, 0.1);
    expect([socket.receive()?.sequence, socket.receive()?.sequence]).toEqual([1, 2]);
    expect(looped).toHaveLength(8);
    c1.loopback.setUp(false);
    socket.send(ip("10.0.0.2"), 3, DATA);
    pass(world, 0.1);
    expect(socket.receive()).toBeUndefined();
    expect(world.frames.dropsByReason.get("device-down")).toBe(1);
  });

  it("has no way without a route", () => {
    const { c1 } = twoHosts();
    expect(new RawSocket(c1).send(ip("192.0.2.1"), 1, DATA)).toBe("ENETUNREACH");
    c1.routes.add({ destination: net("192.0.2.0/24"), type: "unreachable" });
    expect(new RawSocket(c1).send(ip("192.0.2.1"), 1, DATA)).toBe("EHOSTUNREACH");
  });

  it("is fragmented beyond the MTU unless DF forbids it, and put together again", () => {
    const { world, c1, eth1 } = twoHosts();
    const seen = watch(world, eth1);
    const socket = new RawSocket(c1);
    const long = Uint8Array.from({ length: 3_000 }, (_, index) => index * 7);
    expect(socket.send(ip("10.0.0.3"), 1, long, { dontFragment: "do" })).toBe("EMSGSIZE");
    socket.send(ip("10.0.0.3"), 1, long, { dontFragment: "dont" });
    pass(world, 0.1);
    const reply = socket.receive();
    expect(reply?.kind === "reply" && [...reply.data]).toEqual([...long]);
    expect(seen.slice(2).map((frame) => frame.bytes.length)).toEqual([1514, 1514, 82, 1514, 1514, 82]);
    expect(world.frames.inFlight).toBe(0);
  });
});
