import { describe, expect, it } from "vitest";
import { isRefusal } from "../../../src/docker/refusal.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import type { Vni } from "../../../src/wire/address.ts";
import { watch } from "../../linux/two-hosts.ts";
import { ENCNET, ip, net, OverlayLab, TESTNET } from "./overlay-lab.ts";

/** Lines, without blanks at their ends, in one order. */
function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .sort();
}

/** node1 of the recorded case 02: load balancer, rr.2, c1 and web.2 in the order of joining, and what the others have. */
function recorded(): OverlayLab {
  const lab = new OverlayLab({ count: 3, driver: { release: "20.10" } });
  for (const address of ["10.0.1.8", "10.0.1.10", "10.0.1.11", "10.0.1.5"]) lab.join(0, address);
  for (const address of ["10.0.1.6", "10.0.1.9", "10.0.1.3", "10.0.1.12"]) lab.join(1, address);
  for (const address of ["10.0.1.7", "10.0.1.4"]) lab.join(2, address);
  lab.pass(2);
  return lab;
}

describe("An overlay network on a node", () => {
  it("has the namespace, devices and addresses that were recorded", () => {
    const lab = recorded();
    const inside = lab.inside(0);
    expect(inside.name).toBe("node1/1-say6mhukvy");
    expect([...lab.nodes[0]!.named]).toEqual([["1-say6mhukvy", inside]]);
    const links = lab.run(inside, "ip -d link");
    const first = (name: string) => links.split("\n").find((line) => line.includes(` ${name}`)) ?? "";
    expect(first("br0:")).toMatch(
      /^2: br0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP mode DEFAULT group default/,
    );
    expect(first("vxlan0")).toMatch(
      /: vxlan0@if\d+: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master br0 state UNKNOWN mode DEFAULT group default/,
    );
    // Indices are the node's: two for each veth, the inner end's first.
    const of = (name: string) => inside.device(name)!.index;
    const vxlan = of("vxlan0");
    expect(["veth0", "veth1", "veth2", "veth3"].map((name) => of(name) - vxlan)).toEqual([2, 4, 6, 8]);
    expect(first("veth0")).toContain(
      `${vxlan + 2}: veth0@if${vxlan + 1}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master br0 state UP`,
    );
    // Numbers of namespaces: the node's is 0 in here, and the containers' follow in the order in which they joined.
    expect(first("vxlan0")).toContain(`${vxlan}: vxlan0@if${vxlan}: `);
    const numbers = [...links.matchAll(/ (\w+)@if.*\n.* link-netnsid (\d+)/g)].map(
      ([, name, number]) => `${name} ${number}`,
    );
    expect(numbers).toEqual(["vxlan0 0", "veth0 1", "veth1 2", "veth2 3", "veth3 4"]);
    expect(links).toContain(
      "vxlan id 4097 srcport 0 0 dstport 4789 proxy l2miss l3miss ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx",
    );
    expect(links).toContain("bridge forward_delay 1500 hello_time 200 max_age 2000 ageing_time 30000 stp_state 0");
    expect(links).toMatch(/bridge_slave state forwarding priority 32 cost 100 .* port_id 0x8001 port_no 0x1 /);
    expect(links).toMatch(/bridge_slave state forwarding priority 32 cost 2 .* port_id 0x8005 port_no 0x5 /);
    const addresses = lab.run(inside, "ip addr");
    expect(addresses).toContain("    inet 10.0.1.1/24 brd 10.0.1.255 scope global br0\n");
    expect(lines(lab.run(inside, "ip route"))).toEqual(["10.0.1.0/24 dev br0 proto kernel scope link src 10.0.1.1"]);
  });

  it("knows the others' endpoints as was recorded: neighbours, and VTEPs of MAC addresses", () => {
    const lab = recorded();
    const inside = lab.inside(0);
    expect(lines(lab.run(inside, "ip neigh"))).toEqual([
      "10.0.1.12 dev vxlan0 lladdr 02:42:0a:00:01:0c PERMANENT",
      "10.0.1.3 dev vxlan0 lladdr 02:42:0a:00:01:03 PERMANENT",
      "10.0.1.4 dev vxlan0 lladdr 02:42:0a:00:01:04 PERMANENT",
      "10.0.1.6 dev vxlan0 lladdr 02:42:0a:00:01:06 PERMANENT",
      "10.0.1.7 dev vxlan0 lladdr 02:42:0a:00:01:07 PERMANENT",
      "10.0.1.9 dev vxlan0 lladdr 02:42:0a:00:01:09 PERMANENT",
    ]);
    const forwarding = lines(lab.run(inside, "bridge fdb show"));
    expect(forwarding.filter((line) => line.includes(" dst "))).toEqual(
      [
        ["02:42:0a:00:01:03", "192.168.50.12"],
        ["02:42:0a:00:01:04", "192.168.50.13"],
        ["02:42:0a:00:01:06", "192.168.50.12"],
        ["02:42:0a:00:01:07", "192.168.50.13"],
        ["02:42:0a:00:01:09", "192.168.50.12"],
        ["02:42:0a:00:01:0c", "192.168.50.12"],
      ].map(([mac, vtep]) => `${mac} dev vxlan0 dst ${vtep} link-netnsid 0 self permanent`),
    );
    // What the kernel has there by itself.
    for (const port of ["vxlan0", "veth0", "veth1", "veth2", "veth3"])
      expect(forwarding).toContainEqual(expect.stringMatching(`dev ${port} master br0 permanent$`));
  });

  it("gives a container an interface with its MAC address from the address, MTU 1450 and no route but the network's", () => {
    const lab = new OverlayLab();
    const { namespace, endpoint } = lab.join(0, "10.0.1.11");
    expect(lab.run(namespace, "ip addr show eth0")).toMatch(
      /eth0@if\d+: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default qlen 1000\n {4}link\/ether 02:42:0a:00:01:0b brd ff:ff:ff:ff:ff:ff .*\n {4}inet 10.0.1.11\/24 .*scope global eth0\n/,
    );
    expect(lines(lab.run(namespace, "ip route"))).toEqual([
      "10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.11",
    ]);
    expect(endpoint.bridgeDevice?.name).toBe("veth0");
  });

  it("lets containers of two nodes talk without a single ARP frame on the underlay", () => {
    const lab = new OverlayLab();
    const [a, b] = [lab.join(0, "10.0.1.11"), lab.join(1, "10.0.1.12")];
    lab.pass(2);
    const seen = watch(lab.world, lab.nodes[0]!.namespace.device("eth0")!);
    expect(lab.run(a.namespace, "ping -c 2 10.0.1.12")).toContain("2 packets transmitted, 2 received, 0% packet loss");
    expect(lab.run(b.namespace, "ip neigh")).toContain("10.0.1.11 dev eth0 lladdr 02:42:0a:00:01:0b");
    expect(lab.run(a.namespace, "ping -c 1 10.0.1.1")).toContain("1 received"); // the gateway is everywhere
    // Each node's bridge has learnt the other's container at the tunnel.
    expect(lab.run(lab.inside(0), "bridge fdb show")).toMatch(/02:42:0a:00:01:0c dev vxlan0 master br0 *\n/);
    // Inner frames: IPv4 to single hosts, nothing else; the outer ones have TTL 64, no DF and a checksum.
    const tunnelled = seen.map(({ bytes }) => bytes).filter((bytes) => bytes[12] === 8 && bytes[23] === 17);
    expect(tunnelled.length).toBe(4);
    for (const bytes of tunnelled) {
      expect([bytes[50]! & 1, bytes[62], bytes[63]]).toEqual([0, 8, 0]);
      expect([bytes[20]! & 0x40, bytes[22], bytes.length]).toEqual([0, 64, 148]);
      expect((bytes[40]! << 8) | bytes[41]!).not.toBe(0);
    }
  });

  it("says nothing about addresses that nobody has: three requests, then no route", () => {
    const lab = new OverlayLab();
    const a = lab.join(0, "10.0.1.11");
    lab.join(1, "10.0.1.12");
    lab.pass(2);
    const before = lab.nodes[0]!.namespace.device("eth0")!.counters.txPackets;
    const consumed = lab.world.frames.dropsByReason.get("vxlan-arp-consumed") ?? 0;
    expect(lab.run(a.namespace, "ping -c 1 10.0.1.99")).toContain("Destination Host Unreachable");
    expect((lab.world.frames.dropsByReason.get("vxlan-arp-consumed") ?? 0) - consumed).toBe(3);
    expect(lab.nodes[0]!.namespace.device("eth0")!.counters.txPackets).toBe(before);
  });

  it("drops what comes from a VTEP other than the one that was told", () => {
    const lab = new OverlayLab();
    const [a, b] = [lab.join(0, "10.0.1.11"), lab.join(1, "10.0.1.12")];
    lab.pass(2);
    // node2's packets leave with another address than the one it advertises.
    const node2 = lab.nodes[1]!.namespace;
    lab.run(node2, "ip addr add 192.168.50.99/24 dev eth0");
    lab.run(node2, "ip route replace 192.168.50.0/24 dev eth0 src 192.168.50.99");
    const server = new UdpSocket(a.namespace);
    server.bind(ip("10.0.1.11"), 7);
    const client = new UdpSocket(b.namespace);
    client.sendTo(Uint8Array.of(1), ip("10.0.1.11"), 7);
    lab.pass(2);
    expect(server.receive()).toBeUndefined();
    expect(lab.world.frames.dropsByReason.get("vxlan-fixed-entry")).toBe(1);
  });

  it("goes with its last endpoint, comes again under the next number, and leaves no frame, socket or device", () => {
    const lab = new OverlayLab();
    const node = lab.nodes[0]!;
    const devices = node.namespace.devices.length;
    const [a, b] = [lab.join(0, "10.0.1.11"), lab.join(0, "10.0.1.12")];
    lab.pass(2);
    lab.leave(a);
    expect([...node.named.keys()]).toEqual(["1-say6mhukvy"]);
    lab.leave(b);
    expect([...node.named.keys()]).toEqual([]);
    expect(lab.world.namespaces.has("node1/1-say6mhukvy")).toBe(false);
    expect(node.namespace.devices.length).toBe(devices);
    expect(b.namespace.devices.map(({ name }) => name)).toEqual(["lo"]);
    expect(new UdpSocket(node.namespace).bind(ip("0.0.0.0"), 4_789)).toBeUndefined();
    lab.join(1, "10.0.1.20");
    node.network.peers.notify("x", undefined, {
      address: net("10.0.1.9/24"),
      mac: 0x0242 as never,
      vtep: ip("192.168.50.12"),
    });
    lab.join(0, "10.0.1.13");
    expect([...node.named.keys()]).toEqual(["2-say6mhukvy"]);
    expect(lab.run(lab.inside(0), "ip neigh")).toContain("10.0.1.20 dev vxlan0");
    lab.pass(1);
    expect(lab.world.frames.inFlight).toBe(0);
  });

  it("names ports by the lowest free number, in 20.10 by a counter", () => {
    for (const [release, names] of [
      ["current", ["veth0", "veth1"]],
      ["20.10", ["veth1", "veth2"]],
    ] as const) {
      const lab = new OverlayLab({ count: 1, driver: { release } });
      const first = lab.join(0, "10.0.1.3");
      lab.join(0, "10.0.1.4");
      lab.leave(first);
      lab.join(0, "10.0.1.5");
      expect(
        lab
          .inside(0)
          .devices.map(({ name }) => name)
          .filter((name) => name.startsWith("veth"))
          .sort(),
      ).toEqual(names);
    }
  });

  it("has a bridge and a tunnel for each subnet, and containers reach the other subnets through the gateway", () => {
    const spec = {
      ...TESTNET,
      subnets: [...TESTNET.subnets, { subnet: net("10.0.9.0/24"), gateway: ip("10.0.9.1"), vni: 4_100 as Vni }],
    };
    const lab = new OverlayLab({ spec });
    for (const { namespace } of lab.nodes) namespace.sysctl.set("net.ipv4.ip_forward", "1");
    const a = lab.join(0, "10.0.1.11");
    const b = lab.join(1, "10.0.9.12");
    lab.pass(2);
    expect(lab.run(a.namespace, "ip route")).toContain("10.0.9.0/24 via 10.0.1.1 dev eth0");
    expect(lab.inside(0).devices.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["br0", "vxlan0", "br1", "vxlan1"]),
    );
    expect(lab.run(a.namespace, "ping -c 1 10.0.9.12")).toContain("1 received");
    expect(lab.run(b.namespace, "ping -c 1 10.0.1.11")).toContain("1 received");
  });

  it("raises the limits of the node's neighbour table, and never lowers them", () => {
    const lab = new OverlayLab({ count: 1 });
    lab.join(0, "10.0.1.3");
    for (const where of [lab.nodes[0]!.namespace, lab.inside(0)])
      expect([1, 2, 3].map((which) => where.sysctl.number(`net.ipv4.neigh.default.gc_thresh${which}`))).toEqual([
        8_192, 49_152, 65_536,
      ]);
  });

  it("refuses what Docker refuses, in its words", () => {
    const lab = new OverlayLab({ count: 1, spec: ENCNET });
    expect(() => lab.join(0, "10.0.2.2")).toThrow("cannot join secure network: encryption keys not present");
    const other = lab.nodes[0]!.network.createEndpoint({ name: "x", address: ip("10.0.3.2") });
    expect(isRefusal(other) && other.message).toBe(
      'no matching subnet for IP "10.0.3.2" in network "rj3f1ruz6jx0xe6s6x9robuc5"',
    );
    const plain = new OverlayLab({ count: 1 });
    plain.run(plain.nodes[0]!.namespace, "ip link add vxlan9 type vxlan id 4097 dstport 4789");
    expect(() => plain.join(0, "10.0.1.2")).toThrow(
      'network sandbox join failed: subnet sandbox join failed for "10.0.1.0/24": error creating vxlan interface: file exists',
    );
    expect([...plain.nodes[0]!.named.keys()]).toEqual([]);
  });
});

describe("The MTU of an overlay", () => {
  it.each([
    [undefined, undefined, 1_450],
    ["1400", undefined, 1_350],
    [undefined, "", 1_424],
    ["1400", "false", 1_324],
    ["9000", undefined, 8_950],
  ])("with driver.mtu %s and encrypted %j is %i, whatever the underlay's", (mtu, encrypted, expected) => {
    const options = new Map<string, string>();
    if (mtu !== undefined) options.set("com.docker.network.driver.mtu", mtu);
    if (encrypted !== undefined) options.set("encrypted", encrypted);
    const lab = new OverlayLab({ count: 1, spec: { ...TESTNET, options }, mtu: 1_300 });
    expect(lab.nodes[0]!.network.mtu).toBe(expected);
  });

  it.each([
    ["big", 'failed to parse big: strconv.Atoi: parsing "big": invalid syntax'],
    ["-1", "invalid MTU value: -1"],
  ])("with driver.mtu %s lets nobody in", (mtu, words) => {
    const options = new Map([["com.docker.network.driver.mtu", mtu]]);
    const lab = new OverlayLab({ count: 1, spec: { ...TESTNET, options } });
    expect(() => lab.join(0, "10.0.1.3")).toThrow(words);
  });
});
