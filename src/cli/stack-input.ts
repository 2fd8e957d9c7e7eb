/** What a stack file is read with on the command line: files, and the environment of the command. */
import { readFileSync, statSync } from "node:fs";
import { parseEnvironmentFile } from "../swarm/stack/environment-file.ts";
import { UsageError } from "./usage-error.ts";

/** Larger files are refused unread. */
const MOST_BYTES = 16 * 1024 * 1024;

/** The text of a file, or the trouble in the system's words as Go gives them. */
export function readStackText(file: string): { readonly text: string } | { readonly problem: string } {
  try {
    if (file !== "-" && statSync(file).size > MOST_BYTES) return { problem: `${file}: file is larger than 16 MiB` };
    const bytes = readFileSync(file === "-" ? 0 : file);
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { problem: "yaml: invalid leading UTF-8 octet" };
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "EISDIR") return { problem: `read ${file}: is a directory` };
    const reasons: Record<string, string> = { ENOENT: "no such file or directory", EACCES: "permission denied" };
    return { problem: `open ${file}: ${reasons[code] ?? (error as Error).message}` };
  }
}

/** What the command's own environment says goes before the files, as in compose. */
export function stackEnvironment(files: readonly string[]): Map<string, string> {
  const environment = new Map<string, string>();
  for (const [key, value] of Object.entries(process.env)) if (value !== undefined) environment.set(key, value);
  for (const file of files) {
    const found = readStackText(file);
    if ("problem" in found) throw new UsageError(found.problem);
    const variables = parseEnvironmentFile(found.text, environment);
    if (typeof variables === "string") throw new UsageError(`${file}: ${variables}`);
    for (const [key, value] of variables) if (!(key in process.env) && value !== null) environment.set(key, value);
  }
  return environment;
}
