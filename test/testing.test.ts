import { describe, expect, it } from "vitest";
import { checkIndependentLinks, checkLaws, LAWS } from "../src/testing.ts";

describe("The door 'vxlab/testing'", () => {
  it("checks all laws of a scenario", () => {
    const scenario = {
      name: "pair",
      nodes: { a: { role: "host" }, b: { role: "host" } },
      steps: [{ at: "1s", in: "a", run: "ping -c 1 b" }],
    };
    expect(checkLaws(scenario)).toEqual([]);
  });

  it("names each law and its source", () => {
    expect(LAWS.map(({ name }) => name)).toEqual([
      "conservation",
      "no loss without cause",
      "no duplicates",
      "checksums",
      "time to live",
      "MTU",
      "isolation",
      "split horizon",
      "no loops",
      "learned entries tell the truth",
      "tables are the truth",
      "reassembly",
      "translation",
      "a connection stays with its server",
      "round robin is fair",
    ]);
    for (const { source } of LAWS) expect(source).not.toBe("");
    expect(checkIndependentLinks({ seed: 1, losses: [0, 500_000], changed: 0, lossAfter: 1_000_000 })).toEqual([]);
  });
});
