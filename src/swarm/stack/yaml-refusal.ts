/** A text that is no YAML, in the words of Go's yaml.v3 (its scanner and parser are libyaml's). */

export interface Mark {
  /** In UTF-16 units. */
  readonly offset: number;
  /** From 0. */
  readonly line: number;
  /** From 0. */
  readonly column: number;
}

/** Thrown and caught within this folder only: the reader turns it into a `StackError`. */
export class YamlRefusal extends Error {
  override readonly name = "YamlRefusal";
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`yaml: ${message}`);
    this.offset = offset;
  }
}

/** yaml.v3 names the line where the construct began that went wrong, or else the line of the trouble; neither if that is the first one. */
export function scannerRefusal(problem: string, at: Mark, began: Mark = at): YamlRefusal {
  const line = began.line !== 0 ? began.line : at.line;
  return new YamlRefusal(line === 0 ? problem : `line ${line + 1}: ${problem}`, at.offset);
}

/** The parser's lines count from 0. */
export function parserRefusal(problem: string, at: Mark, began: Mark = at): YamlRefusal {
  const line = began.line !== 0 ? began.line : at.line;
  return new YamlRefusal(line === 0 ? problem : `line ${line}: ${problem}`, at.offset);
}
