/** `docker node inspect`. */
import type { Node } from "../../../swarm/api/objects.ts";
import { CommandError } from "../../command-error.ts";
import { ask, clientOf } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { INSPECT_FORMAT_FLAG } from "../format-flag.ts";
import { goTime, prettyDate, type Shown } from "../go-text.ts";
import { bytesText } from "../human-size.ts";
import { writeObjects } from "../output-format.ts";
import { capital } from "../task/task-list.ts";
import { findNode } from "./node-reference.ts";

export const NODE_INSPECT: DockerCommand = {
  path: "node inspect",
  takes: "[OPTIONS] self|NODE [NODE...]",
  summary: "Display detailed information on one or more nodes",
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: "pretty", kind: "bool", usage: "Print the information in a human friendly format" },
  ],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const format = flags.bool("pretty") ? "pretty" : flags.string("format");
    if (flags.bool("pretty") && flags.has("format"))
      throw new CommandError(1, "--format is incompatible with human friendly format");
    const client = clientOf(context);
    const nodes: Node[] = [];
    let problems = "";
    for (const name of operands) {
      const reply = yield* ask(findNode(context, client, name));
      if ("value" in reply) nodes.push(reply.value);
      else problems += `Error response from daemon: ${reply.error}\n`;
    }
    if (format === "pretty") process.stdout.write(nodes.map(prettyText).join(""));
    else writeObjects(process.stdout, format, nodes.map(nodeObject));
    process.stderr.write(problems);
    return problems === "" ? 0 : 1;
  },
};

export function nodeObject({ id, meta, spec, description, status, managerStatus }: Node): Shown {
  const { platform, resources, engine } = description ?? {};
  return {
    ID: id,
    Version: { Index: meta.version.index },
    CreatedAt: goTime(meta.createdAt),
    UpdatedAt: goTime(meta.updatedAt),
    Spec: {
      ...(spec.annotations.name !== "" && { Name: spec.annotations.name }),
      Labels: spec.annotations.labels,
      Role: spec.desiredRole,
      Availability: spec.availability,
    },
    Description: {
      ...(description !== undefined && { Hostname: description.hostname }),
      Platform: platform === undefined ? {} : { Architecture: platform.architecture, OS: platform.os },
      Resources: resources === undefined ? {} : { NanoCPUs: resources.nanoCpus, MemoryBytes: resources.memoryBytes },
      Engine: {
        ...(engine !== undefined && { EngineVersion: engine.engineVersion }),
        ...(engine !== undefined && engine.labels.size > 0 && { Labels: engine.labels }),
        ...(engine !== undefined &&
          engine.plugins.length > 0 && {
            Plugins: engine.plugins.map(({ type, name }) => ({ Type: type, Name: name })),
          }),
      },
      TLSInfo: {},
    },
    Status: {
      State: status.state,
      ...(status.message !== "" && { Message: status.message }),
      ...(status.address !== "" && { Addr: status.address }),
    },
    ...(managerStatus !== undefined && {
      ManagerStatus: {
        ...(managerStatus.leader && { Leader: true }),
        Reachability: managerStatus.reachability,
        Addr: managerStatus.address,
      },
    }),
  };
}

function prettyText({ id, meta, spec, description, status, managerStatus }: Node): string {
  const { platform, resources, engine } = description ?? {};
  const lines = [`ID:\t\t\t${id}`];
  if (spec.annotations.name !== "") lines.push(`Name:\t\t\t${spec.annotations.name}`);
  const labels = [...spec.annotations.labels].sort(([a], [b]) => (a < b ? -1 : 1));
  if (labels.length > 0) lines.push("Labels:");
  for (const [key, value] of labels) lines.push(` - ${key}${value === "" ? "" : `=${value}`}`);
  lines.push(
    `Hostname:              \t${description?.hostname ?? ""}`,
    `Joined at:             \t${prettyDate(meta.createdAt)}`,
    "Status:",
    ` State:\t\t\t${capital(status.state)}`,
  );
  if (status.message !== "") lines.push(` Message:              \t${capital(status.message)}`);
  lines.push(` Availability:         \t${capital(spec.availability)}`);
  if (status.address !== "") lines.push(` Address:\t\t${status.address}`);
  if (managerStatus !== undefined)
    lines.push(
      "Manager Status:",
      ` Address:\t\t${managerStatus.address}`,
      ` Raft Status:\t\t${capital(managerStatus.reachability)}`,
      ` Leader:\t\t${managerStatus.leader ? "Yes" : "No"}`,
    );
  lines.push(
    "Platform:",
    ` Operating System:\t${platform?.os ?? ""}`,
    ` Architecture:\t\t${platform?.architecture ?? ""}`,
    "Resources:",
    ` CPUs:\t\t\t${Math.floor((resources?.nanoCpus ?? 0) / 1e9)}`,
    ` Memory:\t\t${bytesText(resources?.memoryBytes ?? 0)}`,
  );
  const plugins = new Map<string, string[]>();
  for (const { type, name } of engine?.plugins ?? []) plugins.set(type, [...(plugins.get(type) ?? []), name]);
  if (plugins.size > 0) lines.push("Plugins:");
  for (const [type, names] of [...plugins].sort()) lines.push(` ${type}:\t\t${names.join(", ")}`);
  lines.push(`Engine Version:\t\t${engine?.engineVersion ?? ""}`);
  return `${lines.join("\n")}\n`;
}
