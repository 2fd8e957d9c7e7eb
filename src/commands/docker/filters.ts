/** `--filter name=value`: values of one name are alternatives, different names all have to hold. */
import { CommandError } from "../command-error.ts";
import { type Flags, splitPair } from "./flags.ts";

/** Throws a CommandError for a name that the engine does not know. */
export function filtersOf(flags: Flags, known: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  for (const text of flags.list("filter")) {
    if (text === "") continue;
    const [name, value] = splitPair(text);
    const key = name.trim().toLowerCase();
    if (!known.includes(key)) throw new CommandError(1, `Error response from daemon: invalid filter '${key}'`);
    const others = filters.get(key);
    if (others === undefined) filters.set(key, [value.trim()]);
    else others.push(value.trim());
  }
  return filters;
}

/** `key` or `key=value`. */
export function matchesLabel(labels: ReadonlyMap<string, string> | undefined, wanted: string): boolean {
  const [key, value] = splitPair(wanted);
  const found = labels?.get(key);
  return found !== undefined && (!wanted.includes("=") || found === value);
}

/** A part of the text, or a regular expression for it; one that is none matches nothing. */
export function matchesText(text: string, wanted: string): boolean {
  if (text.includes(wanted)) return true;
  // Anchors and dots are what people write; anything that could run for long is not for names.
  if (wanted.length > 200 || /[*+{(]/.test(wanted)) return false;
  try {
    return new RegExp(wanted).test(text);
  } catch {
    return false;
  }
}
