/**
 * A plain file of commands as one would type them as root, as a scenario. Lines that configure (`ip`, `bridge`, `sysctl`, …) up to the first
 * that makes traffic are `setup:`; the rest runs as one script, each line when the one before has ended, with every interface captured.
 */

import { type Scenario, scenarioFrom } from "./load.ts";
import type { Problem } from "./problem.ts";

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
  readonly number: number;
  readonly text: string;
}

export function loadTopologyScript(text: string, file: string, name: string): Scenario {
  const lines = commandLines(text);
  const split = lines.findIndex((line) => !CONFIGURING.has(line.text.split(/\s/)[0]!));
  const setup = split < 0 ? lines : lines.slice(0, split);
  const script = split < 0 ? [] : lines.slice(split);
  const scenario = scenarioFrom(
    {
      name,
      setup: setup.map((line) => line.text),
      ...(script.length > 0 && {
        steps: [{ at: TRAFFIC_FROM, run: script.map((line) => line.text).join("\n"), as: "script" }],
      }),
    },
    file,
  );
  const locate = (path: string): Pick<Problem, "line" | "column" | "length"> | undefined => {
    const index = /^setup\[(\d+)\]$/.exec(path)?.[1];
    const line = index === undefined ? undefined : setup[Number(index)];
    return line === undefined ? undefined : { line: line.number, column: 1, length: line.text.length };
  };
  return { ...scenario, source: { text, locate } };
}

/** Lines that end in a backslash are joined; blank ones, comments and the shell's own settings are left out. */
function commandLines(text: string): Line[] {
  const lines: Line[] = [];
  let continued: Line | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const joined: Line =
      continued === undefined
        ? { number: index + 1, text: raw.trim() }
        : { number: continued.number, text: `${continued.text} ${raw.trim()}` };
    if (joined.text.endsWith("\\")) {
      continued = { number: joined.number, text: joined.text.slice(0, -1).trim() };
      continue;
    }
    continued = undefined;
    if (joined.text !== "" && !joined.text.startsWith("#") && !/^set\s+[-+]/.test(joined.text)) lines.push(joined);
  }
  return lines;
}
