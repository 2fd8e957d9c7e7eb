import { describe, expect, it } from "vitest";
import type { NetworkNamespace } from "../../../src/linux/namespace.ts";
import { netfilterOf } from "../../../src/linux/netfilter/attach.ts";
import { formatConnection } from "../../../src/linux/netfilter/conntrack/format.ts";
import { RawSocket } from "../../../src/linux/raw-socket.ts";
import { UdpSocket } from "../../../src/linux/udp-socket.ts";
import { formatIpv4, IPV4_ANY } from "../../../src/wire/address.ts";
import { makeMemory } from "../../../src/wire/checksum.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import * as udp from "../../../src/wire/udp.ts";
import { ip, pass, type Seen, watch } from "../two-hosts.ts";
import { gateway, rules } from "./lab.ts";

function socketOn(namespace: NetworkNamespace, port: number): UdpSocket {
  const socket = new UdpSocket(namespace);
  expect(socket.bind(IPV4_ANY, port)).toBeUndefined();
  return socket;
}

function connections(namespace: NetworkNamespace): string[] {
  const { connections: table } = netfilterOf(namespace);
  const nowNs = namespace.clock.nowNs;
  return table.rows(nowNs).map((row) => formatConnection(table, row, nowNs));
}

/** `a:1 > b:2` of every UDP packet, whose checksums hold. */
function udpFlows(seen: readonly Seen[]): string[] {
  return seen.flatMap(({ bytes }) => {
    const memory = makeMemory(bytes.length);
    memory.bytes.set(bytes);
    if (bytes[12] !== 8 || bytes[13] !== 0 || ipv4.protocol(memory.bytes, 14) !== 17) return [];
    expect(ipv4.checksumOk(memory, 14)).toBe(true);
    const source = ipv4.source(memory.bytes, 14);
    const destination = ipv4.destination(memory.bytes, 14);
    expect(udp.checksumOk(memory, 34, source, destination)).toBe(true);
    return [
      `${formatIpv4(source)}:${udp.sourcePort(memory.bytes, 34)} > ${formatIpv4(destination)}:${udp.destinationPort(memory.bytes, 34)}`,
    ];
  });
}

const MASQUERADE = "-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE";
const TEXT = new TextEncoder().encode("hello");

