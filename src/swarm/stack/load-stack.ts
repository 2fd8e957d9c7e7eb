/**
 * Reads stack files as `docker stack config` and `docker stack deploy` do (Docker client 28.2): parse, forbid, interpolate, validate,
 * convert to the long form, merge. The first thing that the client would complain about is thrown as a `StackError` with its place.
 */
import { type Conversion, extras, type Field, fromEnvironment, readFields, sorted } from "./convert.ts";
import { parseEnvironmentFile } from "./environment-file.ts";
import { interpolate } from "./interpolate.ts";
import { mergeStacks } from "./merge-stacks.ts";
import { absolutePath, isAbsolutePath } from "./mount-spec.ts";
import { readDocument } from "./read-document.ts";
import { type Place, StackError, type StackWarning } from "./stack-error.ts";
import { FILE_OBJECT, FILE_OBJECT_DRIVER, NETWORK, SERVICE, VOLUME, VOLUME_SPEC } from "./stack-fields.ts";
import { child, depthOf, type MapNode, offsetOf, type StackDocument, type StackNode } from "./stack-node.ts";
import { DEFAULT_VERSION, stackSchema } from "./stack-schema.ts";
import { forbiddenOption, forbiddenText, type IgnoredOption, ignoredOptions } from "./unsupported-options.ts";
import { validate } from "./validate.ts";
import { isStructure, type Structure, type Value } from "./value.ts";

export interface StackInput {
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** Absolute: where relative paths start, the folder of the first file. */
  readonly workingFolder: string;
  /** Of the command: variables come from here, and `~`. */
  readonly environment: ReadonlyMap<string, string>;
  /** The text of a file that `env_file` names, or why there is none, in the system's words. */
  readFile(path: string): { readonly text: string } | { readonly problem: string };
  readonly skipInterpolation?: boolean;
  /** `docker stack deploy` says which options are forbidden, `config` only that some are. */
  readonly forDeployment?: boolean;
}

/** What a stack file says, in its long form. */
export interface Stack {
  readonly version: string;
  readonly services: ReadonlyMap<string, Structure>;
  readonly networks: ReadonlyMap<string, Structure>;
  readonly volumes: ReadonlyMap<string, Structure>;
  readonly secrets: ReadonlyMap<string, Structure>;
  readonly configs: ReadonlyMap<string, Structure>;
  /** The `x-` keys of the first file. */
  readonly extras: Structure;
}

export interface LoadedStack {
  readonly stack: Stack;
  /** What the client warns of while it reads. */
  readonly warnings: readonly StackWarning[];
  /** What `docker stack deploy` will say that it ignores. */
  readonly ignored: readonly IgnoredOption[];
  /** Where the files say what stands under a path of keys: in the last file that has the most of it. */
  placeOf(path: readonly string[]): Place;
}

export function loadStack(input: StackInput): LoadedStack {
  const documents = input.files.map(({ name, text }) => readDocument(name, text));
  const warnings: StackWarning[] = [];
  const ignored = documents.flatMap(ignoredOptions);
  let version: string | undefined;
  const stacks: Stack[] = [];
  for (const document of documents) {
    const own = versionOf(document);
    version ??= own;
    if (own !== version)
      throw new StackError(
        `version mismatched between two composefiles : ${version} and ${own}`,
        document.placeAt(offsetOf(document.root, ["version"])),
      );
    stacks.push(new StackReader(document, version, input, warnings).read());
  }
  const [first, ...others] = stacks;
  if (first === undefined)
    throw new StackError("Specify a Compose file (with --compose-file)", { file: "", line: 0, column: 0 });
  const placeOf = (path: readonly string[]) => placeIn(documents, path);
  return { stack: others.reduce(mergeStacks, first), warnings, ignored, placeOf };
}

function placeIn(documents: readonly StackDocument[], path: readonly string[]): Place {
  let best = documents[0]!;
  let most = 0;
  for (const document of documents) {
    const depth = depthOf(document.root, path);
    if (depth < most) continue;
    best = document;
    most = depth;
  }
  return best.placeAt(offsetOf(best.root, path));
}

function versionOf(document: StackDocument): string {
  const node = child(document.root, "version");
  if (node === undefined) return DEFAULT_VERSION;
  const text = node.kind === "list" || node.kind === "map" ? `${node.kind}` : node.text;
  return text === "" || text === "3" ? DEFAULT_VERSION : text;
}

type FileObjectKind = "secret" | "config";

class StackReader {
  readonly #document: StackDocument;
  readonly #version: string;
  readonly #input: StackInput;
  readonly #warnings: StackWarning[];

  constructor(document: StackDocument, version: string, input: StackInput, warnings: StackWarning[]) {
    this.#document = document;
    this.#version = version;
    this.#input = input;
    this.#warnings = warnings;
  }

