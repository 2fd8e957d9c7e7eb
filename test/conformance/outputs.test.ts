/** What commands print in the recorded cases, held against what the real ones printed; times are left out. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCase } from "../../src/check/conformance/run-case.ts";
import { listCases, readCase } from "../../src/cli/case-folder.ts";
import { WORDS } from "../../src/commands/words.ts";

const FOLDER = join(import.meta.dirname, "linux");

type Recorded = Record<string, { stimulus: string; output: string[] }[]>;

/** What depends on the machine's speed and on chance. */
function withoutTimes(line: string): string {
  return line
    .replace(/time=[\d.]+ ms/, "time=T ms")
    .replace(/time \d+ms/, "time Tms")
    .replace(/= [\d.]+\/[\d.]+\/[\d.]+\/[\d.]+ ms/, "= T ms")
    .replace(/ {2}[\d.]+ ms/g, "  T ms");
}

/** ip monitor prints state changes as the timers of the moment have it. */
const LEFT_TO_CHANCE = /ip monitor/;

describe("Commands in the recorded cases", () => {
  const recorded = JSON.parse(readFileSync(join(FOLDER, "outputs.json"), "utf8")) as Recorded;

  for (const found of listCases(FOLDER)) {
    const expected = (recorded[found.name] ?? []).filter(({ stimulus }) => !LEFT_TO_CHANCE.test(stimulus));
    if (expected.length === 0) continue;
    it(`print what the real ones print in case ${found.name}`, () => {
      const description = readCase(found);
      if ("problem" in description) throw new Error(description.problem);
      const outputs = runCase(description, WORDS)
        .outputs.filter(({ stimulus }) => !LEFT_TO_CHANCE.test(stimulus))
        .map(({ text }) => text.split("\n").slice(0, -1).map(withoutTimes));
      expect(outputs).toEqual(expected.map(({ output }) => output.map(withoutTimes)));
    });
  }
});
