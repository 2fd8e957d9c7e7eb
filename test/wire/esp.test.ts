import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as esp from "../../src/wire/esp.ts";
import { anyU32, type Codec, comesBack, hex, neverThrows, refusesEveryTruncation } from "./codec-laws.ts";

const CODEC: Codec<esp.Esp> = {
  any: fc.record({ spi: anyU32(), sequence: anyU32() }),
  size: () => esp.HEADER_BYTES,
  emit: esp.emit,
  parse: esp.parse as Codec<esp.Esp>["parse"],
};

describe("ESP header (RFC 4303 §2)", () => {
  it("starts with the index and the sequence number", () => {
    expect(esp.parse(hex("0000200100000001"), 0, 8)).toEqual({ spi: 0x2001, sequence: 1 });
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(esp.parse));
});
