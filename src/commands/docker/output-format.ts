/** `--format` of lists: `table`, `table TEMPLATE`, `json`, or a template for each line (docker/cli command/formatter). */
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

/** A list of objects in the form that was asked for. `columns`: of the table when no template is given. */
export function formatList(
  format: string | undefined,
  columns: readonly Column[],
  headings: Readonly<Record<string, string>>,
  rows: readonly Row[],
): string {
  if (format === undefined || format === "" || format === "table")
    return table([
      columns.map(({ heading }) => heading),
      ...rows.map((row) => columns.map(({ field }) => String(row[field] ?? ""))),
    ]);
  if (format === "json") return rows.map((row) => `${goJson(row)}\n`).join("");
  return guard(() => {
    const isTable = /^table\s/.test(format);
    // The shell leaves `\t` and `\n` as they are; the client reads them.
    const source = (isTable ? format.slice("table".length).trim() : format).replace(/\\t/g, "\t").replace(/\\n/g, "\n");
    const template = new Template(source);
    if (!isTable) return rows.map((row) => `${template.run(row)}\n`).join("");
    const names = Object.fromEntries(columns.map(({ field, heading }) => [field, heading]));
    const lines = [template.run({ ...headings, ...names }), ...rows.map((row) => template.run(row))];
    return table(lines.map((line) => line.split("\t")));
  });
}

/** What `inspect` shows of one object after the other: JSON in a list, or a template for each. */
export function formatObjects(format: string | undefined, objects: readonly Shown[]): string {
  if (format === undefined || format === "") return `${goJson(objects, 4)}\n`;
  if (format === "json") return objects.map((each) => `${goJson(each)}\n`).join("");
  return guard(() => {
    const template = new Template(format);
    return objects.map((each) => `${template.run(each)}\n`).join("");
  });
}

function guard(write: () => string): string {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new CommandError(error.message.startsWith("template parsing") ? 64 : 1, error.message);
  }
}
