/** A run's report for people. */
import type { RunReport } from "../scenario/report.ts";
import { formatSeconds } from "../sim/time.ts";

export interface ReportStyle {
  readonly colour: boolean;
  /** Say only what failed. */
  readonly failedOnly: boolean;
}

export function reportText(report: RunReport, style: ReportStyle): string {
  const paint = (code: number, text: string): string => (style.colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const lines: string[] = [];
  if (!style.failedOnly) {
    if (report.readyNs !== undefined)
      lines.push(`ready after ${formatSeconds(report.readyNs, 3)} s of virtual time`, "");
    for (const command of report.commands) {
      lines.push(paint(1, `${formatSeconds(command.atNs, 6)} ${command.host}$ ${command.line}`));
      const output = (command.stdout + command.stderr).trimEnd();
      if (output !== "") lines.push(output);
      if (command.status === undefined) lines.push("(still running at the end of the run)");
      else if (command.status !== 0) lines.push(`(exit status ${command.status})`);
      lines.push("");
    }
  }
  for (const problem of report.problems) lines.push(`${paint(31, "problem")}  ${problem}`);
  for (const { expected, holds, found } of report.expectations) {
    if (holds && style.failedOnly) continue;
    lines.push(
      holds
        ? `${paint(32, "holds")}  ${expected}${found.includes("\n") ? "" : ` (${found})`}`
        : `${paint(31, "FAILS")}  expected ${expected}, found ${found}`,
    );
  }
  if (style.failedOnly) return `${lines.join("\n")}\n`;
  const { made, delivered, consumed, dropped, inFlight } = report.frames;
  if (lines.length > 0 && lines.at(-1) !== "") lines.push("");
  lines.push(
    `${formatSeconds(report.endNs, 3)} s of virtual time, ${report.events} events, seed ${report.seed}`,
    `${made} frames = ${delivered} delivered + ${consumed} consumed + ${dropped} dropped + ${inFlight} in flight`,
  );
  for (const { reason, words, at, count } of report.drops)
    lines.push(`  ${count} dropped at ${at}: ${words} (${reason})`);
  if (report.files.length === 1 && report.files[0] !== "-") lines.push(`capture: ${report.files[0]}`);
  else if (report.files.length > 1) lines.push(`captures: ${report.files.length} files, the first ${report.files[0]}`);
  return `${lines.join("\n")}\n`;
}
