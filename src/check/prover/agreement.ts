/**
 * Reachability if and only if policy allows: after a world's faults are over, every container asks every other. What the plan means (a network in common, no
 * rule against it), what the prover reads from the tables, and what a ping finds must be the same.
 */
import type { Lab } from "../../scenario/lab.ts";
import { SECOND } from "../../sim/time.ts";
import { parseIpv4 } from "../../wire/address.ts";
import type { Violation } from "../law.ts";
import type { WorldPlan } from "../worlds/plan.ts";
import { PlanReader } from "../worlds/plan-scenario.ts";
import { proveLoops, provePing } from "./prover.ts";

export const REACHABILITY_NAME = "reachability";
export const REACHABILITY_SOURCE = "what the plan means, what the tables say and what a ping finds are the same";

const PING_NS = 5 * SECOND;

/** Asks every pair in a lab that has run. Its faults are over. */
export function checkReachability(lab: Lab, plan: WorldPlan): readonly Violation[] {
  const reader = new PlanReader(plan);
  const violations: Violation[] = [];
  const wrong = (place: string, words: string): void => {
    violations.push({ law: REACHABILITY_NAME, words, place, timeNs: lab.nowNs });
  };
  const asked = new Set<number>();
  // Where MAC addresses have moved, the packets on the way correct what bridges know: more than the tables of one moment say.
  const exchanged = plan.traffic.some(({ kind }) => kind === "exchange");
  for (const loop of proveLoops(lab.world)) wrong(loop, "a broadcast would meet the bridge twice");
  for (const [from, asker] of plan.containers.entries())
    for (const [to, target] of plan.containers.entries()) {
      if (from === to) continue;
      for (const network of reader.networksOf(target)) {
        const name = reader.containerName(from);
        const address = reader.address(to, network);
        const verdict = provePing(lab.world, lab.hosts.get(name)!.namespace, parseIpv4(address)!);
        const found = lab.exec(name, `ping -n -c 1 -W 1 ${address}`, PING_NS).status === 0;
        if (!exchanged && verdict.reaches !== "unknown" && (verdict.reaches === "yes") !== found)
          wrong(
            name,
            `${address}: the tables say ${verdict.reaches} (${verdict.why}), a ping says ${found ? "yes" : "no"}`,
          );
        if (found && !asked.has(from)) {
          // Once for each asker also in pieces: what is answered whole is answered in fragments.
          asked.add(from);
          if (lab.exec(name, `ping -n -c 1 -W 1 -s 4000 ${address}`, PING_NS).status !== 0)
            wrong(name, `${address} answers a packet that fits, and not one that comes in fragments`);
        }
        const meant = meaning(plan, reader, asker, from, to, network);
        if (meant !== undefined && meant !== found)
          wrong(name, `${address} is ${found ? "" : "not "}reached, and ${meant ? "should be" : "must not be"}`);
      }
    }
  return violations;
}

/** Does the plan mean them to reach each other? Undefined: it leaves that open. */
function meaning(
  plan: WorldPlan,
  reader: PlanReader,
  asker: WorldPlan["containers"][number],
  from: number,
  to: number,
  network: number,
): boolean | undefined {
  // Damaged ARP may have told anything to anybody, and it stays told.
  if (plan.faults.some(({ kind }) => kind === "corrupt")) return undefined;
  // Who has exchanged addresses may be remembered under the old one for a while.
  if (plan.traffic.some(({ kind }) => kind === "exchange")) return undefined;
  const own = reader.networksOf(asker);
  const target = plan.containers[to]!;
  const sameNode = asker.node % plan.nodes === target.node % plan.nodes;
  const { kind, subnet } = plan.networks[network]!;
  if (!own.includes(network)) {
    // Another network with the same addresses, or a node that routes: somebody may answer.
    const routed = plan.extras.some((extra) => extra.kind !== "deny");
    const twins = own.some((other) => plan.networks[other]!.subnet === subnet);
    const bridged = own.some((other) => plan.networks[other]!.kind === "bridge");
    return routed || twins || (bridged && kind === "bridge") ? undefined : false;
  }
  if (kind === "bridge" && !sameNode) return own.length > 1 || plan.nodes > 2 ? undefined : false;
  const denied = plan.extras.some(
    (extra) =>
      extra.kind === "deny" &&
      ((extra.container % plan.containers.length === to && extra.from % plan.containers.length === from) ||
        (extra.container % plan.containers.length === from && extra.from % plan.containers.length === to)),
  );
  return !denied;
}
