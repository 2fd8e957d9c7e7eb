/** The recorded swarm's first cases on emulated engines. `npm run conformance -- --swarm` runs all of them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type RecordedCase, readCase } from "../../src/check/conformance/swarm/recording.ts";
import { type CaseReport, findings, judge } from "../../src/check/conformance/swarm/report.ts";
import { runSession } from "../../src/check/conformance/swarm/session.ts";
import { compareStates, type StateResult } from "../../src/check/conformance/swarm/state.ts";
import { WORDS } from "../../src/commands/words.ts";

const FOLDER = join(import.meta.dirname, "swarm");
const CASES = ["01-swarm-init-join", "02-overlay-vip-dns", "03-ingress-mesh", "05-encrypted-overlay"];

function read(name: string): RecordedCase {
  const files = new Map(readdirSync(join(FOLDER, name)).map((file) => [file, readFileSync(join(FOLDER, name, file))]));
  const recorded = readCase(name, files);
  if ("problem" in recorded) throw new Error(recorded.problem);
  return recorded;
}

function run(): CaseReport[] {
  const reports: CaseReport[] = [];
  let states: readonly StateResult[] = [];
  runSession({
    cases: CASES.map(read),
    words: WORDS,
    seed: "g",
    dumped: (done, lab) => {
      states = compareStates(done, lab);
    },
    ended: (done) => reports.push(judge(done, states)),
  });
  return reports;
}

describe("The recorded swarm", () => {
  it("sends the same frames on every interface, and its nodes say the same of themselves", { timeout: 120_000 }, () => {
    const reports = run();
    expect(reports.map(({ name }) => name)).toEqual(CASES);
    const differing = reports.flatMap((report) => [
      ...report.problems,
      ...findings({ ...report, interfaces: report.interfaces.map((one) => ({ ...one, control: [] })) })
        .filter(({ same }) => !same)
        .map(({ key }) => key),
    ]);
    expect(differing).toEqual([]);
    // The encrypted network: not one frame in another place.
    const encrypted = reports[3]!.interfaces.filter(({ file }) => file.includes("1-rj3f1ruz6j"));
    expect(encrypted.map(({ data }) => data.upTo)).toEqual(encrypted.map(() => []));
  });
});