  read(): Stack {
    const document = this.#document;
    const forbidden = forbiddenOption(document.root);
    if (forbidden !== undefined)
      this.#refuse(
        forbidden,
        this.#input.forDeployment === true
          ? forbiddenText(document.root)
          : "Configuration contains forbidden properties",
      );
    const root =
      this.#input.skipInterpolation === true ? document.root : interpolate(document, this.#input.environment);
    const schema = stackSchema(this.#version);
    if (schema === undefined)
      return this.#refuse(offsetOf(root, ["version"]), `unsupported Compose file version: ${this.#version}`);
    const strange = unmarshallable(root);
    if (strange !== undefined) this.#refuse(strange.at, strange.message);
    const complaint = validate(root, schema);
    if (complaint !== undefined) this.#refuse(offsetOf(root, complaint.path), complaint.message);
    return {
      version: this.#version,
      services: this.#section(root, "services", (name, node) => this.#service(name, node)),
      networks: this.#section(root, "networks", (name, node) => this.#network(name, node)),
      volumes: this.#section(root, "volumes", (name, node) => this.#volume(name, node)),
      secrets: this.#section(root, "secrets", (name, node) => this.#fileObject("secret", name, node)),
      configs: this.#section(root, "configs", (name, node) => this.#fileObject("config", name, node)),
      extras: extras(root),
    };
  }

  #refuse(at: number, message: string): never {
    throw new StackError(message, this.#document.placeAt(at));
  }

