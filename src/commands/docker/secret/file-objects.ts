/** `docker secret` and `docker config`: the same commands but for a few words. */
import { filtersShape } from "../../../swarm/api/control.ts";
import type { Config, Secret } from "../../../swarm/api/objects.ts";
import { configSpecShape, secretSpecShape } from "../../../swarm/api/specs.ts";
import { quoted } from "../../../swarm/stack/go-quote.ts";
import { CommandError } from "../../command-error.ts";
import { ask, clientOf, forEach, must } from "../cluster.ts";
import type { DockerCommand, DockerGroup } from "../command.ts";
import { filtersOf, matchesLabel } from "../filters.ts";
import { type FlagDefinition, type Flags, splitPair } from "../flags.ts";
import { FORMAT_FLAG, INSPECT_FORMAT_FLAG } from "../format-flag.ts";
import { goTime, prettyDate, type Shown } from "../go-text.ts";
import { ago } from "../human-time.ts";
import { noSuchFile, readFile } from "../machine-files.ts";
import { naturalOrder } from "../natural-order.ts";
import { formatList, type ListForm, type Row, writeObjects } from "../output-format.ts";
import { sortedMap } from "../service/spec-values.ts";
import { base64 } from "./base64.ts";

type Kind = "secret" | "config";
type FileObject = Secret | Config;

const TIMES = [
  { field: "CreatedAt", heading: "CREATED" },
  { field: "UpdatedAt", heading: "UPDATED" },
];
const ID_AND_NAME = [
  { field: "ID", heading: "ID" },
  { field: "Name", heading: "NAME" },
];
const FORMS: Readonly<Record<Kind, ListForm>> = {
  secret: {
    columns: [...ID_AND_NAME, { field: "Driver", heading: "DRIVER" }, ...TIMES],
    headings: { Labels: "LABELS" },
    goType: "*secret.secretContext",
  },
  config: { columns: [...ID_AND_NAME, ...TIMES], headings: { Labels: "LABELS" }, goType: "*config.configContext" },
};

function create(kind: Kind): DockerCommand {
  const isSecret = kind === "secret";
  const flags: FlagDefinition[] = [
    { name: "label", letter: "l", kind: "list", usage: isSecret ? "Secret labels" : "Config labels" },
    { name: "template-driver", kind: "string", usage: "Template driver" },
  ];
  if (isSecret) flags.push({ name: "driver", letter: "d", kind: "string", usage: "Secret driver" });
  return {
    path: `${kind} create`,
    takes: isSecret ? "[OPTIONS] SECRET [file|-]" : "[OPTIONS] CONFIG file|-",
    summary: isSecret ? "Create a secret from a file or STDIN as content" : "Create a config from a file or STDIN",
    flags,
    least: isSecret ? 1 : 2,
    most: 2,
    *run(process, context, given, operands) {
      const [name = "", file] = operands;
      const driver = given.string("driver");
      if (file === undefined && driver === undefined) throw new CommandError(1, "secret file is required");
      if (file !== undefined && driver !== undefined)
        throw new CommandError(1, "When using secret driver secret data must be empty");
      const text = file === undefined ? "" : file === "-" ? context.stdin : readFile(context.host, file);
      if (text === undefined) {
        const start = isSecret ? "" : `Error reading content from ${quoted(file ?? "")}: `;
        throw new CommandError(1, `${start}error reading from ${file}: ${noSuchFile(file ?? "")}`);
      }
      const annotations = { name, labels: sortedMap(given.list("label").map(splitPair)) };
      const data = new TextEncoder().encode(text);
      const client = clientOf(context);
      let id: string | undefined;
      if (isSecret) {
        const options = new Map<string, string>();
        const spec = secretSpecShape.make({
          annotations,
          data,
          driver: driver === undefined ? undefined : { name: driver, options },
        });
        id = (yield* must(client.call("CreateSecret", { spec }))).secret?.id;
      } else {
        const spec = configSpecShape.make({ annotations, data });
        id = (yield* must(client.call("CreateConfig", { spec }))).config?.id;
      }
      process.stdout.write(`${id ?? ""}\n`);
      return 0;
    },
  };
}

function list(kind: Kind): DockerCommand {
  return {
    path: `${kind} ls`,
    aliases: [`${kind} list`],
    takes: "[OPTIONS]",
    summary: kind === "secret" ? "List secrets" : "List configs",
    flags: [
      { name: "filter", letter: "f", kind: "filter", usage: "Filter output based on conditions provided" },
      FORMAT_FLAG,
      { name: "quiet", letter: "q", kind: "bool", usage: "Only display IDs" },
    ],
    least: 0,
    most: 0,
    *run(process, context, flags) {
      const client = clientOf(context);
      const filters = filtersShape.make();
      const objects: readonly FileObject[] =
        kind === "secret"
          ? (yield* must(client.call("ListSecrets", { filters }))).secrets
          : (yield* must(client.call("ListConfigs", { filters }))).configs;
      const shown = select(objects, flags).sort((a, b) => naturalOrder(nameOf(a), nameOf(b)));
      const rows = shown.map((object) => rowOf(object, process.clock.nowNs));
      process.stdout.write(
        flags.bool("quiet")
          ? shown.map(({ id }) => `${id}\n`).join("")
          : formatList(flags.string("format"), FORMS[kind], rows),
      );
      return 0;
    },
  };
}

