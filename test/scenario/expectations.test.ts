import { describe, expect, it } from "vitest";
import { type CommandResult, checkCount, checkResult, FrameCounter } from "../../src/scenario/expectations.ts";
import { scenarioFrom } from "../../src/scenario/load.ts";

const PING: CommandResult = {
  as: "p",
  host: "c1",
  line: "ping -c 3 c2",
  atNs: 0,
  stdout: `PING c2 (10.0.1.3) 56(84) bytes of data.
64 bytes from c2 (10.0.1.3): icmp_seq=1 ttl=64 time=0.4 ms
From 10.0.1.2 icmp_seq=2 Destination Host Unreachable

--- c2 ping statistics ---
3 packets transmitted, 1 received, +2 errors, 66.6667% packet loss, time 2003ms
`,
  stderr: "",
  status: 1,
};

/** What a scenario's `expect: - p: …` reads as. */
function expected(result: Record<string, unknown>) {
  const scenario = scenarioFrom({
    name: "a",
    nodes: { n1: {} },
    steps: [{ at: "1s", on: "n1", run: "true", as: "p" }],
    expect: [{ p: result }],
  });
  const first = scenario.expect![0]!;
  if (first.kind !== "result") throw new Error("another kind");
  return first.result;
}

function held(result: Record<string, unknown>, of: CommandResult | undefined = PING): readonly boolean[] {
  return checkResult(expected(result), of, "p").map(({ holds }) => holds);
}

describe("An expectation of a command", () => {
  it("reads the figures that ping prints", () => {
    expect(held({ transmitted: 3, received: 1, errors: 2, exit: 1 })).toEqual([true, true, true, true]);
    expect(held({ transmitted: 2, received: 3, errors: 0, exit: 0 })).toEqual([false, false, false, false]);
  });

  it("reads the figures that arping prints", () => {
    const stdout = "Sent 2 probes (1 broadcast(s))\nReceived 1 response(s)\n";
    expect(held({ transmitted: 2, received: 1 }, { ...PING, stdout, status: 0 })).toEqual([true, true]);
  });

  it("compares as it is written", () => {
    expect(held({ received: ">= 1" })).toEqual([true]);
    expect(held({ received: "> 1" })).toEqual([false]);
    expect(held({ received: "<2" })).toEqual([true]);
    expect(held({ received: "<= 0" })).toEqual([false]);
    expect(held({ received: "!= 1" })).toEqual([false]);
    expect(held({ received: "== 1" })).toEqual([true]);
    expect(held({ received: "= 1" })).toEqual([true]);
  });

  it("counts no errors where ping names none, and none at all where nothing was pinged", () => {
    const stdout = PING.stdout.replace("+2 errors, ", "");
    expect(held({ errors: 0 }, { ...PING, stdout })).toEqual([true]);
    expect(held({ errors: 0 }, { ...PING, stdout: "" })).toEqual([false]);
  });

  it("looks for texts and for regular expressions in what was printed, on either stream", () => {
    expect(held({ output: "Destination Host Unreachable" })).toEqual([true]);
    expect(held({ output: ["10.0.1.3", "/^3 packets/", "/icmp_seq=9/"] })).toEqual([true, true, false]);
    expect(held({ output: "oops" }, { ...PING, stdout: "", stderr: "oops\n" })).toEqual([true]);
  });

  it("fails for a command that did not run or has not ended", () => {
    expect(checkResult(expected({ exit: 0 }), undefined, "p").map(({ holds }) => holds)).toEqual([false]);
    expect(held({ exit: 0 }, { ...PING, status: undefined })).toEqual([false]);
  });

  it("says what was expected and what was found", () => {
    expect(checkResult(expected({ received: ">= 3" }), PING, "p")).toEqual([
      { expected: "p: received >= 3", holds: false, found: "1" },
    ]);
  });
});

describe("An expectation of a number of frames", () => {
  it("wants at least one where it says nothing", () => {
    expect(checkCount("frames", {}, 0).holds).toBe(false);
    expect(checkCount("frames", {}, 1).holds).toBe(true);
  });

  it("holds within its bounds", () => {
    expect(checkCount("frames", { exactly: 0 }, 0).holds).toBe(true);
    expect(checkCount("frames", { exactly: 2 }, 3).holds).toBe(false);
    expect(checkCount("frames", { "at-least": 2, "at-most": 4 }, 4).holds).toBe(true);
    expect(checkCount("frames", { "at-least": 2, "at-most": 4 }, 5).holds).toBe(false);
    expect(checkCount("frames", { "at-most": 4 }, 0).holds).toBe(true);
  });
});

describe("A counter of frames", () => {
  it("counts what its filter takes", () => {
    const arp = new Uint8Array(42);
    arp[12] = 0x08;
    arp[13] = 0x06;
    const counter = new FrameCounter("arp");
    const all = new FrameCounter(undefined);
    for (const bytes of [arp, new Uint8Array(60)]) for (const one of [counter, all]) one.see(bytes, 0, bytes.length);
    expect([counter.count, all.count]).toEqual([1, 2]);
  });
});
