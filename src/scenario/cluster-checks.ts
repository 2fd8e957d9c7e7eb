/** What a scenario expects of its swarm, held against what the leader's store says. */

import type { EngineHosts } from "./engine-hosts.ts";
import { compares, countText, type ExpectationResult } from "./expectations.ts";
import type { ClusterExpectation } from "./format.ts";

const NO_LEADER = "no manager leads";

export class ClusterChecks {
  readonly #hosts: EngineHosts;

  constructor(hosts: EngineHosts) {
    this.#hosts = hosts;
  }

  /** One result for each thing that is expected. */
  check({ tasks, running, nodes, leader }: ClusterExpectation): ExpectationResult[] {
    const results: ExpectationResult[] = [];
    if (tasks !== undefined) {
      const found = this.#running(tasks);
      const wanted = running ?? { relation: ">=" as const, value: 1 };
      results.push({
        expected: `running tasks of ${tasks}: ${countText(wanted)}`,
        holds: typeof found === "number" && compares(found, wanted),
        found: String(found),
      });
    }
    for (const [node, state] of nodes ?? []) {
      const found = this.#stateOf(node);
      results.push({ expected: `node ${node}: ${state}`, holds: found === state, found });
    }
    if (leader !== undefined) {
      const found = this.#hosts.leader?.name ?? NO_LEADER;
      results.push({ expected: `leader: ${leader}`, holds: found === leader, found });
    }
    return results;
  }

  /** Tasks that are wanted and run; in words why they cannot be counted. */
  #running(service: string): number | string {
    const { store } = this.#hosts;
    if (store === undefined) return NO_LEADER;
    const found = store.byName("service", service);
    if (found === undefined) return "no such service";
    const tasks = store.tasksOfService(found.id);
    return tasks.filter(({ status, desiredState }) => status.state === "running" && desiredState === "running").length;
  }

  #stateOf(name: string): string {
    const { store } = this.#hosts;
    if (store === undefined) return NO_LEADER;
    const states = [...store.all("node")]
      .filter(({ description }) => description?.hostname === name)
      .map(({ status }) => status.state);
    // A machine that left and came again is a new node beside the old one.
    return states.find((state) => state === "ready") ?? states.at(-1) ?? "gone";
  }
}
