/** Names of routing tables, as /etc/iproute2/rt_tables has them. */
import { TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN } from "../../linux/route.ts";
import { invalid, parseNumber } from "./arguments.ts";

const NAMES: ReadonlyMap<string, number> = new Map([
  ["unspec", 0],
  ["default", TABLE_DEFAULT],
  ["main", TABLE_MAIN],
  ["local", TABLE_LOCAL],
]);

export function parseTable(text: string, wrong: string): number {
  const table = NAMES.get(text) ?? parseNumber(text);
  if (table === undefined || table > 0xffff_ffff) throw invalid(text, wrong);
  return table;
}

export function tableName(table: number): string {
  for (const [name, number] of NAMES) if (number === table) return name;
  return String(table);
}
