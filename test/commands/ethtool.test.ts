import { describe, expect, it } from "vitest";
import { Lab } from "../../src/scenario/lab.ts";
import { makeMemory } from "../../src/wire/checksum.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as tcp from "../../src/wire/tcp.ts";
import * as udp from "../../src/wire/udp.ts";
import * as vxlan from "../../src/wire/vxlan.ts";

/** Two machines with a tunnel between them, 10.0.0.1 and 10.0.0.2; the second serves. */
function tunnel(): Lab {
  const end = (own: number, other: number) => ({
    address: `192.168.50.${own}`,
    setup: [
      `ip link add vxlan0 type vxlan id 100 dstport 4789 remote 192.168.50.${other}`,
      `ip addr add 10.0.0.${own - 10}/24 dev vxlan0`,
      "ip link set vxlan0 mtu 1450 up",
    ],
  });
  const lab = new Lab({ name: "tunnel", nodes: { node1: end(11, 12), node2: end(12, 11) } });
  lab.start("node2", "serve echo 7");
  return lab;
}

/** Of the last TCP segment in VXLAN that reached node2: do the outer and the inner checksum hold? */
function watchChecksums(lab: Lab) {
  const seen = { outer: true, inner: true, segments: 0 };
  lab.onFrame("node2/eth0", ({ direction, bytes, at, end }) => {
    const memory = makeMemory(end - at);
    memory.bytes.set(bytes.subarray(at, end));
    const outer = ethernet.HEADER_BYTES;
    if (direction !== "in" || ethernet.etherType(memory.bytes, 0) !== ethernet.ETHERTYPE_IPV4) return;
    const datagram = outer + ipv4.HEADER_BYTES;
    const inner = datagram + udp.HEADER_BYTES + vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
    if (end - at < inner + ipv4.HEADER_BYTES || ipv4.protocol(memory.bytes, inner) !== ipv4.PROTOCOL_TCP) return;
    const addresses = (packet: number) =>
      [ipv4.source(memory.bytes, packet), ipv4.destination(memory.bytes, packet)] as const;
    seen.segments++;
    seen.outer = udp.checksumOk(memory, datagram, ...addresses(outer));
    seen.inner = tcp.checksumOk(memory, inner + ipv4.HEADER_BYTES, end - at, ...addresses(inner));
  });
  return seen;
}

describe("The word ethtool", () => {
  it("makes a card spoil the checksums inside VXLAN, while it computes them", () => {
    const lab = tunnel();
    const seen = watchChecksums(lab);
    expect(lab.exec("node1", "nc -z -w 2 10.0.0.2 7").status).toBe(0);
    expect(seen).toMatchObject({ outer: true, inner: true });

    lab.exec("node1", "ethtool --set-priv-flags eth0 faulty-tunnel-checksums on");
    expect(lab.exec("node1", "nc -z -w 2 10.0.0.2 7").status).toBe(0); // the kernel still computes them
    lab.exec("node1", "ethtool -K eth0 tx-checksum-ip-generic on");
    const before = seen.segments;
    expect(lab.exec("node1", "nc -z -w 2 10.0.0.2 7").status).toBe(1);
    expect(seen.segments).toBeGreaterThan(before);
    expect(seen).toMatchObject({ outer: true, inner: false });
    expect(lab.exec("node1", "ping -c 1 10.0.0.2").status).toBe(0);
    expect(lab.report().drops).toContainEqual(
      expect.objectContaining({ reason: "tcp-bad-checksum", at: "node2/vxlan0" }),
    );

    lab.exec("node1", "ethtool -K eth0 tx off");
    expect(lab.exec("node1", "nc -z -w 2 10.0.0.2 7").status).toBe(0);
    expect(seen).toMatchObject({ outer: true, inner: true });
  });

  it("spoils datagrams too, and leaves alone what is not encapsulated", () => {
    const lab = tunnel();
    lab.exec("node1", "ethtool --set-priv-flags eth0 faulty-tunnel-checksums on; ethtool -K eth0 tx on");
    expect(lab.exec("node1", "echo hello | nc -u -w 1 10.0.0.2 7").stdout).toBe("");
    expect(lab.exec("node1", "echo hello | nc -u -w 1 192.168.50.12 7").stdout).toBe("hello\n");
    expect(lab.exec("node1", "nc -z -w 1 192.168.50.12 7").status).toBe(0);
  });

  it("shows the flag of a card, and that other devices have none", () => {
    const lab = tunnel();
    lab.exec("node1", "ethtool --set-priv-flags eth0 faulty-tunnel-checksums on");
    expect(lab.exec("node1", "ethtool --show-priv-flags eth0").stdout).toBe(
      "Private flags for eth0:\nfaulty-tunnel-checksums: on\n",
    );
    expect(lab.exec("node1", "ethtool --set-priv-flags vxlan0 faulty-tunnel-checksums on").status).toBe(1);
    expect(lab.exec("node1", "ethtool --set-priv-flags eth0 banana on").status).toBe(1);
    expect(lab.exec("node1", "ethtool -K eth0 tx maybe").status).toBe(1);
  });
});
