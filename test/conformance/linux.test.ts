/** The cases recorded from the real kernel: those that pass must go on passing, and those that differ have a reason written down. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tryCase } from "../../src/check/conformance/run-case.ts";
import { listCases, readCase, readKnownDifferences, readRecorded } from "../../src/cli/case-folder.ts";
import { WORDS } from "../../src/commands/words.ts";

const FOLDER = join(import.meta.dirname, "linux");

describe("An emulated Linux, held against captures of the real kernel,", () => {
  const known = readKnownDifferences(FOLDER);

  for (const found of listCases(FOLDER)) {
    const reason = known.get(found.name);
    it(`${reason === undefined ? "sends the same frames" : `differs (${reason})`} in case ${found.name}`, () => {
      const description = readCase(found);
      if ("problem" in description) throw new Error(description.problem);
      const { result } = tryCase(description, WORDS, readRecorded(found, description));
      const wrong = result.interfaces.filter((one) => !one.same).map((one) => [one.name, one.summary, ...one.diff]);
      if (reason === undefined) expect({ problems: result.problems, wrong }).toEqual({ problems: [], wrong: [] });
      else expect(result.passed, "it passes now: take it off known-differences.json").toBe(false);
    });
  }

  it("has no reason listed for a case that is not there", () => {
    const names = listCases(FOLDER).map(({ name }) => name);
    expect([...known.keys()].filter((name) => !names.includes(name))).toEqual([]);
  });
});
