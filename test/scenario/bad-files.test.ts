/** Every file of `bad/` is refused by `vxlab run` with exactly the message beside it, exit 2, and nothing written. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import { filesIn, inEmptyFolder, vxlab } from "../cli/run-vxlab.ts";

const BAD = join(import.meta.dirname, "bad");
const files = readdirSync(BAD).filter((name) => !name.endsWith(".expected"));
const expectedOf = (name: string): string => readFileSync(join(BAD, `${name}.expected`), "utf8");

/** The command line inside this process: the same code, a hundred times as fast as a process each. */
async function runHere(words: readonly string[]): Promise<{ status: unknown; stdout: string; stderr: string }> {
  const said = { stdout: "", stderr: "" };
  const listen = (stream: "stdout" | "stderr") =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      said[stream] += String(text);
      return true;
    });
  const out = listen("stdout");
  const err = listen("stderr");
  try {
    await main(["node", "vxlab", ...words]);
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
  return { status: process.exitCode, ...said };
}

describe("A bad scenario file", () => {
  const home = process.cwd();
  beforeEach(() => void process.stdout.setMaxListeners(1_000));
  afterEach(() => {
    process.chdir(home);
    process.exitCode = undefined;
  });

  it("comes in many kinds, each with its message", () => {
    expect(files.length).toBeGreaterThanOrEqual(45);
    for (const name of files) expect(existsSync(join(BAD, `${name}.expected`)), name).toBe(true);
  });

  for (const name of files)
    it(`${name} is refused with its message, exit 2, and nothing written`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "vxlab-bad-"));
      try {
        copyFileSync(join(BAD, name), join(folder, name));
        process.chdir(folder);
        expect(await runHere(["run", name])).toEqual({ status: 2, stdout: "", stderr: expectedOf(name) });
        expect(filesIn(folder)).toEqual([name]);
      } finally {
        process.chdir(home);
        rmSync(folder, { recursive: true });
      }
    });

  it("is refused in the same way by the compiled program", () => {
    for (const name of [
      "many-problems.yaml",
      "setup-command-fails.yaml",
      "subnet-full.yaml",
      "topology-unknown-command.sh",
    ])
      inEmptyFolder((folder) => {
        copyFileSync(join(BAD, name), join(folder, name));
        const { status, stdout, stderr } = vxlab(["run", name], { cwd: folder });
        expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: "", stderr: expectedOf(name) });
        expect(filesIn(folder)).toEqual([name]);
      });
  });

  it("is refused by validate together with others, all at once", () => {
    const names = files.filter((name) => !FOUND_ONLY_BY_A_RUN.test(name));
    const { status, stdout, stderr } = vxlab(["validate", ...names], { cwd: BAD });
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toBe(names.map(expectedOf).join(""));
  });
});

/** What a setup command comes to, and which interfaces there are, is known when the network has been built. */
const FOUND_ONLY_BY_A_RUN =
  /^setup-(node-)?command-fails|^setup-does-not-end|^topology-(bad-quotes|command-fails)|-unknown-interface/;
