import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../src/wire/bytes.ts";
import * as http2 from "../../src/wire/http2.ts";
import { comesBack, hex, neverThrows, refusesEveryTruncation } from "./codec-laws.ts";

const anyStream = () => fc.integer({ min: 1, max: 0x7fff_ffff });
const anyU31 = () => fc.nat(0x7fff_ffff);
const anyU32 = () => fc.nat(0xffff_ffff);
const anyBytes = () => fc.uint8Array({ maxLength: 100 });
const anyPadding = () => fc.option(fc.nat(255), { nil: undefined });
const anyPriority = () =>
  fc.record({ exclusive: fc.boolean(), dependency: anyU31(), weight: fc.integer({ min: 1, max: 256 }) });

const anyFrame = (): fc.Arbitrary<http2.Frame> =>
  fc.oneof(
    fc.record({
      kind: fc.constant("data" as const),
      streamId: anyStream(),
      endStream: fc.boolean(),
      padding: anyPadding(),
      data: anyBytes(),
    }),
    fc.record({
      kind: fc.constant("headers" as const),
      streamId: anyStream(),
      endStream: fc.boolean(),
      endHeaders: fc.boolean(),
      padding: anyPadding(),
      priority: fc.option(anyPriority(), { nil: undefined }),
      fragment: anyBytes(),
    }),
    fc.record({ kind: fc.constant("priority" as const), streamId: anyStream(), priority: anyPriority() }),
    fc.record({ kind: fc.constant("rst-stream" as const), streamId: anyStream(), errorCode: anyU32() }),
    fc.record({
      kind: fc.constant("settings" as const),
      ack: fc.constant(false),
      settings: fc.array(fc.tuple(fc.nat(0xffff), anyU32()), { maxLength: 8 }),
    }),
    fc.constant({ kind: "settings" as const, ack: true, settings: [] }),
    fc.record({
      kind: fc.constant("push-promise" as const),
      streamId: anyStream(),
      endHeaders: fc.boolean(),
      padding: anyPadding(),
      promisedStreamId: anyU31(),
      fragment: anyBytes(),
    }),
    fc.record({
      kind: fc.constant("ping" as const),
      ack: fc.boolean(),
      opaque: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    }),
    fc.record({
      kind: fc.constant("goaway" as const),
      lastStreamId: anyU31(),
      errorCode: anyU32(),
      debugData: anyBytes(),
    }),
    fc.record({ kind: fc.constant("window-update" as const), streamId: anyU31(), increment: anyU31() }),
    fc.record({
      kind: fc.constant("continuation" as const),
      streamId: anyStream(),
      endHeaders: fc.boolean(),
      fragment: anyBytes(),
    }),
    fc.record({
      kind: fc.constant("unknown" as const),
      type: fc.integer({ min: 10, max: 255 }),
      flags: fc.nat(255),
      streamId: anyU31(),
      payload: anyBytes(),
    }),
  );

const codec = { any: anyFrame(), size: http2.size, emit: http2.emit, parse: http2.parse };

function written(frame: http2.Frame): string {
  const bytes = new Uint8Array(http2.size(frame));
  http2.emit(frame, bytes, 0);
  return toHex(bytes);
}

describe("HTTP/2 frames (RFC 9113 §4, §6)", () => {
  it("come back from their own bytes", () => comesBack(codec));
  it("are refused when cut short", () => refusesEveryTruncation(codec));
  it("are values or reasons, whatever the bytes", () => neverThrows(http2.parse));

  it("look on the wire as §6 draws them", () => {
    expect(written({ kind: "settings", ack: false, settings: [[http2.SETTINGS_MAX_FRAME_SIZE, 16_384]] })).toBe(
      "000006040000000000000500004000",
    );
    expect(written({ kind: "settings", ack: true, settings: [] })).toBe("000000040100000000");
    expect(written({ kind: "window-update", streamId: 0, increment: 5 })).toBe("00000408000000000000000005");
    expect(written({ kind: "ping", ack: false, opaque: hex("02041010090e0707") })).toBe(
      "000008060000000000" + "02041010090e0707",
    );
    expect(written({ kind: "data", streamId: 1, endStream: true, padding: 2, data: hex("aabb") })).toBe(
      "000005000900000001" + "02aabb0000",
    );
  });

  it.each([
    ["http2-truncated", "00000406000000000000"],
    ["http2-frame-size", "00000406000000000000000000"], // a ping of 4
    ["http2-frame-size", "00000504000000000000000000ff"], // settings of 5
    ["http2-frame-size", "000006040100000000000500004000"], // an acknowledgement that says something
    ["http2-frame-size", "000003080000000000000001"], // an increment of 3
    ["http2-frame-size", "00000102000000000100"], // a priority of 1
    ["http2-frame-size", "000000000800000001"], // padded data without the octet that tells how much
    ["http2-frame-size", "00000401240000000100000000"], // a cut priority inside headers
    ["http2-bad-padding", "00000200080000000102aa"],
    ["http2-bad-stream", "000000000000000000"], // data of the connection
    ["http2-bad-stream", "000000040000000001"], // settings of a stream
    ["http2-bad-stream", "00000403000000000000000008"],
    ["http2-bad-stream", "000000090400000000"],
  ])("are refused with %s: %s", (reason, text) => {
    const bytes = hex(text);
    expect(http2.parse(bytes, 0, bytes.length)).toBe(reason);
  });
});
