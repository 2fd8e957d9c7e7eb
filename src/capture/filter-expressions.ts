/** Reads the expressions of pcap-filter(7), such as `tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn`, and the relations between them. */
import {
  type Arithmetic,
  combine,
  compare,
  constant,
  field,
  hasFields,
  isOperator,
  isRelation,
  LENGTH,
  negate,
  precedence,
} from "./filter-arithmetic.ts";
import type { FilterCursor } from "./filter-cursor.ts";
import { FIELD_CONSTANTS } from "./filter-names.ts";
import type { Predicate } from "./filter-predicates.ts";
import type { Layer } from "./filter-probe.ts";
import { numberOf } from "./filter-tokens.ts";

/** A sign binds tighter than any operator between two. */
const UNARY = 5;

/** Whether the next tokens begin a relation rather than a primitive; a parenthesis does when an operator stands behind its partner. */
export function startsRelation(cursor: FilterCursor): boolean {
  const token = cursor.peek();
  if (token.kind === "number" || token.text === "-" || token.text === "len") return true;
  if (token.text === "(") {
    const behind = cursor.behindPartner(token);
    return isRelation(behind.text) || isOperator(behind.text);
  }
  return FIELD_CONSTANTS.has(token.text) || (hasFields(token.text) && cursor.textAhead(1) === "[");
}

export function parseRelation(cursor: FilterCursor, layer: Layer): Predicate | undefined {
  const left = parseArithmetic(cursor, layer);
  if (left === undefined) return undefined;
  const relation = cursor.peek().text;
  if (!isRelation(relation)) return cursor.fail("one of = == != < > <= >=");
  cursor.step();
  const right = parseArithmetic(cursor, layer);
  return right === undefined ? undefined : compare(relation, left, right);
}

/** Operators that bind tighter than `least`. */
function parseArithmetic(cursor: FilterCursor, layer: Layer, least = 0): Arithmetic | undefined {
  return cursor.nested(() => {
    let left = operand(cursor, layer);
    for (;;) {
      const operator = cursor.peek();
      if (left === undefined || !isOperator(operator.text)) return left;
      const binds = precedence(operator.text);
      if (binds !== 0 && binds <= least) return left;
      cursor.step();
      const right = parseArithmetic(cursor, layer, binds);
      if (right === undefined) return undefined;
      if ((operator.text === "<<" || operator.text === ">>") && (right.constant ?? 0) > 31) {
        return cursor.failAt(operator, "a shift by at most 31 bits");
      }
      left = combine(operator.text, left, right) ?? cursor.failAt(operator, "no division by zero");
    }
  });
}

function operand(cursor: FilterCursor, layer: Layer): Arithmetic | undefined {
  const token = cursor.peek();
  if (cursor.take("-")) {
    const negated = parseArithmetic(cursor, layer, UNARY);
    return negated === undefined ? undefined : negate(negated);
  }
  if (cursor.take("(")) {
    const inner = parseArithmetic(cursor, layer);
    return inner === undefined || !cursor.expect(")") ? undefined : inner;
  }
  const number = numberOf(token) ?? FIELD_CONSTANTS.get(token.text);
  if (number !== undefined) {
    cursor.step();
    return constant(number);
  }
  if (cursor.take("len")) return LENGTH;
  if (!hasFields(token.text)) return cursor.fail("a number, len, or a field such as tcp[13]");
  cursor.step();
  return fieldOf(cursor, layer, token.text);
}

function fieldOf(cursor: FilterCursor, layer: Layer, name: string): Arithmetic | undefined {
  if (!cursor.expect("[")) return undefined;
  const offset = parseArithmetic(cursor, layer);
  if (offset === undefined) return undefined;
  let size = 1;
  if (cursor.take(":")) {
    const given = numberOf(cursor.peek());
    if (given !== 1 && given !== 2 && given !== 4) return cursor.fail("a size of 1, 2 or 4 bytes");
    size = given;
    cursor.step();
  }
  return cursor.expect("]") ? field(layer, name, offset, size) : undefined;
}