  #warn(at: number, message: string): void {
    this.#warnings.push({ message, place: this.#document.placeAt(at) });
  }

  #section(
    root: MapNode,
    key: string,
    read: (name: string, node: StackNode) => Structure,
  ): ReadonlyMap<string, Structure> {
    const section = child(root, key);
    const result = new Map<string, Structure>();
    if (section?.kind === "map") for (const [name, { node }] of section.entries) result.set(name, read(name, node));
    return (sorted(result) ?? new Map()) as ReadonlyMap<string, Structure>;
  }

  /** Reads with all complaints at once, as the client's decoder does. */
  #fields(node: StackNode, fields: readonly Field[], name: string): Structure {
    const complaints: { readonly at: number; readonly message: string }[] = [];
    const conversion: Conversion = {
      environment: this.#input.environment,
      complain: (at, message) => complaints.push({ at, message }),
      warn: (at, message) => this.#warn(at, message),
    };
    let result: Structure = {};
    if (node.kind === "map") result = readFields(node, fields, name, conversion);
    else if (node.kind !== "null")
      conversion.complain(node.at, `'${name}' expected a map, got '${goTypes[node.kind]}'`);
    if (complaints.length > 0) {
      const lines = complaints.map(({ message }) => message).join("\n");
      this.#refuse(complaints[0]!.at, `decoding failed due to the following error(s):\n\n${lines}`);
    }
    return result;
  }

  #service(_name: string, node: StackNode): Structure {
    const read = this.#fields(node, SERVICE, "");
    const result: Record<string, Value> = {};
    // Put where the environment stands in the client's order, even if only a file fills it.
    const environment = this.#environment(read, node);
    for (const { key } of SERVICE) {
      const value = key === "environment" ? environment : read[key];
      if (value !== undefined) result[key] = value;
    }
    if (Array.isArray(read.volumes)) result.volumes = this.#mounts(read.volumes, node);
    return node.kind === "map" ? { ...result, ...extras(node) } : result;
  }

  #environment(service: Structure, node: StackNode): Value | undefined {
    const files = (service.env_file ?? []) as readonly string[];
    const result = new Map<string, Value>();
    files.forEach((name, index) => {
      const path = name.startsWith("/") ? name : absolutePath(this.#input.workingFolder, name);
      const found = this.#input.readFile(path);
      const at = offsetOf(node, ["env_file", `${index}`]);
      if ("problem" in found) this.#refuse(at, found.problem);
      const variables = parseEnvironmentFile(found.text, this.#input.environment);
      if (typeof variables === "string") this.#refuse(at, `invalid env file (${path}): ${variables}`);
      for (const [key, value] of variables) result.set(key, value);
    });
    const merged = new Map(fromEnvironment(result, this.#input.environment));
    if (service.environment instanceof Map) for (const [key, value] of service.environment) merged.set(key, value);
    return sorted(merged);
  }

  #mounts(mounts: readonly Value[], node: StackNode): readonly Value[] {
    return mounts.map((mount, index) => {
      if (!isStructure(mount) || mount.type !== "bind") return mount;
      const at = offsetOf(node, ["volumes", `${index}`]);
      if (mount.source === undefined)
        this.#refuse(at, 'invalid mount config for type "bind": field Source must not be empty');
      let source = mount.source as string;
      if (source.startsWith("~")) {
        const home = this.#input.environment.get("HOME");
        if (home === undefined) this.#warn(at, "cannot expand '~', because the environment lacks HOME");
        else source = source.replace("~", () => home);
      }
      return { ...mount, source: isAbsolutePath(source) ? source : absolutePath(this.#input.workingFolder, source) };
    });
  }

  #network(name: string, node: StackNode): Structure {
    const own = this.#fields(node, NETWORK, `[${name}]`);
    const external = this.#external("network", name, node, own, 5);
    if (external === undefined) return own;
    return ordered({ ...own, ...external }, NETWORK, node.kind === "map" ? extras(node) : {});
  }

  #volume(name: string, node: StackNode): Structure {
    const own = this.#fields(node, VOLUME, `[${name}]`);
    const spec = this.#fields(node, VOLUME_SPEC, `[${name}]`);
    if (isExternal(node))
      for (const key of ["driver", "driver_opts", "labels"])
        if (own[key] !== undefined)
          this.#refuse(
            offsetOf(node, [key]),
            `conflicting parameters "external" and "${key}" specified for volume "${name}"`,
          );
    const external = this.#external("volume", name, node, own, 4);
    if (external === undefined) return { ...own, ...spec };
    const further = node.kind === "map" ? extras(node) : {};
    return ordered({ ...own, ...external }, VOLUME, { ...further, ...spec });
  }

  #fileObject(kind: FileObjectKind, name: string, node: StackNode): Structure {
    const own = this.#fields(node, FILE_OBJECT, `[${name}]`);
    const driver = this.#fields(node, FILE_OBJECT_DRIVER, `[${name}]`);
    const tail = { ...(node.kind === "map" ? extras(node) : {}), ...driver };
    const external = this.#external(kind, name, node, own, 5);
    if (external !== undefined) return ordered({ ...own, ...external }, FILE_OBJECT, tail);
    if (driver.driver !== undefined) {
      if (own.file !== undefined)
        this.#refuse(
          offsetOf(node, ["file"]),
          `${kind} ${name}: ${kind}.driver and ${kind}.file conflict; only use ${kind}.driver`,
        );
      return { ...own, ...tail };
    }
    const file = absolutePath(this.#input.workingFolder, (own.file as string | undefined) ?? "");
    return ordered({ ...own, file }, FILE_OBJECT, tail);
  }

  /** `external: true`, or the old `external: { name: x }`; undefined for what the stack makes itself. */
  #external(
    kind: string,
    name: string,
    node: StackNode,
    own: Structure,
    deprecatedSince: number,
  ): Structure | undefined {
    if (!isExternal(node)) return undefined;
    const named = child(child(node, "external"), "name");
    const oldName = named?.kind === "string" ? named.text : "";
    if (oldName === "") return { name: own.name ?? name, external: true };
    const at = offsetOf(node, ["external", "name"]);
    if (own.name !== undefined)
      this.#refuse(at, `${kind} ${name}: ${kind}.external.name and ${kind}.name conflict; only use ${kind}.name`);
    if (Number(this.#version.slice(2)) >= deprecatedSince)
      this.#warn(at, `${kind} ${name}: ${kind}.external.name is deprecated in favor of ${kind}.name`);
    return { name: oldName, external: true };
  }
}

const goTypes = {
  string: "string",
  integer: "int",
  float: "float64",
  boolean: "bool",
  time: "time.Time",
  list: "slice",
};

function isExternal(node: StackNode): boolean {
  const external = child(node, "external");
  return external?.kind === "map" || (external?.kind === "boolean" && external.value === true);
}

function ordered(values: Structure, fields: readonly Field[], tail: Structure): Structure {
  const result: Record<string, Value> = {};
  for (const { key } of fields) if (values[key] !== undefined) result[key] = values[key];
  return { ...result, ...tail };
}

/** What Go's JSON cannot carry to the schema: keys that are no texts, and numbers that are none. */
function unmarshallable(node: StackNode): { readonly at: number; readonly message: string } | undefined {
  if (node.kind === "map") {
    if (node.foreignKeyAt !== undefined)
      return { at: node.foreignKeyAt, message: "json: unsupported type: map[interface {}]interface {}" };
    for (const { node: below } of node.entries.values()) {
      const found = unmarshallable(below);
      if (found !== undefined) return found;
    }
  } else if (node.kind === "list") {
    for (const item of node.items) {
      const found = unmarshallable(item);
      if (found !== undefined) return found;
    }
  } else if (node.kind === "float" && !Number.isFinite(node.value))
    return { at: node.at, message: `json: unsupported value: ${node.text}` };
  return undefined;
}

export type { Place };
