/** Words of a rule as iptables-save writes them, and back: quotes and backslashes only where they are needed. */

/** The word itself when it is plain, else in double quotes. */
export function quoted(text: string): string {
  if (/^[A-Za-z0-9_\-./@:+=%,~^&|<>*?]+$/.test(text)) return text;
  return `"${text.replace(/(["\\'])/g, "\\$1")}"`;
}

/** Splits a line into words as iptables-restore does; undefined when a quote is not closed. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word = "";
  let open = false;
  let quote = "";
  for (let index = 0; index < line.length; index++) {
    const character = line[index]!;
    if (quote !== "") {
      if (character === "\\" && index + 1 < line.length) word += line[++index]!;
      else if (character === quote) quote = "";
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      open = true;
    } else if (character === " " || character === "\t" || character === "\n") {
      if (open) words.push(word);
      word = "";
      open = false;
    } else {
      word += character;
      open = true;
    }
  }
  if (quote !== "") return undefined;
  if (open) words.push(word);
  return words;
}
