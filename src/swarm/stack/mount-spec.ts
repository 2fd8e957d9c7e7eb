/** The short form of a service's volume: `[source:]target[:options]`, where a drive letter before a colon belongs to a path. */
import type { Structure, Value } from "./value.ts";

const PROPAGATIONS: ReadonlySet<string> = new Set(["private", "rprivate", "shared", "rshared", "slave", "rslave"]);

/** The long form, or the client's complaint. */
export function parseMountSpec(spec: string): Structure | string {
  if (spec === "") return "invalid empty volume spec";
  // Lengths count bytes of UTF-8.
  if (new TextEncoder().encode(spec).length <= 2) return { type: "volume", target: spec };
  const parts = splitAtColons(spec);
  if (parts.some((part) => part === "")) return `invalid spec: ${spec}: empty section between colons`;
  if (parts.length > 3) return `invalid spec: ${spec}: too many colons`;
  if (parts.length === 1) return { type: "volume", target: parts[0]! };
  const [source, target, options] = parts as [string, string, string?];
  const mount: Record<string, Value> = { type: isFilePath(source) ? "bind" : "volume", source, target };
  let readOnly = false;
  let bind: Structure | undefined;
  let volume: Structure | undefined;
  for (const option of options?.split(",") ?? []) {
    if (option === "ro" || option === "rw") readOnly = option === "ro";
    else if (option === "nocopy") volume = { nocopy: true };
    else if (PROPAGATIONS.has(option)) bind = { propagation: option };
    // Others, such as SELinux labels, are ignored.
  }
  if (readOnly) mount.read_only = true;
  if (bind !== undefined) mount.bind = bind;
  if (volume !== undefined) mount.volume = volume;
  return mount;
}

function splitAtColons(spec: string): string[] {
  const parts: string[] = [""];
  for (const sign of spec) {
    const part = parts.at(-1)!;
    if (sign === ":" && !isLetter(part)) parts.push("");
    else parts[parts.length - 1] = part + sign;
  }
  return parts;
}

function isFilePath(source: string): boolean {
  if (/^[./~]/.test(source) || source.startsWith("\\\\")) return true;
  const [first = "", second = ""] = source;
  return isLetter(first) && second === ":";
}

function isLetter(text: string): boolean {
  return /^\p{L}$/u.test(text);
}

/** Absolute on the node, be it Linux or Windows; the client leaves those alone. */
export function isAbsolutePath(path: string): boolean {
  return path.startsWith("/") || path.startsWith("\\\\") || /^[a-zA-Z]:[\\/]/.test(path);
}

/** `path` below `folder`, without `.` and `..`. */
export function absolutePath(folder: string, path: string): string {
  const whole = path.startsWith("/") ? path : `${folder}/${path}`;
  if (path.startsWith("/")) return path;
  const parts: string[] = [];
  for (const part of whole.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
