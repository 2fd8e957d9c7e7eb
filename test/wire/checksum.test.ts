import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adjust, adjust32, finish, makeMemory, sum, sumBytes } from "../../src/wire/checksum.ts";
import { anyU16, anyU32, hex, slowChecksum } from "./codec-laws.ts";

const anyMessage = () => fc.uint8Array({ maxLength: 300 });

describe("Internet checksum (RFC 1071)", () => {
  it("is that of the RFC's own example (§3)", () => {
    expect(finish(sumBytes(hex("0001f203f4f5f6f7"), 0, 8))).toBe(~0xddf2 & 0xffff);
  });

  it("is the same by words, by octets and in arbitrary precision, at any even offset and any length", () => {
    fc.assert(
      fc.property(anyMessage(), fc.nat(16), (message, half) => {
        const at = half * 2;
        const memory = makeMemory(at + message.length + 6);
        memory.bytes.fill(0xee);
        memory.bytes.set(message, at);
        const expected = slowChecksum(message);
        expect(finish(sum(memory, at, at + message.length))).toBe(expected);
        expect(finish(sumBytes(memory.bytes, at, at + message.length))).toBe(expected);
      }),
    );
  });

  it("holds for 64 KiB of 0xff", () => {
    const memory = makeMemory(65_535);
    memory.bytes.fill(0xff);
    expect(finish(sum(memory, 0, 65_535))).toBe(slowChecksum(memory.bytes.slice(0, 65_535)));
  });

  it("may be adjusted instead of computed again (RFC 1624)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), anyU16(), anyU32(), (message, word, long) => {
        message[0] = 0x45; // RFC 1624 §3: a message of nothing but zeros is the one exception
        const view = new DataView(message.buffer, message.byteOffset);
        const before = slowChecksum(message);
        const oldWord = view.getUint16(2);
        view.setUint16(2, word);
        const between = adjust(before, oldWord, word);
        expect(between).toBe(slowChecksum(message));
        const oldLong = view.getUint32(4);
        view.setUint32(4, long);
        expect(adjust32(between, oldLong, long)).toBe(slowChecksum(message));
      }),
    );
  });
});
