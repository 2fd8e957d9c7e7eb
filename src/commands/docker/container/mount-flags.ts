/** `-v`, `--mount` and `--tmpfs`. */
import type { Mount } from "../../../docker/container-spec.ts";
import { splitPair } from "../flags.ts";
import { csvFields } from "./csv-fields.ts";

const TYPES: ReadonlySet<string> = new Set(["bind", "volume", "tmpfs"]);

export function checkMount(value: string): string | undefined {
  const mount = parseMount(value);
  return typeof mount === "string" ? mount : undefined;
}

/** `--mount type=volume,source=data,target=/data,readonly`. */
export function parseMount(value: string): Mount | string {
  const fields = csvFields(value);
  if (fields === undefined) return 'parse error on line 1: bare " in non-quoted field';
  let type = "volume";
  let source: string | undefined;
  let target = "";
  let readOnly = false;
  for (const field of fields) {
    const [name, text] = splitPair(field);
    const key = name.trim().toLowerCase();
    if (key === "readonly" || key === "ro") {
      if (field.includes("=") && !/^(1|0|true|false)$/i.test(text)) return `invalid value for ${key}: ${text}`;
      readOnly = !/^(0|false)$/i.test(text);
    } else if (!field.includes("=")) return `invalid field '${field}' must be a key=value pair`;
    else if (key === "type") type = text.toLowerCase();
    else if (key === "source" || key === "src") source = text;
    else if (key === "target" || key === "dst" || key === "destination") target = text;
    else if (!/^(bind-|volume-|tmpfs-|consistency)/.test(key)) return `unexpected key '${key}' in '${field}'`;
  }
  if (target === "") return "target is required";
  if (!TYPES.has(type)) return `invalid mount config: mount type "${type}" is not emulated`;
  return { type: type as Mount["type"], source, target, readOnly };
}

/** `-v [source:]target[:options]`, or the engine's complaint. */
export function parseVolume(value: string): Mount | string {
  const [first = "", second, options = "", ...more] = value.split(":");
  if (more.length > 0 || first === "" || second === "") return `invalid volume specification: '${value}'`;
  if (second === undefined) {
    if (!first.startsWith("/"))
      return `invalid volume specification: '${value}': invalid mount config for type "volume": invalid mount path: '${first}' mount path must be absolute`;
    return { type: "volume", source: undefined, target: first, readOnly: false };
  }
  const type = /^[./~]/.test(first) ? "bind" : "volume";
  return { type, source: first, target: second, readOnly: options.split(",").includes("ro") };
}
