/** Programs that judge our captures: tcpdump and Wireshark's. Tests skip where they are missing, except under CI=true, where they fail. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const REQUIRED = process.env.CI === "true";

export function missing(...programs: readonly string[]): boolean {
  if (REQUIRED) return false;
  const absent = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (absent.length > 0) console.warn(`skipped: ${absent.join(", ")} not installed`);
  return absent.length > 0;
}

export interface ToolRun {
  readonly status: number;
  readonly out: Buffer;
  readonly err: string;
}

/** Runs a program that reads its standard input; throws when it cannot be started. */
export function runTool(program: string, words: readonly string[], input?: Uint8Array): ToolRun {
  const run = spawnSync(program, words, {
    ...(input === undefined ? {} : { input }),
    maxBuffer: 256 * 1024 * 1024,
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
  });
  if (run.error !== undefined) throw run.error;
  return { status: run.status ?? -1, out: run.stdout, err: run.stderr.toString("utf8") };
}

/** The same for a program that wants a file: its name stands for `FILE` among the words. */
export function runToolOnFile(program: string, words: readonly string[], content: Uint8Array): ToolRun {
  const folder = mkdtempSync(join(tmpdir(), "capture-"));
  try {
    const file = join(folder, "test.pcap");
    writeFileSync(file, content);
    return runTool(
      program,
      words.map((word) => (word === "FILE" ? file : word)),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
