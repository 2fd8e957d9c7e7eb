/**
 * A plain file of commands as one would type them as root, as a scenario. Lines that configure (`ip`, `bridge`, `sysctl`, …) up to the first
 * that makes traffic are `setup:`; the rest runs as one script, each line when the one before has ended, with every interface captured.
 */

import { unknownWord, wordOf } from "./known-words.ts";
import { type Scenario, scenarioFrom } from "./load.ts";
import { type Problem, ScenarioError } from "./problem.ts";

const CONFIGURING = new Set([
  "ip",
  "bridge",
  "sysctl",
  "ethtool",
  "iptables",
  "iptables-restore",
  "ipvsadm",
  "tc",
  "modprobe",
]);
/** A bridge port forwards only when its carrier has been reported, up to 1 s after `up`. */
const TRAFFIC_FROM = "2s";

interface Line {
  /** Both from 1. */
  readonly number: number;
  readonly column: number;
  readonly text: string;
}

/** `file` is its name for messages; `name` the scenario's. Throws `ScenarioError` with all problems found. */
export function loadTopologyScript(text: string, file: string, name: string): Scenario {
  const lines = commandLines(text);
  const problems = lines.flatMap((line): Problem[] => {
    const unknown = unknownWord(line.text);
    return unknown === undefined ? [] : [{ ...placeOf(line), path: "", ...unknown }];
  });
  if (lines.length === 0)
    problems.push({
      line: 1,
      column: 1,
      length: 1,
      path: "",
      found: "no command",
      expected: "lines of ip, bridge, ping and the like",
    });
  if (problems.length > 0) throw new ScenarioError(file, text, problems);

  const split = lines.findIndex((line) => !CONFIGURING.has(wordOf(line.text) ?? ""));
  const setup = split < 0 ? lines : lines.slice(0, split);
  const script = split < 0 ? [] : lines.slice(split);
  const scenario = scenarioFrom(
    {
      name,
      setup: setup.map((line) => line.text),
      // As when a shell runs the file: it went well when its last command did.
      ...(script.length > 0 && {
        steps: [{ at: TRAFFIC_FROM, run: script.map((line) => line.text).join("\n"), as: "script" }],
        expect: [{ script: { exit: 0 } }],
      }),
    },
    file,
  );
  const locate = (path: string): Pick<Problem, "line" | "column" | "length"> | undefined => {
    const index = /^setup\[(\d+)\]$/.exec(path)?.[1];
    const line = index === undefined ? undefined : setup[Number(index)];
    return line === undefined ? undefined : placeOf(line);
  };
  return { ...scenario, source: { text, locate } };
}

function placeOf(line: Line): Pick<Problem, "line" | "column" | "length"> {
  return { line: line.number, column: line.column, length: line.text.length };
}

/** Lines that end in a backslash are joined; blank ones, comments and the shell's own settings are left out. */
function commandLines(text: string): Line[] {
  const lines: Line[] = [];
  let continued: Line | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const joined: Line =
      continued === undefined
        ? { number: index + 1, column: raw.length - raw.trimStart().length + 1, text: raw.trim() }
        : { ...continued, text: `${continued.text} ${raw.trim()}` };
    if (joined.text.endsWith("\\")) {
      continued = { ...joined, text: joined.text.slice(0, -1).trim() };
      continue;
    }
    continued = undefined;
    if (joined.text !== "" && !joined.text.startsWith("#") && !/^set\s+[-+]/.test(joined.text)) lines.push(joined);
  }
  return lines;
}
