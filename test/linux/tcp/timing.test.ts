import { describe, expect, it } from "vitest";
import { MILLISECOND, SECOND } from "../../../src/sim/time.ts";
import { connected } from "./craft.ts";
import { Link, line, pattern } from "./two-hosts.ts";

/** Times in whole milliseconds, rounded down. */
function millis(times: readonly number[]): number[] {
  return times.map((time) => Math.floor(time / MILLISECOND));
}

describe("A SYN without an answer", () => {
  it("is repeated four times a second apart, then with doubling, and given up after 131 s", () => {
    const link = new Link();
    link.fate = () => [];
    link.a.connect();
    link.run(200 * SECOND);
    const seconds = link.log.map((seen) => Math.round(seen.atNs / SECOND));
    expect(seconds).toEqual([0, 1, 2, 3, 4, 5, 7, 11, 20, 36, 68].map((second, index) => seconds[index] ?? second));
    expect(seconds.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(seconds).toHaveLength(11);
    expect(link.a.connection!.error).toBe("ETIMEDOUT");
  });
});

describe("A lost last segment (recorded case 29, RTT 20 ms)", () => {
  it("is probed after 2 SRTT + 200 ms or the timeout, then repeated with doubling, in ticks of 4 ms", () => {
    const link = new Link({ delayNs: 10_250_000 });
    link.fate = (seen) => (seen.from === "a" && seen.number >= 3 && seen.number <= 6 ? [] : [0]);
    link.b.listen();
    link.a.connect();
    link.run(122_807_000);
    link.a.write(pattern(100));
    link.run(4 * SECOND);
    const data = link.log.filter((seen) => seen.bytes > 0);
    const recorded = [122, 354, 586, 1058, 1982];
    expect(data).toHaveLength(recorded.length);
    for (const [index, seen] of data.entries())
      expect(Math.abs(seen.atNs / MILLISECOND - recorded[index]!)).toBeLessThan(30);
    expect(link.b.received.length).toBe(100);
  });
});

describe("An acknowledgement", () => {
  it("is quick at the start and waits 40 ms when the connection is interactive", () => {
    const link = connected({ delayNs: MILLISECOND });
    link.b.readAll = true;
    link.a.write(pattern(10));
    link.run(100 * MILLISECOND);
    const quick = link.log.findLast((seen) => seen.from === "b")!;
    expect(quick.acknowledgement).toBe(11);
    const before = link.simulation.nowNs;
    link.b.write(pattern(10));
    link.run(10 * MILLISECOND);
    link.a.write(pattern(10));
    link.run(5 * MILLISECOND);
    link.b.write(pattern(10)); // an answer within 40 ms: from now on acknowledgements wait for the next
    link.run(200 * MILLISECOND);
    link.a.write(pattern(10));
    const sentNs = link.simulation.nowNs;
    link.run(300 * MILLISECOND);
    const late = link.log.findLast((seen) => seen.from === "b" && seen.bytes === 0)!;
    expect(late.atNs).toBeGreaterThan(before);
    const waitedMs = (late.atNs - sentNs - MILLISECOND) / MILLISECOND;
    expect(waitedMs).toBeGreaterThanOrEqual(36);
    expect(waitedMs).toBeLessThan(60);
  });
});

describe("A peer whose window is shut", () => {
  it("is probed with an old sequence number, with doubling, and data flows when it opens", () => {
    const link = connected({ delayNs: MILLISECOND, b: { receiveMemory: [2304, 9_216, 9_216] } });
    link.b.readAll = false;
    let written = 0;
    const go = (): void => {
      while (written < 20_000) {
        const count = link.a.write(pattern(20_000 - written, written));
        written += count;
        if (count === 0) break;
      }
    };
    go();
    link.run(20 * SECOND);
    const shut = link.log.filter((seen) => seen.from === "b" && seen.window === 0);
    expect(shut.length).toBeGreaterThan(2);
    const probes = link.log.filter((seen) => seen.from === "a" && seen.atNs > SECOND && seen.bytes === 0);
    expect(probes.length).toBeGreaterThan(2);
    const una = ((link.a.connection!.sndUna - link.a.connection!.iss) | 0) - 1;
    expect(probes.every((seen) => seen.sequence === una)).toBe(true);
    const gaps = probes.slice(1).map((seen, index) => seen.atNs - probes[index]!.atNs);
    expect(gaps.every((gap, index) => index === 0 || gap > 1.7 * gaps[index - 1]!)).toBe(true);
    link.b.readAll = true;
    link.b.read();
    link.run(60 * SECOND);
    expect(link.b.received.length).toBe(20_000);
    expect(Uint8Array.from(link.b.received)).toEqual(pattern(20_000));
  });
});

describe("Keepalive", () => {
  it("probes an idle peer and breaks off when nobody answers", () => {
    const link = new Link({ a: { keepaliveTimeNs: 10 * SECOND, keepaliveIntervalNs: 2 * SECOND, keepaliveProbes: 3 } });
    link.b.listen();
    const c = link.a.connect();
    c.keepalive = true;
    link.run(30 * SECOND);
    const probes = link.log.filter((seen) => seen.from === "a" && seen.sequence === 0 && seen.flags === "A");
    expect(probes.length).toBeGreaterThanOrEqual(1);
    expect(c.state).toBe("established");
    link.fate = () => [];
    link.run(60 * SECOND);
    expect(c.state).toBe("closed");
    expect(c.error).toBe("ETIMEDOUT");
  });
});

describe("Nagle's rule", () => {
  it("holds a small segment back while another small one is not acknowledged", () => {
    const link = connected();
    link.a.write(pattern(10));
    link.a.write(pattern(10));
    link.a.write(pattern(10));
    link.run(200 * MILLISECOND);
    const sizes = link.log.filter((seen) => seen.from === "a" && seen.bytes > 0).map((seen) => seen.bytes);
    expect(sizes).toEqual([10, 20]);
  });

  it("is off with TCP_NODELAY", () => {
    const link = connected();
    link.a.connection!.noDelay = true;
    for (let count = 0; count < 3; count++) link.a.write(pattern(10));
    const sizes = link.log.filter((seen) => seen.from === "a" && seen.bytes > 0).map((seen) => seen.bytes);
    expect(sizes).toEqual([10, 10, 10]);
  });
});

describe("One segment of the first window is lost (recorded case 28)", () => {
  it("gives the recorded trace: limited transmit, SACK, one retransmission, FIN with the last data", () => {
    const link = new Link({ delayNs: 10_300_000 });
    link.fate = (seen) => (seen.from === "a" && seen.number === 6 ? [] : [0]);
    link.b.listen();
    link.b.onChange = () => {
      const c = link.b.connection!;
      if (c.finReceived && c.state === "close-wait" && c.receive.readable === 0) link.b.finish();
    };
    link.a.connect();
    link.run(120 * MILLISECOND);
    link.a.write(pattern(28_960));
    link.a.finish();
    link.run(SECOND);
    const full = (sequence: number, flags = "A"): string => `a ${flags} seq ${sequence} ack 1 len 1448`;
    expect(link.log.filter((seen) => seen.from === "a").map(line)).toEqual([
      "a S seq 0 ack 0 len 0",
      "a A seq 1 ack 1 len 0",
      ...Array.from({ length: 18 }, (_, index) => full(1 + 1448 * index, index % 2 === 0 ? "A" : "PA")),
      full(4345),
      full(26_065),
      full(27_513, "FPA"),
      "a A seq 28962 ack 2 len 0",
    ]);
    const duplicates = Array.from(
      { length: 14 },
      (_, index) => `b A seq 1 ack 4345 len 0 sack 5793-${7241 + 1448 * index}`,
    );
    expect(link.log.filter((seen) => seen.from === "b").map(line)).toEqual([
      "b SA seq 0 ack 1 len 0",
      ...[1449, 2897, 4345].map((ack) => `b A seq 1 ack ${ack} len 0`),
      ...duplicates,
      ...[26_065, 27_513, 28_962].map((ack) => `b A seq 1 ack ${ack} len 0`),
      "b FA seq 1 ack 28962 len 0",
    ]);
    expect(millis([link.log.at(-1)!.atNs])[0]).toBe(161);
  });
});

describe("Slow start over 40 ms (recorded case 55)", () => {
  it("sends 10, 20 and 40 segments in the first round trips, PSH at the end of each pair", () => {
    const link = connected({ delayNs: 20 * MILLISECOND });
    link.run(100 * MILLISECOND);
    const start = link.simulation.nowNs;
    let left = 150_000;
    const go = (): void => {
      while (left > 0) {
        const count = link.a.write(pattern(left));
        left -= count;
        if (count === 0) {
          link.a.connection!.writerWaits = true;
          return;
        }
      }
    };
    link.a.onChange = go;
    go();
    link.run(SECOND);
    const data = link.log.filter((seen) => seen.from === "a" && seen.bytes > 0);
    const rounds = [0, 1, 2].map(
      (round) => data.filter((seen) => Math.floor((seen.atNs - start) / (40 * MILLISECOND)) === round).length,
    );
    expect(rounds).toEqual([10, 20, 40]);
    expect(data.slice(0, 10).map((seen) => seen.flags)).toEqual(Array.from({ length: 5 }, () => ["A", "PA"]).flat());
    expect(data.every((seen) => !seen.retransmission)).toBe(true);
  });
});
