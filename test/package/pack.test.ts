/** The package as users get it: packed, installed in an empty folder, run and imported there. No network: its dependencies come from this checkout. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "vxlab-package-"));
const installed = join(folder, "empty");
const dependencies = ["commander", "yaml"];

function npm(words: readonly string[], cwd: string): string {
  return execFileSync("npm", [...words, "--no-audit", "--no-fund"], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function run(words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, words, { cwd: installed, encoding: "utf8" });
}

beforeAll(() => {
  // The tests' set-up has built dist.
  npm(["pack", "--ignore-scripts", "--pack-destination", folder], ROOT);
  mkdirSync(installed);
  writeFileSync(join(installed, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const version = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
  const local = dependencies.map((name) => `file:${join(ROOT, "node_modules", name)}`);
  npm(["install", "--offline", "--ignore-scripts", join(folder, `vxlab-${version}.tgz`), ...local], installed);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("The installed package", () => {
  it("runs a scenario of its own and writes the capture", () => {
    const scenario = join(installed, "node_modules", "vxlab", "scenarios", "first-ping.yaml");
    const { status, stdout } = run([join("node_modules", ".bin", "vxlab"), "run", scenario]);
    expect(stdout).toContain("3 packets transmitted, 3 received");
    expect(status).toBe(0);
    expect(existsSync(join(installed, "captures", "first-ping", "first-ping.pcapng"))).toBe(true);
  });

  it("offers what its exports promise", () => {
    const script = `
      import * as vxlab from "vxlab";
      import * as pcap from "vxlab/pcap";
      import { readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      import * as testing from "vxlab/testing";
      const schema = JSON.parse(readFileSync(createRequire(import.meta.url).resolve("vxlab/scenario.schema.json"), "utf8"));
      const lab = new vxlab.Lab({ name: "one", nodes: { n: {} } });
      lab.runUntil(vxlab.SECOND);
      console.log(typeof pcap.createPcapWriter, Object.keys(testing).length > 0, schema.title, lab.nowNs);
    `;
    writeFileSync(join(installed, "imports.js"), script);
    const { stdout, stderr } = run(["imports.js"]);
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe("function true vxlab scenario 1000000000");
  });

  it("carries types for every door", () => {
    const exports = (
      JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
        exports: Record<string, string | { types: string; default: string }>;
      }
    ).exports;
    for (const target of Object.values(exports))
      for (const file of typeof target === "string" ? [target] : [target.types, target.default])
        expect(existsSync(join(installed, "node_modules", "vxlab", file)), file).toBe(true);
  });

  it("contains no tests, no captures and nothing larger than it needs to be", () => {
    const listing = JSON.parse(npm(["pack", "--dry-run", "--json", "--ignore-scripts"], ROOT)) as {
      files: { path: string }[];
      unpackedSize: number;
    }[];
    const paths = listing[0]!.files.map(({ path }) => path);
    expect(paths.filter((path) => /^(test|captures|benches|\.ci)\//.test(path))).toEqual([]);
    expect(paths).toContain("LICENSE");
    expect(listing[0]!.unpackedSize).toBeLessThan(12 * 1024 * 1024);
  });
});

describe("The version", () => {
  it("is the same in package.json, in the program and at the head of the changelog", () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(readFileSync(join(ROOT, "src", "version.ts"), "utf8")).toContain(`"${version}"`);
    expect(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8")).toContain(`## ${version}`);
  });
});
