import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReceiveBuffer, truesize } from "../../../src/linux/tcp/receive-buffer.ts";
import { pattern } from "./two-hosts.ts";

describe("The receive buffer", () => {
  it("gives back what came, however it was cut and in whatever order, also across the end of the number space", () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(pieces, fc.infiniteStream(fc.nat()), fc.constantFrom(0, 0x7fff_fff0, -50), (sizes, order, first) => {
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const bytes = pattern(total);
        const starts = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0));
        const buffer = new ReceiveBuffer();
        buffer.begin(first);
        const left = sizes.map((_, index) => index);
        while (left.length > 0) {
          const [index] = left.splice(order.next().value % left.length, 1) as [number];
          const sequence = (first + starts[index]!) | 0;
          if (sequence === buffer.end) buffer.append(bytes, starts[index]!, sizes[index]!);
          else buffer.insert(sequence, bytes, starts[index]!, sizes[index]!);
        }
        expect(buffer.hasHole).toBe(false);
        const got = new Uint8Array(total);
        expect(buffer.read(got)).toBe(total);
        expect(got).toEqual(bytes);
        expect(buffer.memory).toBe(0);
      }),
    );
  });

  it("counts memory as the kernel does: 2304 bytes for a full Ethernet segment", () => {
    expect([truesize(1448), truesize(1398)]).toEqual([2304, 2304]);
  });
});
