/** Small networks for tests: hosts joined by veth pairs, and what their interfaces saw. */

import type { FrameId } from "../../src/linux/frame-store.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import { World } from "../../src/linux/world.ts";
import { assert } from "../../src/sim/assert.ts";
import { SECOND } from "../../src/sim/time.ts";
import {
  type Ipv4Address,
  type MacAddress,
  type Prefix,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../../src/wire/address.ts";

export function ip(text: string): Ipv4Address {
  const address = parseIpv4(text);
  assert(address !== undefined, `no address: ${text}`);
  return address;
}

export function mac(text: string): MacAddress {
  const address = parseMac(text);
  assert(address !== undefined, `no MAC address: ${text}`);
  return address;
}

export function net(text: string): Prefix {
  const prefix = parsePrefix(text);
  assert(prefix !== undefined, `no prefix: ${text}`);
  return prefix;
}

/** What a device's capture point saw: time, direction, bytes. */
export interface Seen {
  readonly timeNs: number;
  readonly direction: "in" | "out";
  readonly bytes: Uint8Array;
}

export function watch(world: World, device: NetDevice): Seen[] {
  const seen: Seen[] = [];
  device.tap = {
    frame(frame: FrameId, direction: "in" | "out") {
      const start = world.frames.start(frame);
      seen.push({
        timeNs: world.simulation.nowNs,
        direction,
        bytes: world.frames.bytes.slice(start, world.frames.end(frame)),
      });
    },
  };
  return seen;
}

/** c1 (10.0.0.2) and c2 (10.0.0.3) on one wire, everything up. */
export function twoHosts(seed: string | number = 1) {
  const world = new World({ seed });
  const c1 = world.createNamespace("c1");
  const c2 = world.createNamespace("c2");
  const link = world.createLink(
    "veth",
    { namespace: c1, name: "eth0", address: mac("02:42:0a:00:00:02") },
    { namespace: c2, name: "eth0", address: mac("02:42:0a:00:00:03") },
  );
  c1.loopback.setUp(true);
  c2.loopback.setUp(true);
  c1.addAddress(link.a, net("10.0.0.2/24"));
  c2.addAddress(link.b, net("10.0.0.3/24"));
  link.a.setUp(true);
  link.b.setUp(true);
  return { world, c1, c2, eth1: link.a, eth2: link.b, link };
}

/** c1 (10.0.1.2) - r1 - r2 - c2 (10.0.3.2); the routers are 10.0.1.1, 10.0.2.1 and 10.0.2.2, 10.0.3.1. */
export function twoRouters(seed: string | number = 1) {
  const world = new World({ seed });
  const [c1, r1, r2, c2] = ["c1", "r1", "r2", "c2"].map((name) => world.createNamespace(name)) as [
    NetworkNamespace,
    NetworkNamespace,
    NetworkNamespace,
    NetworkNamespace,
  ];
  for (const router of [r1, r2]) router.sysctl.set("net.ipv4.ip_forward", "1");
  const join = (
    a: NetworkNamespace,
    aName: string,
    aAddress: string,
    b: NetworkNamespace,
    bName: string,
    bAddress: string,
  ) => {
    const link = world.createLink("veth", { namespace: a, name: aName }, { namespace: b, name: bName });
    a.addAddress(link.a, net(aAddress));
    b.addAddress(link.b, net(bAddress));
    link.a.setUp(true);
    link.b.setUp(true);
    return link;
  };
  const first = join(c1, "eth0", "10.0.1.2/24", r1, "eth0", "10.0.1.1/24");
  const middle = join(r1, "eth1", "10.0.2.1/24", r2, "eth0", "10.0.2.2/24");
  const last = join(r2, "eth1", "10.0.3.1/24", c2, "eth0", "10.0.3.2/24");
  for (const host of [c1, r1, r2, c2]) host.loopback.setUp(true);
  const route = (host: NetworkNamespace, to: string, via: string) =>
    host.routes.add({ destination: net(to), gateway: ip(via) });
  route(c1, "0.0.0.0/0", "10.0.1.1");
  route(r1, "10.0.3.0/24", "10.0.2.2");
  route(r2, "10.0.1.0/24", "10.0.2.1");
  route(c2, "0.0.0.0/0", "10.0.3.1");
  return { world, c1, r1, r2, c2, first, middle, last };
}

/** Runs for so many more seconds. */
export function pass(world: World, seconds: number): void {
  world.simulation.run(world.simulation.nowNs + Math.round(seconds * SECOND));
}
