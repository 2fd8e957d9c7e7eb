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
  rmdirSync,
  rmSync,
  statSync,
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
  /** Folders made on the way, outermost first: gone again when the run is abandoned. */
  readonly #made: string[] = [];

  constructor(path: string) {
    this.path = path;
    this.#written = readManifest(join(path, MANIFEST))?.files ?? {};
  }

  /** Begins a file. Throws `UsageError` when a file of that name is there that vxlab did not write, or was changed since. */
  create(name: string): OutputFile {
    const target = join(this.path, name);
    this.#refuseForeign(name);
    let descriptor: number;
    const temporary = `${target}.${process.pid}.tmp`;
    try {
      this.#makeFolder(dirname(target));
      descriptor = openSync(temporary, "w");
    } catch (error) {
      this.abandon();
      throw new UsageError(`cannot write to ${this.path}: ${(error as Error).message}`);
    }
    const digest = createHash("sha256");
    this.#pending.push({ name, temporary, descriptor, digest });
    return {
      name,
      write(bytes) {
        digest.update(bytes);
        try {
          writeAll(descriptor, bytes);
        } catch (error) {
          throw new UsageError(`cannot write ${target}: ${(error as Error).message}`);
        }
      },
    };
  }

  /** Puts every file in its place. */
  commit(): void {
    const files: Record<string, string> = { ...this.#written };
    for (const { name } of this.#pending) this.#refuseForeign(name); // it may have come while the run went on
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
    for (const folder of this.#made.reverse()) {
      try {
        rmdirSync(folder);
      } catch {
        break; // somebody else put something there
      }
    }
    this.#made.length = 0;
  }

  #refuseForeign(name: string): void {
    const target = join(this.path, name);
    if (!existsSync(target)) return;
    const digest = digestOf(target);
    if (digest !== undefined && digest === this.#written[name]) return;
    this.abandon();
    throw new UsageError(
      `${target} is there already and was not written by vxlab (or was changed since): move it away or choose another folder with --out`,
    );
  }

  /** Step by step: Node's own recursion never ends where the system refuses a folder with ENOENT (below /proc). */
  #makeFolder(path: string): void {
    if (existsSync(path)) return;
    this.#makeFolder(dirname(path));
    mkdirSync(path);
    this.#made.push(path);
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
    if (!statSync(file).isFile()) return undefined; // a device or a pipe may never end
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
