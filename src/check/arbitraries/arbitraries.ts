/**
 * All arbitraries, bound to the fast-check of whoever tests:
 *
 *   import * as fc from "fast-check";
 *   const { anyScenario, anyFaults } = arbitraries(fc);
 */
import type { Arbitrary } from "fast-check";
import type { ScenarioInput, StepInput } from "../../scenario/input.ts";
import type { Prefix } from "../../wire/address.ts";
import type { WorldPlan } from "../worlds/plan.ts";
import { anyHostIn, anyMac, anySubnet } from "./addresses.ts";
import type { FastCheck } from "./fast-check.ts";
import { anyFaults, anyScenario, anyTopology, anyTraffic, anyWorldPlan } from "./worlds.ts";

export interface Arbitraries {
  /** Machines, networks, containers, published ports, balancers, traffic and faults: a scenario that runs. */
  anyScenario(): Arbitrary<ScenarioInput>;
  /** The same without anything happening in it. */
  anyTopology(): Arbitrary<ScenarioInput>;
  anyWorldPlan(): Arbitrary<WorldPlan>;
  /** Steps that make traffic among hosts, given by name and address, at times up to `withinMs` behind the first 1.5 s. */
  anyTraffic(hosts: Readonly<Record<string, string>>, withinMs?: number): Arbitrary<readonly StepInput[]>;
  /** Steps that disturb the machines' links. */
  anyFaults(machines: readonly string[]): Arbitrary<readonly StepInput[]>;
  anyMac(): Arbitrary<string>;
  anySubnet(): Arbitrary<Prefix>;
  anyHostIn(subnet: Prefix): Arbitrary<string>;
}

export function arbitraries(fc: FastCheck): Arbitraries {
  return {
    anyScenario: () => anyScenario(fc),
    anyTopology: () => anyTopology(fc),
    anyWorldPlan: () => anyWorldPlan(fc),
    anyTraffic: (hosts, withinMs) => anyTraffic(fc, hosts, withinMs),
    anyFaults: (machines) => anyFaults(fc, machines),
    anyMac: () => anyMac(fc),
    anySubnet: () => anySubnet(fc),
    anyHostIn: (subnet) => anyHostIn(fc, subnet),
  };
}
