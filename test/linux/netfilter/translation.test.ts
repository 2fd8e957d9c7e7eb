import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FrameId, NO_FRAME } from "../../../src/linux/frame-store.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { formatIpv4 } from "../../../src/wire/address.ts";
import { getU16, toHex } from "../../../src/wire/bytes.ts";
import { finish, sum } from "../../../src/wire/checksum.ts";
import * as icmp from "../../../src/wire/icmp.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import * as tcp from "../../../src/wire/tcp.ts";
import * as udp from "../../../src/wire/udp.ts";
import { Bench } from "./packets.ts";

interface Flow {
  readonly kind: "udp" | "tcp" | "echo";
  readonly from: string;
  readonly to: string;
  readonly sport: number;
  readonly dport: number;
}

const anyFlow: fc.Arbitrary<Flow> = fc.record({
  kind: fc.constantFrom("udp" as const, "tcp" as const, "echo" as const),
  from: fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3"),
  to: fc.constantFrom("192.0.2.1", "198.51.100.7", "198.51.100.8"),
  sport: fc.constantFrom(500, 1000, 40_000),
  dport: fc.constantFrom(53, 80, 8080),
});

/** Rule sets that overlap on purpose: several clients want the same address and port. */
const RULES = [
  "-A POSTROUTING -o eth1 -j MASQUERADE",
  "-A POSTROUTING -p udp -j SNAT --to-source 203.0.113.1-203.0.113.2:600-603",
  "-A POSTROUTING -p tcp -j SNAT --to-source 203.0.113.1 --random",
  "-A POSTROUTING -p tcp -j SNAT --to-source 203.0.113.1-203.0.113.9 --persistent",
  "-A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
  "-A PREROUTING -p udp --dport 53 -j DNAT --to-destination 172.17.0.3-172.17.0.5",
  "-A PREROUTING -d 192.0.2.1 -j DNAT --to-destination 172.17.0.9",
  "-A PREROUTING -p icmp -j DNAT --to-destination 172.17.0.10",
];

function make(bench: Bench, flow: Flow, answer = false): FrameId {
  const { from, to, sport, dport } = flow;
  if (flow.kind === "udp") return bench.udp(flow);
  if (flow.kind === "tcp")
    return bench.tcp({
      from,
      to,
      sport,
      dport,
      seq: answer ? 500 : 100,
      ack: answer ? 101 : 0,
      flags: answer ? 0x12 : 2,
      mss: 1460,
    });
  return bench.echo({ from, to }, sport, answer ? 0 : 8);
}

/** What the packet is now, and that all its checksums hold. */
function read(bench: Bench, frame: FrameId, kind: Flow["kind"]): Flow {
  const { bytes } = bench.frames;
  const at = bench.frames.start(frame);
  const end = bench.frames.end(frame);
  const source = ipv4.source(bytes, at);
  const destination = ipv4.destination(bytes, at);
  expect(ipv4.checksumOk(bench.frames, at)).toBe(true);
  if (kind === "udp") expect(udp.checksumOk(bench.frames, at + 20, source, destination)).toBe(true);
  else if (kind === "tcp") expect(tcp.checksumOk(bench.frames, at + 20, end, source, destination)).toBe(true);
  else expect(icmp.checksumOk(bench.frames, at + 20, end)).toBe(true);
  const isEcho = kind === "echo";
  return {
    kind,
    from: formatIpv4(source),
    to: formatIpv4(destination),
    sport: isEcho ? icmp.identifier(bytes, at + 20) : getU16(bytes, at + 20),
    dport: isEcho ? 0 : getU16(bytes, at + 22),
  };
}

function answerTo(flow: Flow): Flow {
  const isEcho = flow.kind === "echo";
  return {
    kind: flow.kind,
    from: flow.to,
    to: flow.from,
    sport: isEcho ? flow.sport : flow.dport,
    dport: isEcho ? 0 : flow.sport,
  };
}

