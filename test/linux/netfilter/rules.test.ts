import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_FRAME } from "../../../src/linux/frame-store.ts";
import { iptables } from "../../../src/linux/netfilter/iptables.ts";
import { formatIpv4, type Ipv4Address } from "../../../src/wire/address.ts";
import { Bench } from "./packets.ts";

/** A rule as people say it, in the words of this test: what the model reads. */
interface Said {
  readonly source: { readonly address: number; readonly length: number; readonly not: boolean } | undefined;
  readonly protocol: "udp" | "tcp" | undefined;
  readonly dport: { readonly low: number; readonly high: number; readonly not: boolean } | undefined;
  /** A verdict, a chain to call or to go to, or nothing. */
  readonly verdict: "ACCEPT" | "DROP" | "RETURN" | "count" | { readonly chain: number; readonly goto: boolean };
}

const CHAINS = 4; // chain n calls later ones only, so there is no loop
const ADDRESSES = [0x0a00_0001, 0x0a00_0101, 0x0b00_0001];

function anyRule(chain: number): fc.Arbitrary<Said> {
  const calls = fc.record({
    chain: fc.integer({ min: Math.min(chain + 1, CHAINS - 1), max: CHAINS - 1 }),
    goto: fc.boolean(),
  });
  const verdicts = fc.constantFrom("ACCEPT" as const, "DROP" as const, "RETURN" as const, "count" as const);
  return fc.record({
    source: fc.option(
      fc.record({ address: fc.constantFrom(...ADDRESSES), length: fc.constantFrom(0, 8, 24, 32), not: fc.boolean() }),
      { nil: undefined },
    ),
    protocol: fc.constantFrom(undefined, "udp" as const, "tcp" as const),
    dport: fc.option(
      fc
        .tuple(fc.nat(4), fc.nat(4), fc.boolean())
        .map(([a, b, not]) => ({ low: Math.min(a, b), high: Math.max(a, b), not })),
      { nil: undefined },
    ),
    verdict: chain + 1 < CHAINS ? fc.oneof(verdicts, calls) : verdicts,
  });
}

const anyRuleSet = fc.tuple(
  ...[0, 1, 2, 3].map((chain) => fc.array(anyRule(chain), { maxLength: 5 })),
) as unknown as fc.Arbitrary<Said[][]>;
const anyPacket = fc.record({
  source: fc.constantFrom(...ADDRESSES),
  protocol: fc.constantFrom("udp" as const, "tcp" as const),
  dport: fc.nat(5),
});

function spoken(rule: Said): string[] {
  const words: string[] = [];
  const { source, protocol, dport, verdict } = rule;
  if (source !== undefined)
    words.push(...(source.not ? ["!"] : []), "-s", `${formatIpv4(source.address as Ipv4Address)}/${source.length}`);
  if (protocol !== undefined) words.push("-p", protocol);
  if (protocol !== undefined && dport !== undefined)
    words.push(...(dport.not ? ["!"] : []), "--dport", `${dport.low}:${dport.high}`);
  if (typeof verdict === "object") words.push(verdict.goto ? "-g" : "-j", `C${verdict.chain}`);
  else if (verdict !== "count") words.push("-j", verdict);
  return words;
}

/** The naive reader of rules: what iptables(8) says, word for word. Counts into `hits`. */
function decide(
  chains: Said[][],
  chain: number,
  packet: { source: number; protocol: string; dport: number },
  hits: Map<Said, number>,
): "ACCEPT" | "DROP" | "back" {
  for (const rule of chains[chain]!) {
    const { source, protocol, dport, verdict } = rule;
    if (source !== undefined) {
      const same =
        source.length === 0 || source.address >>> (32 - source.length) === packet.source >>> (32 - source.length);
      if (same === source.not) continue;
    }
    if (protocol !== undefined && protocol !== packet.protocol) continue;
    if (protocol !== undefined && dport !== undefined) {
      if ((packet.dport >= dport.low && packet.dport <= dport.high) === dport.not) continue;
    }
    hits.set(rule, (hits.get(rule) ?? 0) + 1);
    if (verdict === "ACCEPT" || verdict === "DROP") return verdict;
    if (verdict === "RETURN") return "back";
    if (typeof verdict === "object") {
      const answer = decide(chains, verdict.chain, packet, hits);
      if (answer !== "back" || verdict.goto) return answer;
    }
  }
  return "back";
}

