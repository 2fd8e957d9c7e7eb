/** Which scenarios have engines and swarms, and what that decides. */
import type { NetworkSpec, ScenarioSpec } from "./format.ts";

/** Do the machines form a swarm before the steps? */
export function hasSwarm({ swarm, services, stack }: Pick<ScenarioSpec, "swarm" | "services" | "stack">): boolean {
  return swarm !== undefined || services !== undefined || stack !== undefined;
}

/** Do machines run dockerd? */
export function hasEngines(scenario: Pick<ScenarioSpec, "swarm" | "services" | "stack" | "engine">): boolean {
  return scenario.engine !== undefined || hasSwarm(scenario);
}

/** A swarm's networks are overlays, those of an engine alone bridges, unless they say otherwise. */
export function driverOf(
  scenario: Pick<ScenarioSpec, "swarm" | "services" | "stack">,
  { driver }: Pick<NetworkSpec, "driver">,
): "overlay" | "bridge" {
  return driver ?? (hasSwarm(scenario) ? "overlay" : "bridge");
}
