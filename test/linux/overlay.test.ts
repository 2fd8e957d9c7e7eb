import { describe, expect, it } from "vitest";
import { createBridge } from "../../src/linux/bridge.ts";
import type { NetworkNamespace } from "../../src/linux/namespace.ts";
import { UdpSocket } from "../../src/linux/udp-socket.ts";
import { createVxlan, Vxlan } from "../../src/linux/vxlan.ts";
import { World } from "../../src/linux/world.ts";
import { MILLISECOND, SECOND } from "../../src/sim/time.ts";
import type { Vni } from "../../src/wire/address.ts";
import { DEFAULT_ENTRY, ip, mac } from "./vxlan-network.ts";

/** Two nodes, each with br0, vxlan0 and one container behind a veth: case 06. */
function makeOverlay(overlayMtu = 1_450) {
  const world = new World({ seed: "overlay" });
  const [n1, n2, c1, c2] = ["n1", "n2", "c1", "c2"].map((name) => world.createNamespace(name)) as [
    NetworkNamespace,
    NetworkNamespace,
    NetworkNamespace,
    NetworkNamespace,
  ];
  const underlay = world.createLink("nic", { namespace: n1, name: "eth0" }, { namespace: n2, name: "eth0" });
  for (const device of [underlay.a, underlay.b]) device.setUp(true);
  n1.addAddress(underlay.a, { address: ip("192.168.56.11"), length: 24 });
  n2.addAddress(underlay.b, { address: ip("192.168.56.12"), length: 24 });
  const attach = (
    node: NetworkNamespace,
    container: NetworkNamespace,
    local: string,
    remote: string,
    inner: string,
  ) => {
    const bridge = createBridge(node, { name: "br0", mtu: overlayMtu });
    const made = createVxlan(node, node, {
      name: "vxlan0",
      vni: 100 as Vni,
      destinationPort: 4789,
      local: ip(local),
      mtu: overlayMtu,
    });
    if (!(made instanceof Vxlan)) throw new Error(made.message);
    made.fdb.add({ mac: DEFAULT_ENTRY, address: ip(remote) });
    const veth = world.createLink(
      "veth",
      { namespace: node, name: "v0", mtu: overlayMtu },
      { namespace: container, name: "eth0", mtu: overlayMtu, address: mac(`02:42:${inner}`) },
    );
    for (const device of [made.device, veth.a]) bridge.addPort(device);
    for (const device of [bridge.device, made.device, veth.a, veth.b]) device.setUp(true);
    return { bridge, vxlan: made, veth };
  };
  const one = attach(n1, c1, "192.168.56.11", "192.168.56.12", "0a:00:00:02");
  const two = attach(n2, c2, "192.168.56.12", "192.168.56.11", "0a:00:00:03");
  c1.addAddress(one.veth.b, { address: ip("10.0.0.2"), length: 24 });
  c2.addAddress(two.veth.b, { address: ip("10.0.0.3"), length: 24 });
  world.simulation.run(2 * SECOND); // ports of bridges begin to forward
  return { world, n1, n2, c1, c2, one, two, underlay };
}

describe("Two containers on two nodes", () => {
  it("talk through the tunnel in both directions; each node learns where the other's container is", () => {
    const { world, c1, c2, one, two } = makeOverlay();
    const client = new UdpSocket(c1);
    const server = new UdpSocket(c2);
    expect(server.bind(ip("10.0.0.3"), 7)).toBeUndefined();
    client.bind(ip("10.0.0.2"), 20_001);
    client.sendTo(Uint8Array.of(1, 2, 3), ip("10.0.0.3"), 7);
    world.simulation.run(world.simulation.nowNs + 100 * MILLISECOND);
    const request = server.receive();
    expect(request).toMatchObject({ source: ip("10.0.0.2"), sourcePort: 20_001, bytes: Uint8Array.of(1, 2, 3) });
    server.sendTo(Uint8Array.of(4), ip("10.0.0.2"), 20_001);
    world.simulation.run(world.simulation.nowNs + 100 * MILLISECOND);
    expect(client.receive()).toMatchObject({ source: ip("10.0.0.3"), bytes: Uint8Array.of(4) });
    const remotes = (vxlan: Vxlan) =>
      vxlan.fdb.list().map((entry) => [entry.mac as number, entry.remotes[0]!.address as number]);
    expect(remotes(one.vxlan)).toContainEqual([mac("02:42:0a:00:00:03"), ip("192.168.56.12")]);
    expect(remotes(two.vxlan)).toContainEqual([mac("02:42:0a:00:00:02"), ip("192.168.56.11")]);
    expect(world.frames.inFlight).toBe(0);
  });

  it("learn the underlay's MTU from the tunnel itself when their own is too large", () => {
    const { world, c1, c2 } = makeOverlay(1_500);
    const client = new UdpSocket(c1);
    const server = new UdpSocket(c2);
    server.bind(ip("10.0.0.3"), 7);
    client.bind(ip("10.0.0.2"), 20_001);
    const payload = new Uint8Array(1_472);
    client.sendTo(payload, ip("10.0.0.3"), 7); // DF set: the tunnel answers 3/4 in the name of 10.0.0.3
    world.simulation.run(world.simulation.nowNs + 100 * MILLISECOND);
    expect(world.frames.dropsByReason.get("vxlan-mtu-exceeded")).toBe(1);
    expect(server.receive()).not.toMatchObject({ bytes: payload });
    client.sendTo(payload, ip("10.0.0.3"), 7); // now in fragments that fit
    world.simulation.run(world.simulation.nowNs + 100 * MILLISECOND);
    expect(server.receive()).toMatchObject({ bytes: payload });
    expect(world.frames.inFlight).toBe(0);
  });

  it("lose what a cut or lossy underlay loses, and every frame is accounted for", () => {
    const { world, c1, c2, underlay } = makeOverlay();
    const client = new UdpSocket(c1);
    const server = new UdpSocket(c2);
    server.bind(ip("10.0.0.3"), 7);
    client.sendTo(Uint8Array.of(0), ip("10.0.0.3"), 7);
    world.simulation.run(world.simulation.nowNs + 100 * MILLISECOND);
    underlay.aToB.change({ loss: { kind: "random", partsPerMillion: 500_000 }, corruptPartsPerMillion: 200_000 });
    for (let index = 1; index <= 100; index++) {
      client.sendTo(Uint8Array.of(index), ip("10.0.0.3"), 7);
      world.simulation.run(world.simulation.nowNs + MILLISECOND);
    }
    world.simulation.run(world.simulation.nowNs + 10 * SECOND);
    let got = 0;
    for (let datagram = server.receive(); typeof datagram === "object"; datagram = server.receive()) got++;
    const lost = world.frames.dropsByReason.get("link-loss") ?? 0;
    expect(lost).toBeGreaterThan(30);
    expect(got).toBeGreaterThan(20);
    expect(got).toBeLessThan(101 - lost); // corrupted ones did not get through either
    expect(world.frames.inFlight).toBe(0);
  });
});
