import { describe, expect, it } from "vitest";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import * as icmp from "../../src/wire/icmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { ip, pass, twoHosts, twoRouters, watch } from "./two-hosts.ts";

const HELLO = new TextEncoder().encode("hello");
const ANY = ip("0.0.0.0");

describe("a UDP socket", () => {
  it("sends and receives, and an answer finds its way back", () => {
    const { world, c1, c2 } = twoHosts();
    const server = new UdpSocket(c2);
    expect(server.bind(ANY, 7)).toBeUndefined();
    const client = new UdpSocket(c1);
    expect(client.sendTo(HELLO, ip("10.0.0.3"), 7)).toBe(5);
    expect(client.localPort).toBeGreaterThanOrEqual(32_768);
    pass(world, 0.1);
    const asked = server.receive();
    expect(asked).toMatchObject({ source: ip("10.0.0.2"), sourcePort: client.localPort, bytes: HELLO, timeToLive: 64 });
    server.sendTo(HELLO, ip("10.0.0.2"), client.localPort);
    pass(world, 0.1);
    expect(client.receive()).toMatchObject({ source: ip("10.0.0.3"), sourcePort: 7 });
    expect(client.receive()).toBeUndefined();
    expect(world.frames.inFlight).toBe(0);
  });

  it("hears a closed port when it is connected, and nothing when it is not", () => {
    const { world, c1, eth1 } = twoHosts();
    const seen = watch(world, eth1);
    const connected = new UdpSocket(c1);
    connected.connect(ip("10.0.0.3"), 9);
    connected.sendTo(new Uint8Array(1_000));
    const free = new UdpSocket(c1);
    free.sendTo(HELLO, ip("10.0.0.3"), 9);
    pass(world, 0.1);
    expect(connected.receive()).toBe("ECONNREFUSED");
    expect(connected.receive()).toBeUndefined();
    expect(free.receive()).toBeUndefined();
    const error = seen.filter((frame) => frame.direction === "in")[1]!.bytes;
    expect(error.length).toBe(14 + 576);
    expect(icmp.type(error, 34)).toBe(3);
    expect(icmp.code(error, 34)).toBe(3);
    expect(ipv4.typeOfService(error, 14)).toBe(0xc0);
    expect(ipv4.identification(error, 14)).not.toBe(0);
    expect(world.frames.dropsByReason.get("udp-no-socket")).toBe(2);
  });

  it("keeps errors for a program that asks for them, as traceroute does", () => {
    const { world, c1 } = twoRouters();
    const socket = new UdpSocket(c1);
    socket.receiveErrors = true;
    const offenders = [1, 2, 3].map((ttl) => {
      socket.ttl = ttl;
      socket.sendTo(HELLO, ip("10.0.3.2"), 33_433 + ttl);
      pass(world, 0.1);
      const error = socket.nextError();
      socket.takeError();
      return [error?.offender, error?.type, error?.destinationPort];
    });
    expect(offenders).toEqual([
      [ip("10.0.1.1"), 11, 33_434],
      [ip("10.0.2.2"), 11, 33_435],
      [ip("10.0.3.2"), 3, 33_436],
    ]);
  });

  it("refuses what the system call refuses", () => {
    const { c1, c2 } = twoHosts();
    const socket = new UdpSocket(c1);
    expect(socket.sendTo(HELLO)).toBe("EDESTADDRREQ");
    expect(socket.sendTo(HELLO, ip("192.0.2.1"), 9)).toBe("ENETUNREACH");
    expect(socket.sendTo(HELLO, ip("10.0.0.255"), 9)).toBe("EACCES");
    expect(socket.sendTo(new Uint8Array(65_508), ip("10.0.0.3"), 9)).toBe("EMSGSIZE");
    expect(socket.bind(ip("10.0.0.9"), 9)).toBe("EADDRNOTAVAIL");
    expect(socket.bind(ip("10.0.0.2"), 9)).toBeUndefined();
    expect(new UdpSocket(c1).bind(ANY, 9)).toBe("EADDRINUSE");
    expect(new UdpSocket(c2).bind(ANY, 9)).toBeUndefined();
    socket.close();
    expect(new UdpSocket(c1).bind(ANY, 9)).toBeUndefined();
    expect(socket.sendTo(HELLO, ip("10.0.0.3"), 9)).toBe("EBADF");
  });

  it("is heard by everybody on the link, itself included, when it broadcasts", () => {
    const { world, c1, c2 } = twoHosts();
    const sockets = [c1, c2, c2].map((host, index) => {
      const socket = new UdpSocket(host);
      socket.reuseAddress = index > 0;
      socket.bind(ANY, 5_000);
      return socket;
    });
    sockets[0]!.broadcast = true;
    expect(sockets[0]!.sendTo(HELLO, ip("10.0.0.255"), 5_000)).toBe(5);
    pass(world, 0.1);
    expect(sockets.map((socket) => typeof socket.receive())).toEqual(["object", "object", "object"]);
    expect(world.frames.inFlight).toBe(0);
  });

  it("hears a group that its host has joined, and no other", () => {
    const { world, c1, c2, eth2, eth1 } = twoHosts();
    const socket = new UdpSocket(c2);
    socket.bind(ANY, 5_000);
    expect(socket.joinGroup(ip("239.1.1.1"), eth2)).toBeUndefined();
    const sender = new UdpSocket(c1);
    sender.multicastDevice = eth1;
    sender.sendTo(HELLO, ip("239.1.1.1"), 5_000);
    sender.sendTo(HELLO, ip("239.1.1.2"), 5_000);
    pass(world, 3);
    expect(socket.receive()).toMatchObject({ destination: ip("239.1.1.1"), timeToLive: 1 });
    expect(socket.receive()).toBeUndefined();
    expect(world.frames.inFlight).toBe(0);
  });

  it("drops what its receive buffer does not hold", () => {
    const { world, c1, c2 } = twoHosts();
    const server = new UdpSocket(c2);
    server.bind(ANY, 7);
    server.receiveBufferBytes = 3 * 768;
    const client = new UdpSocket(c1);
    for (let count = 0; count < 5; count++) client.sendTo(HELLO, ip("10.0.0.3"), 7);
    pass(world, 0.1);
    expect(server.dropped).toBe(2);
    expect(world.frames.dropsByReason.get("socket-buffer-full")).toBe(2);
    for (let count = 0; count < 3; count++) expect(server.receive()).toBeTypeOf("object");
    expect(server.queuedBytes).toBe(0);
  });

  it("sends frames without copies, and a sink takes them", () => {
    const { world, c1, c2 } = twoHosts();
    let bytes = 0;
    const server = new UdpSocket(c2);
    server.bind(ANY, 7);
    server.sink = { datagram: (_frame, at, end) => (bytes += end - at) };
    const client = new UdpSocket(c1);
    client.connect(ip("10.0.0.3"), 7);
    for (let count = 0; count < 50; count++) {
      const frame = world.frames.make(64);
      expect(client.sendFrame(frame)).toBe(true);
    }
    pass(world, 0.1);
    expect(bytes).toBe(50 * 64);
    expect(world.frames.inFlight).toBe(0);
  });

  it("learns a smaller path MTU, cuts to it from then on, and forgets it after ten minutes", () => {
    const { world, c1, c2, middle } = twoRouters();
    for (const device of [middle.a, middle.b]) device.setMtu(1_400);
    const server = new UdpSocket(c2);
    server.bind(ANY, 7);
    const client = new UdpSocket(c1);
    client.dontFragment = "do";
    client.connect(ip("10.0.3.2"), 7);
    expect(client.sendTo(new Uint8Array(1_400))).toBe(1_400);
    pass(world, 0.1);
    expect(client.receive()).toBe("EMSGSIZE");
    expect(client.sendTo(new Uint8Array(1_400))).toBe("EMSGSIZE");
    expect(c1.ipv4.learnt()).toMatchObject([{ destination: ip("10.0.3.2"), mtu: 1_400 }]);
    client.dontFragment = "want";
    expect(client.sendTo(new Uint8Array(1_400))).toBe(1_400);
    pass(world, 0.1);
    expect(server.receive()).toMatchObject({ source: ip("10.0.1.2") });
    pass(world, 601);
    expect(c1.ipv4.learnt()).toEqual([]);
    client.dontFragment = "do";
    expect(client.sendTo(new Uint8Array(1_400))).toBe(1_400);
  });
});
