import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CongestionWindow } from "../../../src/linux/tcp/congestion/congestion-control.ts";
import { Cubic, cubeRoot } from "../../../src/linux/tcp/congestion/cubic.ts";
import { NewReno } from "../../../src/linux/tcp/congestion/new-reno.ts";
import { RttEstimator } from "../../../src/linux/tcp/rtt.ts";
import { MILLISECOND, SECOND } from "../../../src/sim/time.ts";

describe("CUBIC (RFC 9438)", () => {
  it("takes cube roots exactly", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const root = BigInt(cubeRoot(value));
        expect(root ** 3n <= BigInt(value) && (root + 1n) ** 3n > BigInt(value)).toBe(true);
      }),
    );
  });

  it("reduces to 717/1024, and by fast convergence remembers less when it falls again", () => {
    const window = new CongestionWindow();
    window.segments = 100;
    expect(new Cubic(false, 0, 0).reduced(window)).toBe(70);
  });

  it("is back at the old window about K = cbrt(0.3 W / 0.4) seconds later, and flat there", () => {
    const window = new CongestionWindow();
    const cubic = new Cubic(false, 0, 0);
    window.segments = 1_000;
    window.threshold = cubic.reduced(window);
    window.segments = window.threshold;
    let reachedNs = 0;
    for (let nowNs = SECOND; nowNs < 20 * SECOND && reachedNs === 0; nowNs += 100 * MILLISECOND) {
      for (let acks = window.segments; acks > 0; acks -= 2) cubic.increase(window, 2, nowNs);
      if (window.segments >= 990) reachedNs = nowNs - SECOND;
    }
    expect(reachedNs / SECOND).toBeGreaterThan(5);
    expect(reachedNs / SECOND).toBeLessThan(10);
  });
});

describe("Reno (RFC 5681)", () => {
  it("doubles in a round trip below the threshold and adds one segment above", () => {
    const window = new CongestionWindow();
    const reno = new NewReno();
    window.threshold = 40;
    reno.increase(window, 10, 0);
    expect(window.segments).toBe(20);
    reno.increase(window, 20, 0);
    expect(window.segments).toBe(40);
    reno.increase(window, 40, 0);
    expect(window.segments).toBe(41);
    expect(reno.reduced(window)).toBe(20);
  });
});

describe("The retransmission timeout (RFC 6298 as Linux computes it)", () => {
  it("is SRTT + 200 ms in ticks of 4 ms on a steady path", () => {
    const rtt = new RttEstimator(300 * SECOND);
    expect(rtt.rtoJiffies).toBe(250);
    for (let round = 0; round < 50; round++) rtt.sample(20_500, round * 1_000 + 1, round * 1_000 + 500);
    rtt.resetTimeout();
    expect(rtt.smoothedUs).toBe(20_500);
    expect(rtt.rtoJiffies).toBe(56);
    rtt.doubleTimeout();
    expect(rtt.rtoJiffies).toBe(112);
  });

  it("never falls below 200 ms or rises above 120 s", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500_000_000), { minLength: 1 }), (samples) => {
        const rtt = new RttEstimator(300 * SECOND);
        for (const [index, sample] of samples.entries()) {
          rtt.sample(sample, index * 10, index * 10 + 5);
          rtt.resetTimeout();
          expect(rtt.rtoJiffies).toBeGreaterThanOrEqual(50);
          expect(rtt.rtoJiffies).toBeLessThanOrEqual(30_000);
        }
      }),
    );
  });
});
