/** The report of a stack's run as text for people: what runs where, what does not and why, ports, networks, checks. */
import { table } from "../commands/docker/table.ts";
import type { StackReport } from "../scenario/stack-run/stack-report.ts";
import { formatSeconds } from "../sim/time.ts";
import type { ReportStyle } from "./report-text.ts";

const MOST_FAILED = 40;
const KINDS = {
  name: "by name",
  address: "by address",
  apart: "of those that share no network",
  published: "of published ports",
  closed: "of ports that are not published",
} as const;

export function stackReportText(report: StackReport, style: ReportStyle): string {
  const paint = (code: number, text: string): string => (style.colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const parts: string[] = [];
  if (!style.failedOnly) parts.push(headLine(report), ...tables(report), ...remarks(report));
  const { status, stderr } = report.deployment;
  if (status !== 0 && stderr !== "") parts.push(`${paint(31, "refused")} ${refusalOf(stderr)}\n`);
  for (const problem of report.problems) parts.push(`${paint(31, "problem")} ${problem}\n`);
  if (report.missing.length > 0) parts.push(missingText(report, paint));
  parts.push(checksText(report, paint));
  if (!style.failedOnly && report.files.length > 0) parts.push(`${report.files.join("\n")}\n`);
  return parts.join("\n");
}

/** What Docker printed last: the warnings before it are remarks. */
function refusalOf(stderr: string): string {
  const text = stderr.trimEnd().replace(/^Since --detach[^\n]*\n[^\n]*\n/m, "");
  return text.split("\n").at(-1) ?? text;
}

function headLine({ stack, nodes, readyNs, settledNs }: StackReport): string {
  const machines = `${nodes.length} node${nodes.length === 1 ? "" : "s"}`;
  const ready = readyNs === undefined ? "" : `: the swarm stands after ${formatSeconds(readyNs, 3)} s`;
  const settled =
    settledNs === undefined ? "" : `, the stack runs after ${formatSeconds(settledNs, 3)} s of virtual time`;
  return `${stack} on ${machines}${ready}${settled}\n`;
}

function tables(report: StackReport): string[] {
  const { nodes, tasks, ports, networks } = report;
  const result = [
    table([
      ["NODE", "ROLE", "ADDRESS", "LABELS"],
      ...nodes.map(({ name, role, address, labels }) => [name, role, address, pairs(labels)]),
    ]),
  ];
  if (tasks.length > 0)
    result.push(
      table([
        ["TASK", "NODE", "IMAGE", "SERVES", "ADDRESSES"],
        ...tasks.map(({ name, node, image, serves, addresses }) => [
          name,
          node,
          image,
          serves.join(", ") || "-",
          addresses.map(({ network, address }) => `${network} ${address}`).join(", "),
        ]),
      ]),
    );
  if (ports.length > 0)
    result.push(
      table([
        ["PORT", "MODE", "LEADS TO", "ANSWERS ON"],
        ...ports.map(({ published, protocol, mode, service, target, nodes: on }) => [
          `${published}/${protocol}`,
          mode,
          `${service}:${target}`,
          on.length === nodes.length ? "every node" : on.join(", ") || "no node",
        ]),
      ]),
    );
  if (networks.length > 0)
    result.push(
      table([
        ["NETWORK", "DRIVER", "SUBNET", "VNI", "MTU", "OPTIONS"],
        ...networks.map(({ name, driver, subnets, vnis, mtu, ...options }) => [
          name,
          driver,
          subnets.join(", "),
          vnis.join(", "),
          mtu === undefined ? "-" : String(mtu),
          (["encrypted", "internal", "attachable"] as const).filter((key) => options[key]).join(", "),
        ]),
      ]),
    );
  return result;
}

function pairs(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}

function remarks({ ignored, made }: StackReport): string[] {
  const lines: string[] = [];
  for (const { file, line, column, service, key } of ignored)
    lines.push(`${file}:${line}:${column}: Docker ignores ${key} of ${service}`);
  if (made.length > 0) lines.push(`made up: ${made.join(", ")}`);
  return lines.length === 0 ? [] : [`${lines.join("\n")}\n`];
}

function missingText({ missing }: StackReport, paint: (code: number, text: string) => string): string {
  return missing
    .map(({ service, count, state, why }) => {
      const tasks = count === 1 ? "a task" : `${count} tasks`;
      return `${paint(31, "not running")} ${tasks} of ${service} (${state}): ${why}\n`;
    })
    .join("");
}

function checksText({ checks, deployment }: StackReport, paint: (code: number, text: string) => string): string {
  const { total, held, failed, late, byKind, tasksOfService } = checks;
  if (total === 0) return deployment.status === 0 ? "nothing to check\n" : "";
  const kinds = Object.entries(KINDS).flatMap(([kind, words]) => {
    const count = byKind[kind as keyof typeof KINDS];
    return count === 0 ? [] : [`${count} ${words}`];
  });
  const lines = [`${held} of ${total} checks hold: ${kinds.join(", ")}`];
  if (tasksOfService !== undefined)
    lines.push(`there are many tasks: ${tasksOfService} of each service were looked at, which stand for the others`);
  if (late.length > 0) {
    const longestNs = Math.max(...late.map(({ lateNs = 0 }) => lateNs));
    lines.push(
      `${late.length} of them only after a while, at most ${formatSeconds(longestNs, 0)} s: gossip had forgotten somebody until the nodes compared what they know`,
    );
  }
  for (const { from, to, expected, line, found } of failed.slice(0, MOST_FAILED))
    lines.push(
      `${paint(31, "failed")} ${from} -> ${to}: ${expected ? "should reach it" : "should not reach it"} (${line}: ${found})`,
    );
  if (failed.length > MOST_FAILED) lines.push(`… and ${failed.length - MOST_FAILED} more`);
  return `${lines.join("\n")}\n`;
}
