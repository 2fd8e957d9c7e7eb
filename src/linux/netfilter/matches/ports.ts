/** Port ranges as the tcp, udp and sctp matches test, save and list them. */

import { RuleError, type Uses } from "../extension.ts";
import { parsePortRange, portName } from "../names.ts";

export interface PortTest {
  readonly minimum: number;
  readonly maximum: number;
  readonly inverted: boolean;
}

export function portTest(uses: Uses, name: string): PortTest | undefined {
  const value = uses.value(name);
  if (uses.all.filter((use) => use.name === name).length > 1)
    throw new RuleError(`Only one \`--${name === "sport" ? "source" : "destination"}-port' allowed`);
  return value === undefined ? undefined : { ...parsePortRange(value), inverted: uses.inverted(name) };
}

export function portFits(test: PortTest | undefined, port: number): boolean {
  return test === undefined || (port >= test.minimum && port <= test.maximum) !== test.inverted;
}

export function savePort(option: string, test: PortTest | undefined): string[] {
  if (test === undefined) return [];
  const range = test.minimum === test.maximum ? `${test.minimum}` : `${test.minimum}:${test.maximum}`;
  return [`${test.inverted ? "! " : ""}--${option} ${range}`];
}

/** `dpt:80`, `dpts:!5:65535`. */
export function listPort(label: string, test: PortTest | undefined, numeric: boolean): string[] {
  if (test === undefined) return [];
  const not = test.inverted ? "!" : "";
  if (test.minimum === test.maximum) return [`${label}:${not}${portName(test.minimum, numeric)}`];
  return [`${label}s:${not}${portName(test.minimum, numeric)}:${portName(test.maximum, numeric)}`];
}
