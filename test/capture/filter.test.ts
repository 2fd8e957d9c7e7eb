import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileFilter, type FrameFilter } from "../../src/capture/filter.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { anyExpression, anyFrame } from "./arbitraries.ts";

/** VXLAN of VNI 42 from 192.168.50.1 to .2 around an ARP request of 10.0.0.1 for 10.0.0.2. */
const VXLAN_ARP = fromHex(
  "025000000002025000000001" +
    "0800" +
    "4500004e0001000040110000c0a83201c0a83202" +
    "c00012b5003a0000" +
    "0800000000002a00" +
    "ffffffffffff02420a000001" +
    "0806" +
    "000108000604000102420a0000010a0000010000000000000a000002",
)!;

function filter(text: string): FrameFilter {
  const made = compileFilter(text);
  if (typeof made !== "function") throw new Error(JSON.stringify(made));
  return made;
}

const matches = (text: string, frame = VXLAN_ARP): boolean => filter(text)(frame, 0, frame.length);

describe("A capture filter (pcap-filter(7))", () => {
  it("matches everything when it is empty", () => {
    expect(matches("")).toBe(true);
    expect(matches("  ")).toBe(true);
  });

  it("speaks of the outer frame until `vxlan`, of the inner one behind it", () => {
    expect(matches("udp port 4789 and host 192.168.50.1")).toBe(true);
    expect(matches("arp")).toBe(false);
    expect(matches("vxlan and arp")).toBe(true);
    expect(matches("vxlan 42 and arp src host 10.0.0.1 and dst host 10.0.0.2")).toBe(true);
    expect(matches("vxlan 43")).toBe(false);
    expect(matches("vxlan and udp")).toBe(false);
    expect(matches("vxlan and broadcast and ether src 02:42:0a:00:00:01")).toBe(true);
    expect(matches("broadcast")).toBe(false);
  });

  it("finds nothing in a tunnel that is not there", () => {
    expect(matches("vxlan and vxlan and arp")).toBe(false);
    expect(matches("vxlan or arp", VXLAN_ARP.slice(50))).toBe(false);
  });

  it("forgets the tunnel of the frame before", () => {
    const made = filter("(vxlan or less 60) and arp");
    expect(made(VXLAN_ARP, 0, VXLAN_ARP.length)).toBe(true);
    expect(made(VXLAN_ARP, 50, VXLAN_ARP.length)).toBe(false);
  });

  it("reads a frame where it lies", () => {
    const arp = filter("arp host 10.0.0.2");
    expect(arp(VXLAN_ARP, 50, VXLAN_ARP.length)).toBe(true);
    expect(arp(VXLAN_ARP, 50, VXLAN_ARP.length - 1)).toBe(false);
  });

  it("matches nothing where a load goes beyond the capture, also below `not`", () => {
    expect(matches("ip[60] = 0 or ip[60] != 0", VXLAN_ARP.slice(0, 60))).toBe(false);
    expect(matches("not ip[60] = 0", VXLAN_ARP.slice(0, 60))).toBe(false);
  });

  it("takes `len` from the wire when the frame was cut", () => {
    expect(filter("len = 1500")(VXLAN_ARP, 0, 92, 1_500)).toBe(true);
    expect(filter("less 100")(VXLAN_ARP, 0, 92, 1_500)).toBe(false);
  });

  it("finds hosts by name where the caller knows names", () => {
    const made = compileFilter("vxlan and host c1 or c9", (name) =>
      name === "c1" ? (0x0a00_0001 as Ipv4Address) : undefined,
    );
    expect(made).toEqual({ at: 21, found: "c9", expected: "an IPv4 address or a known host's name" });
    const known = compileFilter("vxlan and host c1", () => 0x0a00_0001 as Ipv4Address);
    expect(typeof known === "function" && known(VXLAN_ARP, 0, VXLAN_ARP.length)).toBe(true);
  });

  it.each([
    ["host", 4, "the end of the expression"],
    ["ip and", 6, "the end of the expression"],
    ["tcp port 80 (", 12, "("],
    ["(ip", 3, "the end of the expression"],
    ["port 70000", 5, "70000"],
    ["net 10.1.1.1/24", 4, "10.1.1.1"],
    ["net 10.0.0.0/33", 13, "33"],
    ["host 10.0.0.256", 5, "10.0.0.256"],
    ["host 02:42:0a:00:00:01", 5, "02:42:0a:00:00:01"],
    ["ether host 10.0.0.1", 11, "10.0.0.1"],
    ["tcp[0:3] = 1", 6, "3"],
    ["tcp[13] &", 9, "the end of the expression"],
    ["len = 1 / 0", 8, "/"],
    ["ip[0] << 32 = 1", 6, "<<"],
    ["vlan 5000", 5, "5000"],
    ["vxlan 16777216", 6, "16777216"],
    ["tcp host 10.0.0.1", 9, "10.0.0.1"],
    ["ip port 80", 8, "80"],
    ["10.0.0.1", 0, "10.0.0.1"],
    ["arp and 10.0.0.1", 8, "10.0.0.1"],
    ["udp and ä", 8, "ä"],
    ["inbound", 0, "inbound"],
    ["foo", 0, "foo"],
    ["ether", 5, "the end of the expression"],
    ["ip broadcast", 3, "broadcast"],
  ])("refuses %j at character %i", (text, at, found) => {
    expect(compileFilter(text)).toEqual({ at, found, expected: expect.stringMatching(/./) });
  });

  it("refuses endless nesting and endless length", () => {
    expect(compileFilter("(".repeat(5_000))).toMatchObject({ at: expect.any(Number) });
    expect(compileFilter(`${"not ".repeat(5_000)}ip`)).toMatchObject({ at: expect.any(Number) });
    expect(compileFilter(`len = ${"-".repeat(5_000)}1`)).toMatchObject({ at: expect.any(Number) });
    expect(compileFilter(`host ${"(".repeat(5_000)}`)).toMatchObject({ at: expect.any(Number) });
    expect(compileFilter(`${"ip or ".repeat(20_000)}ip`)).toMatchObject({ at: 65_536 });
  });

  it("ends in a filter or in one problem inside the text, whatever the text", () => {
    const word = fc.constantFrom(
      ..."ip tcp host port ( ) [ ] : and or not ! = & % 80 10.0.0.1 -1 len net / vlan vxlan src dst ether proto".split(
        " ",
      ),
    );
    const anyText = fc.oneof(
      fc.string(),
      fc.array(fc.oneof(word, fc.string({ maxLength: 3 })), { maxLength: 12 }).map((words) => words.join(" ")),
    );
    fc.assert(
      fc.property(anyText, anyFrame, (text, frame) => {
        const made = compileFilter(text);
        if (typeof made === "function") expect(typeof made(frame, 0, frame.length)).toBe("boolean");
        else expect(made.at).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 1_000 },
    );
  });

  it("says the same of a frame wherever in memory it lies, and leaves it as it was", () => {
    fc.assert(
      fc.property(anyExpression, anyFrame, fc.nat(40), (text, frame, at) => {
        const around = new Uint8Array(at + frame.length + 40).fill(0xff);
        around.set(frame, at);
        const made = filter(text);
        expect(made(around, at, at + frame.length)).toBe(made(frame, 0, frame.length));
        expect(around.slice(at, at + frame.length)).toEqual(frame);
      }),
    );
  });
});
