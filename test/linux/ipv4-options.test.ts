import { describe, expect, it } from "vitest";
import { PacketSocket } from "../../src/linux/packet-socket.ts";
import { RawSocket } from "../../src/linux/raw-socket.ts";
import { getU32 } from "../../src/wire/bytes.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as icmp from "../../src/wire/icmp.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import { ip, pass, twoHosts, twoRouters, watch } from "./two-hosts.ts";

const DATA = new Uint8Array(8);

describe("IPv4 options", () => {
  it("record the route there and back, as ping -R shows it", () => {
    const { world, c1 } = twoRouters();
    const socket = new RawSocket(c1);
    const recordRoute = new Uint8Array(40);
    recordRoute.set([7, 39, 4]);
    socket.send(ip("10.0.3.2"), 1, DATA, { options: recordRoute });
    pass(world, 0.1);
    const reply = socket.receive();
    const route = Array.from(
      { length: 8 },
      (_, index) => reply?.kind === "reply" && getU32(reply.options, 3 + 4 * index),
    );
    expect(route).toEqual(
      ["10.0.1.2", "10.0.2.1", "10.0.3.1", "10.0.3.2", "10.0.3.2", "10.0.2.2", "10.0.1.1", "10.0.1.2"].map(ip),
    );
    expect(world.frames.inFlight).toBe(0);
  });

  it("take the time at every hop", () => {
    const { world, c1 } = twoRouters();
    pass(world, 5);
    const socket = new RawSocket(c1);
    const timestamps = new Uint8Array(40);
    timestamps.set([68, 36, 5, 0]);
    socket.send(ip("10.0.3.2"), 1, DATA, { options: timestamps });
    pass(world, 0.1);
    const reply = socket.receive();
    const times = Array.from(
      { length: 8 },
      (_, index) => reply?.kind === "reply" && getU32(reply.options, 4 + 4 * index),
    );
    expect(times).toEqual(Array(8).fill(5_000));
  });

  it.each([
    ["a source route is dropped in silence", [131, 7, 4, 10, 0, 0, 9, 0], undefined],
    ["an option that runs over the end draws a parameter problem", [7, 39, 4, 0], 20],
    ["a record route without an address's room draws one that points at its pointer", [7, 7, 6, 0, 0, 0, 0, 0], 22],
  ])("are checked: %s", (_, options, pointer) => {
    const { world, c1, eth1, eth2 } = twoHosts();
    new RawSocket(c1).send(ip("10.0.0.3"), 1, DATA);
    pass(world, 0.1);
    const seen = watch(world, eth1);
    const bytes = new Uint8Array(14 + 20 + options.length + 8);
    ethernet.write(bytes, 0, eth2.address, eth1.address, ethernet.ETHERTYPE_IPV4);
    ipv4.emit(
      {
        typeOfService: 0,
        totalLength: bytes.length - 14,
        identification: 1,
        dontFragment: false,
        moreFragments: false,
        fragmentOffsetBytes: 0,
        timeToLive: 64,
        protocol: 17,
        source: ip("10.0.0.2"),
        destination: ip("10.0.0.3"),
        options: Uint8Array.from(options),
      },
      bytes,
      14,
    );
    new PacketSocket(c1, eth1, undefined).send(bytes);
    pass(world, 0.1);
    expect(world.frames.dropsByReason.get("ipv4-options-invalid")).toBe(1);
    const answer = seen.find((frame) => frame.direction === "in");
    expect(answer === undefined ? undefined : [icmp.type(answer.bytes, 34), answer.bytes[38]]).toEqual(
      pointer === undefined ? undefined : [12, pointer],
    );
    expect(world.frames.inFlight).toBe(0);
  });

  it("are checked on the loopback device too, where a router would send the packet on", () => {
    const { world, r1 } = twoRouters();
    const options = [130, 0, 0, 0];
    const bytes = new Uint8Array(14 + 20 + options.length);
    ethernet.write(bytes, 0, r1.loopback.address, r1.loopback.address, ethernet.ETHERTYPE_IPV4);
    ipv4.emit(
      {
        typeOfService: 0,
        totalLength: bytes.length - 14,
        identification: 1,
        dontFragment: false,
        moreFragments: false,
        fragmentOffsetBytes: 0,
        timeToLive: 64,
        protocol: 17,
        source: ip("10.0.1.1"),
        destination: ip("10.0.3.2"),
        options: Uint8Array.from(options),
      },
      bytes,
      14,
    );
    new PacketSocket(r1, r1.loopback, undefined).send(bytes);
    pass(world, 0.1);
    expect(world.frames.dropsByReason.get("ipv4-options-invalid")).toBe(1);
    expect(world.frames.inFlight).toBe(0);
  });
});
