/** Labels that let a stack's constraints hold: what an operator would have put on the nodes before deploying. One node after the other gets what one service asks for. */
import { parseConstraints } from "../../swarm/scheduler/constraint.ts";
import type { Stack } from "../../swarm/stack/load-stack.ts";
import type { Structure } from "../../swarm/stack/value.ts";

export interface LabelledNode {
  readonly name: string;
  readonly role: "manager" | "worker";
  readonly labels: Map<string, string>;
}

const LABEL = /^node\.labels\.(.+)$/i;

/** Adds to the labels of `nodes`; what they have already is left alone. */
export function labelNodes(stack: Stack, nodes: readonly LabelledNode[]): void {
  for (const { deploy } of stack.services.values()) {
    const { placement, mode, replicas } = (deploy ?? {}) as Structure;
    const lines = ((placement as Structure | undefined)?.constraints ?? []) as readonly string[];
    const parsed = parseConstraints(lines);
    if ("problem" in parsed) continue;
    const wanted = new Map<string, string>();
    let role: string | undefined;
    for (const { key, equal, value } of parsed) {
      const label = LABEL.exec(key)?.[1];
      if (equal && label !== undefined) wanted.set(label, value);
      if (key.toLowerCase() === "node.role") role = equal ? value : value === "manager" ? "worker" : "manager";
    }
    if (wanted.size === 0) continue;
    const fitting = nodes.filter((node) => (role === undefined || node.role === role) && isFree(node, wanted));
    // Workers first: managers are seldom what such a label is for.
    const sorted = [...fitting].sort((a, b) => rank(a) - rank(b));
    const isGlobal = mode === "global" || mode === "global-job";
    const count = isGlobal ? sorted.length : isLimited(placement) ? Number(replicas ?? 1) : 1;
    if (!isGlobal && fitting.some((node) => [...wanted].every(([label, value]) => node.labels.get(label) === value)))
      continue;
    for (const node of sorted.slice(0, count)) for (const [label, value] of wanted) node.labels.set(label, value);
  }
}

/** No label of the node says something else. */
function isFree({ labels }: LabelledNode, wanted: ReadonlyMap<string, string>): boolean {
  return [...wanted].every(([label, value]) => (labels.get(label) ?? value) === value);
}

function rank({ role, labels }: LabelledNode): number {
  return (role === "worker" ? 0 : 1_000) + labels.size;
}

/** With so many tasks a node at most, as many nodes are needed. */
function isLimited(placement: unknown): boolean {
  return ((placement as Structure | undefined)?.max_replicas_per_node ?? 0) !== 0;
}
