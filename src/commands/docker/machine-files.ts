/** Files of an emulated machine: those that a scenario has put there. */
import type { Host } from "../host.ts";

/** Where a user's relative paths begin. */
export const WORKING_FOLDER = "/root";

/** Undefined: there is none. */
export function readFile({ files }: Host, path: string): string | undefined {
  const plain = path.replace(/^(?:\.\/)+/, "");
  const short = plain.startsWith(`${WORKING_FOLDER}/`) ? plain.slice(WORKING_FOLDER.length + 1) : plain;
  return files.get(path) ?? files.get(plain) ?? files.get(short) ?? files.get(`${WORKING_FOLDER}/${plain}`);
}

/** What open(2) says, as Go writes it. */
export function noSuchFile(path: string): string {
  return `open ${path}: no such file or directory`;
}