function nameOf({ spec }: FileObject): string {
  return spec.annotations.name;
}

function select(objects: readonly FileObject[], flags: Flags): FileObject[] {
  const filters = filtersOf(flags, ["id", "label", "name", "names"]);
  return objects.filter((object) =>
    [...filters].every(([name, values]) =>
      values.some((value) => {
        if (name === "id") return object.id.startsWith(value);
        if (name === "label") return matchesLabel(object.spec.annotations.labels, value);
        return name === "name" ? nameOf(object).startsWith(value) : nameOf(object) === value;
      }),
    ),
  );
}

function rowOf(object: FileObject, nowNs: number): Row {
  const { id, meta, spec } = object;
  return {
    CreatedAt: ago(meta.createdAt ?? 0, nowNs),
    Driver: "driver" in spec ? (spec.driver?.name ?? "") : "",
    ID: id,
    Labels: [...spec.annotations.labels].map(([key, value]) => `${key}=${value}`).join(","),
    Name: nameOf(object),
    UpdatedAt: ago(meta.updatedAt ?? 0, nowNs),
  };
}

function inspect(kind: Kind): DockerCommand {
  const upper = kind.toUpperCase();
  return {
    path: `${kind} inspect`,
    takes: `[OPTIONS] ${upper} [${upper}...]`,
    summary: `Display detailed information on one or more ${kind}s`,
    flags: [
      INSPECT_FORMAT_FLAG,
      { name: "pretty", kind: "bool", usage: "Print the information in a human friendly format" },
    ],
    least: 1,
    most: undefined,
    *run(process, context, flags, operands) {
      const client = clientOf(context);
      const objects: FileObject[] = [];
      let problems = "";
      for (const name of operands) {
        const reply = yield* ask<FileObject>(client.find(kind, name));
        if ("value" in reply) objects.push(reply.value);
        else problems += `Error response from daemon: ${reply.error}\n`;
      }
      if (flags.bool("pretty")) process.stdout.write(objects.map((object) => prettyText(kind, object)).join(""));
      else
        writeObjects(
          process.stdout,
          flags.string("format"),
          objects.map((object) => fileObject(kind, object)),
        );
      process.stderr.write(problems);
      return problems === "" ? 0 : 1;
    },
  };
}

export function fileObject(kind: Kind, { id, meta, spec }: FileObject): Shown {
  const { name, labels } = spec.annotations;
  return {
    ID: id,
    Version: { Index: meta.version.index },
    CreatedAt: goTime(meta.createdAt),
    UpdatedAt: goTime(meta.updatedAt),
    Spec: { Name: name, Labels: labels, ...(kind === "config" && { Data: base64(spec.data) }) },
  };
}

function prettyText(kind: Kind, { id, meta, spec }: FileObject): string {
  const { name, labels } = spec.annotations;
  // The client's two templates are laid out differently.
  const gap = kind === "secret" ? "              " : "\t\t\t";
  const lines = [`ID:${gap}${id}`, `Name:${gap}${name}`];
  if (labels.size > 0) lines.push("Labels:");
  for (const [key, value] of [...labels].sort()) lines.push(` - ${key}${value === "" ? "" : `=${value}`}`);
  const tab = kind === "secret" ? "        " : "            \t";
  if (kind === "secret") lines.push("Driver:            ");
  lines.push(`Created at:${tab}${prettyDate(meta.createdAt)}`, `Updated at:${tab}${prettyDate(meta.updatedAt)}`);
  if (kind === "config") lines.push("Data:", new TextDecoder().decode(spec.data));
  return `${lines.join("\n")}\n`;
}

function remove(kind: Kind): DockerCommand {
  const upper = kind.toUpperCase();
  return {
    path: `${kind} rm`,
    aliases: [`${kind} remove`],
    takes: `${upper} [${upper}...]`,
    summary: `Remove one or more ${kind}s`,
    flags: [],
    least: 1,
    most: undefined,
    run(process, context, _flags, operands) {
      const client = clientOf(context);
      return forEach(process, operands, function* (name) {
        const found = yield* ask<FileObject>(client.find(kind, name));
        if ("error" in found) return found;
        const method = kind === "secret" ? "RemoveSecret" : "RemoveConfig";
        return yield* ask<unknown>(client.call(method, { id: found.value.id }));
      });
    },
  };
}

const KINDS: readonly Kind[] = ["secret", "config"];
export const FILE_OBJECT_COMMANDS: readonly DockerCommand[] = KINDS.flatMap((kind) => [
  create(kind),
  list(kind),
  inspect(kind),
  remove(kind),
]);
export const FILE_OBJECT_GROUPS: readonly DockerGroup[] = [
  { path: "secret", summary: "Manage Swarm secrets" },
  { path: "config", summary: "Manage Swarm configs" },
];
