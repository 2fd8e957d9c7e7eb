import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EarlyDemux } from "../../src/linux/early-demux.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import { PacketSocket } from "../../src/linux/packet-socket.ts";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import { World } from "../../src/linux/world.ts";
import { MILLISECOND } from "../../src/sim/time.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";

const CLIENT = 0x0a00_0002 as Ipv4Address;
const SERVER = 0x0a00_0003 as Ipv4Address;
const PORT = 7;

interface Lab {
  readonly world: World;
  readonly one: NetworkNamespace;
  readonly other: NetworkNamespace;
  readonly near: NetDevice;
  readonly far: NetDevice;
  readonly client: UdpSocket;
  readonly server: UdpSocket;
}

function lab(): Lab {
  const world = new World({ seed: 1 });
  const one = world.createNamespace("one");
  const other = world.createNamespace("other");
  const { a, b } = world.createLink("veth", { namespace: one, name: "eth0" }, { namespace: other, name: "eth0" });
  one.addAddress(a, { address: CLIENT, length: 24 });
  other.addAddress(b, { address: SERVER, length: 24 });
  a.setUp(true);
  b.setUp(true);
  const server = new UdpSocket(other);
  server.bind(0 as Ipv4Address, PORT);
  const client = new UdpSocket(one);
  client.connect(SERVER, PORT);
  return { world, one, other, near: a, far: b, client, server };
}

/** Sends one datagram the way of traffic generators; what the server then has. */
function send(of: Lab, sizeBytes = 8): number {
  const { frames } = of.world;
  const frame = frames.make(sizeBytes);
  frames.bytes.fill(1, frames.start(frame), frames.end(frame));
  of.client.sendFrame(frame);
  of.world.simulation.run(of.world.simulation.nowNs + 50 * MILLISECOND);
  let received = 0;
  while (of.server.receive() !== undefined) received++;
  return received;
}

/** A lab whose flow has taken the long way often enough to know the short one. */
function established(): Lab {
  const made = lab();
  for (let count = 0; count < 3; count++) expect(send(made)).toBe(1);
  expect(made.far.shortcut).toBeInstanceOf(EarlyDemux);
  return made;
}

describe("The short way of an established UDP flow", () => {
  it("is taken: the namespace's protocols are not asked", () => {
    const made = established();
    made.far.stack = {
      receive: () => {
        throw new Error("the long way");
      },
    };
    expect(send(made)).toBe(1);
  });

  it("carries any payload that fits in a packet, and longer ones arrive as fragments", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_900 }), (sizeBytes) => {
        expect(send(established(), sizeBytes)).toBe(1);
      }),
    );
  });

  it("ends with the socket: the next datagram meets a closed port", () => {
    const made = established();
    made.server.close();
    send(made);
    expect(made.world.frames.dropsByReason.get("udp-no-socket")).toBe(1);
  });

  it("ends with the address", () => {
    const made = established();
    made.other.removeAddress(made.far, { address: SERVER, length: 24 });
    expect(send(made)).toBe(0);
  });

  it("ends with the sender's route", () => {
    const made = established();
    made.one.removeAddress(made.near, { address: CLIENT, length: 24 });
    expect(send(made)).toBe(0);
  });

  it("ends when a device goes down, at either end", () => {
    for (const end of ["near", "far"] as const) {
      const made = established();
      made[end].setUp(false);
      expect(send(made)).toBe(0);
    }
  });

  it("gives way to a firewall at once", () => {
    for (const end of ["one", "other"] as const) {
      const made = established();
      const points: string[] = [];
      made[end].ipv4.hooks = {
        run: (point, frame) => {
          points.push(point);
          return frame;
        },
      };
      expect(send(made)).toBe(1);
      expect(points).toEqual(end === "one" ? ["output", "postrouting"] : ["prerouting", "input"]);
    }
  });

  it("passes no packet socket and no raw socket by", () => {
    const made = established();
    const heard = new PacketSocket(made.other, made.far, undefined);
    let raw = 0;
    made.other.ipv4.addRawListener(17, { packet: () => raw++ });
    expect(send(made)).toBe(1);
    expect(send(made)).toBe(1);
    expect(heard.receive()).toBeDefined();
    expect(heard.receive()).toBeDefined();
    expect(raw).toBe(2);
  });

  it("is not taken behind a reverse path filter", () => {
    const made = established();
    made.other.sysctl.set("net.ipv4.conf.all.rp_filter", "1");
    let asked = 0;
    const { stack } = made.far;
    made.far.stack = {
      receive: (device, frame) => {
        asked++;
        stack.receive(device, frame);
      },
    };
    expect(send(made)).toBe(1);
    expect(send(made)).toBe(1);
    expect(asked).toBe(2);
  });

  it("yields to a newer socket that fits better", () => {
    const made = established();
    const better = new UdpSocket(made.other);
    better.reuseAddress = true;
    made.server.reuseAddress = true;
    expect(better.bind(SERVER, PORT)).toBeUndefined();
    expect(send(made)).toBe(0);
    expect(better.receive()).toBeDefined();
  });

  it("follows a smaller MTU with the very next datagram", () => {
    const made = established();
    made.near.setMtu(600);
    expect(send(made, 1_000)).toBe(1);
    expect(made.far.rxPackets).toBeGreaterThan(5);
  });
});
