/** Cases of conformance on disk: one folder a case, with case.json and the recorded captures. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CapturedFrame } from "../capture/capture-frame.ts";
import { PcapFileWriter } from "../capture/pcap-file-writer.ts";
import { type CaseDescription, parseCase } from "../check/conformance/case.ts";

export interface CaseFolder {
  /** The folder's name, as `06-vxlan-two-nodes`. */
  readonly name: string;
  readonly path: string;
}

/** The cases below `folder`, by name; `only` holds numbers or names, none for all. */
export function listCases(folder: string, only: readonly string[] = []): CaseFolder[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "case.json")))
    .filter((name) => only.length === 0 || only.some((wanted) => name === wanted || name.startsWith(`${wanted}-`)))
    .sort()
    .map((name) => ({ name, path: join(folder, name) }));
}

/** The case's description, or what is wrong with it. */
export function readCase(folder: CaseFolder): CaseDescription | { readonly problem: string } {
  return parseCase(readFileSync(join(folder.path, "case.json"), "utf8"));
}

/** The captures that were recorded, whole files by name. */
export function readRecorded(folder: CaseFolder, description: CaseDescription): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const { file } of description.captures) {
    const path = join(folder.path, file);
    if (existsSync(path)) files.set(file, readFileSync(path));
  }
  return files;
}

/** Cases that are known to differ, with the reason; none when the folder has no such list. */
export function readKnownDifferences(folder: string): Map<string, string> {
  const path = join(folder, "known-differences.json");
  if (!existsSync(path)) return new Map();
  return new Map(Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, string>));
}

/** Writes each capture as a classic pcap under its recorded name, so that the reference's own program may compare them. */
export function writeCaptures(
  folder: string,
  name: string,
  captures: ReadonlyMap<string, readonly CapturedFrame[]>,
): void {
  mkdirSync(join(folder, name), { recursive: true });
  for (const [file, frames] of captures) {
    const chunks: Uint8Array[] = [];
    const writer = new PcapFileWriter({ write: (bytes) => chunks.push(bytes.slice()) });
    for (const { time, bytes } of frames) writer.record(time.seconds, time.nanoseconds, bytes, 0, bytes.length);
    writer.close();
    writeFileSync(join(folder, name, file), Buffer.concat(chunks));
  }
}
