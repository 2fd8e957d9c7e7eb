/**
 * A folder that a run writes its files to, whole or not at all: everything goes to temporary files beside their places and is renamed at
 * the end. A file that vxlab did not write is never written over: what it wrote is listed, with digests, in `.vxlab-run.json`.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { ByteSink } from "../capture/byte-sink.ts";
import { UsageError } from "./usage-error.ts";

const MANIFEST = ".vxlab-run.json";

interface Manifest {
  readonly version: 1;
  /** File name to SHA-256 of what was written. */
  readonly files: Readonly<Record<string, string>>;
}

/** A file being written: bytes go straight to the disk, so memory stays flat. */
export interface OutputFile extends ByteSink {
  readonly name: string;
}

interface Pending {
  readonly name: string;
  readonly temporary: string;
  readonly descriptor: number;
  readonly digest: ReturnType<typeof createHash>;
}

export class OutputFolder {
  readonly path: string;
  readonly #pending: Pending[] = [];
  readonly #written: Manifest["files"];

  constructor(path: string) {
    this.path = path;
    this.#written = readManifest(join(path, MANIFEST))?.files ?? {};
  }

  /** Begins a file. Throws `UsageError` when a file of that name is there that vxlab did not write, or was changed since. */
  create(name: string): OutputFile {
    const target = join(this.path, name);
    if (existsSync(target) && this.#written[name] !== digestOf(target))
      throw new UsageError(
        `${target} is there already and was not written by vxlab (or was changed since): move it away or choose another folder with --out`,
      );
    let descriptor: number;
    const temporary = `${target}.${process.pid}.tmp`;
    try {
      mkdirSync(dirname(target), { recursive: true });
      descriptor = openSync(temporary, "w");
    } catch (error) {
      throw new UsageError(`cannot write to ${this.path}: ${(error as Error).message}`);
    }
    const digest = createHash("sha256");
    this.#pending.push({ name, temporary, descriptor, digest });
    return {
      name,
      write(bytes) {
        digest.update(bytes);
        writeAll(descriptor, bytes);
      },
    };
  }

  /** Puts every file in its place. */
  commit(): void {
    const files: Record<string, string> = { ...this.#written };
    for (const file of this.#pending) {
      closeSync(file.descriptor);
      renameSync(file.temporary, join(this.path, file.name));
      files[file.name] = file.digest.digest("hex");
    }
    this.#pending.length = 0;
    const manifest: Manifest = { version: 1, files };
    const temporary = join(this.path, `${MANIFEST}.${process.pid}.tmp`);
    writeFileSync(temporary, `${JSON.stringify(manifest, null, 2)}\n`);
    renameSync(temporary, join(this.path, MANIFEST));
  }

  /** Removes what was begun: nothing half-written stays. */
  abandon(): void {
    for (const file of this.#pending) {
      closeSync(file.descriptor);
      rmSync(file.temporary, { force: true });
    }
    this.#pending.length = 0;
  }
}

/** Writes all of `bytes`, waiting where a pipe is full. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

/** Something to wait on for a millisecond without giving up the thread's turn. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

function digestOf(file: string): string | undefined {
  try {
    return createHash("sha256").update(readFileSync(file)).digest("hex");
  } catch {
    return undefined; // a folder, or not ours to read
  }
}

function readManifest(file: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(file, "utf8")) as Manifest;
    return manifest.version === 1 && typeof manifest.files === "object" ? manifest : undefined;
  } catch {
    return undefined; // none, or not ours
  }
}