describe("Chains of rules", () => {
  it("decide and count as a naive reader of the rules does", () => {
    fc.assert(
      fc.property(
        anyRuleSet,
        fc.constantFrom("ACCEPT", "DROP"),
        fc.array(anyPacket, { maxLength: 10 }),
        (chains, policy, packets) => {
          const bench = new Bench();
          const run = (...words: string[]) =>
            expect([words.join(" "), iptables(bench.netfilter, words).stderr]).toEqual([words.join(" "), ""]);
          for (let chain = 1; chain < CHAINS; chain++) run("-N", `C${chain}`);
          run("-P", "INPUT", policy);
          chains.forEach((rules, chain) => {
            for (const rule of rules) run("-A", chain === 0 ? "INPUT" : `C${chain}`, ...spoken(rule));
          });
          const hits = new Map<Said, number>();
          for (const packet of packets) {
            const answer = decide(chains, 0, packet, hits);
            const header = { from: formatIpv4(packet.source as Ipv4Address), to: "192.0.2.1", dport: packet.dport };
            const frame = packet.protocol === "udp" ? bench.udp(header) : bench.tcp({ ...header, flags: 2 });
            expect(bench.passes("input", frame)).toBe((answer === "back" ? policy : answer) === "ACCEPT");
          }
          const table = bench.netfilter.table("filter");
          chains.forEach((rules, chain) => {
            const counted = table.chain(chain === 0 ? "INPUT" : `C${chain}`)?.rules.map((rule) => rule.packets);
            expect(counted).toEqual(rules.map((rule) => hits.get(rule) ?? 0));
          });
          expect(bench.frames.inFlight).toBe(0);
        },
      ),
    );
  });

  it("are refused when they call each other in a circle that a packet could reach, or nest too deep", () => {
    const bench = new Bench();
    const run = (line: string) => iptables(bench.netfilter, line.split(" "));
    for (let chain = 0; chain < 20; chain++) run(`-N D${chain}`);
    for (let chain = 0; chain < 19; chain++) expect(run(`-A D${chain} -j D${chain + 1}`).status).toBe(0);
    expect(run("-A INPUT -j D10").status).toBe(0);
    expect(run("-A D19 -j D10").stderr).toContain("Too many links");
    expect(run("-A INPUT -j D0").stderr).toContain("Too many links");
    expect(run("-S INPUT").stdout).toBe("-P INPUT ACCEPT\n-A INPUT -j D10\n");
  });

  it("count bytes of the IPv4 packet", () => {
    const bench = new Bench();
    iptables(bench.netfilter, ["-A", "INPUT", "-j", "ACCEPT"]);
    bench.passes("input", bench.udp({ from: "10.0.0.1", to: "192.0.2.1" }, 100));
    expect(iptables(bench.netfilter, ["-S", "INPUT", "-v"]).stdout).toBe(
      "-P INPUT ACCEPT -c 0 0\n-A INPUT -c 1 128 -j ACCEPT\n",
    );
  });

  it("say by their policy why a packet ended", () => {
    const bench = new Bench();
    iptables(bench.netfilter, ["-P", "FORWARD", "DROP"]);
    expect(bench.through(bench.udp({ from: "10.0.0.1", to: "10.0.0.2" }))).toBe(NO_FRAME);
    expect(bench.frames.dropsByReason.get("netfilter-policy")).toBe(1);
  });

  it("are asked in the order of their tables at every hook", () => {
    const bench = new Bench();
    const points = {
      PREROUTING: ["raw", "mangle", "nat"],
      INPUT: ["mangle", "filter", "security", "nat"],
      FORWARD: ["mangle", "filter", "security"],
      OUTPUT: ["raw", "mangle", "nat", "filter", "security"],
      POSTROUTING: ["mangle", "nat"],
    };
    for (const [chain, tables] of Object.entries(points))
      for (const table of tables)
        expect(
          iptables(bench.netfilter, ["-t", table, "-A", chain, "-j", "LOG", "--log-prefix", `${table} ${chain} `])
            .status,
        ).toBe(0);
    const asked = () => {
      const lines = bench.netfilter.log.lines.map(({ text }) => text.slice(0, text.indexOf(" IN=")));
      bench.netfilter.log.clear();
      return lines;
    };
    bench.frames.consume(bench.through(bench.udp({ from: "10.0.0.1", to: "10.0.0.2", sport: 1 })));
    expect(asked()).toEqual([
      "raw PREROUTING",
      "mangle PREROUTING",
      "nat PREROUTING",
      "mangle FORWARD",
      "filter FORWARD",
      "security FORWARD",
      "mangle POSTROUTING",
      "nat POSTROUTING",
    ]);
    const local = bench.hook(
      "input",
      bench.hook("prerouting", bench.udp({ from: "10.0.0.1", to: "192.0.2.1", sport: 2 })),
    );
    expect(asked().slice(3)).toEqual(["mangle INPUT", "filter INPUT", "security INPUT", "nat INPUT"]);
    bench.frames.consume(local);
    const made = bench.hook(
      "postrouting",
      bench.hook("output", bench.udp({ from: "192.0.2.1", to: "10.0.0.1", sport: 3 })),
    );
    expect(asked()).toEqual([
      "raw OUTPUT",
      "mangle OUTPUT",
      "nat OUTPUT",
      "filter OUTPUT",
      "security OUTPUT",
      "mangle POSTROUTING",
      "nat POSTROUTING",
    ]);
    bench.frames.consume(made);
  });
});
