/** The keys of the scenario format as tables, from the JSON Schema that the reader's shapes give. */
import { scenarioSchema } from "../../src/scenario/schema.ts";

interface Schema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
}

/** `scenario`, `nodes.*`, `steps[].fault`, … to a Markdown table of its keys. */
export function scenarioTables(): ReadonlyMap<string, string> {
  const tables = new Map<string, string>();
  collect(scenarioSchema() as Schema, "scenario", tables);
  return tables;
}

function collect(schema: Schema, path: string, tables: Map<string, string>): void {
  const below = (key: string): string => (path === "scenario" ? key : `${path}${key}`);
  if (schema.properties !== undefined) {
    const rows = Object.entries(schema.properties).map(([key, value]) => {
      const must = schema.required?.includes(key) ? " (required)" : "";
      return `| \`${key}\`${must} | ${valueText(value)} | ${value.description ?? ""} |`;
    });
    tables.set(path, ["| key | value | meaning |", "|---|---|---|", ...rows].join("\n"));
    for (const [key, value] of Object.entries(schema.properties))
      collect(value, path === "scenario" ? key : `${path}.${key}`, tables);
  }
  if (schema.items !== undefined) collect(schema.items, below("[]"), tables);
  if (typeof schema.additionalProperties === "object") collect(schema.additionalProperties, `${path}.*`, tables);
  for (const [index, choice] of (schema.anyOf ?? []).entries()) {
    const objects = (schema.anyOf ?? []).filter(({ properties }) => properties !== undefined).length;
    collect(
      choice,
      objects > 1 ? `${path} (${Object.keys(choice.properties ?? { result: 0 })[0] ?? index})` : path,
      tables,
    );
  }
}

function valueText(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(", ");
  if (schema.title !== undefined) return schema.title.startsWith("a name of") ? "a name" : schema.title;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(valueText))].join(", or ");
  if (schema.type === "integer") return `an integer from ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === "boolean") return "`true` or `false`";
  if (schema.type === "array") return `a list of: ${valueText(schema.items ?? {})}`;
  if (schema.type === "object") return schema.additionalProperties === false ? "a mapping" : "a mapping by name";
  return "a text";
}