describe("Address translation (nf_nat)", () => {
  it("masquerades a client's datagram, keeps its port, and brings the answer back", () => {
    const { world, inside, middle, outside, far } = gateway();
    rules(middle, MASQUERADE);
    const wire = watch(world, far.b);
    const client = socketOn(inside, 20_002);
    const server = socketOn(outside, 9_999);
    client.sendTo(TEXT, ip("192.0.2.100"), 9_999);
    pass(world, 0.1);
    const question = server.receive();
    expect(question).toMatchObject({ source: ip("192.0.2.1"), sourcePort: 20_002 });
    server.sendTo(TEXT, ip("192.0.2.1"), 20_002);
    pass(world, 0.1);
    expect(client.receive()).toMatchObject({ source: ip("192.0.2.100"), sourcePort: 9_999 });
    expect(udpFlows(wire)).toEqual(["192.0.2.1:20002 > 192.0.2.100:9999", "192.0.2.100:9999 > 192.0.2.1:20002"]);
    expect(connections(middle)).toEqual([
      "udp      17 29 src=172.17.0.2 dst=192.0.2.100 sport=20002 dport=9999 src=192.0.2.100 dst=192.0.2.1 sport=9999 dport=20002 mark=0 use=1",
    ]);
    expect(world.frames.inFlight).toBe(0);
  });

  it("publishes a port by DNAT and answers from the published address", () => {
    const { world, inside, middle, outside, far } = gateway();
    rules(
      middle,
      "-t nat -N DOCKER",
      "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
      "-t nat -A DOCKER ! -i docker0 -p udp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
    );
    const wire = watch(world, far.b);
    const server = socketOn(inside, 80);
    const client = socketOn(outside, 20_001);
    client.sendTo(TEXT, ip("192.0.2.1"), 8_080);
    pass(world, 0.1);
    expect(server.receive()).toMatchObject({ source: ip("192.0.2.100"), sourcePort: 20_001 });
    server.sendTo(TEXT, ip("192.0.2.100"), 20_001);
    pass(world, 0.1);
    expect(client.receive()).toMatchObject({ source: ip("192.0.2.1"), sourcePort: 8_080 });
    expect(udpFlows(wire)).toEqual(["192.0.2.100:20001 > 192.0.2.1:8080", "192.0.2.1:8080 > 192.0.2.100:20001"]);
  });

  it("keeps ICMP ids of echo requests and translates replies", () => {
    const { world, inside, middle } = gateway();
    rules(middle, MASQUERADE);
    const socket = new RawSocket(inside);
    socket.send(ip("192.0.2.100"), 1, TEXT);
    pass(world, 0.1);
    expect(socket.receive()).toMatchObject({ kind: "reply", source: ip("192.0.2.100") });
    expect(connections(middle)[0]).toMatch(
      /^icmp {5}1 29 src=172\.17\.0\.2 dst=192\.0\.2\.100 type=8 code=0 id=(\d+) src=192\.0\.2\.100 dst=192\.0\.2\.1 type=0 code=0 id=\1 mark=0 use=1$/,
    );
  });

  it("translates an ICMP error and the packet that it quotes", () => {
    const { world, inside, middle } = gateway();
    rules(middle, MASQUERADE);
    const client = socketOn(inside, 20_002);
    client.connect(ip("192.0.2.100"), 9_999);
    client.sendTo(TEXT);
    pass(world, 0.1);
    expect(client.receive()).toBe("ECONNREFUSED");
    expect(connections(middle)[0]).toContain("[UNREPLIED]");
  });

  it("takes another port when the wanted one is in use, and tells the two answers apart", () => {
    const { world, inside, middle, outside } = gateway();
    rules(middle, "-t nat -A POSTROUTING -o eth0 -p udp -j SNAT --to-source 192.0.2.1:5000");
    const server = socketOn(outside, 9_999);
    const first = socketOn(inside, 1_111);
    const second = socketOn(inside, 2_222);
    first.sendTo(TEXT, ip("192.0.2.100"), 9_999);
    second.sendTo(TEXT, ip("192.0.2.100"), 9_999);
    pass(world, 0.1);
    expect(server.receive()).toMatchObject({ sourcePort: 5_000 });
    // One port only was allowed: the second connection finds none.
    expect(server.receive()).toBeUndefined();
    expect(world.frames.dropsByReason.get("nat-no-port")).toBe(1);
    rules(middle, "-t nat -R POSTROUTING 1 -o eth0 -p udp -j SNAT --to-source 192.0.2.1:5000-5001");
    second.sendTo(TEXT, ip("192.0.2.100"), 9_999);
    pass(world, 0.1);
    expect(server.receive()).toMatchObject({ sourcePort: 5_001 });
    server.sendTo(TEXT, ip("192.0.2.1"), 5_001);
    pass(world, 0.1);
    expect(second.receive()).toMatchObject({ sourcePort: 9_999 });
    expect(first.receive()).toBeUndefined();
  });

  it("redirects what this host sends to 127.0.0.11 as Docker's resolver needs it", () => {
    const { world, inside } = gateway();
    rules(
      inside,
      "-t nat -N DOCKER_OUTPUT",
      "-t nat -N DOCKER_POSTROUTING",
      "-t nat -A OUTPUT -d 127.0.0.11 -j DOCKER_OUTPUT",
      "-t nat -A POSTROUTING -d 127.0.0.11 -j DOCKER_POSTROUTING",
      "-t nat -A DOCKER_OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:39295",
      "-t nat -A DOCKER_POSTROUTING -s 127.0.0.11 -p udp --sport 39295 -j SNAT --to-source :53",
    );
    const wire = watch(world, inside.loopback);
    const resolver = new UdpSocket(inside);
    expect(resolver.bind(ip("127.0.0.11"), 39_295)).toBeUndefined();
    const client = socketOn(inside, 40_000);
    client.sendTo(TEXT, ip("127.0.0.11"), 53);
    pass(world, 0.1);
    const question = resolver.receive();
    expect(question).toMatchObject({ sourcePort: 40_000 });
    resolver.sendTo(TEXT, (question as { source: typeof IPV4_ANY }).source, 40_000);
    pass(world, 0.1);
    expect(client.receive()).toMatchObject({ source: ip("127.0.0.11"), sourcePort: 53 });
    expect(udpFlows(wire.filter(({ direction }) => direction === "out"))).toEqual([
      "127.0.0.1:40000 > 127.0.0.11:39295",
      "127.0.0.11:53 > 127.0.0.1:40000",
    ]);
  });

  it("forgets masqueraded connections when the device that lent the address goes down", () => {
    const { world, inside, middle, far } = gateway();
    rules(middle, MASQUERADE);
    socketOn(inside, 20_002).sendTo(TEXT, ip("192.0.2.100"), 9_999);
    pass(world, 0.1);
    expect(connections(middle)).toHaveLength(1);
    far.a.setUp(false);
    expect(connections(middle)).toHaveLength(0);
  });
});
