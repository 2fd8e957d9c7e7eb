/** A command line cut into words as the client cuts `command:` and `entrypoint:` (google/shlex: quotes, backslash, comments). */

export function shellWords(line: string): string[] | string {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < line.length; at++) {
    const sign = line[at]!;
    if (quote === "'") {
      if (sign === "'") quote = "";
      else word += sign;
    } else if (sign === "\\") {
      at++;
      if (at >= line.length) return "EOF found after escape character";
      word = (word ?? "") + line[at]!;
    } else if (quote === '"') {
      if (sign === '"') quote = "";
      else word += sign;
    } else if (sign === "'" || sign === '"') {
      quote = sign;
      word ??= "";
    } else if (sign === " " || sign === "\t" || sign === "\r" || sign === "\n") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (sign === "#" && word === undefined) {
      while (at < line.length && line[at] !== "\n") at++;
    } else word = (word ?? "") + sign;
  }
  if (quote !== "") return "EOF found when expecting closing quote";
  if (word !== undefined) words.push(word);
  return words;
}
