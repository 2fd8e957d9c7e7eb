/** One line of comma-separated fields, where a field may be quoted: what `--mount`, `--network` and `--publish` take in their long forms. */

/** Undefined: a quote stands where none may. */
export function csvFields(text: string): string[] | undefined {
  const fields: string[] = [];
  let at = 0;
  while (at <= text.length) {
    if (text[at] !== '"') {
      const end = text.indexOf(",", at);
      const field = text.slice(at, end < 0 ? text.length : end);
      if (field.includes('"')) return undefined;
      fields.push(field);
      if (end < 0) break;
      at = end + 1;
      continue;
    }
    let field = "";
    at++;
    for (;;) {
      const quote = text.indexOf('"', at);
      if (quote < 0) return undefined;
      field += text.slice(at, quote);
      at = quote + 1;
      if (text[at] !== '"') break;
      field += '"';
      at++;
    }
    fields.push(field);
    if (at >= text.length) break;
    if (text[at] !== ",") return undefined;
    at++;
  }
  return fields;
}
