/**
 * Expressions of pcap-filter(7): numbers of 32 bits without sign, fields `proto[offset:size]`, operators. A field is there only in packets of its
 * protocol, so an expression carries the condition under which it means something.
 */
import { ETHER_TYPES, TRANSPORT_PROTOCOLS } from "./filter-names.ts";
import {
  both,
  etherType,
  headsTransport,
  IP,
  IP6,
  IP6_HEADER_BYTES,
  ipHeaderBytes,
  ipProtocol,
  type Predicate,
} from "./filter-predicates.ts";
import type { FilterProbe, Layer } from "./filter-probe.ts";

export interface Arithmetic {
  readonly condition: Predicate | undefined;
  readonly value: (probe: FilterProbe) => number;
  /** Known without a frame. */
  readonly constant: number | undefined;
}

export function constant(value: number): Arithmetic {
  return { condition: undefined, value: () => value, constant: value };
}

export const LENGTH: Arithmetic = { condition: undefined, value: (probe) => probe.length, constant: undefined };

function allOf(left: Predicate | undefined, right: Predicate | undefined): Predicate | undefined {
  if (left === undefined) return right;
  return right === undefined ? left : both(left, right);
}

type Operation = (left: number, right: number) => number;

/** NaN stands for a division by zero. */
const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["+", (left, right) => (left + right) >>> 0],
  ["-", (left, right) => (left - right) >>> 0],
  ["*", (left, right) => Math.imul(left, right) >>> 0],
  ["/", (left, right) => (right === 0 ? Number.NaN : Math.floor(left / right))],
  ["%", (left, right) => (right === 0 ? Number.NaN : left % right)],
  ["&", (left, right) => (left & right) >>> 0],
  ["|", (left, right) => (left | right) >>> 0],
  ["^", (left, right) => (left ^ right) >>> 0],
  ["<<", (left, right) => (right > 31 ? 0 : (left << right) >>> 0)],
  [">>", (left, right) => (right > 31 ? 0 : left >>> right)],
]);

export function isOperator(text: string): boolean {
  return OPERATIONS.has(text);
}

/** How tightly a binary operator binds; 0 for `%` and `^`: to these libpcap gives no precedence, and their right side is all that follows. */
export function precedence(operator: string): number {
  if (operator === "|") return 1;
  if (operator === "&") return 2;
  if (operator === "<<" || operator === ">>") return 3;
  if (operator === "+" || operator === "-") return 4;
  return operator === "*" || operator === "/" ? 5 : 0;
}

/** Undefined when the right side is a zero to divide by. */
export function combine(operator: string, left: Arithmetic, right: Arithmetic): Arithmetic | undefined {
  const operation = OPERATIONS.get(operator)!;
  if (left.constant !== undefined && right.constant !== undefined) {
    const value = operation(left.constant, right.constant);
    return Number.isNaN(value) ? undefined : constant(value);
  }
  if ((operator === "/" || operator === "%") && right.constant === 0) return undefined;
  return {
    condition: allOf(left.condition, right.condition),
    constant: undefined,
    value: (probe) => {
      const result = operation(left.value(probe), right.value(probe));
      if (!Number.isNaN(result)) return result;
      probe.failed = true;
      return 0;
    },
  };
}

export function negate(operand: Arithmetic): Arithmetic {
  return combine("-", constant(0), operand)!;
}

/** Whether `name[...]` is a field. */
export function hasFields(name: string): boolean {
  return name === "ether" || name === "link" || ETHER_TYPES.has(name) || TRANSPORT_PROTOCOLS.has(name);
}

/** `name[offset:size]`; `name` has fields, `size` is 1, 2 or 4. */
export function field(layer: Layer, name: string, offset: Arithmetic, size: number): Arithmetic {
  const { condition, base } = placeOf(layer, name);
  const load = (probe: FilterProbe): number => {
    // Sums wrap at 32 bits: tcp[-1] is the byte in front of the header.
    const at = base(probe) + (offset.value(probe) | 0);
    return size === 1 ? probe.load8(at) : size === 2 ? probe.load16(at) : probe.load32(at);
  };
  return { condition: allOf(offset.condition, condition), value: load, constant: undefined };
}

interface Place {
  readonly condition: Predicate;
  readonly base: (probe: FilterProbe) => number;
}

function placeOf(layer: Layer, name: string): Place {
  if (name === "ether" || name === "link") {
    return { condition: (probe) => probe.link(layer) >= 0, base: (probe) => probe.link(layer) };
  }
  const type = ETHER_TYPES.get(name);
  if (type !== undefined) return { condition: etherType(layer, type), base: (probe) => probe.payload(layer) };
  const protocol = TRANSPORT_PROTOCOLS.get(name)!;
  if (protocol.over === "ip6") {
    return {
      condition: (probe) => probe.etherType(layer) === IP6 && probe.load8(probe.payload(layer) + 6) === protocol.number,
      base: (probe) => probe.payload(layer) + IP6_HEADER_BYTES,
    };
  }
  return {
    condition: both(both(etherType(layer, IP), ipProtocol(layer, protocol.number)), (probe) =>
      headsTransport(probe, probe.payload(layer)),
    ),
    base: (probe) => probe.payload(layer) + ipHeaderBytes(probe, probe.payload(layer)),
  };
}

type Relation = (left: number, right: number) => boolean;

const RELATIONS: ReadonlyMap<string, Relation> = new Map<string, Relation>([
  ["=", (left, right) => left === right],
  ["==", (left, right) => left === right],
  ["!=", (left, right) => left !== right],
  ["<", (left, right) => left < right],
  [">", (left, right) => left > right],
  ["<=", (left, right) => left <= right],
  [">=", (left, right) => left >= right],
]);

export function isRelation(text: string): boolean {
  return RELATIONS.has(text);
}

export function compare(relation: string, left: Arithmetic, right: Arithmetic): Predicate {
  const holds = RELATIONS.get(relation)!;
  const compared: Predicate = (probe) => holds(left.value(probe), right.value(probe));
  const condition = allOf(left.condition, right.condition);
  return condition === undefined ? compared : both(condition, compared);
}
