import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../src/wire/bytes.ts";
import { ProtobufReader, ProtobufWriter } from "../../src/wire/protobuf.ts";

const anyHex64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value.toString(16).padStart(16, "0"));

describe("Protocol Buffers", () => {
  it("writes the documentation's examples: 150 in field 1, `testing` in field 2", () => {
    const writer = new ProtobufWriter();
    writer.uint(1, 150);
    writer.bytes(2, new TextEncoder().encode("testing"));
    expect(toHex(writer.finish())).toBe("0896011207" + "74657374696e67");
  });

  it("reads back numbers to 2^53 - 1, 64-bit identifiers and bytes", () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        anyHex64,
        fc.uint8Array(),
        fc.integer({ min: 1, max: 5_000 }),
        (uint, hex, bytes, at) => {
          const writer = new ProtobufWriter();
          writer.uint(at, uint);
          writer.hex64(at + 1, hex);
          writer.bytes(at + 2, bytes);
          const reader = new ProtobufReader(writer.finish());
          expect([reader.next(), reader.field, reader.uint()]).toEqual([true, at, uint]);
          expect([reader.next(), reader.field, reader.hex64()]).toEqual([true, at + 1, hex]);
          expect([reader.next(), reader.field, reader.bytes()]).toEqual([true, at + 2, bytes]);
          expect([reader.next(), reader.malformed]).toEqual([false, false]);
        },
      ),
    );
  });

  it("writes a message inside a message with the length that it turns out to have", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 60 }), fc.nat(20), (parts, depth) => {
        let expected = new ProtobufWriter();
        for (const part of parts) expected.bytes(2, part);
        for (let level = 0; level < depth; level++) {
          const outer = new ProtobufWriter();
          outer.bytes(1, expected.finish());
          expected = outer;
        }
        const writer = new ProtobufWriter();
        const starts = Array.from({ length: depth }, () => writer.begin(1));
        for (const part of parts) writer.bytes(2, part);
        for (const start of starts.reverse()) writer.end(start);
        expect(toHex(writer.finish())).toBe(toHex(expected.finish()));
      }),
    );
  });

  it("writes and reads texts as UTF-8, whatever their letters and length", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.string({ maxLength: 200 }), (one, other) => {
        const writer = new ProtobufWriter();
        const expected = new ProtobufWriter();
        for (const text of [one, other]) {
          writer.text(1, text);
          expected.bytes(1, new TextEncoder().encode(text));
        }
        const reader = new ProtobufReader(writer.finish());
        expect(toHex(writer.finish())).toBe(toHex(expected.finish()));
        for (const text of [one, other])
          expect([reader.next(), reader.text()]).toEqual([
            true,
            new TextDecoder().decode(new TextEncoder().encode(text)),
          ]);
      }),
    );
  });

  it("refuses a number beyond 2^53, a value of another type, a value cut short", () => {
    const writer = new ProtobufWriter();
    writer.hex64(1, "0020000000000000");
    const reader = new ProtobufReader(writer.finish());
    reader.next();
    expect([reader.uint(), reader.malformed]).toEqual([0, true]);
    for (const bytes of [[0x08], [0x0a, 0x02, 0x00], [0x00, 0x00], [0x0b], [0x08, ...Array(11).fill(0x80)]]) {
      const cut = new ProtobufReader(new Uint8Array(bytes));
      expect([cut.next(), cut.malformed]).toEqual([false, true]);
    }
  });

  it("ends, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const reader = new ProtobufReader(bytes);
        let fields = 0;
        while (reader.next()) fields++;
        expect(fields).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
