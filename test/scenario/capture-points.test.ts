import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesPlace } from "../../src/scenario/capture-points.ts";

describe("A pattern of places", () => {
  it("means the place of its own name", () => {
    expect(matchesPlace("node1/eth0", "node1/eth0")).toBe(true);
    expect(matchesPlace("node1/eth0", "node1/eth01")).toBe(false);
    expect(matchesPlace("node1/eth0", "xnode1/eth0")).toBe(false);
  });

  it("takes * for any text", () => {
    expect(matchesPlace("*/eth0", "node1/eth0")).toBe(true);
    expect(matchesPlace("node*", "node1/uber-net/br0")).toBe(true);
    expect(matchesPlace("*", "c1/eth0")).toBe(true);
    expect(matchesPlace("node*/eth0", "laptop/eth0")).toBe(false);
  });

  it("means a device of a network's sandbox also without the network's name", () => {
    expect(matchesPlace("node1/br0", "node1/uber-net/br0")).toBe(true);
    expect(matchesPlace("node*/vxlan0", "node2/uber-net/vxlan0")).toBe(true);
    expect(matchesPlace("node1/uber-net/br0", "node1/uber-net/br0")).toBe(true);
    expect(matchesPlace("uber-net/br0", "node1/uber-net/br0")).toBe(false);
  });

  it("takes every other sign as itself, whatever it means in a regular expression", () => {
    expect(matchesPlace("c.1/eth0", "cx1/eth0")).toBe(false);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii", maxLength: 20 }), (text) => {
        const literal = text.replaceAll("*", "");
        expect(matchesPlace(literal, literal)).toBe(true);
        expect(() => matchesPlace(text, "node1/eth0")).not.toThrow();
      }),
    );
  });
});
