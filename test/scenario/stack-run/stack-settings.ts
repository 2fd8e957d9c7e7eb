/** Stack files as tests run them: on machines node1, node2, …, the first of them managers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LabelledNode } from "../../../src/scenario/stack-run/auto-labels.ts";
import type { StackReport } from "../../../src/scenario/stack-run/stack-report.ts";
import { StackRun } from "../../../src/scenario/stack-run/stack-run.ts";
import type { StackRunSettings } from "../../../src/scenario/stack-run/stack-run-settings.ts";
import { loadStack } from "../../../src/swarm/stack/load-stack.ts";

export const STACKS = join(import.meta.dirname, "../../../scenarios/stacks");

export function exampleText(name: string): string {
  return readFileSync(join(STACKS, `${name}.yml`), "utf8");
}

export function nodes(count: number, managers = 1): LabelledNode[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `node${index + 1}`,
    role: index < managers ? "manager" : "worker",
    labels: new Map(),
  }));
}

export function settings(text: string, more: Partial<StackRunSettings> = {}): StackRunSettings {
  const files = [{ name: "stack.yml", path: "/stacks/stack.yml", text }];
  const texts = more.texts ?? new Map<string, string>();
  const environment = more.environment ?? new Map<string, string>();
  const readFile = (path: string) => {
    const found = texts.get(path);
    return found === undefined ? { problem: `open ${path}: no such file or directory` } : { text: found };
  };
  return {
    name: "shop",
    loaded: loadStack({ files, workingFolder: "/stacks", environment, readFile }),
    files,
    texts,
    environment,
    nodes: nodes(3),
    autoLabel: false,
    createExternal: false,
    seed: "1",
    capture: ["node*/eth0"],
    until: undefined,
    isSealed: false,
    ...more,
  };
}

export function run(text: string, more: Partial<StackRunSettings> = {}): { report: StackReport; run: StackRun } {
  const stackRun = new StackRun(settings(text, more));
  while (!stackRun.advance());
  return { report: stackRun.report(), run: stackRun };
}
