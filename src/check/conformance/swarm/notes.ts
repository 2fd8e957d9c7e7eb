/**
 * The notes of a recorded case (`notes.md`): which commands were typed where and when, what they printed, and what was done to the lab. The block under
 * `## Commands, in order` holds a line for each:
 *
 *     17:28:14.315 node1$ docker exec c1 ping -c 3 10.0.1.12
 *     17:28:14.312  # ping across nodes by IP
 *
 * and what a command printed below it.
 */
import type { Nanoseconds } from "../../../sim/time.ts";
import { MILLISECOND, SECOND } from "../../../sim/time.ts";

export interface RecordedCommand {
  readonly kind: "command";
  /** Of the day. */
  readonly atNs: Nanoseconds;
  /** `node1`, `client`. */
  readonly host: string;
  readonly line: string;
  readonly output: string;
}

export interface Remark {
  readonly kind: "remark";
  readonly atNs: Nanoseconds;
  readonly text: string;
}

export type RecordedStep = RecordedCommand | Remark;

export interface Notes {
  readonly title: string;
  /** In the order of time. */
  readonly steps: readonly RecordedStep[];
}

const HEADING = "## Commands, in order";
const STEP = /^(\d\d):(\d\d):(\d\d)\.(\d{3}) (?:(\w+)\$ (.*)| # ?(.*))$/;

/** The notes in `text`, or what is wrong with them. */
export function parseNotes(text: string): Notes | { readonly problem: string } {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const title = /^# (.*)$/.exec(lines[0] ?? "")?.[1] ?? "";
  const heading = lines.findIndex((line) => line.startsWith(HEADING));
  if (heading < 0) return { problem: `notes.md: no "${HEADING}"` };
  const opening = lines.findIndex((line, at) => at > heading && line.startsWith("```"));
  if (opening < 0) return { problem: "notes.md: the commands stand in no block" };
  const steps: RecordedStep[] = [];
  let command: { step: Omit<RecordedCommand, "output">; output: string[] } | undefined;
  const finish = (): void => {
    if (command !== undefined) steps.push({ ...command.step, output: command.output.join("\n") });
    command = undefined;
  };
  for (const line of lines.slice(opening + 1)) {
    // What was done between this case and the next stands behind the block.
    if (line.startsWith("```")) continue;
    const match = STEP.exec(line);
    if (match === null) {
      command?.output.push(line);
      continue;
    }
    finish();
    const [, hours, minutes, seconds, milliseconds, host, typed, remark] = match;
    const wholeSeconds = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
    const atNs = wholeSeconds * SECOND + Number(milliseconds) * MILLISECOND;
    if (host !== undefined) command = { step: { kind: "command", atNs, host, line: typed ?? "" }, output: [] };
    else steps.push({ kind: "remark", atNs, text: remark ?? "" });
  }
  finish();
  if (steps.length === 0) return { problem: "notes.md: no command" };
  return { title, steps };
}
