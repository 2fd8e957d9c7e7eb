import { describe, expect, it } from "vitest";
import { tcpLink, tcpVxlan } from "../../src/cli/bench-tcp.ts";

describe("One TCP connection", () => {
  it("fills nine tenths of a clean link of 1 Gbit/s and 1 ms, its start included", () => {
    const figures = tcpLink(new Map([["megabytes", 60]]));
    expect(figures["goodput_mbit"]).toBeGreaterThan(900);
    expect(figures["line_rate"]).toBeLessThanOrEqual(1);
  });

  it("fills what the headers of VXLAN leave", () => {
    const figures = tcpVxlan(new Map([["megabytes", 20]]));
    expect(figures["line_rate"]).toBeGreaterThan(0.95);
    expect(figures["line_rate"]).toBeLessThanOrEqual(1);
  });
});
