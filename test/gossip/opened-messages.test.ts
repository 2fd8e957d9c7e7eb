import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compress, decompress } from "../../src/gossip/compression.ts";
import { OpenedMessages } from "../../src/gossip/opened-messages.ts";

describe("Compressed messages on their way", () => {
  it("open to what was compressed, known or forgotten", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 100 }), (messages) => {
        const compressed = messages.map((message) => compress(message));
        for (const [index, bytes] of compressed.entries()) expect(decompress(bytes.slice())).toEqual(messages[index]);
      }),
    );
  });

  it("are found by all of their bytes", () => {
    const opened = new OpenedMessages();
    const compressed = Uint8Array.from({ length: 40 }, (_, index) => index);
    opened.add(compressed, Uint8Array.of(1));
    for (let index = 0; index < compressed.length; index++) {
      const other = compressed.slice();
      other[index]! ^= 1;
      expect(opened.get(other)).toBe(undefined);
    }
    expect(opened.get(compressed.slice())).toEqual(Uint8Array.of(1));
  });

  it("are forgotten when others have come, by number and by size", () => {
    const opened = new OpenedMessages();
    const nth = (index: number) => Uint8Array.of(index >> 8, index, 3, 4);
    for (let index = 0; index < 65; index++) opened.add(nth(index), nth(index));
    expect(opened.get(nth(0))).toBe(undefined);
    expect(opened.get(nth(1))).toEqual(nth(1));
    opened.add(Uint8Array.of(9, 9, 9, 9), new Uint8Array(9 * 1024 * 1024));
    expect(opened.get(nth(64))).toBe(undefined);
  });
});
