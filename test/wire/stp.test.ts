import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMac } from "../../src/wire/address.ts";
import * as stp from "../../src/wire/stp.ts";
import {
  anyMac,
  anyU16,
  anyU32,
  type Codec,
  comesBack,
  hex,
  neverThrows,
  refusesEveryTruncation,
} from "./codec-laws.ts";

const anyBridge = () => fc.record({ priority: anyU16(), address: anyMac() });
const CODEC: Codec<stp.Stp> = {
  any: fc.oneof(
    fc.record({
      kind: fc.constant("configuration" as const),
      topologyChange: fc.boolean(),
      topologyChangeAcknowledgement: fc.boolean(),
      root: anyBridge(),
      rootPathCost: anyU32(),
      bridge: anyBridge(),
      portIdentifier: anyU16(),
      messageAgeTicks: anyU16(),
      maximumAgeTicks: anyU16(),
      helloTimeTicks: anyU16(),
      forwardDelayTicks: anyU16(),
    }),
    fc.constant({ kind: "topology-change-notification" as const }),
  ),
  size: (message) => (message.kind === "configuration" ? stp.CONFIGURATION_BYTES : stp.NOTIFICATION_BYTES),
  emit: stp.emit,
  parse: stp.parse as Codec<stp.Stp>["parse"],
};

// A root's hello, kernel 6.18: maximum age 6 s, hello 1 s, forward delay 2 s.
const HELLO = `424203 0000 00 00 00 800002bb00010000 00000000 800002bb00010000 8002
  0000 0600 0100 0200`;

describe("spanning tree BPDU (IEEE 802.1D §9)", () => {
  it("reads a configuration as the kernel sent it, and writes the same bytes", () => {
    const bridge = { priority: 0x8000, address: parseMac("02:bb:00:01:00:00")! };
    const message: stp.Stp = {
      kind: "configuration",
      topologyChange: false,
      topologyChangeAcknowledgement: false,
      root: bridge,
      rootPathCost: 0,
      bridge,
      portIdentifier: 0x8002,
      messageAgeTicks: 0,
      maximumAgeTicks: 6 * stp.TICKS_PER_SECOND,
      helloTimeTicks: stp.TICKS_PER_SECOND,
      forwardDelayTicks: 2 * stp.TICKS_PER_SECOND,
    };
    expect(stp.parse(hex(HELLO), 0, stp.CONFIGURATION_BYTES)).toEqual(message);
    const again = new Uint8Array(stp.CONFIGURATION_BYTES).fill(0x77);
    stp.emit(message, again, 0);
    expect(again).toEqual(hex(HELLO));
  });

  it("is refused behind another LLC header, and for another protocol, version or type", () => {
    const broken = (at: number, value: number) => {
      const bytes = hex(HELLO);
      bytes[at] = value;
      return stp.parse(bytes, 0, bytes.length);
    };
    expect(broken(0, 0xaa)).toBe("stp-without-llc");
    expect(broken(4, 1)).toBe("stp-bad-protocol");
    expect(broken(5, 2)).toBe("stp-bad-protocol");
    expect(broken(6, 2)).toBe("stp-unknown-type");
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(stp.parse));
});