describe("Translation there and back", () => {
  it("is inverse: every answer reaches who asked, from whom it was asked, and no two flows look alike outside", () => {
    fc.assert(
      fc.property(
        fc.subarray(RULES, { minLength: 1 }),
        fc.uniqueArray(anyFlow, {
          minLength: 1,
          maxLength: 12,
          selector: (flow) => JSON.stringify(flow.kind === "echo" ? { ...flow, dport: 0 } : flow),
        }),
        fc.nat(1_000),
        (lines, flows, seed) => {
          const bench = new Bench(seed);
          for (const line of lines)
            expect(iptables(bench.netfilter, ["-t", "nat", ...line.split(" ")]).stderr).toBe("");
          const outside: { flow: Flow; seen: Flow }[] = [];
          for (const flow of flows) {
            const frame = bench.through(make(bench, flow));
            if (frame === NO_FRAME) {
              expect(bench.frames.dropsByReason.get("nat-no-port") ?? 0).toBeGreaterThan(0);
              continue;
            }
            outside.push({ flow, seen: read(bench, frame, flow.kind) });
            bench.frames.consume(frame);
          }
          expect(new Set(outside.map(({ seen }) => JSON.stringify(answerTo(seen)))).size).toBe(outside.length);
          for (const { flow, seen } of outside.reverse()) {
            const back = bench.through(make(bench, answerTo(seen), true), bench.eth1, bench.eth0);
            expect(read(bench, back, flow.kind)).toEqual(answerTo(flow.kind === "echo" ? { ...flow, dport: 0 } : flow));
            bench.frames.consume(back);
          }
          expect(bench.frames.inFlight).toBe(0);
        },
      ),
    );
  });

  it("translates an ICMP error's quote back to what its reader sent, bit by bit", () => {
    fc.assert(
      fc.property(fc.subarray(RULES, { minLength: 1 }), anyFlow, (lines, flow) => {
        const bench = new Bench();
        for (const line of lines) expect(iptables(bench.netfilter, ["-t", "nat", ...line.split(" ")]).stderr).toBe("");
        const sent = make(bench, flow);
        const sentAt = bench.frames.start(sent);
        const original = toHex(bench.frames.bytes, sentAt, sentAt + 28);
        const seen = bench.through(sent);
        const seenAt = bench.frames.start(seen);
        const quote = bench.frames.bytes.slice(seenAt, bench.frames.end(seen));
        const source = ipv4.source(quote, 0);
        bench.frames.consume(seen);
        const error = bench.other({ from: "198.51.100.99", to: formatIpv4(source), size: 28 + quote.length }, 1);
        const at = bench.frames.start(error);
        icmp.write(bench.frames.bytes, at + 20, 3, 1, 0);
        bench.frames.bytes.set(quote, at + 28);
        icmp.finishChecksum(bench.frames, at + 20, at + 28 + quote.length);
        const got = bench.through(error, bench.eth1, bench.eth0);
        const gotAt = bench.frames.start(got);
        expect(formatIpv4(ipv4.destination(bench.frames.bytes, gotAt))).toBe(flow.from);
        expect(toHex(bench.frames.bytes, gotAt + 28, gotAt + 56)).toBe(original);
        expect(finish(sum(bench.frames, gotAt + 20, bench.frames.end(got)))).toBe(0);
        bench.frames.consume(got);
      }),
    );
  });

  it("never changes a frame that another holds", () => {
    const bench = new Bench();
    iptables(bench.netfilter, "-t nat -A POSTROUTING -j SNAT --to-source 9.9.9.9".split(" "));
    const frame = bench.udp({ from: "10.0.0.1", to: "10.0.0.2" });
    const before = toHex(bench.frames.bytes, bench.frames.start(frame), bench.frames.end(frame));
    bench.frames.hold(frame);
    const translated = bench.through(frame);
    expect(translated).not.toBe(frame);
    expect(toHex(bench.frames.bytes, bench.frames.start(frame), bench.frames.end(frame))).toBe(before);
    expect(bench.frames.connection[frame]).toBe(0);
  });

  it("leaves a UDP checksum of none as none", () => {
    const bench = new Bench();
    iptables(bench.netfilter, "-t nat -A POSTROUTING -j SNAT --to-source 9.9.9.9".split(" "));
    const frame = bench.udp({ from: "10.0.0.1", to: "10.0.0.2" });
    bench.frames.bytes.fill(0, bench.frames.start(frame) + 26, bench.frames.start(frame) + 28);
    const translated = bench.through(frame);
    expect(getU16(bench.frames.bytes, bench.frames.start(translated) + 26)).toBe(0);
  });
});
