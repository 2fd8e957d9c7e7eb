/** What a timeline needs of the run: its time, its hosts, its faults. */
import type { Simulation } from "../sim/simulation.ts";
import type { ClusterChecks } from "./cluster-checks.ts";
import type { Faults } from "./faults.ts";
import type { NamedHost } from "./hosts.ts";

/** Where steps find those they speak of. */
export interface Stage {
  readonly simulation: Simulation;
  /** Those whom the name means, `web.*` several; without a name: the machine that `setup:` lines run on. */
  hosts(name?: string): readonly NamedHost[];
  /** What `seenFrom` would type to reach `name`. */
  addressOf(name: string, seenFrom: NamedHost): string | undefined;
  readonly faults: Faults;
  /** Where there is a swarm. */
  readonly cluster: ClusterChecks | undefined;
}
