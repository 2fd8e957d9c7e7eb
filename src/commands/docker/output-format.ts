/** `--format` of lists: `table`, `table TEMPLATE`, `json`, or a template for each line (docker/cli command/formatter). */
import type { TextSink } from "../../linux/process.ts";
import { quoted } from "../../swarm/stack/go-quote.ts";
import { CommandError } from "../command-error.ts";
import { Template, TemplateError } from "./go-template.ts";
import { goJson, type Shown } from "./go-text.ts";
import { table } from "./table.ts";

/** A column: the field's name in templates, its heading. */
export interface Column {
  readonly field: string;
  readonly heading: string;
}

/** One object of a list: all its fields by name. */
export type Row = Readonly<Record<string, Shown>>;

/** How objects of one kind are listed. */
export interface ListForm {
  /** Of the table, when no template is given. */
  readonly columns: readonly Column[];
  /** Of the fields that only templates show. */
  readonly headings: Readonly<Record<string, string>>;
  /** What the client calls the type of a row, in complaints about templates. */
  readonly goType: string;
}

/** A list of objects in the form that was asked for. */
export function formatList(format: string | undefined, list: ListForm, rows: readonly Row[]): string {
  const { columns, headings, goType } = list;
  if (format === undefined || format === "" || format === "table")
    return table([
      columns.map(({ heading }) => heading),
      ...rows.map((row) => columns.map(({ field }) => String(row[field] ?? ""))),
    ]);
  if (format === "json") return rows.map((row) => `${escapeHtml(goJson(row))}\n`).join("");
  const isTable = /^table\s/.test(format);
  // The shell leaves `\t` and `\n` as they are; the client reads them.
  const source = (isTable ? format.slice("table".length).trim() : format).replace(/\\t/g, "\t").replace(/\\n/g, "\n");
  try {
    const template = new Template(source, (field) => `can't evaluate field ${field} in type ${goType}`);
    if (!isTable) return rows.map((row) => `${template.run(row)}\n`).join("");
    const names = Object.fromEntries(columns.map(({ field, heading }) => [field, heading]));
    const lines = [template.run({ ...headings, ...names }), ...rows.map((row) => template.run(row))];
    return table(lines.map((line) => line.split("\t")));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new CommandError(1, error.message);
  }
}

/** Writes what `inspect` shows of one object after the other: JSON in a list, or a template for each. */
export function writeObjects(stdout: TextSink, format: string | undefined, objects: readonly Shown[]): void {
  if (format === undefined || format === "") stdout.write(`${goJson(objects, 4)}\n`);
  else if (format === "json") stdout.write(objects.map((each) => `${goJson(each)}\n`).join(""));
  else {
    let written = "";
    try {
      const template = new Template(format, (field) => `map has no entry for key ${quoted(field)}`);
      for (const each of objects) written += `${template.run(each)}\n`;
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      if (error.stage === "parsing") throw new CommandError(64, error.message);
      stdout.write(written === "" ? "\n" : written);
      throw new CommandError(1, error.message);
    }
    stdout.write(written === "" ? "\n" : written);
  }
}

/** encoding/json escapes these unless it is told not to. */
function escapeHtml(json: string): string {
  return json.replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
}
