/** From a file's name to a scenario: YAML, or a plain file of `ip`, `bridge`, `sysctl`, `ethtool` lines. */
import { basename, dirname, resolve } from "node:path";
import { loadScenario, type Scenario } from "../scenario/load.ts";
import { loadTopologyScript } from "../scenario/topology-script.ts";
import { readInput } from "./input-file.ts";
import { UsageError } from "./usage-error.ts";

export function loadInput(file: string): Scenario {
  const { name, text } = readInput(file);
  if (/\.(sh|bash|net|conf)$/.test(file) || text.startsWith("#!")) {
    const stem = basename(file).replace(/\.[a-z]+$/, "");
    return loadTopologyScript(text, name, /^[a-zA-Z0-9][\w.-]*$/.test(stem) ? stem : "topology");
  }
  return loadScenario(text, name, (other) => readBeside(file, other));
}

/** A file that a scenario names: relative to its own folder. */
function readBeside(scenario: string, name: string): { readonly text: string } | { readonly problem: string } {
  const path = resolve(scenario === "-" ? "." : dirname(scenario), name);
  try {
    return { text: readInput(path).text };
  } catch (error) {
    if (error instanceof UsageError) return { problem: error.message.replace(path, name) };
    throw error;
  }
}
