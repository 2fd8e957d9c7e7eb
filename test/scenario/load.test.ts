import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadScenario, scenarioFrom } from "../../src/scenario/load.ts";
import { ScenarioError } from "../../src/scenario/problem.ts";
import { loadTopologyScript } from "../../src/scenario/topology-script.ts";
import { formatIpv4 } from "../../src/wire/address.ts";
import { VALID_SCENARIO } from "./valid-scenario.ts";

/** The problems of a text that is no scenario; none when it is one. Any other exception fails the test. */
function problemsOf(text: string): ScenarioError["problems"] {
  try {
    loadScenario(text, "s.yaml");
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    const lines = text.split("\n");
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { line, column, found, expected } of error.problems) {
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(column).toBeGreaterThanOrEqual(1);
      expect(column).toBeLessThanOrEqual(lines[line - 1]!.length + 1);
      expect(found).not.toBe("");
      expect(expected).not.toBe("");
    }
    expect(error.report()).toContain("s.yaml:");
    return error.problems;
  }
}

describe("A scenario file", () => {
  it("is read with every key of the format", () => {
    const scenario = loadScenario(VALID_SCENARIO, "s.yaml");
    expect(scenario.name).toBe("most-keys");
    expect(scenario.seed).toBe("7");
    expect(scenario.start).toBe(1_772_366_400);
    expect(scenario.crossing).toBe(2_000);
    expect(scenario.nodes!.get("node2")!.link).toEqual({
      delay: 50_000,
      rate: 1_000_000_000,
      queue: 64_000,
      loss: 5_000,
      burst: { enter: 10_000, leave: 200_000 },
    });
    expect(formatIpv4(scenario.nodes!.get("node1")!.address!)).toBe("192.168.50.20");
    expect(scenario.steps!.map(({ at }) => at)).toEqual([1e9, 2e9, 3e9, 4e9, 5e9]);
    expect(scenario.expect!.map(({ kind }) => kind)).toEqual(["result", "capture", "drops", "eventually"]);
    expect(scenario.capture).toEqual(["node*/eth0", "c1/eth0"]);
  });

  it("is the same as the object of its form", () => {
    const wanted = loadScenario("name: a\nnodes: { n1: { address: 192.168.50.20 } }\nuntil: 3s\n");
    const found = scenarioFrom({ name: "a", nodes: { n1: { address: "192.168.50.20" } }, until: "3s" });
    expect({ ...found, source: undefined }).toEqual({ ...wanted, source: undefined });
  });

  it("is read with CRLF line ends and a byte order mark", () => {
    expect(loadScenario(`\uFEFF${VALID_SCENARIO.replaceAll("\n", "\r\n")}`).name).toBe("most-keys");
  });

  it("knows where its keys stand", () => {
    const { source } = loadScenario(
      "name: a.b\nnodes:\n  n.1: { address: 192.168.50.20 }\nsetup:\n  - ip link\n  - ip addr\n",
    );
    expect(source.locate("setup[1]")).toMatchObject({ line: 6, column: 5, length: 7 });
    expect(source.locate("nodes.n.1.address")).toMatchObject({ line: 3, column: 19 });
    expect(source.locate("nodes.n.1.banana")).toMatchObject({ line: 3, column: 8 });
    expect(source.locate("banana")).toMatchObject({ line: 1, column: 1 });
  });

  it("refuses an object with the path of each problem, having no lines", () => {
    const read = () => scenarioFrom({ name: "a", nodes: { n1: { role: "boss" } }, steps: [{ at: 5 }] });
    expect(read).toThrow(ScenarioError);
    try {
      read();
    } catch (error) {
      expect((error as ScenarioError).problems.map(({ path }) => path).sort()).toEqual([
        "nodes.n1.role",
        "steps[0].at",
      ]);
      expect((error as ScenarioError).report()).toContain('scenario: nodes.n1.role: error: found "boss"');
    }
  });

  it("is a scenario or a list of problems with their places, whatever character is changed, removed or put in", () => {
    const anyDamage = fc.array(
      fc.record({
        at: fc.nat(VALID_SCENARIO.length),
        cut: fc.oneof(fc.constant(0), fc.constant(1), fc.nat(40)),
        put: fc.oneof(
          fc.string({ maxLength: 5 }),
          fc.string({ unit: "binary", maxLength: 3 }),
          fc.constantFrom(
            "{",
            "}",
            "[",
            "]",
            "\n",
            "\t",
            ":",
            ": ",
            "- ",
            "&a ",
            "*a",
            "*fast",
            "!!int ",
            "!x ",
            "<<: *fast\n",
            "|",
            ">",
            "'",
            '"',
            "#",
            "---\n",
            "...\n",
            "%YAML 9\n",
            "\u0000",
            "\u0085",
            "\u2028",
            "\ud800",
            "? ",
            "null",
            "~",
            ".inf",
            "0x1F",
            "1e999",
          ),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(anyDamage, (damage) => {
        let text = VALID_SCENARIO;
        for (const { at, cut, put } of damage) text = text.slice(0, at) + put + text.slice(at + cut);
        problemsOf(text);
      }),
      { numRuns: 200 },
    );
  });

  it("is a scenario or a list of problems, whatever type stands in any place", () => {
    const anyJunk = fc.constantFrom<unknown>(
      null,
      true,
      -1,
      1e308,
      "",
      "x",
      [],
      [[]],
      [null],
      {},
      { a: {} },
      { "": 1 },
      { __proto__: 1, constructor: 2 },
    );
    const whole = JSON.parse(JSON.stringify(PLAIN)) as unknown;
    fc.assert(
      fc.property(fc.nat(200), anyJunk, (pick, junk) => {
        const { value } = withJunk(whole, pick % placesIn(whole), junk);
        try {
          scenarioFrom(value);
        } catch (error) {
          if (!(error instanceof ScenarioError)) throw error;
          expect(error.problems.length).toBeGreaterThan(0);
        }
        problemsOf(JSON.stringify(value, null, 1));
      }),
      { numRuns: 200 },
    );
  });
});

/** A plain object with most keys, to be damaged place by place. */
const PLAIN = {
  name: "plain",
  seed: 1,
  underlay: { subnet: "192.168.50.0/24", mtu: 1500, link: { delay: "1ms", burst: { enter: "1%", leave: "2%" } } },
  nodes: { n1: { role: "manager", labels: { a: "b" }, setup: ["ip link"] }, n2: {} },
  networks: { net: { driver: "overlay", vni: 9 } },
  containers: { c1: { node: "n1", networks: { net: { address: "10.0.1.9" } } }, c2: { node: "n2", networks: ["net"] } },
  setup: ["ip link"],
  capture: ["*/eth0"],
  steps: [
    { at: "1s", in: "c1", run: "ping c2", as: "p" },
    { at: "2s", fault: { partition: [["n1"], ["n2"]] }, for: "1s" },
    { at: "2s", fault: { link: "n1", loss: "5%" } },
  ],
  expect: [
    { p: { received: 1, output: ["a", "/b/"] } },
    { capture: "n1/eth0", filter: "udp", "at-least": 1 },
    { drops: "link-loss", at: "*" },
    { eventually: { reach: "c1 -> c2" } },
  ],
};

function placesIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return 1 + Object.values(value).reduce<number>((sum, below) => sum + placesIn(below), 0);
}

/** `value` with the place number `at` (depth first) replaced. */
function withJunk(value: unknown, at: number, junk: unknown): { value: unknown; left: number } {
  if (at === 0) return { value: junk, left: -1 };
  let left = at - 1;
  if (typeof value !== "object" || value === null) return { value, left };
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  for (const key of Object.keys(copy)) {
    if (left < 0) break;
    const below = withJunk(copy[key], left, junk);
    copy[key] = below.value;
    left = below.left;
  }
  return { value: copy, left };
}

describe("A hostile scenario file", () => {
  const most = 1_048_576;
  /** Each costs a second or so at the very most on a slow machine; a bomb would cost minutes. */
  const limitMs = 10_000;
  const lines = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join("");

  const hostile: readonly [string, string][] = [
    ["1 MiB of [", "[".repeat(most)],
    ["1 MiB of {", "{".repeat(most)],
    ["1 MiB of nested items of a list", `a:\n  ${"- ".repeat(most / 2 - 10)}`],
    ["1 MiB of nested keys", `name: ${"? ".repeat(most / 2 - 10)}`],
    ["blocks nested by indentation", lines(1_000, (index) => `${" ".repeat(index)}a:\n`)],
    ["quotes", `name: ${'"'.repeat(most / 4)}`],
    ["1 MiB of one word", "a".repeat(most)],
    ["1 MiB of colons", ": ".repeat(most / 2)],
    ["anchors", "&a ".repeat(most / 12)],
    ["tags", "!a ".repeat(most / 12)],
    ["document marks", "---\n".repeat(most / 16)],
    ["1 MiB of line ends", "\n".repeat(most)],
    ["1 MiB of tabs", "\t".repeat(most)],
    ["50 000 keys", lines(50_000, (index) => `k${index}: 1\n`)],
    ["50 000 times the same key", lines(50_000, () => "name: a\n")],
    ["30 000 machines without a network", `name: a\nnodes:\n${lines(30_000, (index) => `  n${index}: {}\n`)}`],
    ["30 000 networks", `name: a\nnetworks:\n${lines(30_000, (index) => `  n${index}: {}\n`)}`],
    [
      "15 000 containers on machines that are not there",
      `name: a\nnodes:\n${lines(8_000, (index) => `  n${index}: {}\n`)}containers:\n${lines(15_000, (index) => `  c${index}: { node: x${index} }\n`)}`,
    ],
    ["20 000 bad steps", `name: a\nsteps:\n${lines(20_000, () => "  - { at: 1s, run: x }\n")}`],
    [
      "aliases of aliases of aliases",
      `name: a\nx-0: &a0 [ip link]\n${lines(30, (index) => `x-${index + 1}: &a${index + 1} [*a${index}, *a${index}, *a${index}]\n`)}setup: *a30\nsteps: *a30\nexpect: *a30\n`,
    ],
    [
      "merges of merges of merges",
      `x-0: &a0 { k: 1 }\n${lines(40, (index) => `x-${index + 1}: &a${index + 1} { <<: [*a${index}, *a${index}], k${index}: 1 }\n`)}name: a\nnodes: *a40\n`,
    ],
    ["a mapping merged into itself", "name: a\nnodes: &n\n  <<: *n\n  n1: {}\n"],
    [
      "20 000 keys merged 20 000 times",
      `x-a: &a\n${lines(20_000, (index) => `  k${index}: 1\n`)}name: a\nnodes:\n  <<: [${"*a, ".repeat(20_000)}]\n`,
    ],
    ["a million aliases of one value", `x-a: &a 1\nname: a\nsetup: [${"*a,".repeat(250_000)}]\n`],
    [
      "a regular expression that backtracks",
      `name: a\nnodes: {n: {}}\nsteps: [{at: 1s, on: n, run: "true", as: p}]\nexpect: [{p: {output: "/(a+)+$/"}}]\n`,
    ],
    [
      "a filter of 500 000 brackets",
      `name: a\nnodes: {n: {}}\nexpect: [{capture: n/eth0, filter: "${"(".repeat(500_000)}"}]\n`,
    ],
    [
      "a filter of 100 000 nots",
      `name: a\nnodes: {n: {}}\nexpect: [{capture: n/eth0, filter: "${"not ".repeat(100_000)}ip"}]\n`,
    ],
    ["more than 1 MiB", "#".repeat(most + 1)],
    ["NUL", "name: a\u0000b\n"],
    ["terminal escapes", 'name: "a\u001b[2Jb"\n'],
    ["terminal escapes of one byte", 'name: "a\\x9b2Jb"\n'],
  ];

  for (const [what, text] of hostile)
    it(`of ${what} is refused or read in bounded time`, { timeout: limitMs }, () => {
      const started = performance.now();
      const problems = problemsOf(text);
      expect(problems.length).toBeLessThanOrEqual(50);
      expect(performance.now() - started).toBeLessThan(limitMs);
    });

  it("says nothing to the terminal that its report is shown on", () => {
    for (const text of ['name: "a\u001b[2Jb"\n', 'name: "a\\x9b2J\\e[2Jb"\n']) {
      try {
        loadScenario(text, "s.yaml");
      } catch (error) {
        expect((error as ScenarioError).report()).not.toMatch(/(?!\n)\p{Cc}/u);
        continue;
      }
      expect.unreachable("the name is no name");
    }
  });
});

describe("A plain file of commands", () => {
  const SCRIPT = `#!/bin/sh
set -e
# two namespaces
ip netns add a
ip netns add b
ip link add v0 netns a type veth \\
  peer name v1 netns b

ip netns exec a ip link set v0 up
ip netns exec a ping -c 1 10.0.0.2
ip neigh
`;

  it("is a scenario of setup lines and one script", () => {
    const { name, setup, steps } = loadTopologyScript(SCRIPT, "t.sh", "t");
    expect(name).toBe("t");
    expect(setup).toEqual([
      "ip netns add a",
      "ip netns add b",
      "ip link add v0 netns a type veth peer name v1 netns b",
      "ip netns exec a ip link set v0 up",
    ]);
    expect(steps).toMatchObject([
      { at: 2_000_000_000, run: "ip netns exec a ping -c 1 10.0.0.2\nip neigh", as: "script" },
    ]);
    expect(loadTopologyScript("ip link\n", "t.sh", "t").steps).toBeUndefined();
  });

  it("knows the line of each command, also of one on several lines", () => {
    const { source } = loadTopologyScript(SCRIPT, "t.sh", "t");
    expect(source.locate("setup[2]")).toMatchObject({ line: 6, column: 1 });
    expect(source.locate("setup[3]")).toMatchObject({ line: 9 });
    expect(source.locate("name")).toBeUndefined();
  });
});
