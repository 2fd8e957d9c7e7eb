/** Two judges of one thing: our comparison and the reference's own program, which reads captures through tshark. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CapturedFrame } from "../../src/capture/capture-frame.ts";
import { readCapture } from "../../src/capture/capture-reader.ts";
import { captureLines, compareCaptures, parseOptions } from "../../src/check/conformance/compare.ts";
import { type CaseFolder, listCases, readCase, writeCaptures } from "../../src/cli/case-folder.ts";
import { Random } from "../../src/sim/random.ts";

const FOLDER = join(import.meta.dirname, "linux");
const PROGRAM = join(import.meta.dirname, "compare.py");

function works(command: string, argument: string): boolean {
  return spawnSync(command, [argument]).status === 0;
}
const available = works("tshark", "--version") && works("python3", "--version");
if (!available && process.env.CI === "true") throw new Error("tshark and python3 are needed here");

/** All cases take minutes: a few that hold every protocol and option, unless asked for. */
const CASES = process.env.ALL_CASES === "1" ? [] : ["18", "23", "28", "35", "41", "45", "50", "58"];

function framesOf(folder: CaseFolder, file: string): CapturedFrame[] {
  return readCapture(readFileSync(join(folder.path, file))).frames;
}

/** Leaves a frame out, sends one twice, swaps two, or changes a byte: as the draw has it. */
function damaged(frames: readonly CapturedFrame[], random: Random): CapturedFrame[] {
  const result = [...frames];
  if (result.length === 0) return result;
  const at = random.below(result.length);
  const frame = result[at]!;
  switch (random.below(4)) {
    case 0:
      result.splice(at, 1);
      break;
    case 1:
      result.splice(at, 0, frame);
      break;
    case 2:
      result.splice(at, 1);
      result.splice(random.below(result.length + 1), 0, frame);
      break;
    default: {
      const bytes = frame.bytes.slice();
      const place = random.below(Math.min(bytes.length, 60));
      bytes[place] = bytes[place]! ^ (1 << random.below(8));
      result[at] = { ...frame, bytes };
    }
  }
  return result;
}

describe.skipIf(!available)("Our comparison and the reference's program (skipped without tshark)", () => {
  for (const folder of listCases(FOLDER, CASES)) {
    const description = readCase(folder);
    if ("problem" in description) throw new Error(description.problem);
    const files = description.captures.map(({ file }) => file).filter((file) => existsSync(join(folder.path, file)));
    const file = files[new Random(folder.name).below(files.length)]!;

    it(`read the same in ${folder.name}/${file}`, () => {
      const options = parseOptions([]);
      if ("problem" in options) throw new Error(options.problem);
      const path = join(folder.path, file);
      const shown = spawnSync("python3", [PROGRAM, path, path, "--show", "--quiet"], {
        encoding: "utf8",
        maxBuffer: 1e8,
      });
      const theirs = shown.stdout
        .split("\n")
        .slice(0, -2)
        .map((line) => line.slice(12));
      expect(captureLines(framesOf(folder, file), options).lines).toEqual(theirs);
    }, 120_000);

    it(`agree on a damaged capture of ${folder.name}/${file}`, () => {
      const options = parseOptions(description.compare_options ?? []);
      if ("problem" in options) throw new Error(options.problem);
      const out = mkdtempSync(join(tmpdir(), "judges-"));
      try {
        const recorded = framesOf(folder, file);
        const ours = damaged(recorded, new Random(`${folder.name} damage`));
        writeCaptures(out, folder.name, new Map([[file, ours]]));
        const words = [...(description.compare_options ?? []), "--quiet"];
        const judged = spawnSync("python3", [PROGRAM, ...words, join(folder.path, file), join(out, folder.name, file)]);
        expect(judged.status === 0).toBe(compareCaptures(recorded, ours, options).same);
      } finally {
        rmSync(out, { recursive: true });
      }
    }, 120_000);
  }
});
