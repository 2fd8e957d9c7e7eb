/** The package as people get it: packed, installed in an empty folder without a network, run and imported there; README's lines of code work in it. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VERSION } from "../../src/version.ts";
import { ROOT } from "../cli/run-vxlab.ts";

const work = mkdtempSync(join(tmpdir(), "vxlab-pack-"));
/** Where the package is made, from a build of its own. */
const copy = join(work, "package");
/** Where it is used. */
const home = join(work, "home");

/** Whatever the machine's npm is told, and no network. */
const ENVIRONMENT = {
  PATH: process.env["PATH"],
  HOME: work,
  npm_config_cache: join(work, "cache"),
  npm_config_offline: "true",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
};

function run(
  program: string,
  words: readonly string[],
  cwd: string,
): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr, error } = spawnSync(program, words, { cwd, env: ENVIRONMENT, encoding: "utf8" });
  if (error !== undefined) throw error;
  return { status, out: stdout, err: stderr };
}

function mustRun(program: string, words: readonly string[], cwd: string): string {
  const { status, out, err } = run(program, words, cwd);
  if (status !== 0) throw new Error(`${program} ${words.join(" ")} ends with ${status}:\n${out}${err}`);
  return out;
}

let packed: readonly string[] = [];

beforeAll(() => {
  mkdirSync(copy);
  mkdirSync(home);
  const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { files: string[] };
  const needed = [...files.filter((name) => name !== "dist"), "package.json", "tsconfig.json", "tsconfig.build.json"];
  for (const name of needed) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  // A junction, so that nothing is asked of Windows that it grants to administrators alone.
  linkModules(join(copy, "node_modules"));
  // With errors in types it still packs: types are the type check's matter.
  run(process.execPath, [join(ROOT, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"], copy);
  const tarballs = ["@noble/curves", "@noble/hashes", "commander", "yaml"].map((name) =>
    join(ROOT, "node_modules", name),
  );
  tarballs.push(copy);
  for (const folder of tarballs) {
    const [made] = JSON.parse(
      mustRun("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", home, folder], home),
    ) as [{ filename: string; files: { path: string }[] }];
    if (folder === copy) packed = made.files.map(({ path }) => path);
  }
  writeFileSync(
    join(home, "package.json"),
    '{ "name": "home", "version": "1.0.0", "type": "module", "private": true }\n',
  );
  const given = readdirSync(home).filter((name) => name.endsWith(".tgz"));
  mustRun("npm", ["install", "--ignore-scripts", ...given.map((name) => `./${name}`)], home);
}, 120_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

function linkModules(link: string): void {
  mustRun(
    process.execPath,
    [
      "-e",
      `require("node:fs").symlinkSync(${JSON.stringify(join(ROOT, "node_modules"))}, ${JSON.stringify(link)}, "junction")`,
    ],
    work,
  );
}

describe("The package", () => {
  it("holds what it needs and nothing of the workshop", () => {
    for (const file of [
      "bin/vxlab.js",
      "dist/index.js",
      "dist/index.d.ts",
      "dist/testing.js",
      "dist/cli/main.js",
      "dist/cli/pcap-writer.d.ts",
      "scenarios/first-ping.yaml",
      "scenario.schema.json",
      "README.md",
      "LICENSE",
      "CHANGELOG.md",
    ])
      expect(packed).toContain(file);
    expect(packed.filter((path) => /^(test|benches|captures|node_modules|\.ci)\//.test(path))).toEqual([]);
  });

  it("runs where it was installed", () => {
    expect(mustRun("npx", ["vxlab", "--version"], home)).toBe(`${VERSION}\n`);
    const scenario = join("node_modules", "vxlab", "scenarios", "first-ping.yaml");
    expect(mustRun("npx", ["vxlab", "validate", scenario], home)).toBe(`${scenario}: valid\n`);
    expect(mustRun("npx", ["vxlab", "run", scenario], home)).toContain("holds  ");
    expect(mustRun("npx", ["vxlab", "list"], home)).toContain("first-ping.yaml");
    expect(readdirSync(join(home, "captures", "first-ping"))).toContain("first-ping.pcapng");
  });

  it("is imported under each of its names", () => {
    writeFileSync(
      join(home, "doors.mjs"),
      `import { Lab, DROP_REASONS, ScenarioError } from "vxlab";
import { createPcapWriter, readCapture } from "vxlab/pcap";
import * as testing from "vxlab/testing";
import schema from "vxlab/scenario.schema.json" with { type: "json" };
import { readFileSync } from "node:fs";

const lab = new Lab({ name: "a", nodes: { n1: {}, n2: {} } });
const seen = [];
lab.onFrame("n2/eth0", ({ bytes, at, end }) => seen.push(bytes.slice(at, end)));
lab.runUntil(1e9);
const { status } = lab.exec("n1", "ping -c 1 n2");
const writer = createPcapWriter("seen.pcap");
for (const frame of seen) writer.writePacket(frame);
writer.close();
const read = readCapture(readFileSync("seen.pcap"));
console.log(JSON.stringify([status, seen.length > 0 && read.frames.length === seen.length, schema.title, typeof ScenarioError,
  Object.keys(DROP_REASONS).length > 50, Object.keys(testing).length > 0]));
`,
    );
    expect(mustRun(process.execPath, ["--no-warnings", "doors.mjs"], home)).toBe(
      `${JSON.stringify([0, true, "vxlab scenario", "function", true, true])}\n`,
    );
  });

  it("does what README's lines of code say", () => {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const code = /^```js\n([\s\S]*?)^```$/m.exec(readme)?.[1];
    expect(code).toContain('from "vxlab"');
    writeFileSync(join(home, "readme.mjs"), code!);
    const printed = mustRun(process.execPath, ["readme.mjs"], home);
    expect(printed).toContain("VXLAN");
    expect(printed).toContain("1 packets transmitted, 1 received");
  });

  it("gives types that a strict program is checked against", () => {
    writeFileSync(
      join(home, "typed.ts"),
      `import { Lab, type RunReport, type ScenarioInput } from "vxlab";
import { createPcapWriter } from "vxlab/pcap";
import { checkLaws } from "vxlab/testing";
const scenario: ScenarioInput = { name: "a", nodes: { n1: { role: "host" } } };
export const report: RunReport = new Lab(scenario).run();
export const held: number = report.frames.made;
export const doors: readonly unknown[] = [createPcapWriter, checkLaws];
// @ts-expect-error a machine has no such role
export const wrong: ScenarioInput = { name: "a", nodes: { n1: { role: "boss" } } };
`,
    );
    const words = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "--lib",
      "es2023",
      "--types",
      "",
      "typed.ts",
    ];
    const { status, out } = run(
      process.execPath,
      [join(ROOT, "node_modules", "typescript", "bin", "tsc"), "--ignoreConfig", ...words],
      home,
    );
    expect({ status, out }).toEqual({ status: 0, out: "" });
  });

  it("has nothing that publint finds fault with", () => {
    const { status, out, err } = run(
      process.execPath,
      [join(ROOT, "node_modules", "publint", "src", "cli.js"), "--strict", "--pack", "false"],
      copy,
    );
    expect(status, out + err).toBe(0);
  });
});
