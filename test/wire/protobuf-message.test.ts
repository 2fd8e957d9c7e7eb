import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  choice,
  embedded,
  flag,
  float,
  identifier64,
  message,
  octets,
  optional,
  repeated,
  text,
  textMap,
  texts,
  uint,
} from "../../src/wire/protobuf-message.ts";

const point = message({ x: uint(1), y: uint(2) });
const drawing = message({
  title: text(1),
  origin: embedded(2, point),
  corner: optional(3, point),
  points: repeated(4, point),
  tags: texts(5),
  labels: textMap(6),
  colour: choice(7, ["red", "green", "blue"]),
  closed: flag(8),
  ratio: float(9),
  id: identifier64(10),
  data: octets(11),
});

describe("a message shape", () => {
  it("writes the bytes of the encoding's own examples", () => {
    // protobuf.dev "Encoding": Test1 { a = 150 } and Test2 { b = "testing" }
    expect(message({ a: uint(1) }).emit({ a: 150 })).toEqual(Uint8Array.of(0x08, 0x96, 0x01));
    expect(message({ b: text(2) }).emit({ b: "testing" })).toEqual(
      Uint8Array.of(0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67),
    );
  });

  it("leaves out what holds its default, an embedded message excepted", () => {
    expect(drawing.emit(drawing.make())).toEqual(Uint8Array.of(0x12, 0x00));
  });

  it("reads back what it wrote", () => {
    const anyPoint = fc.record({ x: fc.nat(), y: fc.nat(2 ** 40) });
    fc.assert(
      fc.property(
        fc.record({
          title: fc.string({ unit: "grapheme" }),
          origin: anyPoint,
          corner: fc.option(anyPoint, { nil: undefined }),
          points: fc.array(anyPoint),
          tags: fc.array(fc.string()),
          labels: fc.array(fc.tuple(fc.string(), fc.string())).map((entries) => new Map(entries)),
          colour: fc.constantFrom("red" as const, "green" as const, "blue" as const),
          closed: fc.boolean(),
          ratio: fc.float({ noNaN: true }).map((value) => (value === 0 ? 0 : value)),
          id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value.toString(16).padStart(16, "0")),
          data: fc.uint8Array(),
        }),
        (value) => {
          expect(drawing.parse(drawing.emit(value))).toEqual(value);
        },
      ),
    );
  });

  it("skips fields it does not know, and takes the last of one that comes twice", () => {
    const wide = message({ a: uint(1), b: text(2), c: embedded(3, point) });
    const narrow = message({ a: uint(1) });
    expect(narrow.parse(wide.emit({ a: 7, b: "x", c: { x: 1, y: 2 } }))).toEqual({ a: 7 });
    expect(narrow.parse(Uint8Array.of(0x08, 1, 0x08, 2))).toEqual({ a: 2 });
  });

  it("refuses any bytes that are no message without throwing", () => {
    expect(drawing.parse(Uint8Array.of(0x0a, 0x05, 0x61))).toBeUndefined();
    expect(drawing.parse(Uint8Array.of(0x38, 0x07))).toBeUndefined();
    expect(drawing.parse(Uint8Array.of(0x12, 0x02, 0x08))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        drawing.parse(bytes);
      }),
    );
  });
});
