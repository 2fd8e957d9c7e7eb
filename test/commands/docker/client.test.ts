import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EngineLab } from "./engine-lab.ts";

interface Recorded {
  readonly words: readonly string[];
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const CASES: readonly Recorded[] = JSON.parse(readFileSync(new URL("client.json", import.meta.url), "utf8"));
const quote = (word: string) => `'${word}'`;

describe("the word docker, held against the real client (release 28.2, recorded by record.mjs)", () => {
  const lab = new EngineLab();
  it.each(CASES.map((each) => [each.words.join(" "), each] as const))(
    "says the same to: docker %s",
    (_line, recorded) => {
      const { status, stdout, stderr } = lab.run(`docker ${recorded.words.map(quote).join(" ")}`);
      expect({ status, stdout, stderr }).toEqual({
        status: recorded.status,
        stdout: recorded.stdout,
        stderr: recorded.stderr,
      });
    },
  );
});
