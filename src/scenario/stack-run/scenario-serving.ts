/** What the services of a scenario serve: those under `services:`, and those of its stack file. */
import { loadStack } from "../../swarm/stack/load-stack.ts";
import { StackError } from "../../swarm/stack/stack-error.ts";
import type { ServingHint } from "../image-programs.ts";
import { type Scenario, scenarioProblem } from "../load.ts";
import { hintOf, stackServing } from "./stack-serving.ts";

/** Throws a `ScenarioError` where `x-vxlab` is not understood. */
export function scenarioServing(scenario: Scenario): ReadonlyMap<string, ServingHint> {
  if (scenario.serving !== undefined) return scenario.serving;
  const serving = new Map<string, ServingHint>();
  for (const [name, { loaded }] of scenario.services ?? [])
    serving.set(
      name,
      orProblem(scenario, `services.${name}`, () => hintOf(loaded, name)),
    );
  for (const [name, hint] of hintsOfStack(scenario)) serving.set(name, hint);
  return serving;
}

function hintsOfStack(scenario: Scenario): ReadonlyMap<string, ServingHint> {
  const { stack } = scenario;
  if (stack === undefined) return new Map();
  const { file, name = scenario.name } = typeof stack === "string" ? { file: stack } : stack;
  return orProblem(scenario, "stack", () => {
    const loaded = loadStack({
      files: [{ name: file, text: scenario.texts.get(file) ?? "" }],
      workingFolder: "/",
      environment: new Map(),
      readFile: (path) => ({ text: scenario.texts.get(path.replace(/^\//, "")) ?? "" }),
    });
    return stackServing(loaded, name);
  });
}

function orProblem<T>(scenario: Scenario, path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    throw scenarioProblem(scenario, path, error.message, "what vxlab understands");
  }
}
