/** The documents say what the code does: tables are made from it (`npx vitest run test/docs -u` writes them), examples run. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { DROP_REASONS } from "../../src/linux/drop-reason.ts";
import { Lab } from "../../src/scenario/lab.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { ROOT } from "../cli/run-vxlab.ts";
import { scenarioTables } from "./scenario-tables.ts";

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

describe("docs/SCENARIOS.md", () => {
  const tables = scenarioTables();
  const text = read("docs/SCENARIOS.md");
  const marked = /<!-- table: (.+?) -->\n[\s\S]*?<!-- end -->/g;

  it("has every key of the format, with its meaning", async () => {
    const filled = text.replace(marked, (_all, path: string) => {
      const table = tables.get(path);
      expect(table, path).toBeDefined();
      return `<!-- table: ${path} -->\n\n${table}\n\n<!-- end -->`;
    });
    await expect(filled).toMatchFileSnapshot(join(ROOT, "docs/SCENARIOS.md"));
  });

  it("leaves no table out, but for those that say the same again", () => {
    const shown = new Set([...text.matchAll(marked)].map((match) => tables.get(match[1]!)));
    expect([...tables].filter(([, table]) => !shown.has(table)).map(([path]) => path)).toEqual([]);
  });
});

describe("docs/DROPS.md", () => {
  it("lists every reason of the closed list, in its sections", async () => {
    const source = read("src/linux/drop-reason.ts");
    const lines: string[] = [];
    for (const line of source.slice(source.indexOf("DROP_REASONS = {"), source.indexOf("} as const")).split("\n")) {
      const section = /^ {2}\/\/ (.+)$/.exec(line)?.[1];
      const reason = /^ {2}"([a-z0-9-]+)":/.exec(line)?.[1];
      if (section !== undefined) lines.push("", `## ${section}`, "", "| reason | why the frame ended |", "|---|---|");
      if (reason !== undefined) lines.push(`| \`${reason}\` | ${DROP_REASONS[reason as keyof typeof DROP_REASONS]} |`);
    }
    const listed = lines.flatMap((line) => /^\| `(.+?)` \|/.exec(line)?.[1] ?? []);
    expect(listed).toEqual(Object.keys(DROP_REASONS));
    const head = `# Why frames end

Every frame ends delivered, consumed, still in flight, or dropped for one of these reasons. Reports count them by reason and place, \`--drops\` writes the
frames themselves with the reason as comment, and scenarios may expect them: \`{ drops: link-loss, at: node2/eth0, at-least: 1 }\`.
`;
    await expect(`${head}${lines.join("\n")}\n`).toMatchFileSnapshot(join(ROOT, "docs/DROPS.md"));
  });
});

/** The contents of a document's fenced blocks of one language. */
function blocks(file: string, language: string): string[] {
  return [...read(file).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    (match) => match[1]!,
  );
}

describe("README.md", () => {
  it("has a scenario that is valid and holds", () => {
    const [example] = blocks("README.md", "yaml");
    const report = new Lab(loadScenario(example!, "README.md")).run();
    expect(report.expectations.filter(({ holds }) => !holds)).toEqual([]);
    expect(report.problems).toEqual([]);
  });

  it("says what the first command really prints", () => {
    const report = new Lab(loadScenario(read("scenarios/first-ping.yaml"), "first-ping.yaml")).run();
    const printed = report.commands.map(({ stdout }) => stdout).join("");
    for (const line of read("README.md").split("\n")) {
      const shown = /^ {4}(\d+ bytes from .*|PING .*)$/.exec(line)?.[1];
      if (shown !== undefined) expect(printed).toContain(shown);
    }
    const { made, delivered, consumed, dropped, inFlight } = report.frames;
    expect(read("README.md")).toContain(
      `    ${made} frames = ${delivered} delivered + ${consumed} consumed + ${dropped} dropped + ${inFlight} in flight\n`,
    );
  });

  it("names the two commands that come first", () => {
    expect(read("README.md")).toMatch(/^ {4}npm install && npx vxlab run scenarios\/first-ping\.yaml/m);
    expect(read("README.md")).toMatch(/^ {4}npm install && npm test/m);
  });
});

describe("The documents", () => {
  const documents = [
    "README.md",
    "CHANGELOG.md",
    ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`),
  ].filter((name) => name.endsWith(".md"));

  it("link to what is there", () => {
    const broken = documents.flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map((match) => join(dirname(file), match[1]!))
        .filter((target) => !existsSync(join(ROOT, target)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it("name folders of src that are there", () => {
    const named = [...read("docs/ARCHITECTURE.md").matchAll(/`(src\/[a-z/.-]+)`/g)].map((match) => match[1]!);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    const floors = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && readdirSync(join(ROOT, "src", entry.name)).length > 0,
    );
    const text = read("docs/ARCHITECTURE.md");
    expect(floors.map(({ name }) => `src/${name}`).filter((floor) => !text.includes(`\`${floor}\``))).toEqual([]);
  });
});
