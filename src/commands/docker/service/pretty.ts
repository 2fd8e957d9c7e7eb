/** `docker service inspect --pretty` (docker/cli command/service/formatter.go). */
import type { Nanoseconds } from "../../../sim/time.ts";
import type { Service } from "../../../swarm/api/objects.ts";
import type { Resources } from "../../../swarm/api/parts.ts";
import type { ContainerSpec, TaskSpec, UpdateConfig } from "../../../swarm/api/specs.ts";
import { durationText } from "../../../swarm/stack/duration.ts";
import { bytesText } from "../human-size.ts";
import { ago } from "../human-time.ts";

/** `names`: of networks by id. */
export function prettyService(service: Service, names: ReadonlyMap<string, string>, nowNs: Nanoseconds): string {
  const { id, spec, endpoint } = service;
  const { task } = spec;
  const lines = [`ID:\t\t${id}`, `Name:\t\t${spec.annotations.name}`];
  if (spec.annotations.labels.size > 0) lines.push("Labels:");
  for (const [key, value] of [...spec.annotations.labels].sort())
    lines.push(` ${key}${value === "" ? "" : `=${value}`}`);
  lines.push(...modeLines(service), ...statusLines(service, nowNs), "Placement:");
  const { constraints = [], preferences = [], maxReplicas = 0 } = task.placement ?? {};
  if (constraints.length > 0) lines.push(` Constraints:\t[${constraints.join(" ")}]`);
  const spreads = preferences.flatMap(({ spread }) => (spread === undefined ? [] : [`spread=${spread.descriptor}`]));
  if (spreads.length > 0) lines.push(` Preferences:   [${spreads.join(" ")}]`);
  if (maxReplicas > 0) lines.push(` Max Replicas Per Node:   ${maxReplicas}`);
  lines.push(...updateLines("Update", spec.update), ...updateLines("Rollback", spec.rollback));
  if (task.container !== undefined) lines.push(...containerLines(task.container));
  lines.push(...resourceLines(task));
  if (task.networks.length > 0)
    lines.push(`Networks: ${task.networks.map(({ target }) => names.get(target) ?? target).join(" ")} `);
  lines.push(`Endpoint Mode:\t${endpoint?.spec?.mode ?? "vip"}`);
  const ports = endpoint?.ports ?? [];
  if (ports.length > 0) lines.push("Ports:");
  for (const { publishedPort, protocol, targetPort, publishMode } of ports)
    lines.push(
      ` PublishedPort = ${publishedPort}`,
      `  Protocol = ${protocol}`,
      `  TargetPort = ${targetPort}`,
      `  PublishMode = ${publishMode}`,
    );
  // The template's blank before its last action stays behind the last port.
  return `\n${lines.join("\n")}${ports.length > 0 ? " " : ""}\n\n`;
}

function modeLines({ spec }: Service): string[] {
  const { replicated, global } = spec;
  if (replicated !== undefined) return ["Service Mode:\tReplicated", ` Replicas:\t${replicated.replicas}`];
  // Of jobs the client's template knows nothing.
  return [global === undefined ? "Service Mode:" : "Service Mode:\tGlobal"];
}

function statusLines({ updateStatus }: Service, nowNs: Nanoseconds): string[] {
  if (updateStatus === undefined) return [];
  const { state, startedAt, completedAt, message } = updateStatus;
  const lines = ["UpdateStatus:", ` State:\t\t${state}`];
  if (startedAt !== undefined) lines.push(` Started:\t${ago(startedAt, nowNs)}`);
  if (state === "completed" && completedAt !== undefined) lines.push(` Completed:\t${ago(completedAt, nowNs)}`);
  return [...lines, ` Message:\t${message}`];
}

function updateLines(kind: "Update" | "Rollback", update: UpdateConfig | undefined): string[] {
  if (update === undefined) return [];
  const { parallelism, delay = 0, failureAction, monitor = 0, maxFailureRatio, order } = update;
  const lines = [`${kind}Config:`, ` Parallelism:\t${parallelism}`];
  if (delay > 0) lines.push(` Delay:\t\t${durationText(BigInt(delay))}`);
  lines.push(` On failure:\t${failureAction}`);
  if (monitor > 0) lines.push(` Monitoring Period: ${durationText(BigInt(monitor))}`);
  lines.push(` Max failure ratio: ${maxFailureRatio}`, ` ${`${kind} order:`.padEnd(19)}${order}`.trimEnd());
  return lines;
}

function containerLines(container: ContainerSpec): string[] {
  const lines = ["ContainerSpec:", ` Image:\t\t${container.image}`];
  if (container.args.length > 0) lines.push(` Args:\t\t${container.args.join(" ")} `);
  if (container.env.length > 0) lines.push(` Env:\t\t${container.env.join(" ")} `);
  if (container.dir !== "") lines.push(` Dir:\t\t${container.dir}`);
  lines.push(` Init:\t\t${container.init}`);
  if (container.user !== "") lines.push(` User: ${container.user}`);
  if (container.mounts.length > 0) lines.push("Mounts:");
  for (const { target, source, readOnly, type } of container.mounts)
    lines.push(` Target:\t${target}`, `  Source:\t${source}`, `  ReadOnly:\t${readOnly}`, `  Type:\t\t${type}`);
  if (container.configs.length > 0) lines.push("Configs:");
  for (const { file, configName } of container.configs)
    lines.push(` Target:\t${file?.name}`, `  Source:\t${configName}`);
  if (container.secrets.length > 0) lines.push("Secrets:");
  for (const { file, secretName } of container.secrets)
    lines.push(` Target:\t${file?.name}`, `  Source:\t${secretName}`);
  return lines;
}

function resourceLines({ resources }: TaskSpec): string[] {
  const part = (title: string, amount: Resources | undefined): string[] => {
    if (amount === undefined || (amount.nanoCpus === 0 && amount.memoryBytes === 0)) return [];
    const lines = [` ${title}:`];
    if (amount.nanoCpus > 0) lines.push(`  CPU:\t\t${amount.nanoCpus / 1e9}`);
    if (amount.memoryBytes > 0) lines.push(`  Memory:\t${bytesText(amount.memoryBytes)}`);
    return lines;
  };
  const lines = [...part("Reservations", resources?.reservations), ...part("Limits", resources?.limits)];
  return ["Resources:", ...lines];
}
