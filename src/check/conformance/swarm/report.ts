/** What came of a recorded case: a line for each interface, each kind of control traffic, each table of a node; and all of them as one page. */
import type { CapturedFrame } from "../../../capture/capture-frame.ts";
import { compareControlPlane, type KindResult } from "./control-plane.ts";
import { compareDataPlane, type DataPlaneResult, type Tolerance } from "./data-plane.ts";
import type { CaseRun } from "./session.ts";
import type { StateResult } from "./state.ts";

export interface InterfaceReport {
  readonly file: string;
  readonly data: DataPlaneResult;
  readonly control: readonly KindResult[];
}

export interface CaseReport {
  readonly name: string;
  readonly title: string;
  readonly problems: readonly string[];
  readonly interfaces: readonly InterfaceReport[];
  readonly states: readonly StateResult[];
}

/** Of one finding: same, same but for what is told, or different. */
export interface Finding {
  /** `06-single-host-bridge/node2_underlay_eth0.pcap` and so on: what a list of reasons calls it. */
  readonly key: string;
  readonly same: boolean;
  readonly text: string;
  readonly diff: readonly string[];
}

const NO_FRAMES: readonly CapturedFrame[] = [];

const TOLERANCE_WORDS: Readonly<Record<Tolerance, string>> = {
  order: "the order of what happens at once",
  acknowledgements: "when TCP acknowledges",
  segments: "how TCP's bytes were cut",
  neighbours: "when neighbours are looked for again",
  repeats: "how often an unanswered echo was sent",
};

/** `states`: what the nodes told of themselves (state.ts). */
export function judge(run: CaseRun, states: readonly StateResult[]): CaseReport {
  const interfaces = run.recorded.captures.map(({ file, machine, place, frames }): InterfaceReport => {
    const ours = run.captures.get(file) ?? NO_FRAMES;
    const data = compareDataPlane(
      { frames, naming: run.recordedNaming },
      { frames: ours, naming: run.naming },
      machine,
    );
    const control = place === "underlay" && machine !== "client" ? compareControlPlane(frames, ours) : [];
    return { file, data, control };
  });
  const { name, notes } = run.recorded;
  return { name, title: notes.title, problems: run.problems, interfaces, states };
}

/** Everything that was compared, in order. */
export function findings(report: CaseReport): Finding[] {
  return [
    ...report.interfaces.map(({ file, data }) => dataFinding(report.name, file, data)),
    ...report.interfaces.flatMap(({ file, control }) => control.map((kind) => controlFinding(report.name, file, kind))),
    ...report.states.map((state) => stateFinding(report.name, state)),
  ];
}

function dataFinding(name: string, file: string, data: DataPlaneResult): Finding {
  const { same, upTo, recordedFrames, ourFrames, matched, compared, diff } = data;
  const frames = `${recordedFrames} frames`;
  let text: string;
  if (same && upTo.length === 0) text = recordedFrames === 0 ? "same: no frame" : `same: ${frames} in the same order`;
  else if (same) text = `same up to ${listed(upTo)} (${frames}, ours ${ourFrames})`;
  else text = `differs: ${matched} of ${compared} lines (${frames}, ours ${ourFrames})`;
  return { key: `${name}/${file}`, same, text, diff };
}

function controlFinding(name: string, file: string, { kind, recorded, ours, within }: KindResult): Finding {
  const told = (count: number, bytes: number) => `${count} of ${bytes} B`;
  const both = `${told(recorded.count, recorded.medianBytes)}, ours ${told(ours.count, ours.medianBytes)}`;
  return { key: `${name}/${file} ${kind}`, same: within, text: within ? both : `differs: ${both}`, diff: [] };
}

function stateFinding(name: string, state: StateResult): Finding {
  const { node, namespace, command, same, matched, recordedLines, ourLines, diff } = state;
  const text = same
    ? `same: ${recordedLines} lines`
    : `differs: ${matched} lines of ${recordedLines}, ours ${ourLines}`;
  return { key: `${name}/${node} ${namespace}: ${command}`, same, text, diff };
}

function listed(upTo: readonly Tolerance[]): string {
  return upTo.map((each) => TOLERANCE_WORDS[each]).join(", ");
}

/** The page. `reasons` says of findings by their keys, or by patterns of keys, why they differ. */
export function page(reports: readonly CaseReport[], reasonOf: (key: string) => string | undefined): string {
  const lines = [
    "# Held against a recorded Swarm",
    "",
    "Docker 20.10.24 on three machines, and what vxlab's emulated engines do with the same commands at the same times: made by",
    "`npm run conformance -- --swarm`. Addresses go by the names of those who have them, MAC addresses that were drawn and random ports by number;",
    "left out on both sides are IPv6 and the engine's search for its registry. On which node a task runs, and when its container was up, is taken from",
    "the recording; nothing else is.",
    "",
  ];
  for (const report of reports) {
    lines.push(`## ${report.name}`, "");
    if (report.title !== "") lines.push(report.title, "");
    const rows = findings(report).map((finding) => {
      const reason = finding.same ? "" : (reasonOf(finding.key) ?? "**not explained**");
      return `| ${finding.key.slice(report.name.length + 1)} | ${finding.text} | ${reason} |`;
    });
    lines.push("| what | result | reason |", "|---|---|---|", ...rows, "");
    for (const problem of report.problems) lines.push(`Problem: ${problem}`, "");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
