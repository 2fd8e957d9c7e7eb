/** Stack files held against what the Docker client (28.2) said of them: the same document, the same complaints, the same status. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadStack } from "../../src/swarm/stack/load-stack.ts";
import { printStack } from "../../src/swarm/stack/print-stack.ts";
import { StackError } from "../../src/swarm/stack/stack-error.ts";

const CASES = join(import.meta.dirname, "stack");

interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function filesOf(folder: string, name: string): string[] {
  const files = [`${name}.yml`];
  for (let next = 2; existsSync(join(folder, `${name}.${next}.yml`)); next++) files.push(`${name}.${next}.yml`);
  return files;
}

function environmentOf(folder: string, name: string): Map<string, string> {
  const environment = new Map([["HOME", "/home/user"]]);
  const file = join(folder, `${name}.env`);
  if (existsSync(file))
    for (const line of readFileSync(file, "utf8").split("\n")) {
      const at = line.indexOf("=");
      if (at > 0) environment.set(line.slice(0, at), line.slice(at + 1));
    }
  return environment;
}

function ours(folder: string, name: string): { readonly said: Said; readonly line: number } {
  try {
    const { stack, warnings } = loadStack({
      files: filesOf(folder, name).map((file) => ({ name: file, text: readFileSync(join(folder, file), "utf8") })),
      workingFolder: "/stack",
      environment: environmentOf(folder, name),
      readFile: (path) => {
        const file = join(folder, basename(path));
        return existsSync(file)
          ? { text: readFileSync(file, "utf8") }
          : { problem: `open ${path}: no such file or directory` };
      },
    });
    const stderr = warnings.map(({ message }) => `level=warning msg=${JSON.stringify(message)}\n`).join("");
    return { said: { status: 0, stdout: printStack(stack), stderr }, line: 1 };
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    return { said: { status: 1, stdout: "", stderr: `${error.message}\n` }, line: error.place.line };
  }
}

for (const kind of ["good", "bad"]) {
  const folder = join(CASES, kind);
  const names = readdirSync(folder).flatMap((file) => (/^[^.]+\.yml$/.test(file) ? [basename(file, ".yml")] : []));
  describe(`A ${kind} stack file`, () => {
    it.each(names)("means to us what it means to the Docker client: %s", (name) => {
      const recorded = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Said;
      const { said, line } = ours(folder, name);
      expect({ ...said, stderr: said.stderr.trimEnd() }).toEqual({ ...recorded, stderr: recorded.stderr.trimEnd() });
      expect(line).toBeGreaterThan(0);
    });
  });
}
