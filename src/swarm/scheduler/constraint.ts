/**
 * Placement constraints, `node.labels.zone == east` (swarmkit manager/constraint): key, operator, value. All of a task's must hold. Equality
 * ignores case and knows no patterns; a key that is not known holds of no node.
 */
import { contains, parseIpv4, parsePrefix } from "../../wire/address.ts";
import type { Node } from "../api/objects.ts";

export interface Constraint {
  readonly key: string;
  readonly equal: boolean;
  readonly value: string;
}

const KEY = /^[a-z_][a-z0-9\-_.]+$/i;
const VALUE = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;
const OPERATORS = ["==", "!="] as const;
const NODE_LABELS = "node.labels.";
const ENGINE_LABELS = "engine.labels.";

/** The constraints, or swarmkit's words for the first that cannot be read. */
export function parseConstraints(lines: readonly string[]): readonly Constraint[] | { readonly problem: string } {
  const constraints: Constraint[] = [];
  for (const line of lines) {
    const constraint = parseConstraint(line);
    if ("problem" in constraint) return constraint;
    constraints.push(constraint);
  }
  return constraints;
}

function parseConstraint(line: string): Constraint | { readonly problem: string } {
  const operator = OPERATORS.find((each) => line.includes(each));
  if (operator === undefined) return { problem: "constraint expected one operator from ==, !=" };
  const at = line.indexOf(operator);
  const key = line.slice(0, at).trim();
  const value = line.slice(at + operator.length).trim();
  if (!KEY.test(key)) return { problem: `key '${key}' is invalid` };
  if (!VALUE.test(value)) return { problem: `value '${value}' is invalid` };
  return { key, equal: operator === "==", value };
}

/** Whether every constraint holds of the node. */
export function meetsConstraints(constraints: readonly Constraint[], node: Node): boolean {
  return constraints.every((constraint) => holds(constraint, node));
}

function holds(constraint: Constraint, node: Node): boolean {
  const key = constraint.key.toLowerCase();
  const { description, spec } = node;
  switch (key) {
    case "node.id":
      return matches(constraint, node.id);
    case "node.hostname":
      return matches(constraint, description?.hostname ?? "");
    case "node.ip":
      return matchesAddress(constraint, node.status.address);
    case "node.role":
      return matches(constraint, node.role);
    case "node.platform.os":
      return matches(constraint, description?.platform?.os ?? "");
    case "node.platform.arch":
      return matches(constraint, description?.platform?.architecture ?? "");
  }
  // Labels keep their case; only the words in front of them do not.
  if (key.startsWith(NODE_LABELS) && key.length > NODE_LABELS.length)
    return matches(constraint, spec.annotations.labels.get(constraint.key.slice(NODE_LABELS.length)) ?? "");
  if (key.startsWith(ENGINE_LABELS) && key.length > ENGINE_LABELS.length)
    return matches(constraint, description?.engine?.labels.get(constraint.key.slice(ENGINE_LABELS.length)) ?? "");
  return false;
}

function matches({ equal, value }: Constraint, found: string): boolean {
  return (value.toLowerCase() === found.toLowerCase()) === equal;
}

/** An address is compared as a number, a subnet contains it or not; anything else holds of no node. */
function matchesAddress({ equal, value }: Constraint, found: string): boolean {
  const address = parseIpv4(found);
  if (value.includes("/")) {
    const subnet = parsePrefix(value);
    return subnet !== undefined && address !== undefined && contains(subnet, address) === equal;
  }
  const wanted = parseIpv4(value);
  return wanted !== undefined && address !== undefined && (wanted === address) === equal;
}
