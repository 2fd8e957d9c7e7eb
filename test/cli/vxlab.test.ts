/** The compiled command line, as a person or a script meets it: words, streams, exit codes. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VERSION } from "../../src/version.ts";
import { missing } from "../capture/external-tools.ts";
import { inEmptyFolder, PING_SCENARIO, PROGRAM, ROOT, vxlab } from "./run-vxlab.ts";

describe("vxlab", () => {
  it("tells its version and its words", () => {
    expect(vxlab(["--version"])).toMatchObject({ status: 0, stdout: `${VERSION}\n`, stderr: "" });
    const help = vxlab(["--help"]);
    expect(help.status).toBe(0);
    for (const word of ["run", "validate", "list", "init", "schema", "completion"])
      expect(help.stdout).toContain(`  ${word} `);
  });

  it("ends with 2 on bad usage, with one message on stderr", () => {
    for (const words of [
      ["nonsense"],
      ["run"],
      ["run", "a.yaml", "b.yaml"],
      ["run", "a.yaml", "--nonsense"],
      ["run", "no-such-file.yaml"],
      ["run", "."],
      ["run", "a.yaml", "--snaplen", "0"],
      ["run", "a.yaml", "--until", "soon"],
      ["run", "a.yaml", "--format", "erf"],
      ["completion", "tcsh"],
      ["list", "/nonexistent"],
    ]) {
      const { status, stdout, stderr } = vxlab(words);
      expect(status, words.join(" ")).toBe(2);
      expect(stdout, words.join(" ")).toBe("");
      expect(stderr, words.join(" ")).toMatch(/error: /);
    }
  });

  it("suggests the word that was meant", () => {
    expect(vxlab(["vallidate"]).stderr).toContain("Did you mean validate?");
  });

  it("ends with 3 and a request to report when it is at fault itself", () => {
    const sabotage = "data:text/javascript,JSON.stringify = () => { throw new Error('planted') }";
    const run = spawnSync(process.execPath, ["--import", sabotage, PROGRAM, "schema"], { encoding: "utf8" });
    expect(run.status).toBe(3);
    expect(run.stdout).toBe("");
    expect(run.stderr).toContain("a fault of vxlab itself");
    expect(run.stderr).toContain("planted");
  });

  it("ends quietly when its reader goes away", () => {
    for (const words of ["schema", "run s.yaml -q -w -", "run s.yaml --json"])
      inEmptyFolder((folder) => {
        writeFileSync(join(folder, "s.yaml"), PING_SCENARIO);
        // The pipe's reader is gone before vxlab begins to write.
        const script = `{ sleep 1; "${process.execPath}" "${PROGRAM}" ${words}; echo "status $?" >&2; } | true`;
        const { stderr } = spawnSync("bash", ["-c", script], { cwd: folder, encoding: "utf8" });
        expect(stderr, words).toBe("status 0\n");
      });
  });
});

describe("vxlab validate", () => {
  it("accepts a scenario from a file and from standard input", () => {
    inEmptyFolder((folder) => {
      writeFileSync(join(folder, "s.yaml"), PING_SCENARIO);
      expect(vxlab(["validate", "s.yaml", "-"], { cwd: folder, input: PING_SCENARIO })).toMatchObject({
        status: 0,
        stdout: "s.yaml: valid\n-: valid\n",
        stderr: "",
      });
    });
  });

  it("tells the problems of every file, also of one that cannot be read", () => {
    inEmptyFolder((folder) => {
      writeFileSync(join(folder, "good.yaml"), PING_SCENARIO);
      writeFileSync(join(folder, "bad.yaml"), "name: a\nbanana: 1\n");
      writeFileSync(join(folder, "binary.yaml"), Uint8Array.of(0xff, 0xfe, 0));
      const words = ["validate", "none.yaml", "bad.yaml", "binary.yaml", "good.yaml"];
      const { status, stdout, stderr } = vxlab(words, { cwd: folder });
      expect(status).toBe(2);
      expect(stdout).toBe("good.yaml: valid\n");
      expect(stderr).toMatch(/cannot read none.yaml: there is no such file\n/);
      expect(stderr).toMatch(/bad.yaml:2:1: error: found the unknown key "banana"/);
      expect(stderr).toMatch(/binary.yaml is not UTF-8 text\n/);
      const json = vxlab([...words, "--json"], { cwd: folder });
      expect(json.status).toBe(2);
      expect(json.stderr).toBe("");
      const { version, files } = JSON.parse(json.stdout) as {
        version: number;
        files: { file: string; problems: { line: number; column: number; found: string }[] }[];
      };
      expect(version).toBe(1);
      expect(files.map(({ file, problems }) => `${file} ${problems.length}`)).toEqual([
        "none.yaml 1",
        "bad.yaml 1",
        "binary.yaml 1",
        "good.yaml 0",
      ]);
      expect(files[1]!.problems[0]).toMatchObject({ line: 2, column: 1, found: 'the unknown key "banana"' });
    });
  });
});

describe("vxlab list", () => {
  it("lists the scenarios that come with the package, each with the first line of its description", () => {
    const { status, stdout } = vxlab(["list"], { cwd: ROOT });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^scenarios\/first-ping\.yaml +\S/m);
    for (const line of stdout.trimEnd().split("\n")) expect(line).toMatch(/^scenarios\/\S+\.yaml {2,}\S/);
  });

  it("lists a folder and leaves out what is no scenario", () => {
    inEmptyFolder((folder) => {
      mkdirSync(join(folder, "deep"));
      writeFileSync(join(folder, "deep", "s.yaml"), PING_SCENARIO);
      writeFileSync(join(folder, "other.yaml"), "a: 1\n");
      const { status, stdout } = vxlab(["list", ".", "--json"], { cwd: folder });
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toEqual({
        version: 1,
        scenarios: [{ file: join("deep", "s.yaml"), name: "small", description: "" }],
      });
    });
  });
});

describe("vxlab init", () => {
  it("writes a scenario that runs and holds, and never writes over a file", () => {
    inEmptyFolder((folder) => {
      expect(vxlab(["init"], { cwd: folder })).toMatchObject({ status: 0, stderr: "" });
      expect(vxlab(["run", "my-network.yaml", "-q"], { cwd: folder })).toMatchObject({
        status: 0,
        stdout: "",
        stderr: "",
      });
      writeFileSync(join(folder, "my-network.yaml"), "mine\n");
      expect(vxlab(["init"], { cwd: folder })).toMatchObject({
        status: 2,
        stderr: "vxlab: error: my-network.yaml is there already\n",
      });
      expect(readFileSync(join(folder, "my-network.yaml"), "utf8")).toBe("mine\n");
    });
  });
});

describe("vxlab completion", () => {
  it("prints a script that bash takes, and that completes words, options and files", () => {
    const { status, stdout } = vxlab(["completion", "bash"]);
    expect(status).toBe(0);
    expect(spawnSync("bash", ["-n"], { input: stdout }).status).toBe(0);
    const complete = (...words: string[]): string[] => {
      const line = words.map((word) => `"${word}"`).join(" ");
      const script = `${stdout}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _vxlab; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync("bash", ["-c", script], { cwd: ROOT, encoding: "utf8" }).stdout.trim().split("\n");
    };
    expect(complete("vxlab", "va")).toEqual(["validate"]);
    expect(complete("vxlab", "run", "--dr")).toEqual(["--drops"]);
    expect(complete("vxlab", "run", "package.j")).toEqual(["package.json"]);
  });

  it("prints scripts for zsh and fish that name every word", () => {
    for (const shell of ["zsh", "fish"]) {
      const { status, stdout } = vxlab(["completion", shell]);
      expect(status).toBe(0);
      for (const word of ["run", "validate", "list", "init", "schema"]) expect(stdout).toContain(word);
      if (!process.env["CI"] && !missing(shell)) expect(spawnSync(shell, ["-n"], { input: stdout }).status).toBe(0);
    }
  });
});

describe("vxlab schema", () => {
  it("prints what stands in scenario.schema.json", () => {
    const { status, stdout } = vxlab(["schema"]);
    expect(status).toBe(0);
    expect(existsSync(join(ROOT, "scenario.schema.json"))).toBe(true);
    expect(stdout).toBe(readFileSync(join(ROOT, "scenario.schema.json"), "utf8"));
  });
});
