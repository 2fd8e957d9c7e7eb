import { describe, expect, it } from "vitest";
import { PacketBlock } from "../../src/scenario/packet-block.ts";
import * as ethernet from "../../src/wire/ethernet.ts";

/** An Ethernet frame with an IPv4 packet of a protocol, its first bytes two ports. */
function frame(protocol: number, source = 0, destination = 0, fragmentOffset = 0): Uint8Array {
  const bytes = new Uint8Array(60);
  bytes.set([0x08, 0x00], 12);
  bytes.set([0x45, 0, 0, 46, 0, 0, fragmentOffset >> 8, fragmentOffset & 255, 64, protocol], ethernet.HEADER_BYTES);
  bytes.set([source >> 8, source & 255, destination >> 8, destination & 255], ethernet.HEADER_BYTES + 20);
  return bytes;
}

function stops(ports: string[], bytes: Uint8Array, direction?: "in" | "out" | "both", from = "n1", to = "n2"): boolean {
  const block = new PacketBlock({ node: "n1", ports, ...(direction !== undefined && { direction }) });
  return block.stops(from, to, bytes, 0, bytes.length);
}

describe("A block between a machine and the underlay", () => {
  it("takes a port as destination and as source", () => {
    expect(stops(["udp/4789"], frame(17, 40_000, 4_789))).toBe(true);
    expect(stops(["udp/4789"], frame(17, 4_789, 40_000))).toBe(true);
    expect(stops(["udp/4789"], frame(17, 40_000, 4_790))).toBe(false);
    expect(stops(["udp/4789"], frame(6, 40_000, 4_789))).toBe(false);
    expect(stops(["tcp/2377", "udp/7946"], frame(17, 7_946, 7_946))).toBe(true);
  });

  it("takes whole protocols", () => {
    expect(stops(["esp"], frame(50))).toBe(true);
    expect(stops(["icmp"], frame(1))).toBe(true);
    expect(stops(["icmp"], frame(50))).toBe(false);
  });

  it("works in one direction or in both, and for its own machine alone", () => {
    const bytes = frame(17, 1, 53);
    expect(stops(["udp/53"], bytes, "out")).toBe(true);
    expect(stops(["udp/53"], bytes, "in")).toBe(false);
    expect(stops(["udp/53"], bytes, "in", "n2", "n1")).toBe(true);
    expect(stops(["udp/53"], bytes, "both", "n2", "n1")).toBe(true);
    expect(stops(["udp/53"], bytes, "both", "n2", "n3")).toBe(false);
  });

  it("lets later fragments, other protocols and damaged frames pass", () => {
    expect(stops(["udp/53"], frame(17, 1, 53, 8))).toBe(false);
    const arp = frame(17, 1, 53);
    arp.set([0x08, 0x06], 12);
    expect(stops(["udp/53"], arp)).toBe(false);
    expect(stops(["udp/53"], frame(17, 1, 53).subarray(0, 20))).toBe(false);
    expect(stops(["udp/53"], new Uint8Array(3))).toBe(false);
  });
});
