/** The examples of docs/TESTING.md run as they stand there, but for their imports and types. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as vxlab from "../../src/index.ts";
import * as testing from "../../src/testing.ts";

const text = readFileSync(new URL("../../docs/TESTING.md", import.meta.url), "utf8");
const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
const programs = blocks.filter((block) => block.includes("\nit("));

describe("docs/TESTING.md", () => {
  it("has examples", () => expect(programs.length).toBeGreaterThanOrEqual(4));

  it("imports what there is", () => {
    for (const [, names, from] of text.matchAll(/^import \{ (.*) \} from "(vxlab(?:\/testing)?)";$/gm))
      for (const name of names!.split(", ")) expect(from === "vxlab" ? vxlab : testing).toHaveProperty(name);
  });

  it("names every law of a run", () => {
    for (const { name } of testing.LAWS) expect(text).toContain(`| ${name} |`);
  });

  for (const [index, program] of programs.entries()) {
    const run: [string, () => void][] = [];
    const known: Record<string, unknown> = { ...vxlab, ...testing, fc, expect };
    known["it"] = (title: string, body: () => void) => run.push([title, body]);
    const code = program
      .replace(/^import .*$/gm, "")
      .replaceAll(" as const", "")
      .replace(/\)!/g, ")");
    new Function(...Object.keys(known), code)(...Object.values(known));
    for (const [title, body] of run) it(`example ${index + 1}: ${title}`, body);
  }
});
