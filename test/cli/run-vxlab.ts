/** Runs the compiled command line as a process of its own, in an empty folder that is removed afterwards. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");
export const PROGRAM = join(ROOT, "bin", "vxlab.js");

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

export interface Circumstances {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

export function vxlab(words: readonly string[], { cwd, input = "", env = {} }: Circumstances = {}): Ended {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [PROGRAM, ...words], {
    cwd: cwd ?? tmpdir(),
    input,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, stdout: stdout.toString("utf8"), stderr: stderr.toString("utf8"), bytes: stdout };
}

/** Gives `work` an empty folder. */
export function inEmptyFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "vxlab-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every file below `folder`, hidden ones too, by relative path. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

export const PING_SCENARIO = `name: small
seed: 1
nodes: { n1: {}, n2: {} }
networks: { net: {} }
containers:
  c1: { node: n1, networks: [net] }
  c2: { node: n2, networks: [net] }
capture: ["n*/eth0", c1/eth0]
steps:
  - { at: 1s, in: c1, run: ping -c 1 c2, as: p }
expect:
  - p: { received: 1 }
  - { capture: n2/eth0, filter: udp port 4789, exactly: 2 }
`;
