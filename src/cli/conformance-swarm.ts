/** `conformance --swarm [DIR]`: the recorded swarm's cases on our lab, and the page that tells what is the same. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CapturedFrame } from "../capture/capture-frame.ts";
import { type RecordedCase, readCase } from "../check/conformance/swarm/recording.ts";
import { type CaseReport, findings, judge, page } from "../check/conformance/swarm/report.ts";
import { runSession } from "../check/conformance/swarm/session.ts";
import { compareStates, type StateResult } from "../check/conformance/swarm/state.ts";
import { WORDS } from "../commands/words.ts";
import { readKnownDifferences, writeCaptures } from "./case-folder.ts";

/** With it, tasks of one service get their addresses in the recorded order. */
const DEFAULT_SEED = "g";

export interface SwarmOptions {
  readonly only: readonly string[];
  readonly out: string | undefined;
  readonly page: string | undefined;
  readonly verbose: boolean;
  readonly seed: string | undefined;
}

/** The exit status: 0 when everything is the same or a listed difference. */
export function runSwarmCases(folder: string, options: SwarmOptions): number {
  const wanted = (name: string) =>
    options.only.length === 0 || options.only.some((each) => name === each || name.startsWith(`${each}-`));
  const names = readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "notes.md")))
    .sort();
  const last = names.findLastIndex(wanted);
  if (last < 0) {
    console.error(`error: no case ${options.only.join(" ") || "at all"} in ${folder}`);
    return 2;
  }
  const cases: RecordedCase[] = [];
  // A case begins with what those before it have left.
  for (const name of names.slice(0, last + 1)) {
    const recorded = readCase(name, filesIn(join(folder, name)));
    if ("problem" in recorded) console.error(`error: ${name}: ${recorded.problem}`);
    else cases.push(recorded);
  }
  const first = (recorded: RecordedCase) => recorded.notes.steps[0]!.atNs;
  cases.sort((a, b) => first(a) - first(b));
  const reports: CaseReport[] = [];
  const states = new Map<string, readonly StateResult[]>();
  runSession({
    cases,
    words: WORDS,
    seed: options.seed ?? DEFAULT_SEED,
    dumped: (run, lab) => states.set(run.recorded.name, compareStates(run, lab)),
    ended: (run) => {
      if (!wanted(run.recorded.name)) return;
      reports.push(judge(run, states.get(run.recorded.name) ?? []));
      if (options.out !== undefined)
        writeCaptures(options.out, run.recorded.name, run.captures as ReadonlyMap<string, CapturedFrame[]>);
      if (options.verbose)
        for (const { host, line, text } of run.outputs) console.log(`${host}$ ${line}\n${text.trimEnd()}`);
    },
  });
  return tell(folder, reports, options);
}

function tell(folder: string, reports: readonly CaseReport[], options: SwarmOptions): number {
  const reasonOf = reasons(folder);
  let same = 0;
  let explained = 0;
  const unexplained: string[] = [];
  for (const report of reports) {
    for (const { key, same: isSame, text, diff } of findings(report)) {
      const reason = isSame ? undefined : reasonOf(key);
      if (isSame) same++;
      else if (reason !== undefined) explained++;
      else unexplained.push(key);
      console.log(`${key}: ${text}${reason === undefined ? "" : `; ${reason}`}`);
      if (options.verbose) for (const line of diff) console.log(`    ${line}`);
    }
    for (const problem of report.problems) console.log(`${report.name}: problem: ${problem}`);
  }
  console.log(`${same} of ${same + explained + unexplained.length} findings the same, ${explained} listed differences`);
  for (const key of unexplained) console.log(`FAILED: ${key}`);
  if (options.page !== undefined) {
    mkdirSync(dirname(options.page), { recursive: true });
    writeFileSync(options.page, page(reports, reasonOf));
  }
  return unexplained.length === 0 ? 0 : 1;
}

/** Keys of the list are patterns: `*` stands for anything, `?` for one character. */
function reasons(folder: string): (key: string) => string | undefined {
  const patterns = [...readKnownDifferences(folder)].map(([pattern, reason]) => {
    const escaped = pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return { matches: new RegExp(`^${escaped}$`), reason };
  });
  return (key) => patterns.find(({ matches }) => matches.test(key))?.reason;
}

function filesIn(folder: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isFile()) files.set(name, readFileSync(path));
  }
  return files;
}
