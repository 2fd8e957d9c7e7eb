/** `--secret` and `--config`: a name alone, or `source=NAME,target=FILE,uid=…,gid=…,mode=0444` (docker/cli opts/swarmopts). */
import { csvFields } from "../container/csv-fields.ts";
import { splitPair } from "../flags.ts";

export interface FileFlag {
  readonly source: string;
  readonly target: string;
  readonly uid: string;
  readonly gid: string;
  readonly mode: number;
}

const READ_ONLY = 0o444;
const INVALID_SYNTAX = "invalid syntax";

/** The request, or what is wrong with it. */
export function parseFileFlag(kind: "secret" | "config", value: string): FileFlag | string {
  const fields = csvFields(value);
  if (fields === undefined) return 'parse error on line 1: bare " in non-quoted field';
  const [only] = fields;
  if (fields.length === 1 && only !== undefined && !only.includes("="))
    return { source: only, target: only, uid: "0", gid: "0", mode: READ_ONLY };
  let [source, target, uid, gid, mode] = ["", "", "0", "0", READ_ONLY];
  for (const field of fields) {
    if (!field.includes("=")) return `invalid field '${field}' must be a key=value pair`;
    const [name, text] = splitPair(field);
    switch (name.trim().toLowerCase()) {
      case "source":
      case "src":
        source = text;
        break;
      case "target":
        target = text;
        break;
      case "uid":
        uid = text;
        break;
      case "gid":
        gid = text;
        break;
      case "mode": {
        const octal = /^(?:0o?)?([0-7]+)$/.exec(text);
        if (octal === null) return `invalid mode specified: strconv.ParseUint: parsing "${text}": ${INVALID_SYNTAX}`;
        mode = Number.parseInt(octal[1]!, 8);
        break;
      }
      default:
        return `invalid field in ${kind} request: ${name}`;
    }
  }
  if (source === "") return "source is required";
  return { source, target: target === "" ? source : target, uid, gid, mode };
}
