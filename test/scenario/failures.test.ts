/**
 * The gallery of failures: each is a pair of scenarios, the symptom and its cure, and names symptom, what the capture shows, cause and cure. From that
 * docs/FAILURES.md is made (`npx vitest run test/scenario/failures.test.ts -u` writes it).
 */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { missing } from "../capture/external-tools.ts";
import { ROOT } from "../cli/run-vxlab.ts";
import { checkFolder, descriptionOf, scenariosOf, shown } from "./shipped-folder.ts";

const CURED = "-cured";
const PARTS = ["Symptom", "Capture", "Filter", "Cause", "Cure"] as const;
type Account = Readonly<Record<(typeof PARTS)[number], string>>;

const failures = scenariosOf("failures").filter((name) => !name.endsWith(CURED));

/** A description's lines, each of which begins with its part's name. */
function accountOf(description: string): Account {
  const lines = description.trimEnd().split("\n");
  expect(lines.map((line) => line.replace(/: .*/, ""))).toEqual([...PARTS]);
  return Object.fromEntries(PARTS.map((part, index) => [part, lines[index]!.slice(part.length + 2)])) as Account;
}

describe("The gallery of failures", () => {
  it("has a cure for every failure, and cures nothing else", () => {
    expect(failures.length).toBeGreaterThanOrEqual(15);
    expect(scenariosOf("failures")).toEqual(failures.flatMap((name) => [name, `${name}${CURED}`]).sort());
  });

  it("is what docs/FAILURES.md shows", async () => {
    const rows = failures.map((name) => {
      const account = accountOf(descriptionOf("failures", name));
      const text = (part: keyof Account): string => account[part].replaceAll("|", "\\|");
      const filter = account.Filter === "none" ? "" : ` \`${text("Filter")}\``;
      const files = [name, `${name}${CURED}`].map((file) => `[${file}](../scenarios/failures/${file}.yaml)`).join(", ");
      return `| ${text("Symptom")} | ${text("Capture")}${filter} | ${text("Cause")} | ${text("Cure")} | ${files} |`;
    });
    const head = `# A gallery of failures

Failures of container overlay networks as people meet them, each to be run, watched in Wireshark and cured: \`vxlab run scenarios/failures/NAME.yaml\` shows
the symptom, \`NAME-cured.yaml\` the cure, and both expect what is said here. The filter is Wireshark's, for the capture of the first.

| symptom | what the capture shows | cause | cure | files |
|---|---|---|---|---|
`;
    await expect(`${head}${rows.join("\n")}\n`).toMatchFileSnapshot(join(ROOT, "docs/FAILURES.md"));
  });

  checkFolder("failures", new Set(["checksum-offload"]), ({ name, description, path }) => {
    if (name.endsWith(CURED)) {
      it("names what it cures", () => {
        expect(description).toContain(`The cure of ${name.slice(0, -CURED.length)}: `);
      });
      return;
    }
    it("shows in its capture what its description says", { timeout: 60_000 }, () => {
      const { Filter } = accountOf(description);
      if (Filter !== "none" && !missing("tshark")) expect(shown(path, Filter)).not.toBe("");
    });
  });
});
