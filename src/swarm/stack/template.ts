/** Variables in a text, as the client's compose template has them: `$V`, `${V}`, `${V:-d}`, `${V-d}`, `${V:?e}`, `${V?e}`, `$$`. */

export type Environment = ReadonlyMap<string, string>;

/** A template that cannot be filled in: the client quotes it. */
export interface InvalidTemplate {
  readonly template: string;
}

/** Also `$V:-d` without braces takes a default: it reaches to the end of the text or to the next `}`. */
const PATTERN =
  /\$(?:(?<escaped>\$)|(?<named>[_a-z][_a-z0-9]*(?::?[-?][^}]*)?)|\{(?<braced>[_a-z][_a-z0-9]*(?::?[-?][^}]*)?)\}|)/gi;

/** The text with its variables filled in. Unset ones are empty; there is no recursion into defaults. */
export function substitute(text: string, environment: Environment): string | InvalidTemplate {
  if (!text.includes("$")) return text;
  const state: { invalid?: InvalidTemplate | undefined } = {};
  const result = text.replace(PATTERN, (...match) => {
    const groups = match.at(-1) as { escaped?: string; named?: string; braced?: string };
    if (groups.escaped !== undefined) return "$";
    const reference = groups.named ?? groups.braced;
    if (reference === undefined) {
      state.invalid = { template: text };
      return "";
    }
    const value = valueFor(reference, environment);
    // The client's last word counts: a later variable that is fine hides the trouble of an earlier one.
    state.invalid = typeof value === "string" ? undefined : value;
    return typeof value === "string" ? value : "";
  });
  return state.invalid ?? result;
}

/** The client looks for the signs in this order, wherever in the reference they stand. */
function valueFor(reference: string, environment: Environment): string | InvalidTemplate {
  for (const sign of [":-", "-"] as const) {
    if (!reference.includes(sign)) continue;
    const [name, fallback] = cut(reference, sign);
    const value = environment.get(name);
    return value === undefined || (sign === ":-" && value === "") ? fallback : value;
  }
  for (const sign of [":?", "?"] as const) {
    if (!reference.includes(sign)) continue;
    const [name, message] = cut(reference, sign);
    const value = environment.get(name);
    if (value === undefined || (sign === ":?" && value === ""))
      return { template: `required variable ${name} is missing a value: ${message}` };
    return value;
  }
  return environment.get(reference) ?? "";
}

function cut(text: string, sign: string): [string, string] {
  const at = text.indexOf(sign);
  return [text.slice(0, at), text.slice(at + sign.length)];
}
