/** Reads what the user named: a file, or stdin for `-`. */
import { readFileSync, statSync } from "node:fs";
import { UsageError } from "./usage-error.ts";

/** Larger inputs than this are refused unread. */
const MOST_BYTES = 16 * 1024 * 1024;

export interface InputText {
  /** As messages call it. */
  readonly name: string;
  readonly text: string;
}

export function readInput(file: string): InputText {
  const name = file === "-" ? "<stdin>" : file;
  let bytes: Uint8Array;
  try {
    if (file !== "-" && statSync(file).size > MOST_BYTES)
      throw new UsageError(`${name} is larger than ${MOST_BYTES >> 20} MiB`);
    bytes = readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const reasons: Record<string, string> = {
      ENOENT: "there is no such file",
      EISDIR: "it is a folder",
      EACCES: "permission denied",
    };
    throw new UsageError(`cannot read ${name}: ${reasons[code ?? ""] ?? (error as Error).message}`);
  }
  try {
    return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw new UsageError(`${name} is not UTF-8 text`);
  }
}
